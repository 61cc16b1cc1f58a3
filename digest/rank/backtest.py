"""What topics would have found on past days, counted by day and by mail, and what is remarkable in it.

A day on which nothing was stored at all says nothing of the topics: it is a gap, and counts in no median.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import median

from digest.model import PaperKey

_FEW = 3
"""Fewer papers of one topic than this may be found by another one by chance."""
_NAMED = 5
_BEFORE = 7
"""When so many days at the beginning are gaps, history began later, and none of them is named."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored paper, and what the topics said to it."""

    paper: PaperKey
    day: date
    """On which it was first stored, where the subscriber is."""
    mail: date
    """The date of the mail that would have carried it."""
    topics: tuple[str, ...]
    """Those that want it, in the subscriber's order; often none."""


@dataclass(frozen=True, slots=True)
class Series:
    """How many papers were found on each day."""

    counts: tuple[int | None, ...]
    """Oldest day first; ``None`` for a gap."""

    @property
    def total(self) -> int:
        """Over all days."""
        return sum(count or 0 for count in self.counts)

    @property
    def median(self) -> float:
        """Of the days that are no gap; 0 without any."""
        known = [count for count in self.counts if count is not None]
        return median(known) if known else 0

    @property
    def busiest(self) -> int | None:
        """The place of the first of the days with most papers; ``None`` if nothing was found."""
        return max(range(len(self.counts)), key=lambda number: self.counts[number] or 0) if self.total else None


@dataclass(frozen=True, slots=True)
class TopicTally:
    """What one topic found."""

    name: str
    found: Series
    first: Series
    """Of these, those that no topic before it found: over all topics they add up to what was found at all."""
    alone: int
    """How many of these no other topic found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What all topics of a subscriber found."""

    days: tuple[date, ...]
    stored: tuple[int, ...]
    """Papers that were stored on each day, wanted or not."""
    found: Series
    """By any topic."""
    topics: tuple[TopicTally, ...]
    mails: tuple[tuple[date, int], ...]
    """How many papers each mail would have had, oldest first; also those with none, but only of days without gap."""
    wanted: dict[PaperKey, tuple[str, ...]]
    """Every paper that was found, in order, with its topics."""

    @property
    def gaps(self) -> tuple[date, ...]:
        """Days on which nothing was stored."""
        return tuple(day for day, stored in zip(self.days, self.stored, strict=True) if not stored)

    def mails_over(self, limit: int) -> int:
        """How many mails would have had more papers than this."""
        return sum(papers > limit for _, papers in self.mails)


def tally_days(topics: Sequence[str], days: Sequence[date], asked: Sequence[Asked]) -> Tally:
    """Count what was found.

    Args:
        topics: Names of all topics of the subscriber, in their order.
        days: Every day in question, oldest first.
        asked: Every paper that was stored on these days, each once, oldest first.
    """
    stored = Counter(each.day for each in asked)
    found = [each for each in asked if each.topics]

    def series(some: Sequence[Asked]) -> Series:
        counts = Counter(each.day for each in some)
        return Series(tuple(counts[day] if stored[day] else None for day in days))

    mails = Counter(each.mail for each in found)
    return Tally(
        days=tuple(days),
        stored=tuple(stored[day] for day in days),
        found=series(found),
        topics=tuple(
            TopicTally(
                name,
                found=series([each for each in found if name in each.topics]),
                first=series([each for each in found if each.topics[0] == name]),
                alone=sum(each.topics == (name,) for each in found),
            )
            for name in topics
        ),
        mails=tuple((day, mails[day]) for day in sorted({each.mail for each in asked})),
        wanted={each.paper: each.topics for each in found},
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """What other topics would have changed, each in order of announcement."""

    added: tuple[PaperKey, ...]
    lost: tuple[PaperKey, ...]


def compare_tallies(now: Tally, before: Tally) -> Difference:
    """What is found now and was not before, and the other way round."""
    return Difference(
        added=tuple(paper for paper in now.wanted if paper not in before.wanted),
        lost=tuple(paper for paper in before.wanted if paper not in now.wanted),
    )


def spread(papers: Sequence[PaperKey], most: int) -> tuple[PaperKey, ...]:
    """So many of them, if there are, at equal distances: of all days, and not of the first only."""
    count = min(most, len(papers))
    return tuple(papers[number * len(papers) // count] for number in range(count))


class RemarkKind(StrEnum):
    """What a remark is about."""

    SILENT = "silent"
    """A topic that found nothing."""
    FLOOD = "flood"
    """More papers than the limit on a usual day, or in a usual mail."""
    CONTAINED = "contained"
    """A topic that found nothing but what another one found."""
    GAP = "gap"
    """Days that say nothing."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that the subscriber may want to change, or has to know."""

    kind: RemarkKind
    text: str
    topics: tuple[str, ...] = ()
    """Whom it is about; none for all."""


def find_remarks(tally: Tally, limit: int) -> tuple[Remark, ...]:
    """What is remarkable, topics in their order, gaps last.

    Args:
        tally: What was found.
        limit: How many papers a mail shows in full.
    """
    return (*_silent(tally), *_floods(tally, limit), *_contained(tally), *_gaps(tally))


def _silent(tally: Tally) -> list[Remark]:
    known = len(tally.days) - len(tally.gaps)
    return [
        Remark(
            RemarkKind.SILENT,
            f"“{topic.name}” found nothing in {known} {'day' if known == 1 else 'days'}",
            (topic.name,),
        )
        for topic in tally.topics
        if not topic.found.total
    ]


def _floods(tally: Tally, limit: int) -> list[Remark]:
    floods = [
        Remark(
            RemarkKind.FLOOD,
            f"“{topic.name}” finds {topic.found.median:g} a day, the limit is {limit}",
            (topic.name,),
        )
        for topic in tally.topics
        if topic.found.median > limit
    ]
    usual = median([papers for _, papers in tally.mails] or [0])
    if not floods and usual > limit:
        text = f"a usual mail has {usual:g} papers, the limit is {limit}: the others are named by title only"
        floods = [Remark(RemarkKind.FLOOD, text)]
    return floods


def _contained(tally: Tally) -> list[Remark]:
    papers = {
        topic.name: {paper for paper, topics in tally.wanted.items() if topic.name in topics} for topic in tally.topics
    }
    remarks: list[Remark] = []
    same: set[str] = set()
    for name, its in papers.items():
        around = [other for other in papers if other not in same | {name} and its <= papers[other]]
        if name in same or len(its) < _FEW or not around:
            continue
        other = min(around, key=lambda other: len(papers[other]))
        if its == papers[other]:
            same.add(other)
            text = f"“{name}” and “{other}” find the same {len(its)} papers"
        else:
            text = f"all {len(its)} papers of “{name}” are found by “{other}” too"
        remarks.append(Remark(RemarkKind.CONTAINED, text, (name, other)))
    return remarks


def _gaps(tally: Tally) -> list[Remark]:
    gaps = tally.gaps
    if not gaps:
        return []
    known = [day for day, stored in zip(tally.days, tally.stored, strict=True) if stored]
    parts = []
    before = sum(bool(known) and day < known[0] for day in gaps)
    if before >= _BEFORE:
        parts.append(f"{before} before {known[0]:%Y-%m-%d}")
        gaps = gaps[before:]
    weekdays = [day for day in gaps if day.weekday() < 5]
    if weekend := len(gaps) - len(weekdays):
        parts.append(f"{weekend} on weekends")
    if weekdays:
        more = len(weekdays) - _NAMED
        parts.append(
            ", ".join(f"{day:%a %Y-%m-%d}" for day in weekdays[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        )
    text = f"nothing was stored on {len(tally.gaps)} of {len(tally.days)} days ({'; '.join(parts)})"
    return [Remark(RemarkKind.GAP, f"{text}: they count in no median")]
