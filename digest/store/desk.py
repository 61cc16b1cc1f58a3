"""What people do with deliveries by hand: look at them, try one again, or drop it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select, update

from digest.model import DeliveryState, Placed, SubscriberId
from digest.ports import EditionState
from digest.rank.placed import SENT
from digest.store.claims import IN_HAND, WAITING
from digest.store.database import reading, writing
from digest.store.ledger import edition_state, for_people, newest
from digest.store.places import find_repeats, placed_of
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep

RETRYABLE = (DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.SUPPRESSED, DeliveryState.UNCERTAIN)
"""States from which a delivery can be put back; the last of them only by somebody who knows what that may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed(EditionState):
    """A ledger row with what it takes to change it."""

    id: int
    resends: int
    """How often it was sent again although it may have arrived."""
    run: str | None
    """Which run had it last."""
    lease_until: datetime | None
    """Until when no other run touches what this one has in hand."""

    @property
    def why(self) -> str:
        """Who has it in hand, or what was last said of it."""
        if self.lease_until is None:
            return self.detail
        return say_in_hand(self.run, self.updated_at, self.lease_until) + (self.detail and f"; {self.detail}")


def say_in_hand(run: str | None, since: datetime, until: datetime) -> str:
    """Who has a delivery, and when others may have it if that run died."""
    return f"in hand of run {run} since {since:%Y-%m-%d %H:%M}, free at {until:%H:%M} UTC if that run died"


class Desk:
    """The ledger as people work with it; like a run, it changes nothing that a run has in hand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def counts(self) -> Mapping[DeliveryState, int]:
        """How many editions there are, by state."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(e.c.state, func.count()).group_by(e.c.state).order_by(e.c.state))
            return {DeliveryState(state): number for state, number in rows}

    def deliveries(
        self,
        states: Sequence[DeliveryState] | None = None,
        subscriber: SubscriberId | None = None,
        limit: int = 100,
    ) -> Sequence[Filed]:
        """The newest first, of these states and this subscriber, or of all."""
        rows = newest(subscriber, limit)
        if states is not None:
            rows = rows.where(e.c.state.in_(states))
        with reading(self._engine) as connection:
            return [_filed(row) for row in connection.execute(rows)]

    def find(self, subscriber: SubscriberId, day: date) -> Filed | None:
        """The delivery of this date."""
        with reading(self._engine) as connection:
            row = connection.execute(for_people().where(e.c.subscriber_id == subscriber, e.c.date == day)).first()
            return _filed(row) if row else None

    def places(self, number: int) -> Sequence[Placed]:
        """What an edition holds, in order."""
        with reading(self._engine) as connection:
            return _places(connection, number)

    def retry(self, number: int, now: datetime, *, may_double: bool = False) -> str:
        """Let a delivery be tried at once, as if it never had been.

        Args:
            number: Of the edition.
            now: The time.
            may_double: Whether it may be sent although it may have arrived.

        Returns:
            Why not; empty if it waits for the next run.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(e).where(e.c.id == number)).one()
            reason = _why_not(connection, row, may_double=may_double)
            if reason:
                return reason
            is_uncertain = row.state == DeliveryState.UNCERTAIN
            connection.execute(
                update(e)
                .where(e.c.id == number)
                .values(
                    state=DeliveryState.PENDING,
                    attempts=0,
                    next_try_at=None,
                    resends=row.resends + is_uncertain,
                    detail="put back by hand",
                    updated_at=now,
                )
            )
            return ""

    def drop(self, number: int, now: datetime) -> str:
        """Do not send what waits, now or later: its papers count as handled.

        Returns:
            Why not; empty if it is done.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(e).where(e.c.id == number)).one()
            if row.state not in WAITING:
                return f"it is {row.state}, and only what waits can be dropped"
            connection.execute(
                update(e)
                .where(e.c.id == number)
                .values(
                    state=DeliveryState.SKIPPED,
                    # If it is opened again for papers that come today, these do not come back with them.
                    since_seq=row.through_seq,
                    next_try_at=None,
                    detail="dropped by hand",
                    updated_at=now,
                )
            )
            return ""


def _why_not(connection: Connection, row: Row[Any], *, may_double: bool) -> str:
    """Why a delivery cannot be tried again; its papers must not come twice because of it."""
    if row.state == DeliveryState.PENDING:
        return "it waits for the next run already"
    if row.state in IN_HAND:
        return f"it is {say_in_hand(row.run, row.updated_at, row.lease_until)}"
    if row.state not in RETRYABLE:
        return f"it is {row.state}: there is nothing to try again"
    if row.state == DeliveryState.UNCERTAIN and not may_double:
        return "it may have arrived"
    others = select(e.c.date).where(e.c.subscriber_id == row.subscriber_id, e.c.id != row.id)
    other = connection.scalar(others.where(e.c.state.in_((*WAITING, *IN_HAND))).limit(1))
    if other is not None:
        return f"the edition of {other} waits or is in hand, and carries its papers"
    places = _places(connection, row.id)
    if all(placed.section not in SENT for placed in places):
        return "it holds no papers any more"
    if find_repeats(connection, {row.subscriber_id: places}):
        return "its papers came with a later edition"
    return ""


def _places(connection: Connection, number: int) -> list[Placed]:
    rows = connection.execute(select(ep).where(ep.c.edition_id == number).order_by(ep.c.position))
    return [placed_of(row) for row in rows]


def _filed(row: Row[Any]) -> Filed:
    return Filed(**asdict(edition_state(row)), id=row.id, resends=row.resends, run=row.run, lease_until=row.lease_until)
