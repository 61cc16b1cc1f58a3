"""What comes: send times with the days off between them, and what is odd about some."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from digest.model import Schedule, Subscriber
from digest.ports import Source, Window
from digest.schedule.days_off import DaysOff
from digest.schedule.due import next_send, sends

_AHEAD = timedelta(days=8)
_SOON = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Send:
    """A date that a schedule names."""

    date: date
    """The subscriber's local date."""
    at: datetime
    """In UTC."""
    left_out: str
    """Why there is no edition, or empty."""
    note: str
    """What is odd about the time, or empty."""


def look_ahead(schedule: Schedule, zone: ZoneInfo, now: datetime, off: DaysOff, count: int) -> Iterator[Send]:
    """The next dates that the schedule names, up to the one with so many editions."""
    for wall, at in sends(schedule, zone, now):
        left_out = off(wall.date())
        yield Send(wall.date(), at, left_out, _note(wall, at, zone))
        count -= not left_out
        if not count:
            return


def _note(wall: datetime, at: datetime, zone: ZoneInfo) -> str:
    local, first, second = at.astimezone(zone), wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    if local.replace(tzinfo=None) != wall:
        return f"{wall:%H:%M} does not exist on that date: the first moment after it"
    if first.utcoffset() != second.utcoffset():
        return f"{wall:%H:%M} comes twice on that date: the first of them"
    moved = (local.utcoffset() or timedelta()) - ((local - timedelta(days=1)).utcoffset() or timedelta())
    return f"clocks went {'forward' if moved > timedelta() else 'back'} since the day before" if moved else ""


def advise_times(subscriber: Subscriber, sources: Iterable[Source], now: datetime) -> Iterator[str]:
    """Warn of send times shortly before a source shows its new papers, with the consequence and a better time."""
    at = next_send(subscriber.schedule, subscriber.zone, now, DaysOff.of(subscriber))
    for source in sources:
        batch = next((each for each in source.due(Window(since=at, until=at + _AHEAD)) if each > at), None)
        if batch is None or batch - at > _SOON:
            continue
        shown = batch.astimezone(subscriber.zone)
        yield (
            f"they are written to at {at.astimezone(subscriber.zone):%H:%M}, and {source.name} begins to show the"
            f" day's papers at {shown:%H:%M} ({batch.astimezone(UTC):%H:%M} UTC): these come with the next edition;"
            f" an hour after it is early enough"
        )
