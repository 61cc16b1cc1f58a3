"""One edition for every local date: every zone, 2020 to 2037, every quarter of an hour as send time.

Driven as the service does it, from one send time to the next, over the dates around every change of clocks. Between
changes a zone is an offset, of which one date stands for all; zones with the same changes are tried once. Beside it
APScheduler's own cron trigger on the dates around changes, driven as its scheduler does. See README.md in this folder
for what each figure means.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.cron import CronTrigger

from digest.model import Schedule
from digest.schedule.due import next_send, plan_edition

FIRST, LAST = date(2020, 1, 1), date(2037, 12, 31)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
QUARTERS = [(minutes // 60, minutes % 60) for minutes in range(0, 24 * 60, 15)]
AROUND = timedelta(days=2)
"""So far around a change of clocks every date is tried: send times move by an hour or so, in old times by a day."""
DAY = timedelta(days=1)
CATCH_UP = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Change:
    """Clocks are moved."""

    at: datetime
    """The first second of the new offset, in UTC."""
    before: timedelta
    after: timedelta


@dataclass(frozen=True, slots=True)
class Stretch:
    """Local dates of a zone on which every send time is tried."""

    zone: str = field(compare=False)
    """Of all zones with these changes, the first."""
    first: date
    last: date
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What was seen on a stretch, over all send times."""

    sends: int
    wrong: int
    """Dates with no edition or with several."""
    apscheduler: int
    apscheduler_wrong: int
    """Dates on which the job did not run once."""


def main() -> None:
    """Measure, and print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--sample", type=int, help="only two stretches of dates of so many zones, chosen by --seed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    figures = measure(options.sample, options.seed)
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{name:24} {value}\n" for name, value in figures.items())


def measure(sample: int | None = None, seed: int = 0) -> dict[str, int]:
    """Try all stretches of all zones, or one with and one without a change of some zones."""
    zones = sorted(available_timezones() - {"localtime", "Factory"})
    if sample is None:
        stretches = dict.fromkeys(each for zone in zones for each in stretches_of(zone))
        with ProcessPoolExecutor() as pool:
            tried = [*pool.map(try_stretch, stretches, chunksize=8)]
    else:
        dice = Random(seed)
        stretches = dict.fromkeys(each for zone in dice.sample(zones, sample) for each in two_of(zone, dice))
        tried = [try_stretch(each) for each in stretches]
    return {
        "zones": len(zones) if sample is None else sample,
        "days": len(DAYS),
        "changes": sum(len(each.changes) for each in stretches),
        "sends": sum(each.sends for each in tried),
        "wrong_days": sum(each.wrong for each in tried),
        "apscheduler_checked": sum(each.apscheduler for each in tried),
        "apscheduler_wrong": sum(each.apscheduler_wrong for each in tried),
    }


def two_of(zone: str, dice: Random) -> list[Stretch]:
    """A stretch without a change of clocks and one with, if the zone has any."""
    stretches = [*stretches_of(zone)]
    groups = [[each for each in stretches if bool(each.changes) is changes] for changes in (False, True)]
    return [dice.choice(group) for group in groups if group]


def stretches_of(zone: str) -> Iterator[Stretch]:
    """The dates around each change of a zone, and one date for each offset that holds between changes.

    Two zones with the same changes at the same time, or with the same offset, have the same stretch.
    """
    changes = [*changes_of(ZoneInfo(zone))]
    groups: list[list[Change]] = []
    for change in changes:
        if groups and change.at - groups[-1][-1].at <= 2 * AROUND:
            groups[-1].append(change)
        else:
            groups.append([change])
    for group in groups:
        yield Stretch(zone, group[0].at.date() - AROUND, group[-1].at.date() + AROUND, tuple(group))
    later = {change.after: change.at.date() + 2 * AROUND for change in changes if change.at.date() < LAST - 2 * AROUND}
    for day in (FIRST, *later.values()):
        yield Stretch(zone, day, day, ())


def changes_of(zone: ZoneInfo) -> Iterator[Change]:
    """The changes of a zone's clocks, oldest first; of two within one day, what they come to."""
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in (FIRST - DAY, *DAYS)]
    for early, late in pairwise(noons):
        before, after = offset_at(early, zone), offset_at(late, zone)
        if before == after:
            continue
        while late - early > timedelta(seconds=1):
            middle = early + (late - early) // 2
            middle = middle.replace(microsecond=0)
            early, late = (middle, late) if offset_at(middle, zone) == before else (early, middle)
        yield Change(late, before, after)


def offset_at(moment: datetime, zone: ZoneInfo) -> timedelta:
    """What clocks there are ahead of UTC."""
    return moment.astimezone(zone).utcoffset() or timedelta()


def try_stretch(stretch: Stretch) -> Tried:
    """Every quarter of an hour as send time, on every date of the stretch."""
    zone = ZoneInfo(stretch.zone)
    dates = set(dates_of(stretch, zone))
    ours = [sends(zone, stretch, hour, minute) for hour, minute in QUARTERS]
    theirs = [runs(zone, stretch, hour, minute) for hour, minute in QUARTERS if stretch.changes]
    return Tried(
        sends=sum(each.total() for each in ours),
        wrong=sum(wrong_days(each, dates) for each in ours),
        apscheduler=len(dates) * len(theirs),
        apscheduler_wrong=sum(wrong_days(each, dates) for each in theirs),
    )


def dates_of(stretch: Stretch, zone: ZoneInfo) -> Iterator[date]:
    """The local dates that clocks there really show."""
    moment = noon_before(stretch)
    while (day := moment.astimezone(zone).date()) <= stretch.last:
        if day >= stretch.first:
            yield day
        moment += timedelta(minutes=15)


def sends(zone: ZoneInfo, stretch: Stretch, hour: int, minute: int) -> Counter[date]:
    """Editions by date: the service wakes at each send time, and a quarter of an hour later once more."""
    schedule = Schedule("", f"{minute} {hour} * * *")
    now, settled, found = noon_before(stretch), stretch.first - DAY, Counter[date]()
    while (now := next_send(schedule, zone, now)).astimezone(zone).date() <= stretch.last:
        for moment in (now, now + timedelta(minutes=15)):
            due = plan_edition(schedule, zone, moment, settled, CATCH_UP).due
            if due:
                settled = due.date
                found[due.date] += 1
    return found


def runs(zone: ZoneInfo, stretch: Stretch, hour: int, minute: int) -> Counter[date]:
    """Runs of a cron job by date: the scheduler asks for the next time with that of the last run, once it is there."""
    trigger = CronTrigger(hour=hour, minute=minute, timezone=zone)
    found = Counter[date]()
    run = trigger.get_next_fire_time(None, noon_before(stretch).astimezone(zone))
    while run.astimezone(zone).date() <= stretch.last:
        if run.astimezone(zone).date() >= stretch.first:
            found[run.astimezone(zone).date()] += 1
        run = trigger.get_next_fire_time(run, run.astimezone(UTC) + timedelta(milliseconds=1))
    return found


def wrong_days(found: Counter[date], dates: set[date]) -> int:
    """Dates that have not exactly one, and such that never were."""
    return sum(found[day] != 1 for day in dates | found.keys())


def noon_before(stretch: Stretch) -> datetime:
    """Some time before the first date begins, everywhere."""
    return datetime(stretch.first.year, stretch.first.month, stretch.first.day, 12, tzinfo=UTC) - 2 * DAY


if __name__ == "__main__":
    main()
