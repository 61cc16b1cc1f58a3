"""What an edition tells besides its papers: what was written of them, how their signals grew, and the reader's week."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digest.match.engine import PAPERS_AT_ONCE
from digest.match.panel import Panel
from digest.match.topics import Reading
from digest.model import Edition, Growth, Observation, Paper, PaperKey, Subscriber, SubscriberId, Week, Wording
from digest.rank.followups import is_withdrawn
from digest.rank.growth import GROWS_FOR, measure_growth
from digest.rank.week import Announced, by_date, count_days, end_of, most_discussed, sent_before, week_dates, week_span
from digest.world import World

_OLDEST = GROWS_FOR + timedelta(days=2)
"""Before the UTC midnight of an edition's date; its local end may be a day later or earlier."""


@dataclass(frozen=True, slots=True)
class _Announcements:
    """What was announced on seven dates, wherever on earth they are."""

    papers: tuple[Announced, ...]
    talked_of: tuple[Paper, ...]
    """Those of which there are comments or points."""
    wanted: Mapping[SubscriberId, Set[PaperKey]]
    """What the words of each subscriber's topics find among them."""


@dataclass(frozen=True, slots=True)
class _Local:
    """The same, where the clocks show one time."""

    dates: dict[PaperKey, date]
    discussed: tuple[Paper, ...]


class Background:
    """Reads it once for all readers of a pass.

    It ends with the edition's date, and does not depend on the time of the pass: an edition that is tried again on a
    later day says nothing of that day. What was stored meanwhile on its own date is told, as papers, too, are shown as
    they are by then.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._observed: defaultdict[date, dict[PaperKey, list[Observation]]] = defaultdict(dict)
        self._written: defaultdict[str, dict[PaperKey, Wording | None]] = defaultdict(dict)
        self._announced: dict[date, _Announcements] = {}
        self._local: dict[tuple[date, ZoneInfo], _Local] = {}

    def complete(self, edition: Edition, *, is_fallback: bool = False) -> Edition:
        """The edition with all of it that its template shows, or the one that stands in for that."""
        keys = [paper.key for paper in edition.shown]
        return replace(
            edition,
            wordings=self._wordings(keys, edition.subscriber.language),
            growth=self._growth(edition, keys),
            week=self._week(edition) if self._wants_week(edition.subscriber, is_fallback=is_fallback) else None,
        )

    def _wordings(self, keys: Sequence[PaperKey], language: str) -> Mapping[PaperKey, Wording]:
        written = self._written[language]
        new = [key for key in keys if key not in written]
        if new:
            found = self._world.wordings(new, language)
            written.update((key, found.get(key)) for key in new)
        return {key: wording for key in keys if (wording := written[key])}

    def _growth(self, edition: Edition, keys: Sequence[PaperKey]) -> Mapping[PaperKey, Growth]:
        until = end_of(edition.date, edition.subscriber.zone)
        observed = self._observed[edition.date]
        new = [key for key in keys if key not in observed]
        if new:
            observed.update({key: [] for key in new})
            for each in self._world.papers.observations(datetime.combine(edition.date, time(), UTC) - _OLDEST, new):
                observed[each.paper].append(each)
        return {key: growth for key in keys if (growth := measure_growth(observed[key], until))}

    def _wants_week(self, subscriber: Subscriber, *, is_fallback: bool) -> bool:
        template = (self._world.fallbacks if is_fallback else self._world.templates).get(subscriber.look)
        return template is not None and template.wants_week

    def _week(self, edition: Edition) -> Week:
        subscriber, day = edition.subscriber, edition.date
        if day not in self._announced:
            self._announced[day] = self._read_announcements(edition)
        announced = self._announced[day]
        place = (day, subscriber.zone)
        if place not in self._local:
            dates = by_date(announced.papers, *place)
            talked_of = [paper for paper in announced.talked_of if paper.key in dates]
            self._local[place] = _Local(dates, most_discussed(talked_of))
        local = self._local[place]
        history = self._world.ledger.history(subscriber.id, week_dates(day)[0])
        # What topics describe is not compared anew: of that, what editions named counts.
        named = [
            sent.placed.paper for sent in history if sent.placed.section in ("matched", "rest") and sent.date < day
        ]
        its = [*(match.paper.key for match in edition.matched), *(paper.key for paper in edition.rest)]
        return Week(
            days=count_days(local.dates, (*named, *its, *announced.wanted.get(subscriber.id, ())), day),
            discussed=local.discussed,
            sent=tuple(self._world.papers.papers(sent_before(history, day))),
        )

    def _read_announcements(self, edition: Edition) -> _Announcements:
        stored = self._world.papers.announced_at(*week_span(edition.date))
        looking = {
            each.id: each
            for each in self._world.subscribers
            if any(self._wants_week(each, is_fallback=is_fallback) for is_fallback in (False, True))
        }
        looking[edition.subscriber.id] = edition.subscriber
        panel = Panel(looking.values())
        wanted: defaultdict[SubscriberId, set[PaperKey]] = defaultdict(set)
        papers = [paper for _, paper in stored if not is_withdrawn(paper)]
        # Few at a time, as what is made of a paper is many times its size.
        for start in range(0, len(papers), PAPERS_AT_ONCE):
            some = papers[start : start + PAPERS_AT_ONCE]
            answer = panel.ask([Reading(paper) for paper in some])
            for key in looking:
                if panel.topics(key):
                    wanted[key].update(some[place].key for place, _ in answer.of(key))
        return _Announcements(
            papers=tuple(Announced(at, paper.key) for at, paper in stored),
            talked_of=tuple(paper for _, paper in stored if most_discussed([paper])),
            wanted=wanted,
        )
