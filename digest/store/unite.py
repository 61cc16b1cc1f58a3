"""Moves what belongs to papers that turned out to be one work with others over to these."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, or_, select, update

from digest.model import DeliveryState, PaperKey
from digest.rank.placed import AGAIN, IN_FULL, SENT
from digest.store.claims import IN_HAND, WAITING
from digest.store.database import batches
from digest.store.places import is_owed
from digest.store.schema import alias as al
from digest.store.schema import announcement as a
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep
from digest.store.schema import feedback as f
from digest.store.schema import observation as o
from digest.store.schema import paper as p
from digest.store.schema import wording as w


def move_papers(connection: Connection, moves: Sequence[tuple[PaperKey, PaperKey]], now: datetime) -> None:
    """Let papers go over into others, with their announcements, observations, identities and places in editions.

    What was sent under either key counts as sent. All announcements keep their numbers, so that whoever was owed one of
    the two is owed the one that stays, unless it was sent to them.

    Args:
        connection: A writing transaction.
        moves: The key that goes and the one that stays, which is none of those that go.
        now: When this is learnt.
    """
    rows = [{"old": old, "new": new} for old, new in moves]
    if not rows:
        return
    # What a model wrote of the paper that stays is kept; of both, only one could be shown.
    other = w.alias()
    same = and_(*(other.c[name] == w.c[name] for name in ("language", "kind", "by")))
    is_free = ~exists().where(other.c.paper_key == bindparam("new"), same)
    connection.execute(
        update(w).where(w.c.paper_key == bindparam("old"), is_free).values(paper_key=bindparam("new")), rows
    )
    for table in (a, o, al, ep):
        to_move = update(table).where(table.c.paper_key == bindparam("old")).values(paper_key=bindparam("new"))
        connection.execute(to_move, rows)
    connection.execute(delete(p).where(p.c.key == bindparam("old")), rows)
    for some in batches(moves):
        _keep_last_word(connection, dict(some))
    for keys in batches({new for _, new in moves}):
        _name_once(connection, keys)
        _take_back(connection, keys, now)


def _keep_last_word(connection: Connection, moves: Mapping[PaperKey, PaperKey]) -> None:
    """Of what a subscriber said of both papers the newer counts."""
    is_moved = f.c.paper_key.in_(moves)
    if connection.scalar(select(f.c.paper_key).where(is_moved).limit(1)) is None:
        return
    is_of_both = or_(is_moved, f.c.paper_key.in_(set(moves.values())))
    said = connection.execute(select(f).where(is_of_both).order_by(f.c.at)).mappings().all()
    last = {}
    for row in said:
        key = moves.get(row["paper_key"], row["paper_key"])
        last[row["subscriber_id"], key] = {**row, "paper_key": key}
    connection.execute(delete(f).where(is_of_both))
    connection.execute(insert(f), [*last.values()])


def _name_once(connection: Connection, keys: Sequence[PaperKey]) -> None:
    """Of two places of a paper in one edition the first one stays."""
    other = ep.alias()
    is_repeat = exists().where(
        other.c.edition_id == ep.c.edition_id, other.c.paper_key == ep.c.paper_key, other.c.position < ep.c.position
    )
    connection.execute(delete(ep).where(ep.c.paper_key.in_(keys), is_repeat))


def _take_back(connection: Connection, keys: Sequence[PaperKey], now: datetime) -> None:
    """Take what was sent to a subscriber under the other key out of the edition that they wait for.

    What was only named may still be shown. Were it taken out of an edition that a run has in hand, nobody would know
    that it was shown, and it could be carried over into one more.
    """
    sent, its = e.alias(), ep.alias()
    was_sent = exists().where(
        sent.c.subscriber_id == e.c.subscriber_id,
        sent.c.state == DeliveryState.ACCEPTED,
        its.c.edition_id == sent.c.id,
        its.c.paper_key == ep.c.paper_key,
        its.c.section.in_(SENT),
        or_(its.c.section.in_(IN_FULL), ep.c.section.not_in(IN_FULL)),
    )
    places = select(ep.c.edition_id, ep.c.position).join(e, e.c.id == ep.c.edition_id)
    # What became of it is news still.
    may_go = and_(ep.c.paper_key.in_(keys), ep.c.section.not_in(AGAIN), e.c.state.in_((*WAITING, *IN_HAND)))
    taken = connection.execute(places.where(may_go, was_sent)).all()
    if not taken:
        return
    rows = [{"the_edition": row.edition_id, "the_position": row.position} for row in taken]
    is_taken = and_(ep.c.edition_id == bindparam("the_edition"), ep.c.position == bindparam("the_position"))
    connection.execute(delete(ep).where(is_taken), rows)
    # One that a run has in hand is that run's; if it comes back empty, `Ledger.claim` lets it lie.
    connection.execute(
        update(e)
        .where(e.c.id == bindparam("the_edition"), e.c.state.in_(WAITING), ~is_owed())
        .values(
            state=DeliveryState.SKIPPED,
            next_try_at=None,
            detail="all its papers turned out to have been sent under other names",
            updated_at=now,
        ),
        [{"the_edition": row.edition_id} for row in taken],
    )
