"""What the community makes of papers: what is expected of the new ones, and which of the older ones took off.

``benchmarks/trending.py --fit`` made the figures; docs/trending.md says what they mean and how well they predict.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from digest.model import Observation, Paper, PaperKey, Rise, Signals

GROWTH, DROP, MANY = 1.34, 0.27, 30
"""By how much ln(1 + upvotes) of a new paper grows in some days: ``GROWTH - DROP * ln(1 + votes)``, and from ``MANY``
votes on no less.
"""
NEW_H = 8.0
"""For how many hours after its first count a paper is new; the records tell nothing finer."""
FADE_H = 33.0
"""In how many hours more what it still has to grow falls to 1/e."""

RISES = {"upvotes": 20, "points": 50, "stars": 100}
"""The signals that tell a rise, and how much each must have gained at least."""
RISE_RATIO = 3
"""How many times its count before a signal must have reached at least."""


def expected_notice(paper: Paper, observations: Sequence[Observation], now: datetime) -> float:
    """Foretell the upvotes of a paper.

    Args:
        paper: Its own signals count, since it was first seen, where there is no observation of it.
        observations: Of this paper, in any order; those after ``now`` do not count.
        now: The run's reference time.

    Returns:
        About ln(1 + upvotes in two to eight days), and no less than what it has; 0 if nobody voted for it. More votes
        never lower it, and of papers as new as each other, those with more votes come first.
    """
    known = [each for each in observations if each.at <= now]
    votes = _votes(known) if observations else _votes_in(paper.signals)
    if not votes:
        return 0.0
    counted = [each.at for each in known if _is_counted(each.signals)]
    watched_h = (now - min(counted, default=paper.first_seen)) / timedelta(hours=1)
    has = math.log(1 + votes)
    to_come = GROWTH - DROP * math.log(1 + min(votes, MANY))
    return has + to_come * math.exp(-max(0.0, watched_h - NEW_H) / FADE_H)


def find_rising(
    papers: Sequence[Paper],
    observations: Mapping[PaperKey, Sequence[Observation]],
    since: datetime,
    now: datetime,
) -> list[Rise]:
    """Find papers that were published before ``since`` and took off after it.

    A count took off if it gained at least as much as `RISES` says, and is at least `RISE_RATIO` times what it was.
    Counts are compared within one source only. What it was is the most that this source counted until ``since``, so
    that a count that fell and recovered does not rise; if it counted nothing until then, its first count after.

    Args:
        papers: Any; those published at ``since`` or later are left out.
        observations: Of each paper, in any order; those after ``now`` do not count.
        since: Where the reader's window begins.
        now: The run's reference time.

    Returns:
        Each paper once, with the signal that gained most for what it must gain; the largest such gain first, ties by
        recency, then by key.
    """
    found = []
    for paper in papers:
        if paper.published >= since:
            continue
        known = [each for each in observations.get(paper.key, ()) if each.at <= now]
        grown = [growth for signal in RISES for growth in _growths(known, signal, since) if growth.is_rise]
        if grown:
            best = max(grown, key=lambda growth: (growth.gain, growth.now, growth.at))
            rise = Rise(paper=paper, signal=best.signal, before=best.before, now=best.now, since=best.at)
            found.append((-best.gain, -paper.published.timestamp(), paper.key, rise))
    return [rise for *_, rise in sorted(found, key=lambda each: each[:3])]


class _Growth(NamedTuple):
    """What one source counted of one signal."""

    signal: str
    before: int
    now: int
    at: datetime
    """When it counted ``before``."""

    @property
    def gain(self) -> float:
        """In multiples of what a rise needs; cut where an absurd count would not fit into a float."""
        return min(self.now - self.before, 10**9) / RISES[self.signal]

    @property
    def is_rise(self) -> bool:
        return self.gain >= 1 and self.now >= RISE_RATIO * self.before


def _growths(observations: Iterable[Observation], signal: str, since: datetime) -> Iterable[_Growth]:
    """The growth that each source saw."""
    series: dict[str, list[tuple[datetime, int]]] = {}
    for each in observations:
        count: int | None = getattr(each.signals, signal)
        if count is not None:
            series.setdefault(each.source, []).append((each.at, max(0, count)))
    for counts in map(sorted, series.values()):
        until = [each for each in counts if each[0] <= since] or counts[:1]
        at, before = max(until, key=lambda each: (each[1], each[0]))
        yield _Growth(signal, before, counts[-1][1], at)


def _votes(observations: Iterable[Observation]) -> int:
    """Of each source the last count, of all sources the most."""
    last: dict[str, tuple[datetime, int]] = {}
    for each in observations:
        if _is_counted(each.signals):
            said = (each.at, _votes_in(each.signals))
            last[each.source] = max(last.get(each.source, said), said)
    return max((count for _, count in last.values()), default=0)


def _is_counted(signals: Signals) -> bool:
    return signals.upvotes is not None or signals.points is not None


def _votes_in(signals: Signals) -> int:
    """Upvotes, or points if they are more: a convention, the records hold no points."""
    return max(0, signals.upvotes or 0, signals.points or 0)
