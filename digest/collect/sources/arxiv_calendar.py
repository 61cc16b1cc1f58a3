"""When arXiv announces papers: Sunday to Thursday at 20:00 in New York, but for its holidays.

What is submitted before 14:00 (the freeze) on Monday to Thursday is announced the same evening, on Friday the Sunday
after; there is no freeze on a holiday, hence no announcement that evening, and none on Sunday after a Friday off::

    frozen Thu 19 Nov 2026 14:00  announced Thu 19 Nov 20:00  listed under Fri 20 Nov
    frozen Fri 20 Nov 2026 14:00  announced Sun 22 Nov 20:00  listed under Mon 23 Nov

The calendar tells what is due. It never drops a paper: what arXiv lists on any other day is taken all the same.

Source: arXiv/arxiv-base, arxiv/schedule/calendar.py (freeze and announcement) and arxiv/db/arxiv_holidays_seed.sql
(the days off); https://info.arxiv.org/help/availability.html; read on 2026-11-22. arXiv decides on its days off year
by year and no rule for them is written down, so none are assumed for years that are not listed here: on such a day a
batch counts as due that never comes, and the other ways are asked in vain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_FREEZE_HOUR = 14
_FRIDAY = 4

# Days without a freeze. Weekends need not be named.
_DAYS_OFF = frozenset(
    date(year, month, day)
    for year, days in {
        2024: ((1, 15), (5, 22), (6, 19), (7, 4), (9, 2), (10, 8), (11, 28), (12, 25), (12, 26), (12, 31)),
        2025: ((1, 1), (1, 20), (6, 19), (7, 4), (9, 1), (11, 27), (12, 25), (12, 30)),
        2026: ((1, 1), (1, 19), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25), (12, 29), (12, 31)),
    }.items()
    for month, day in days
)


@dataclass(frozen=True, slots=True)
class Batch:
    """The papers of one announcement; times are aware, in UTC."""

    day: date
    """Under which arXiv lists it: that of the morning after."""
    announced_at: datetime
    """20:00 in New York; from then on the listing pages show it."""
    shown_at: datetime
    """Midnight in New York, when the feed turns to it; it shows nothing else until the next midnight."""
    due_at: datetime
    """01:00 in New York. The feeds are rebuilt from midnight on: those recorded in 2025 were done by 00:23."""


def batches(after: datetime, until: datetime) -> tuple[Batch, ...]:
    """The batches that were not due at one time and that the feed turned to until another, oldest first.

    None before the first of them is due. Who reads the feed in the hour in which it is rebuilt may read the old batch
    or the new one: the next time, that hour's batch counts as missing once more.
    """
    first, last = (when.astimezone(_NEW_YORK).date() for when in (after, until))
    shown = tuple(
        batch for batch in _frozen_on(first - 4 * _DAY, last) if after < batch.due_at and batch.shown_at <= until
    )
    return shown if shown and shown[0].due_at <= until else ()


def is_announced_ahead(when: datetime) -> bool:
    """Whether a batch is announced, and on the listing pages, that the feed does not show yet: 20:00 to midnight."""
    today = when.astimezone(_NEW_YORK).date()
    return any(batch.announced_at <= when < batch.shown_at for batch in _frozen_on(today - 4 * _DAY, today))


def batch_of_submission(submitted: datetime) -> Batch:
    """The batch that announces what is submitted at this time, unless moderators hold it back."""
    local = submitted.astimezone(_NEW_YORK)
    first = local.date() + (local.hour >= _FREEZE_HOUR) * _DAY
    return next(_frozen_on(first, first + 30 * _DAY))


def month_in_new_york(when: datetime) -> tuple[int, int]:
    """Year and month by which arXiv numbers what it announces at this time."""
    local = when.astimezone(_NEW_YORK)
    return local.year, local.month


def shown_at(day: date) -> datetime:
    """When arXiv's feed begins to show the batch of a day, which is the time that it states: midnight in New York."""
    return _in_new_york(day, 0)


def _frozen_on(first: date, last: date) -> Iterator[Batch]:
    """The batches whose freeze is on one of these days."""
    for number in range((last - first).days + 1):
        frozen = first + number * _DAY
        if frozen.weekday() > _FRIDAY or frozen in _DAYS_OFF:
            continue
        evening = frozen + 2 * _DAY if frozen.weekday() == _FRIDAY else frozen
        day = evening + _DAY
        yield Batch(day, _in_new_york(evening, 20), shown_at(day), _in_new_york(day, 1))


def _in_new_york(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), _NEW_YORK).astimezone(UTC)
