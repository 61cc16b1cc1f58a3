"""How deliveries change hands: claimed by a run, moved on, and settled for runs that died."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, or_, select, true, update

from digest.model import Delivery, DeliveryState, SubscriberId
from digest.ports import Move
from digest.store.database import batches
from digest.store.places import is_owed
from digest.store.schema import edition as e

WAITING = (DeliveryState.PENDING, DeliveryState.DEFERRED)
IN_HAND = (DeliveryState.CLAIMED, DeliveryState.DOT)

_DIED = "a run died before the message was handed over"
_DIED_AGAIN = "two runs died before the message was handed over"
_POISON = "the run died each time it was tried; its papers come with the next edition"
_LOST = "a run died between the final dot and the server's reply"

_ENDS = (
    DeliveryState.ACCEPTED,
    DeliveryState.DEFERRED,
    DeliveryState.FAILED,
    DeliveryState.SUPPRESSED,
    DeliveryState.UNCERTAIN,
)
_TIMED = (DeliveryState.DEFERRED, DeliveryState.UNCERTAIN)

_HELD = select(e.c.id, e.c.token, e.c.state, e.c.resends).where(e.c.id.in_(bindparam("editions", expanding=True)))
_is_it = e.c.id == bindparam("the_edition")
_TO_DOT = (
    update(e)
    .where(_is_it)
    .values(state=DeliveryState.DOT, lease_until=bindparam("lease"), updated_at=bindparam("moment"))
)
_TO_END = (
    update(e)
    .where(_is_it)
    .values(
        state=bindparam("ends_as"),
        token=None,
        lease_until=None,
        next_try_at=bindparam("next_try"),
        attempts=bindparam("tries"),
        resends=bindparam("sent_again"),
        detail=bindparam("said"),
        updated_at=bindparam("moment"),
    )
)


def new_token() -> str:
    """Fences off whoever had the same deliveries before; one for all that are claimed together."""
    return secrets.token_hex(16)


def claim_some(
    connection: Connection,
    now: datetime,
    *,
    run: str,
    lease_until: datetime,
    only: Sequence[SubscriberId] | None,
    limit: int,
) -> list[Delivery]:
    """Take up to ``limit`` deliveries that may be tried now, oldest first.

    One that two runs died with is taken last, and no other such while a run has it in hand: if the run dies once more,
    it is known with which.
    """
    may_be_tried = and_(
        e.c.state.in_(WAITING),
        or_(e.c.state == DeliveryState.PENDING, e.c.next_try_at <= now),
        # All its papers may have turned out to be others that were sent, while a run had it in hand.
        is_owed(),
    )
    is_suspect = e.c.detail == _DIED_AGAIN
    suspect = e.alias()
    has_suspect = exists().where(suspect.c.run == run, suspect.c.state.in_(IN_HAND), suspect.c.detail == _DIED_AGAIN)
    taken: list[Delivery] = []
    for wanted, most in ((~is_suspect, limit), (and_(is_suspect, ~has_suspect), 1)):
        for is_asked_for in _among(only):
            left = min(most, limit - len(taken))
            if left > 0:
                some = _claim(connection, and_(may_be_tried, wanted, is_asked_for), left, now, run, lease_until)
                most -= len(some)
                taken += some
    return taken


def _among(only: Sequence[SubscriberId] | None) -> Iterator[ColumnElement[bool]]:
    if only is None:
        yield true()
    else:
        yield from (e.c.subscriber_id.in_(some) for some in batches(only))


def _claim(
    connection: Connection, wanted: ColumnElement[bool], limit: int, now: datetime, run: str, lease_until: datetime
) -> list[Delivery]:
    rows = connection.execute(
        update(e)
        .where(e.c.id.in_(select(e.c.id).where(wanted).order_by(e.c.id).limit(limit)))
        .values(
            state=DeliveryState.CLAIMED,
            token=new_token(),
            lease_until=lease_until,
            next_try_at=None,
            attempts=e.c.attempts + 1,
            run=run,
            updated_at=now,
        )
        .returning(e.c.id, e.c.subscriber_id.label("subscriber"), e.c.date, e.c.token, e.c.attempts, e.c.resends)
    )
    return sorted((Delivery(**row) for row in rows.mappings()), key=attrgetter("id"))


def move_all(connection: Connection, moves: Sequence[Move], *, lease: timedelta) -> list[bool]:
    """Write what became of claimed deliveries; see ``Ledger.move``.

    Whether each still is this run's is asked first: a writing transaction excludes every other writer from its start.
    """
    held = {
        row.id: (row.token, row.state, row.resends)
        for ids in batches({move.delivery.id for move in moves})
        for row in connection.execute(_HELD, {"editions": ids})
    }
    written = []
    dots = []
    ends = []
    for move in moves:
        delivery = move.delivery
        token, state, resends = held.get(delivery.id, (None, None, 0))
        is_dot = move.state is DeliveryState.DOT
        is_ours = token == delivery.token and state in ((DeliveryState.CLAIMED,) if is_dot else IN_HAND)
        written.append(is_ours)
        if not is_ours:
            continue
        if is_dot:
            held[delivery.id] = (token, move.state, resends)
            dots.append({"the_edition": delivery.id, "lease": move.now + lease, "moment": move.now})
            continue
        held[delivery.id] = (None, move.state, resends)
        # What may have arrived is sent again once, and never twice.
        is_repeated = move.state is DeliveryState.UNCERTAIN and move.next_try_at is not None and not resends
        is_timed = is_repeated or move.state is DeliveryState.DEFERRED
        ends.append(
            {
                "the_edition": delivery.id,
                "ends_as": DeliveryState.DEFERRED if is_repeated else move.state,
                "next_try": move.next_try_at if is_timed else None,
                "tries": delivery.attempts if move.is_counted else delivery.attempts - 1,
                "sent_again": resends + is_repeated,
                "said": move.detail,
                "moment": move.now,
            }
        )
    if dots:
        connection.execute(_TO_DOT, dots)
    if ends:
        connection.execute(_TO_END, ends)
    return written


def check_move(move: Move) -> None:
    """Refuse what no claim can do.

    Raises:
        ValueError: It cannot go there, or not in this way.
    """
    if move.state is not DeliveryState.DOT and move.state not in (_ENDS if move.is_counted else WAITING):
        raise ValueError(f"a claim cannot end as {move.state!r} ({'' if move.is_counted else 'not '}counted)")
    if move.state is DeliveryState.DEFERRED and move.next_try_at is None:
        raise ValueError("a deferred delivery needs the time of its next try")
    if move.next_try_at is not None and move.state not in _TIMED:
        raise ValueError(f"a delivery that is {move.state} has no next try")


def settle_dead(connection: Connection, now: datetime, *, resend: bool) -> list[int]:
    """Settle what dead runs left; returns the editions that became uncertain."""
    is_dead = and_(e.c.state == DeliveryState.CLAIMED, e.c.lease_until <= now)
    gone = {"token": None, "lease_until": None, "run": None, "updated_at": now}
    for before, state, detail in (
        (e.c.detail == _DIED_AGAIN, DeliveryState.FAILED, _POISON),
        (e.c.detail == _DIED, DeliveryState.PENDING, _DIED_AGAIN),
        (None, DeliveryState.PENDING, _DIED),
    ):
        dead = is_dead if before is None else and_(is_dead, before)
        connection.execute(update(e).where(dead).values(state=state, detail=detail, **gone))
    is_lost = and_(e.c.state == DeliveryState.DOT, e.c.lease_until <= now)
    if resend:
        connection.execute(
            update(e)
            .where(is_lost, e.c.resends == 0)
            .values(state=DeliveryState.PENDING, resends=1, detail=f"{_LOST}; it is sent once more", **gone)
        )
    lost = update(e).where(is_lost).values(state=DeliveryState.UNCERTAIN, detail=_LOST, **gone)
    return [*connection.scalars(lost.returning(e.c.id))]
