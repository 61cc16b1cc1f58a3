"""What is published: editions as they were sent, without anything that says who gets them, or why."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date

from digest.export.formats import Format
from digest.model import Edition, Paper, PaperKey, Placed, Score, Subscriber
from digest.ports import Ledger, PaperStore
from digest.rank.placed import restore
from digest.render.language import Language, find_language
from digest.render.theme import Theme
from digest.render.words import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Editions, and how they are shown."""

    editions: tuple[Edition, ...]
    """Newest first; see `public`."""
    title: str = ""
    """Of the whole; without one it is the theme's brand."""
    theme: Theme = field(default_factory=Theme)
    base_url: str = ""
    """Where the files are published, with a slash at its end; or empty."""
    has_topics: bool = False
    """Whether the names of topics are shown."""
    formats: frozenset[Format] = frozenset(Format)
    """Which files there are, so that none leads to one that is missing."""

    @property
    def heading(self) -> str:
        """The title, fit to be shown."""
        return plain(self.title) or plain(self.theme.brand)

    @property
    def language(self) -> Language:
        """In which everything but the papers is."""
        return find_language(self.editions[0].subscriber.language if self.editions else "")

    @property
    def papers(self) -> tuple[tuple[date, Paper], ...]:
        """Every paper once, under the first edition that has it: newest edition first, best paper first."""
        first: dict[PaperKey, date] = {}
        for edition in reversed(self.editions):
            for paper in edition.papers:
                first.setdefault(paper.key, edition.date)
        return tuple(
            (edition.date, paper)
            for edition in self.editions
            for paper in edition.papers
            if first[paper.key] == edition.date
        )


def read_editions(
    ledger: Ledger, papers: PaperStore, subscriber: Subscriber, since: date, until: date
) -> tuple[Edition, ...]:
    """The accepted editions of these dates, both included, newest first."""
    places = defaultdict[date, list[Placed]](list)
    for sent in ledger.history(subscriber.id, since):
        if sent.date <= until:
            places[sent.date].append(sent.placed)
    keys = dict.fromkeys(place.paper for of_one in places.values() for place in of_one)
    known = {paper.key: paper for paper in papers.papers([*keys])}
    return tuple(
        # Why a paper hit is not published, so nothing is judged again.
        public(Edition(subscriber=subscriber, date=day, **restore(places[day], known, lambda _: ())))
        for day in sorted(places, reverse=True)
    )


def public(edition: Edition) -> Edition:
    """The edition without what only its reader may know: score, evidence and labels, near misses and gaps."""
    return replace(
        edition,
        matched=tuple(
            replace(
                match,
                topics=tuple(replace(topic, evidence=()) for topic in match.topics),
                labels=(),
                score=Score(),
            )
            for match in edition.matched
        ),
        near_misses=(),
        gaps=(),
        growth={},
        week=None,
    )
