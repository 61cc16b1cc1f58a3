"""Whose edition is due, and for which local date: one edition for each date a schedule names, in every time zone.

APScheduler's own cron rules skip or repeat editions on days when clocks change. cronsim does not, but it moves a date
that a zone skipped to the next one and does not tell which date a moved time belongs to; so cronsim only names local
dates and times here, and `local_instant` finds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from digest.errors import ClockError
from digest.model import CatchUp, Schedule
from digest.schedule.days_off import NEVER, DaysOff

# Farther than any zone ever moved its clocks (Samoa skipped a day), so that no occurrence hides behind a change.
_REACH = timedelta(hours=25)
_MISSED_AFTER = timedelta(hours=1)
"""Where nothing is made up for, an edition still goes out this late."""
_EARLIEST, _LATEST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Due:
    """An edition that may be written now."""

    date: date
    """The subscriber's local date; with the subscriber it is the edition's identity."""
    at: datetime
    """When it was to be sent, in UTC."""
    previous_at: datetime
    """When the edition before it was to be sent, in UTC: what a new subscriber's first edition starts from."""
    since: datetime | None = None
    """Only what was announced from then on: what editions that were missed would have had is left out."""
    until: datetime | None = None
    """Only what was announced before then: editions for later dates that were missed follow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a subscriber is to get by now."""

    due: Due | None
    """``None`` if everything up to now is settled or too late."""
    left_out: tuple[date, ...] = ()
    """Dates whose editions were missed and will not come, newest first; the next one carries their papers."""


def check_clock(now: datetime) -> None:
    """Refuse a time that cannot be: a clock without a battery starts at 1970.

    Raises:
        ClockError: It is before 2024 or after 2100.
    """
    if not _EARLIEST <= now < _LATEST:
        raise ClockError(
            f"the clock shows {now:%Y-%m-%d %H:%M} UTC, so nothing is sent",
            hint="set the clock of this machine, or wait until it has asked a time server; timedatectl shows it",
        )


def plan_edition(
    schedule: Schedule,
    zone: ZoneInfo,
    now: datetime,
    settled: date | None,
    catch_up: timedelta,
    *,
    policy: CatchUp = CatchUp.MERGE,
    off: DaysOff = NEVER,
    latest: time | None = None,
) -> Plan:
    """Find the edition that should have been sent by now.

    It is the newest, and dates missed before it are merged into it, as what a subscriber is owed does not depend on
    dates; the other policies take the oldest missed one, or narrow what it is chosen from, or miss it.

    Args:
        schedule: The days and the time, in the subscriber's own zone.
        zone: The subscriber's zone.
        now: The run's reference time.
        settled: The newest local date that needs no more work; ``None`` for a subscriber without editions, who has
            missed nothing.
        catch_up: An edition later than this is left out.
        policy: What becomes of dates that were missed.
        off: Names the dates without an edition, which nobody misses.
        latest: Until this local time an edition may wait for its sources.
    """

    def is_too_late(each: tuple[date, datetime]) -> bool:
        if policy is CatchUp.NONE:
            return now - wait_until(*each, zone, latest) > _MISSED_AFTER
        return now - each[1] > catch_up

    (day, at), before = _newest_two(schedule, zone, now, off)
    is_open = settled is None or day > settled
    if not is_open or settled is None or before[0] <= settled:
        # The newest date at most is open.
        if is_open and not is_too_late((day, at)):
            return Plan(Due(day, at, before[1]))
        return Plan(None, (day,) if is_open and settled is not None else ())
    missed = [*takewhile(lambda each: each[0] > settled, _occurrences_until(schedule, zone, now, off))]
    late = tuple(each[0] for each in missed if is_too_late(each))
    if is_too_late((day, at)):
        return Plan(None, late)
    match policy:
        case CatchUp.LATEST:
            return Plan(Due(day, at, before[1], since=before[1]))
        case CatchUp.EACH:
            number = len(missed) - len(late)
            oldest, its_at = missed[number - 1]
            _, previous_at = next(islice(_occurrences_until(schedule, zone, now, off), number, None))
            return Plan(Due(oldest, its_at, previous_at, until=None if number == 1 else its_at), late)
        case CatchUp.MERGE:
            return Plan(Due(day, at, before[1]))
        case CatchUp.NONE:
            return Plan(Due(day, at, before[1]), late)


def wait_until(day: date, at: datetime, zone: ZoneInfo, latest: time | None) -> datetime:
    """When an edition goes out whatever its sources say, in UTC: at its send time, or at a later local time."""
    return (local_instant(datetime.combine(day, latest), zone) if latest else None) or at


def edition_now(schedule: Schedule, zone: ZoneInfo, now: datetime) -> Due:
    """The edition of today's local date, whatever the schedule says.

    It starts from the newest occurrence of an earlier date, so that it holds the same papers before and after today's
    own occurrence.
    """
    today = now.astimezone(zone).date()
    previous_at = next(at for day, at in _occurrences_until(schedule, zone, now) if day < today)
    return Due(today, now.astimezone(UTC), previous_at)


def next_send(schedule: Schedule, zone: ZoneInfo, now: datetime, off: DaysOff = NEVER) -> datetime:
    """The first time after ``now`` at which an edition is to be sent, in UTC."""
    return next(at for wall, at in sends(schedule, zone, now) if not off(wall.date()))


def comes_round(schedule: Schedule, off: DaysOff) -> bool:
    """Whether it ever names a date that is no day off; those who are off for years on end do not count."""
    walls = CronSim(schedule.cron, datetime(2024, 1, 1))  # noqa: DTZ001 - any start will do
    return any(not off(wall.date()) for wall in islice(walls, 40))


def sends(schedule: Schedule, zone: ZoneInfo, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every send time after ``now``, days off included: as the schedule says it, and the instant, in UTC."""
    for wall in CronSim(schedule.cron, _wall(now, zone) - _REACH):
        at = local_instant(wall, zone)
        if at is not None and at > now:
            yield wall, at


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


@lru_cache(maxsize=4096)
def _newest_two(
    schedule: Schedule, zone: ZoneInfo, now: datetime, off: DaysOff
) -> tuple[tuple[date, datetime], tuple[date, datetime]]:
    """What all readers with one schedule have in common in one pass."""
    newest, before = islice(_occurrences_until(schedule, zone, now, off), 2)
    return newest, before


def _occurrences_until(
    schedule: Schedule, zone: ZoneInfo, now: datetime, off: DaysOff = NEVER
) -> Iterator[tuple[date, datetime]]:
    """Local dates and instants up to now, newest first, without days off."""
    for wall in CronSim(schedule.cron, _wall(now, zone) + _REACH, reverse=True):
        if off(wall.date()):
            continue
        at = local_instant(wall, zone)
        if at is not None and at <= now:
            yield wall.date(), at


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
