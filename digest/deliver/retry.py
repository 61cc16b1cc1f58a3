"""When a delivery is tried again."""

from datetime import datetime, timedelta

from digest.errors import DeliverError

# Short, since a daily digest goes stale; a later edition takes over the papers of one that was given up. Most servers
# that greylist want five minutes, some fifteen (RFC 6647 section 5 allows more: the later tries are for those). Without
# jitter, as `Pace` spreads what comes due together.
_WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 180))

_FULL = "4.2.2"
_FULL_WAITS = tuple(timedelta(minutes=minutes) for minutes in (60, 180, 180, 180))
"""A full mailbox is emptied by a person."""

MAX_ATTEMPTS = len(_WAITS) + 1
"""A message is tried this often at most, not counting tries that ended for a reason of ours."""


def next_try(attempts: int, now: datetime, *, error: DeliverError | None = None) -> datetime | None:
    """The time of the next try after ``attempts`` of them, at least one; ``None`` if that was the last.

    Args:
        attempts: The tries that count.
        now: When the last of them ended.
        error: What it ended with.
    """
    waits = _FULL_WAITS if error and error.enhanced == _FULL else _WAITS
    return now + waits[attempts - 1] if attempts < MAX_ATTEMPTS else None
