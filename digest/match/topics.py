"""The definition of a match: whether a topic wants a paper, which words made it want it, and what kept it out.

``digest.match.panel`` finds out the same for many subscribers at once; here it is said why. How well a paper fits is
the sum over what a topic requires: of a part that lists other words for one thing the best hit counts, so that "Large
Language Models (LLMs)" counts no more than either. A hit counts 3 in the title and 1 in the abstract, a followed author
5, each times its boost.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import assert_never

from digest.match.names import Name
from digest.match.parse import read_topic
from digest.match.query import (
    About,
    And,
    Author,
    Category,
    Leaf,
    Listed,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Scope,
    Word,
    compile_pattern,
    leaves,
    print_node,
)
from digest.model import Evidence, Field, Paper, Subscriber, Topic, TopicMatch
from digest.text.fold import Keyword, Words

_WEIGHTS = {Field.AUTHOR: 5.0, Field.TITLE: 3.0, Field.ABSTRACT: 1.0, Field.VENUE: 1.0, Field.MEANING: 1.0}
_FIELDS = {
    Scope.TEXT: (Field.TITLE, Field.ABSTRACT),
    Scope.TITLE: (Field.TITLE,),
    Scope.ABSTRACT: (Field.ABSTRACT,),
    Scope.VENUE: (Field.VENUE,),
}


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a paper is in meaning to what a topic is about."""

    score: float
    """From 0 to 1; 0.5 where a paper begins to be about it, whichever model compares."""
    threshold: float
    """The paper is near if the score is as much, or more."""

    @property
    def is_near(self) -> bool:
        """Whether it is near enough."""
        return self.score >= self.threshold


class Reading:
    """A paper, taken apart once for all subscribers."""

    def __init__(self, paper: Paper, nearness: Mapping[About, Nearness] | None = None) -> None:
        """Take a paper apart when it is first asked about.

        Args:
            paper: The paper.
            nearness: How near it is to what topics describe; it is not near to anything that is left out.
        """
        self.paper = paper
        self.nearness = nearness or {}

    @cached_property
    def fields(self) -> Mapping[Field, Words]:
        """What keywords are sought in; a phrase never runs from one into the other."""
        return {
            Field.TITLE: Words(self.paper.title),
            Field.ABSTRACT: Words(self.paper.abstract),
            Field.VENUE: Words(self.paper.venue),
        }

    @cached_property
    def authors(self) -> tuple[tuple[str, Name], ...]:
        """Printed and readable form of each author that has letters."""
        return tuple((text, name) for text in self.paper.authors if (name := name_or_none(text)))


@lru_cache(maxsize=50_000)
def name_or_none(text: str) -> Name | None:
    """A printed name, unless it holds no letter."""
    try:
        return Name.parse(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a topic does not want a paper."""

    text: str
    """For people."""
    missing: str = ""
    """What would have to be in the paper, as one would write it; empty if something is in it that should not be."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One topic's verdict on one paper."""

    topic: str
    evidence: tuple[Evidence, ...]
    strength: float
    """How well the words fit."""
    follow: float
    """The same for followed authors."""
    lowered_by: tuple[Evidence, ...]
    """What the topic wants less of."""
    objections: tuple[Objection, ...]
    """Why the topic does not want the paper; empty if it does."""
    missing: str
    """If one required word, and nothing else, is missing while others are there: that word; else empty."""
    nearness: float = 0.0
    """How near the paper is to what the topic describes, from 0 to 1; 0 if it is not near, or describes nothing."""

    @property
    def wants(self) -> bool:
        """Whether every part of the topic is met."""
        return not self.objections


class TopicFilter:
    """A topic, compiled once and asked for every paper."""

    def __init__(self, topic: Topic) -> None:
        """Compile a topic.

        Raises:
            ValueError: A keyword or author folds to nothing, the query cannot be read, or nothing in the topic can be
                found.
        """
        self.topic = topic
        self.query = read_topic(topic)
        self.abouts = tuple(
            leaf for node in (self.query.wants, *self.query.less) for leaf in leaves(node) if isinstance(leaf, About)
        )
        """What it describes."""

    def judge(self, reading: Reading) -> Judgement:
        """Ask every required part, also after one has objected, so that a reader sees all reasons."""
        hits = _Hits(reading)
        met: list[Node] = []
        missed: list[Node] = []
        for part in required(self.query):
            (met if _is_met(part, hits) else missed).append(part)
        objections = tuple(_objection(part, hits) for part in missed)
        is_near = len(missed) == 1 and asks_for_words(missed[0]) and any(map(asks_for_words, met))
        return Judgement(
            topic=self.topic.name,
            evidence=tuple(dict.fromkeys(hit for part in met for hit in _evidence(part, hits))),
            strength=sum(_weight(part, hits, are_authors=False) for part in met),
            follow=sum(_weight(part, hits, are_authors=True) for part in met),
            nearness=max((reading.nearness[about].score for about in self.abouts if hits.of(about)), default=0.0),
            lowered_by=tuple(hit for part in self.query.less for hit in _evidence(part, hits)),
            objections=objections,
            missing=objections[0].missing if is_near else "",
        )


def compile_topics(subscriber: Subscriber) -> tuple[TopicFilter, ...]:
    """The subscriber's topics, ready to be asked."""
    return tuple(TopicFilter(topic) for topic in subscriber.topics)


def explain_match(topics: Iterable[TopicFilter], reading: Reading) -> tuple[TopicMatch, ...]:
    """The topics that want a paper, and why."""
    judgements = (topic.judge(reading) for topic in topics)
    return tuple(TopicMatch(each.topic, each.evidence) for each in judgements if each.wants)


def required(query: Query) -> tuple[Node, ...]:
    """What a paper must meet, part by part."""
    return query.wants.parts if isinstance(query.wants, And) else (query.wants,)


def meets(node: Node, reading: Reading) -> bool:
    """Whether a paper meets a node."""
    return _is_met(node, _Hits(reading))


class _Hits:
    """What leaves hit in one paper, each sought once, as one judgement asks for it several times."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._found: dict[int, tuple[Evidence, ...]] = {}

    def of(self, leaf: Leaf) -> tuple[Evidence, ...]:
        found = self._found.get(id(leaf))
        if found is None:
            found = self._found[id(leaf)] = tuple(_seek(leaf, self.reading))
        return found


def _is_met(node: Node, hits: _Hits) -> bool:
    match node:
        case And(parts):
            return all(_is_met(part, hits) for part in parts)
        case Or(parts):
            return any(_is_met(part, hits) for part in parts)
        case Not(part):
            return not _is_met(part, hits)
        case _:
            return bool(hits.of(node))


keyword = lru_cache(maxsize=100_000)(Keyword.parse)
"""`Keyword.parse`, remembered."""


def _seek(leaf: Leaf, reading: Reading) -> Iterator[Evidence]:  # noqa: C901  a case for each kind
    match leaf:
        case Word(text, scope):
            for field in _FIELDS[scope]:
                words = reading.fields[field]
                if span := words.find(keyword(text)):
                    yield Evidence(field, text, words.text[span[0] : span[1]])
        case Near((first, second), distance, scope):
            for field in _FIELDS[scope]:
                words = reading.fields[field]
                if span := find_near(words, keyword(first), keyword(second), distance):
                    yield Evidence(field, print_node(leaf), words.text[span[0] : span[1]])
        case Pattern(regex, scope):
            for field in _FIELDS[scope]:
                if hit := compile_pattern(regex).search(reading.fields[field].text):
                    yield Evidence(field, f"/{regex}/", hit.group())
        case Author(wanted):
            name = name_or_none(wanted)
            for printed, author in reading.authors:
                if name and name.is_met_by(author):
                    yield Evidence(Field.AUTHOR, wanted, printed)
        case Category(pattern):
            for category in reading.paper.categories:
                if is_category(pattern, category):
                    yield Evidence(Field.CATEGORY, pattern, category)
        case Listed(source):
            for listed in reading.paper.sources:
                if is_source(source, listed):
                    yield Evidence(Field.SOURCE, source, listed)
        case About():
            nearness = reading.nearness.get(leaf)
            if nearness and nearness.is_near:
                yield Evidence(Field.MEANING, leaf.text, f"{nearness.score:.2f}")
        case _:
            assert_never(leaf)


def find_near(words: Words, first: Keyword, second: Keyword, distance: int) -> tuple[int, int] | None:
    """Where two keywords stand with at most ``distance`` words between them, in either order and apart from each
    other: start and end in the text.
    """
    ones, others = (sorted(words.places(each)) for each in (first, second))
    for before, after in (ones, others), (others, ones):
        begins = [place[0] for place in after]
        for begin, end in before:
            # The nearest that begins behind it.
            at = bisect_right(begins, end)
            if at < len(begins) and begins[at] - end <= distance + 1:
                return words.spans[begin][0], words.spans[after[at][1]][1]
    return None


def is_category(pattern: str, category: str) -> bool:
    """Whether a pattern such as ``cs.CL`` or ``cs.*`` is met."""
    pattern, category = pattern.casefold(), category.casefold()
    return category == pattern or (pattern.endswith("*") and category.startswith(pattern[:-1]))


def is_source(wanted: str, name: str) -> bool:
    """Whether a source is meant: by its name, or by the words that it begins with."""
    wanted, name = wanted.casefold(), name.casefold()
    return name == wanted or (name.startswith(wanted) and not name[len(wanted)].isalnum())


def _weight(node: Node, hits: _Hits, *, are_authors: bool) -> float:
    match node:
        case And(parts):
            return sum(_weight(part, hits, are_authors=are_authors) for part in parts) if _is_met(node, hits) else 0
        case Or(parts):
            return max((_weight(part, hits, are_authors=are_authors) for part in parts), default=0)
        case Not() | Category() | Listed():
            return 0
        case _ if isinstance(node, Author) is are_authors:
            boost = 1.0 if isinstance(node, About) else node.boost
            return boost * max((_WEIGHTS[hit.field] for hit in hits.of(node)), default=0)
        case _:
            return 0


def _evidence(node: Node, hits: _Hits) -> Iterator[Evidence]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                if _is_met(part, hits):
                    yield from _evidence(part, hits)
        case Not():
            pass
        case _:
            yield from hits.of(node)


def asks_for_words(node: Node) -> bool:
    """Whether it asks for words or people: of a paper that is in the right category no word is said to be missing."""
    return not isinstance(node, Not) and any(isinstance(leaf, Word | Near | Pattern | Author) for leaf in leaves(node))


def _objection(node: Node, hits: _Hits) -> Objection:
    parts = node.parts if isinstance(node, Or) else (node,)
    wanted = ", ".join(_said(part) for part in parts)
    written = print_node(node)
    match parts:
        case [Not(part)]:
            found = [f"“{hit.found}” in the {hit.field}" for hit in _evidence(part, hits)]
            return Objection(f"{', '.join(found) or print_node(part)} is excluded")
        case [About() as about]:
            nearness = hits.reading.nearness.get(about)
            near = f"{nearness.score:.2f}, and {nearness.threshold:.2f} is asked for" if nearness else "not known"
            return Objection(
                f"how near it is to {f'“{about.text}”' if about.text else 'the examples'} is {near}", written
            )
        case _ if all(isinstance(part, Category) for part in parts):
            known = ", ".join(f"“{category}”" for category in hits.reading.paper.categories)
            return Objection(f"categories {known or 'are unknown'}, not {wanted}", written)
        case _ if all(isinstance(part, Author) for part in parts):
            return Objection(f"none of {wanted} is among the authors", written)
        case [Word(text, Scope.TEXT)]:
            return Objection(f"“{text}” is missing", written)
        case _ if all(isinstance(part, Word) and part.scope is Scope.TEXT for part in parts):
            return Objection(f"none of {wanted} is in title or abstract", written)
        case _:
            return Objection(f"{written} is not met", written)


def _said(node: Node) -> str:
    match node:
        case Word(text, Scope.TEXT) | Author(text) | Category(text):
            return f"“{text}”"
        case _:
            return print_node(node)
