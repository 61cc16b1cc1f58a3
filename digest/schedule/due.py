"""Whose edition is due, and for which local date: one edition for each date a schedule names, in every time zone.

APScheduler's own cron rules skip or repeat editions on days when clocks change. cronsim does not, but it moves a date
that a zone skipped to the next one and does not tell which date a moved time belongs to; so cronsim only names local
dates and times here, and `local_instant` finds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from digest.model import Schedule

# Farther than any zone ever moved its clocks (Samoa skipped a day), so that no occurrence hides behind a change.
_REACH = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class Due:
    """An edition that may be written now."""

    date: date
    """The subscriber's local date; with the subscriber it is the edition's identity."""
    at: datetime
    """When it was to be sent, in UTC."""
    previous_at: datetime
    """When the edition before it was to be sent, in UTC: what a new subscriber's first edition starts from."""


def due_edition(
    schedule: Schedule, zone: ZoneInfo, now: datetime, settled: date | None, catch_up: timedelta
) -> Due | None:
    """The newest edition that should have been sent by now.

    Dates missed before it are merged into it: what a subscriber is owed does not depend on dates.

    Args:
        schedule: The days and the time, in the subscriber's own zone.
        zone: The subscriber's zone.
        now: The run's reference time.
        settled: The newest local date that needs no more work; ``None`` for a subscriber without editions.
        catch_up: An edition later than this is left out, and the next one carries its papers.

    Returns:
        What to send, or ``None`` if everything up to now is settled or too late.
    """
    (day, at), (_, previous_at) = islice(_occurrences_until(schedule, zone, now), 2)
    if (settled is not None and day <= settled) or now - at > catch_up:
        return None
    return Due(day, at, previous_at)


def edition_now(schedule: Schedule, zone: ZoneInfo, now: datetime) -> Due:
    """The edition of today's local date, whatever the schedule says.

    It starts from the newest occurrence of an earlier date, so that it holds the same papers before and after today's
    own occurrence.
    """
    today = now.astimezone(zone).date()
    previous_at = next(at for day, at in _occurrences_until(schedule, zone, now) if day < today)
    return Due(today, now.astimezone(UTC), previous_at)


def next_send(schedule: Schedule, zone: ZoneInfo, now: datetime) -> datetime:
    """The first time after ``now`` at which an edition is to be sent, in UTC."""
    walls = CronSim(schedule.cron, _wall(now, zone) - _REACH)
    return next(at for wall in walls if (at := local_instant(wall, zone)) is not None and at > now)


def local_instant(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant at which a clock on the wall of this zone shows this time or a later one.

    So a time that clocks skip is the first instant after the gap, and a time they show twice is the first of the two,
    as in Debian's cron(8).

    Args:
        wall: A local time without a zone, in whole seconds.
        zone: Where the clock hangs.

    Returns:
        The instant in UTC, or ``None`` if the zone skipped the whole date (Apia, 2011-12-30).
    """
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if _wall(found, zone) == wall:
        return found
    # In a gap, fold=1 reckons with the offset after it, which gives an instant before it (PEP 495).
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), found
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        middle = middle.replace(microsecond=0)
        early, late = (early, middle) if _wall(middle, zone) >= wall else (middle, late)
    is_skipped = _wall(early, zone).date() < wall.date() < _wall(late, zone).date()
    return None if is_skipped else late


def _occurrences_until(schedule: Schedule, zone: ZoneInfo, now: datetime) -> Iterator[tuple[date, datetime]]:
    """Local dates and instants up to now, newest first."""
    for wall in CronSim(schedule.cron, _wall(now, zone) + _REACH, reverse=True):
        at = local_instant(wall, zone)
        if at is not None and at <= now:
            yield wall.date(), at


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
