"""Turns at hosts, kept in the database: whoever asks a host, in this run or another, keeps the distance it wants."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, insert, select, update

from digest.store.database import reading, writing
from digest.store.schema import host as h

_FARTHEST = timedelta(days=1, hours=1)
"""A turn later than this was written by a clock that was wrong, and would keep the host from being asked for years."""


class SqlHostTurns:
    """``HostTurns`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, host: str, spacing: timedelta, now: datetime) -> datetime:
        """Reserve the next turn at this host; see ``HostTurns.take``."""
        if not spacing:
            with reading(self._engine) as connection:
                next_at = _next_at(connection, host)
                return next_at if next_at and now < next_at <= now + _FARTHEST else now
        with writing(self._engine) as connection:
            next_at = _next_at(connection, host)
            begins = next_at if next_at and now < next_at <= now + _FARTHEST else now
            _write(connection, host, begins + spacing, is_known=next_at is not None)
            return begins

    def hold(self, host: str, until: datetime) -> None:
        """Nobody asks this host before this time; see ``HostTurns.hold``."""
        with writing(self._engine) as connection:
            next_at = _next_at(connection, host)
            if next_at is None or next_at < until:
                _write(connection, host, until, is_known=next_at is not None)


def _next_at(connection: Connection, host: str) -> datetime | None:
    return connection.scalar(select(h.c.next_at).where(h.c.name == host))


def _write(connection: Connection, host: str, next_at: datetime, *, is_known: bool) -> None:
    if is_known:
        connection.execute(update(h).where(h.c.name == host).values(next_at=next_at))
    else:
        connection.execute(insert(h).values(name=host, next_at=next_at))
