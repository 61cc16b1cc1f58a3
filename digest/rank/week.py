"""The seven days that end with an edition's, for templates that look back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest.model import DayCount, Paper, PaperKey, Sent
from digest.rank.placed import IN_FULL

DISCUSSED = 5
"""So many papers are named as the most discussed."""
_DAYS = 7
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)
"""So far ahead of UTC and behind it clocks stand, at most."""


class Announced(NamedTuple):
    """That a paper was announced."""

    at: datetime
    """When it was first stored, in UTC."""
    paper: PaperKey


def week_dates(day: date) -> tuple[date, ...]:
    """Seven dates, oldest first, the last of them this one."""
    return tuple(day - timedelta(days=number) for number in reversed(range(_DAYS)))


def week_span(day: date) -> tuple[datetime, datetime]:
    """From when, and until before when, these seven dates last anywhere on earth, in UTC."""
    first, last = (datetime.combine(each, time(), UTC) for each in (week_dates(day)[0], day + timedelta(days=1)))
    return first - _EAST, last + _WEST


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last instant of a local date, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC) - timedelta.resolution


def by_date(announced: Iterable[Announced], day: date, zone: ZoneInfo) -> dict[PaperKey, date]:
    """The local date of each paper that was announced within the seven dates."""
    dates = frozenset(week_dates(day))
    local = {each.paper: each.at.astimezone(zone).date() for each in announced}
    return {paper: its for paper, its in local.items() if its in dates}


def count_days(dates: dict[PaperKey, date], wanted: Iterable[PaperKey], day: date) -> tuple[DayCount, ...]:
    """What was announced on each of the seven dates, and how much of it a reader wants.

    Args:
        dates: See `by_date`.
        wanted: The papers that match, each as often as you like, and whenever announced.
        day: The last of the dates.
    """
    announced = Counter(dates.values())
    matched = Counter(dates[paper] for paper in {*wanted} & dates.keys())
    return tuple(DayCount(each, announced[each], matched[each]) for each in week_dates(day))


def most_discussed(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    """The papers with most comments and points together, most first; at most `DISCUSSED`.

    One point is the submitter's own. Ties go to the newest, then by key.
    """
    order = sorted(papers, key=lambda paper: (-_talk(paper), -paper.published.timestamp(), paper.key))
    return tuple(paper for paper in order[:DISCUSSED] if _talk(paper))


def _talk(paper: Paper) -> int:
    return (paper.signals.comments or 0) + max((paper.signals.points or 0) - 1, 0)


def sent_before(history: Sequence[Sent], day: date) -> tuple[PaperKey, ...]:
    """What was sent in full on the six dates before this one, newest edition first, each paper once."""
    dates = frozenset(week_dates(day)[:-1])
    newest = sorted(
        (sent for sent in history if sent.date in dates and sent.placed.section in IN_FULL),
        key=lambda sent: sent.date,
        reverse=True,
    )
    return tuple(dict.fromkeys(sent.placed.paper for sent in newest))
