"""Addresses that are written to no more, and what came back of others."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select

from digest.model import SubscriberId
from digest.ports import Suppression
from digest.store.database import reading, writing
from digest.store.schema import bounce as b
from digest.store.schema import suppression as s

_BAD_DAYS: Final = 2
"""On so many different days mail must have come back: one bad day of a server ends nothing."""
_MEMORY: Final = timedelta(days=60)
"""Older days do not count."""


class Bounces:
    """``Suppressions`` in the database; every ``address`` is what `digest.tokens.Keyring.know` made of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_bounce(
        self, address: str, subscriber: SubscriberId, *, detail: str, day: date, now: datetime
    ) -> Suppression | None:
        """Remember that mail to it came back because it does not exist."""
        with writing(self._engine) as connection:
            connection.execute(delete(b).where(b.c.address == address, b.c.date == day))
            connection.execute(insert(b).values(address=address, date=day, subscriber_id=subscriber, detail=detail))
            lately = (b.c.address == address, b.c.date > day - _MEMORY)
            days = connection.scalar(select(func.count()).select_from(b).where(*lately)) or 0
            if days < _BAD_DAYS:
                return None
            reason = f"mail came back on {days} days, last on {day}: {detail}"
            return _suppress(connection, Suppression(address=address, subscriber=subscriber, reason=reason, at=now))

    def suppress(self, address: str, subscriber: SubscriberId, *, reason: str, now: datetime) -> None:
        """Write to it no more; what is suppressed already keeps its first reason."""
        with writing(self._engine) as connection:
            _suppress(connection, Suppression(address=address, subscriber=subscriber, reason=reason, at=now))

    def count(self, subscriber: SubscriberId) -> int:
        """On how many days mail to a subscriber's addresses came back."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).where(b.c.subscriber_id == subscriber)) or 0

    def lift(self, subscriber: SubscriberId) -> int:
        """Forget what is known against a subscriber's addresses; returns how many were suppressed."""
        with writing(self._engine) as connection:
            connection.execute(delete(b).where(b.c.subscriber_id == subscriber))
            return connection.execute(delete(s).where(s.c.subscriber_id == subscriber)).rowcount

    def suppressions(self) -> Sequence[Suppression]:
        """All of them, newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(s).order_by(s.c.at.desc(), s.c.address))
            return [_of(row) for row in rows]


def _suppress(connection: Connection, suppression: Suppression) -> Suppression:
    row = connection.execute(select(s).where(s.c.address == suppression.address)).first()
    if row is not None:
        return _of(row)
    connection.execute(
        insert(s).values(
            address=suppression.address,
            subscriber_id=suppression.subscriber,
            reason=suppression.reason,
            at=suppression.at,
        )
    )
    return suppression


def _of(row: Row[Any]) -> Suppression:
    return Suppression(address=row.address, subscriber=SubscriberId(row.subscriber_id), reason=row.reason, at=row.at)
