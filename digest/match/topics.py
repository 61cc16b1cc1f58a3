"""Decides which topics want a paper, with the words that made them want it.

The strength of a match is the sum over the parts of the topics that want it: a followed author counts 5; ``any`` as a
whole, and each keyword of ``all``, 3 if found in the title and 1 if in the abstract. Keywords of one ``any`` are other
words for one thing, so that "Large Language Models (LLMs)" counts no more than either. The least strength is 1.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from digest.match.names import Name
from digest.model import Evidence, Field, Match, Paper, Subscriber, Topic, TopicMatch
from digest.text.fold import Keyword, Words

_WEIGHTS = {Field.AUTHOR: 5, Field.TITLE: 3, Field.ABSTRACT: 1, Field.CATEGORY: 0}


class Reading:
    """A paper, taken apart once for all subscribers."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    @cached_property
    def fields(self) -> tuple[tuple[Field, Words], ...]:
        """What keywords are sought in; a phrase never runs from the title into the abstract."""
        return (Field.TITLE, Words(self.paper.title)), (Field.ABSTRACT, Words(self.paper.abstract))

    @cached_property
    def authors(self) -> tuple[tuple[str, Name], ...]:
        """Printed and readable form of each author that has letters."""
        return tuple((text, name) for text in self.paper.authors if (name := _name_or_none(text)))


def _name_or_none(text: str) -> Name | None:
    try:
        return Name.parse(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One topic's verdict on one paper."""

    topic: str
    evidence: tuple[Evidence, ...]
    strength: int
    objections: tuple[str, ...]
    """Why the topic does not want the paper, for people; empty if it does."""

    @property
    def wants(self) -> bool:
        """Whether every part of the topic is met."""
        return not self.objections


class TopicFilter:
    """A topic, compiled once and asked for every paper."""

    def __init__(self, topic: Topic) -> None:
        """Compile a topic.

        Raises:
            ValueError: A keyword or author folds to nothing, or nothing in the topic can be found.
        """
        if not (topic.any or topic.all or topic.categories or topic.authors):
            raise ValueError(f"topic {topic.name!r} wants nothing: give any, all, categories or authors")
        self.topic = topic
        self._any = [Keyword.parse(term) for term in topic.any]
        self._all = [Keyword.parse(term) for term in topic.all]
        self._none = [Keyword.parse(term) for term in topic.none]
        self._authors = [(author, Name.parse(author)) for author in topic.authors]

    def judge(self, reading: Reading) -> Judgement:
        """Ask every part of the topic, also after one has objected, so that a reader sees all reasons."""
        evidence: list[Evidence] = []
        weights: list[int] = []
        objections: list[str] = []

        def require(parts: Sequence[str], found: Iterable[Evidence], objection: Callable[[], str]) -> None:
            if parts:
                hits = list(found)
                evidence.extend(hits)
                weights.append(max((_WEIGHTS[hit.field] for hit in hits), default=0))
                if not hits:
                    objections.append(objection())

        require(
            self.topic.any,
            (hit for keyword in self._any for hit in _seek(keyword, reading)),
            lambda: f"none of {_quoted(self.topic.any)} is in title or abstract",
        )
        for keyword in self._all:
            require([keyword.text], _seek(keyword, reading), lambda k=keyword: f"“{k.text}” is missing")  # type: ignore[misc]
        for keyword in self._none:
            objections += (f"“{hit.found}” in the {hit.field} is excluded" for hit in _seek(keyword, reading))
        require(
            self.topic.categories,
            _categories(self.topic.categories, reading.paper),
            lambda: (
                f"categories {_quoted(reading.paper.categories) or 'are unknown'}, not {_quoted(self.topic.categories)}"
            ),
        )
        require(
            self.topic.authors,
            _follow(self._authors, reading),
            lambda: f"none of {_quoted(self.topic.authors)} is among the authors",
        )
        return Judgement(self.topic.name, tuple(evidence), sum(weights), tuple(objections))


def compile_topics(subscriber: Subscriber) -> tuple[TopicFilter, ...]:
    """The subscriber's topics, ready to be asked."""
    return tuple(TopicFilter(topic) for topic in subscriber.topics)


def match_papers(topics: Sequence[TopicFilter], readings: Iterable[Reading]) -> list[Match]:
    """The papers that at least one topic wants, each once, in the order given."""
    matches = []
    for reading in readings:
        wanting = [judgement for topic in topics if (judgement := topic.judge(reading)).wants]
        if wanting:
            matches.append(
                Match(
                    paper=reading.paper,
                    topics=tuple(TopicMatch(judgement.topic, judgement.evidence) for judgement in wanting),
                    strength=max(1, sum(judgement.strength for judgement in wanting)),
                )
            )
    return matches


def _seek(keyword: Keyword, reading: Reading) -> list[Evidence]:
    return [
        Evidence(field, keyword.text, words.text[span[0] : span[1]])
        for field, words in reading.fields
        if (span := words.find(keyword))
    ]


def _categories(wanted: Sequence[str], paper: Paper) -> list[Evidence]:
    return [
        Evidence(Field.CATEGORY, pattern, category)
        for pattern in wanted
        for category in paper.categories
        if category.casefold() == pattern.casefold()
        or (pattern.endswith(".*") and category.casefold().startswith(pattern[:-1].casefold()))
    ]


def _follow(followed: Sequence[tuple[str, Name]], reading: Reading) -> list[Evidence]:
    return [
        Evidence(Field.AUTHOR, wanted, printed)
        for wanted, name in followed
        for printed, author in reading.authors
        if name.same_as(author)
    ]


def _quoted(terms: Sequence[str]) -> str:
    return ", ".join(f"“{term}”" for term in terms)
