"""What a place in an edition means for what may be sent later, and how places are written."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, exists, func, select

from digest.model import DeliveryState, PaperKey, Placed, SubscriberId
from digest.rank.placed import IN_FULL, SENT
from digest.store.database import batches
from digest.store.rows import insert_lines
from digest.store.schema import announcement as a
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep

_write_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_DELETE = ep.delete().where(ep.c.edition_id == bindparam("the_edition"))


def is_owed() -> ColumnElement[bool]:
    """Whether an edition holds a paper for which it is sent at all."""
    return exists().where(ep.c.edition_id == e.c.id, ep.c.section.in_(SENT))


def placed_of(row: Row[Any]) -> Placed:
    """The place that a row of ``edition_paper`` holds."""
    return Placed(row.section, PaperKey(row.paper_key), row.why)


def under_their_names(places: Iterable[Placed], aliases: Mapping[PaperKey, PaperKey]) -> list[Placed]:
    """The places of an edition under the names that papers have by now, each paper at its first: another run may have
    united some.
    """
    first: dict[PaperKey, Placed] = {}
    for placed in places:
        key = aliases.get(placed.paper, placed.paper)
        if key not in first:
            first[key] = placed if key == placed.paper else replace(placed, paper=key)
    return [*first.values()]


def insert_places(connection: Connection, places: Mapping[int, Sequence[Placed]]) -> None:
    """Write what editions hold, by their numbers; they hold nothing yet."""
    lines = [
        (edition, position, placed.section, placed.paper, _write_json(placed.why))
        for edition, its in places.items()
        for position, placed in enumerate(its)
    ]
    insert_lines(connection, ep, ("edition_id", "position", "section", "paper_key", "why"), lines)


def delete_places(connection: Connection, editions: Collection[int]) -> None:
    """Let editions hold nothing."""
    if editions:
        connection.execute(_DELETE, [{"the_edition": edition} for edition in editions])


def is_accepted() -> ColumnElement[bool]:
    """Whether an edition was. Computed, as SQLite else goes through everybody's to find one subscriber's."""
    return e.c.state.concat("") == DeliveryState.ACCEPTED


def sent() -> Select[Any]:
    """Every place for which an accepted edition was sent, with its subscriber."""
    return (
        select(e.c.subscriber_id, ep.c.paper_key, ep.c.section)
        .join(e, e.c.id == ep.c.edition_id)
        .where(is_accepted(), ep.c.section.in_(SENT))
    )


def sent_of(
    connection: Connection, people: Iterable[SubscriberId], keys: Collection[PaperKey], *, since_seq: int = 0
) -> Iterator[Row[Any]]:
    """The places in which any of these papers were sent to any of these subscribers, in editions that ended with this
    announcement or later.
    """
    # Computed, or the database may go through all editions that hold a popular paper, whoever they were sent to.
    key = ep.c.paper_key.concat("")
    for some in batches(people):
        theirs = sent().where(e.c.subscriber_id.in_(some), e.c.through_seq >= since_seq)
        for few in batches(keys):
            yield from connection.execute(theirs.where(key.in_(few)))


def find_repeats(connection: Connection, places: Mapping[SubscriberId, Sequence[Placed]]) -> frozenset[SubscriberId]:
    """Whose papers were sent to them before, other than by its name only where one is carried over.

    Args:
        connection: A transaction.
        places: What is to be sent, by subscriber.
    """
    wanted = {placed.paper for its in places.values() for placed in its if placed.section in SENT}
    if not wanted:
        return frozenset()
    shown: defaultdict[str, set[str]] = defaultdict(set)
    named: defaultdict[str, set[str]] = defaultdict(set)
    # An edition that ended before a paper was first announced cannot hold it: years of editions are left out by this.
    for row in sent_of(connection, places, wanted, since_seq=_first_seq(connection, wanted)):
        named[row.subscriber_id].add(row.paper_key)
        if row.section in IN_FULL:
            shown[row.subscriber_id].add(row.paper_key)
    return frozenset(
        subscriber
        for subscriber, its in places.items()
        if subscriber in named
        and any(
            placed.paper in (shown if placed.section == "matched" and placed.why.get("carried") else named)[subscriber]
            for placed in its
            if placed.section in SENT
        )
    )


def _first_seq(connection: Connection, keys: Collection[PaperKey]) -> int:
    """The number under which the first of these papers was announced; 0 if one of them never was."""
    known = [
        row
        for some in batches(keys)
        for row in connection.execute(
            select(a.c.paper_key, func.min(a.c.seq)).where(a.c.paper_key.in_(some)).group_by(a.c.paper_key)
        )
    ]
    return min((seq for _, seq in known), default=0) if len(known) == len(keys) else 0
