"""How editions are opened: many in one transaction, each whole or not at all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from digest.failpoints import pass_by
from digest.model import Delivery, DeliveryState, Placed, SubscriberId
from digest.ports import Opened, OwedEdition
from digest.rank.placed import placements
from digest.store.claims import IN_HAND, WAITING, new_token
from digest.store.database import batches
from digest.store.places import delete_places, find_repeats, insert_places, under_their_names
from digest.store.rows import aliases_of
from digest.store.schema import edition as e

# Known not to have been sent, so that opening them again can send nothing twice.
_REOPENABLE = (DeliveryState.SKIPPED, DeliveryState.EXPIRED)

_CONTENT = (
    "state", "since_seq", "through_seq", "attempts", "token", "lease_until", "next_try_at", "detail", "updated_at",
    "run",
)  # fmt: skip
_is_it = e.c.id == bindparam("the_edition")
_INSERT = insert(e).returning(e.c.id, e.c.subscriber_id)
_REOPEN = update(e).where(_is_it).values({name: bindparam(f"new_{name}") for name in _CONTENT})
_TAKE_OVER = (
    update(e)
    .where(_is_it)
    .values(state=DeliveryState.EXPIRED, next_try_at=None, detail=bindparam("reason"), updated_at=bindparam("moment"))
)


@dataclass(slots=True)
class _Standing:
    """What there is of one subscriber's editions that matters to a new one."""

    same: Row[Any] | None = None
    """The one of its date."""
    waiting: list[int] = field(default_factory=list)
    is_in_hand: bool = False


def open_all(
    connection: Connection, owed: Sequence[OwedEdition], now: datetime, *, run: str, lease_until: datetime | None
) -> list[Opened]:
    """Write editions and their papers; see ``Ledger.open_editions``.

    Args:
        connection: A writing transaction.
        owed: What to open.
        now: The time.
        run: Who opens them.
        lease_until: Until when they are claimed; without it they are not.
    """
    opened = [Opened(is_written=False)] * len(owed)
    for turn in _turns(owed):
        written = _open(connection, {each: owed[number] for each, number in turn.items()}, now, run, lease_until)
        for subscriber, delivery in written.items():
            opened[turn[subscriber]] = Opened(is_written=True, delivery=delivery)
    return opened


def _turns(owed: Sequence[OwedEdition]) -> list[dict[SubscriberId, int]]:
    """Where they stand, each subscriber once in a turn: what becomes of one edition decides over their next."""
    turns: list[dict[SubscriberId, int]] = []
    for number, each in enumerate(owed):
        subscriber = each.edition.subscriber.id
        turn = next((turn for turn in turns if subscriber not in turn), None)
        if turn is None:
            turns.append(turn := {})
        turn[subscriber] = number
    return turns


def _open(
    connection: Connection,
    owed: Mapping[SubscriberId, OwedEdition],
    now: datetime,
    run: str,
    lease_until: datetime | None,
) -> dict[SubscriberId, Delivery | None]:
    """Those that were written, with the claims on them."""
    standing = _read_standing(connection, {subscriber: each.edition.date for subscriber, each in owed.items()})
    places = _choose_places(connection, [each for key, each in owed.items() if _may_open(standing[key], each)])
    token = new_token()
    content = {
        subscriber: _content(owed[subscriber], standing[subscriber].same, lease_until, token)
        | {"updated_at": now, "run": run}
        for subscriber in places
    }
    taken_over = [
        {"the_edition": number, "reason": f"the edition of {owed[each].edition.date} carries its papers", "moment": now}
        for each in places
        for number in standing[each].waiting
    ]
    if taken_over:
        connection.execute(_TAKE_OVER, taken_over)
    ids = {subscriber: same.id for subscriber in places if (same := standing[subscriber].same)}
    if ids:
        changes = [
            {"the_edition": number} | {f"new_{name}": value for name, value in content[subscriber].items()}
            for subscriber, number in ids.items()
        ]
        connection.execute(_REOPEN, changes)
        delete_places(connection, ids.values())
    new = [
        {"subscriber_id": subscriber, "date": owed[subscriber].edition.date} | content[subscriber]
        for subscriber in places
        if subscriber not in ids
    ]
    if new:
        ids |= {SubscriberId(row.subscriber_id): row.id for row in connection.execute(_INSERT, new)}
    pass_by("mid_open")
    insert_places(connection, {ids[subscriber]: its for subscriber, its in places.items()})
    return {
        subscriber: Delivery(
            id=ids[subscriber],
            subscriber=subscriber,
            date=owed[subscriber].edition.date,
            token=token,
            attempts=1,
            resends=same.resends if (same := standing[subscriber].same) else 0,
        )
        if content[subscriber]["token"]
        else None
        for subscriber in places
    }


def _read_standing(connection: Connection, dates: Mapping[SubscriberId, date]) -> Mapping[SubscriberId, _Standing]:
    standing: defaultdict[SubscriberId, _Standing] = defaultdict(_Standing)
    columns = select(e.c.id, e.c.subscriber_id, e.c.date, e.c.state, e.c.since_seq, e.c.resends)
    # Computed, so that few open editions are gone through, and not all that these subscribers ever had.
    who = e.c.subscriber_id.concat("")
    for people in batches(dates):
        is_same = and_(e.c.subscriber_id.in_(people), e.c.date.in_({dates[each] for each in people}))
        is_open = and_(e.c.state.in_((*WAITING, *IN_HAND)), who.in_(people))
        for row in (*connection.execute(columns.where(is_same)), *connection.execute(columns.where(is_open))):
            its = standing[SubscriberId(row.subscriber_id)]
            if row.date == dates[SubscriberId(row.subscriber_id)]:
                its.same = row
            elif row.state in WAITING:
                its.waiting.append(row.id)
            its.is_in_hand |= row.state in IN_HAND
    return standing


def _may_open(its: _Standing, owed: OwedEdition) -> bool:
    if its.is_in_hand:
        return False
    if its.same is None:
        return True
    return its.same.state in _REOPENABLE and not (owed.edition.is_empty and its.same.state == DeliveryState.SKIPPED)


def _choose_places(connection: Connection, owed: Sequence[OwedEdition]) -> dict[SubscriberId, list[Placed]]:
    """The places of those that repeat nothing that was sent."""
    placed = {each.edition.subscriber.id: placements(each.edition) for each in owed}
    aliases = aliases_of(connection, {place.paper for places in placed.values() for place in places})
    named = {subscriber: under_their_names(places, aliases) for subscriber, places in placed.items()}
    repeats = find_repeats(connection, named)
    return {subscriber: places for subscriber, places in named.items() if subscriber not in repeats}


def _content(owed: OwedEdition, same: Row[Any] | None, lease_until: datetime | None, token: str) -> dict[str, Any]:
    is_claimed = lease_until is not None and not owed.edition.is_empty
    waits_as = DeliveryState.SKIPPED if owed.edition.is_empty else DeliveryState.PENDING
    return {
        "state": DeliveryState.CLAIMED if is_claimed else waits_as,
        "since_seq": min(owed.since_seq, same.since_seq) if same else owed.since_seq,
        "through_seq": max(owed.since_seq, owed.through_seq),
        "attempts": int(is_claimed),
        "token": token if is_claimed else None,
        "lease_until": lease_until if is_claimed else None,
        "next_try_at": None,
        "detail": owed.detail,
    }
