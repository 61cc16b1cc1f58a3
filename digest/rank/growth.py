"""How the signals of a paper grew, day by day, for the line that stands beside them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from digest.model import SIGNALS, Growth, Observation

GROWS_FOR = timedelta(days=14)
"""On so many dates, in UTC, counts are compared."""


def measure_growth(observations: Iterable[Observation], until: datetime) -> Growth | None:
    """The signal of a paper that grew most in proportion.

    Growth is ``(1 + last) / (1 + first)`` of what one source counted, from the last count of the first day on which it
    counted to its newest one, so that 1 star that became 3 is as much as 3 that became 7. Of equal ones the signal that
    gained more counts, then the first of `SIGNALS`. A day without a count has that of the day before: only changes are
    stored.

    Args:
        observations: Of one paper, in any order.
        until: Those after it do not count, nor those of more than `GROWS_FOR` before its date.

    Returns:
        A count for each day in UTC; ``None`` if nothing was counted on two different days or nothing grew.
    """
    counted: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
    for each in observations:
        if each.at <= until and _day(until) - GROWS_FOR < _day(each.at):
            for signal in SIGNALS:
                count: int | None = getattr(each.signals, signal)
                if count is not None:
                    counted.setdefault((signal, each.source), []).append((each.at, max(0, count)))
    found = [
        (growth.counts[-1], growth.counts[0], -SIGNALS.index(signal), source, growth)
        for (signal, source), series in counted.items()
        if (growth := _grown(signal, sorted(series)))
    ]
    if not found:
        return None
    *_, growth = max(found, key=lambda each: ((1 + each[0]) / (1 + each[1]), each[0] - each[1], each[2], each[3]))
    return growth


def _grown(signal: str, series: Sequence[tuple[datetime, int]]) -> Growth | None:
    """The growth of one series, oldest first; ``None`` if there is none."""
    last = {_day(at): (at, count) for at, count in series}
    days = [*last]
    since, count = last[days[0]]
    if last[days[-1]][1] <= count:
        return None
    counts = []
    for number in range((days[-1] - days[0]).days + 1):
        _, count = last.get(days[0] + timedelta(days=number), (since, count))
        counts.append(count)
    return Growth(signal=signal, counts=tuple(counts), since=since)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
