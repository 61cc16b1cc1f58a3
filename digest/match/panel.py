"""Asks the topics of many subscribers about many papers at once; see ``digest.match.engine``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from digest.match.engine import Answer, Engine
from digest.match.query import And, Not, Or, Query, normal
from digest.match.topics import Reading, TopicFilter, asks_for_words, compile_topics, required
from digest.model import Subscriber, SubscriberId

_WORTH_A_NEW_ENGINE = 1_000
"""From so many useless queries on, once they are more than half."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A topic of one subscriber, and the numbers of its queries."""

    filter: TopicFilter
    wants: int
    nearly: int | None
    """Asks for all but one of the words; only where near misses are wanted."""


class Panel:
    """The topics of all subscribers, changed in place as subscribers come, change and go."""

    def __init__(self, subscribers: Iterable[Subscriber] = ()) -> None:
        self._engine = Engine()
        self._gone = 0
        """Queries of the engine that nobody asks any more."""
        self._members: dict[SubscriberId, tuple[Subscriber, tuple[_Asked, ...]]] = {}
        self._refused: dict[SubscriberId, ValueError] = {}
        self.update(subscribers)

    def update(self, subscribers: Iterable[Subscriber]) -> None:
        """Hold these subscribers and no others; nothing is done for those whose topics are as they were.

        Topics that cannot be used, of which the configuration lets none through, keep their subscriber out: only they
        hear of it, when they are asked for.
        """
        wanted = {subscriber.id: subscriber for subscriber in subscribers}
        for key in self._members.keys() - wanted.keys():
            self._drop(key)
        self._refused.clear()
        for key, subscriber in wanted.items():
            known = self._members.get(key)
            if known and _asks_alike(known[0], subscriber):
                continue
            if known:
                self._drop(key)
            try:
                self._members[key] = subscriber, self._enter(compile_topics(subscriber), subscriber)
            except ValueError as exc:
                self._refused[key] = exc
        if self._gone > _WORTH_A_NEW_ENGINE and 2 * self._gone > len(self._engine):
            self._engine, self._gone = Engine(), 0
            for key, (subscriber, asked) in self._members.items():
                self._members[key] = subscriber, self._enter([each.filter for each in asked], subscriber)

    def topics(self, subscriber: SubscriberId) -> tuple[TopicFilter, ...]:
        """The subscriber's topics, ready to be asked one by one; none if one of them cannot be used."""
        return tuple(asked.filter for asked in self._members[subscriber][1]) if subscriber in self._members else ()

    def ask(self, readings: Sequence[Reading]) -> "Wanted":
        """Ask every topic about every paper."""
        return Wanted(self._engine.ask(readings), self._members.copy(), self._refused.copy())

    def _enter(self, topics: Iterable[TopicFilter], subscriber: Subscriber) -> tuple[_Asked, ...]:
        asked = []
        for topic in topics:
            relaxed = _all_but_one(topic.query) if subscriber.near_misses else None
            asked.append(_Asked(topic, self._engine.add(topic.query), self._engine.add(relaxed) if relaxed else None))
        return tuple(asked)

    def _drop(self, key: SubscriberId) -> None:
        _, asked = self._members.pop(key)
        self._gone += sum(1 if each.nearly is None else 2 for each in asked)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants which of the papers that were asked about."""

    answer: Answer
    members: dict[SubscriberId, tuple[Subscriber, tuple[_Asked, ...]]]
    refused: dict[SubscriberId, ValueError]

    def of(self, subscriber: SubscriberId) -> list[tuple[int, tuple[str, ...]]]:
        """Places in the readings, ascending, each with the names of the topics that want the paper.

        Raises:
            ValueError: One of the subscriber's topics cannot be used.
        """
        if subscriber in self.refused:
            raise self.refused[subscriber]
        found: dict[int, tuple[str, ...]] = {}
        for asked in self.members[subscriber][1]:
            for place in self.answer.places(asked.wants):
                found[place] = (*found.get(place, ()), asked.filter.topic.name)
        return sorted(found.items())

    def near_misses(self, subscriber: SubscriberId) -> list[int]:
        """Places of the papers that no topic wants, and that one topic would want but for one missing part."""
        wanted, nearly = set[int](), set[int]()
        for asked in self.members[subscriber][1]:
            wanted.update(self.answer.places(asked.wants))
            if asked.nearly is not None:
                nearly.update(self.answer.places(asked.nearly))
        return sorted(nearly - wanted)


def _asks_alike(one: Subscriber, other: Subscriber) -> bool:
    return one.topics == other.topics and bool(one.near_misses) == bool(other.near_misses)


def _all_but_one(query: Query) -> Query | None:
    """What asks for every required part but any one that asks for words, where others do too."""
    parts = required(query)
    with_words = [part for part in parts if asks_for_words(part)]
    if len(with_words) < 2:
        return None
    return normal(
        Query(Or(tuple(And((*(other for other in parts if other is not part), Not(part))) for part in with_words)))
    )
