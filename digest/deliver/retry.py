"""When a delivery is tried again."""

from datetime import datetime, timedelta

# Short, since a daily digest goes stale; a later edition takes over the papers of one that was given up.
_WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 180))

MAX_ATTEMPTS = len(_WAITS) + 1
"""A message is tried this often at most, not counting tries that ended for a reason of ours."""


def next_try(attempts: int, now: datetime) -> datetime | None:
    """The time of the next try after ``attempts`` of them, at least one; ``None`` if that was the last."""
    return now + _WAITS[attempts - 1] if attempts < MAX_ATTEMPTS else None
