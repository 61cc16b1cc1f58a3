"""Chooses what one edition holds; docs/ranking.md says the same in plain words."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from typing import TypeVar

import numpy as np

from digest.model import (
    Edition,
    Gap,
    Label,
    LabelKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Rise,
    Score,
    Sent,
    Subscriber,
    TopicMatch,
)
from digest.rank.placed import find_followed, read_authors, read_topics
from digest.rank.score import Candidate, rank_candidates
from digest.rank.variety import Variety

SAMENESS = 2.0
"""What a paper loses in the order if a better one on the same subject is shown; see `digest.rank.variety`."""
MONTH = timedelta(days=31)
"""So far back papers on a topic are counted."""
_WORTH_A_WORD = range(3, 10)
"""So many papers on one topic are worth a word; where there are more, they are nothing special."""
_Of = TypeVar("_Of", Rise, NearMiss)


@dataclass(frozen=True, slots=True)
class _Place:
    """A paper that is shown, and the topic that it counts to."""

    candidate: Candidate
    score: Score
    topic: str


def select_edition(
    subscriber: Subscriber,
    day: date,
    now: datetime,
    candidates: Sequence[Candidate],
    *,
    owed: Sequence[Paper],
    notice: Callable[[Paper], float],
    rising: Sequence[Rise] = (),
    near_misses: Sequence[NearMiss] = (),
    updated: Sequence[Paper] = (),
    gaps: tuple[Gap, ...] = (),
    history: Sequence[Sent] = (),
) -> Edition:
    """Choose an edition from what a subscriber is owed.

    Args:
        subscriber: Whose topics, limits and wishes count.
        day: The subscriber's local date.
        now: The run's reference time.
        candidates: What a topic wants, each paper once, in any order: of what is owed, and those carried over.
        owed: Every paper of the window, each once, in any order.
        notice: What is expected to be made of a paper, 0 for nothing; see `digest.rank.trending.expected_notice`.
        rising: Papers that took off and were never sent, largest growth first.
        near_misses: Papers that a topic nearly wants, best first.
        updated: Sent before, and replaced by a newer version since.
        gaps: The sources that may have had more.
        history: What they were sent, of as long as is known.
    """
    ranked = rank_candidates(candidates, now)
    places = _choose(subscriber, ranked)
    if subscriber.by_topic:
        order = {topic.name: number for number, topic in enumerate(subscriber.topics)}
        places.sort(key=lambda place: order.get(place.topic, len(order)))
    matched = _label(places, day, history)
    taken = {candidate.paper.key for candidate, _ in ranked}
    trending = _most_noticed((paper for paper in owed if paper.key not in taken), notice)[: subscriber.trending]
    shown = {match.paper.key for match in matched}
    rest = tuple(
        candidate.paper for candidate, _ in ranked if candidate.paper.key not in shown and not candidate.carried
    )
    named = {paper.key for paper in (*trending, *rest)} | shown
    risen = _leave_out(rising, named)[: subscriber.rising]
    named |= {rise.paper.key for rise in risen}
    again = tuple(paper for paper in updated if paper.key not in named)
    missed = _leave_out(near_misses, named | taken | {paper.key for paper in again})[: subscriber.near_misses]
    return Edition(
        subscriber=subscriber,
        date=day,
        matched=matched,
        trending=tuple(trending),
        rising=tuple(risen),
        rest=rest,
        updated=again,
        near_misses=tuple(missed),
        gaps=gaps,
    )


def _choose(subscriber: Subscriber, ranked: Sequence[tuple[Candidate, Score]]) -> list[_Place]:
    """The papers that are shown, best first, each lowered while a better one on its subject is shown.

    A followed author's paper is never lowered: only what scores more stands before it.
    """
    room: dict[str, float] = {topic.name: inf if topic.limit is None else topic.limit for topic in subscriber.topics}
    heads = _head(ranked, subscriber.limit) if {*room.values()} <= {inf} else ranked
    variety = Variety([candidate.paper for candidate, _ in heads])
    totals = np.array([score.total for _, score in heads])
    lowered = np.array([0.0 if score.follow else SAMENESS for _, score in heads])
    places: list[_Place] = []
    for _ in heads:
        # Of equal ones the first, as they are ranked.
        best = int(np.argmax(totals - lowered * variety.likeness))
        totals[best] = -inf
        candidate, score = heads[best]
        topics = [judgement.topic for judgement in candidate.judgements]
        topic = next((name for name in topics if room.get(name, inf) > 0), None)
        if topic is None:
            continue
        places.append(_Place(candidate, score, topic))
        if len(places) == subscriber.limit:
            break
        room[topic] = room.get(topic, inf) - 1
        variety.take(best)
    return places


def _head(ranked: Sequence[tuple[Candidate, Score]], limit: int) -> Sequence[tuple[Candidate, Score]]:
    """Those that can be shown if no topic has a limit of its own: no paper is lowered so far that another may pass."""
    if len(ranked) <= limit:
        return ranked
    least = ranked[limit - 1][1].total - SAMENESS
    return [each for each in ranked if each[1].total >= least]


def _label(places: Sequence[_Place], day: date, history: Sequence[Sent]) -> tuple[Match, ...]:
    """The papers as they are shown, in this order, with what is worth a word about each."""
    before = [sent for sent in history if sent.placed.section == "matched"]
    authors = {author for sent in before for author in read_authors(sent.placed)}
    # Releases that kept no reasons did not say who and what hit.
    are_reasons_known = all(read_topics(sent.placed) for sent in before)
    counts = Counter(topic for sent in before if sent.date > day - MONTH for topic in read_topics(sent.placed))
    matched = []
    for place in places:
        judgements = sorted(place.candidate.judgements, key=lambda judgement: judgement.topic != place.topic)
        topics = tuple(TopicMatch(judgement.topic, judgement.evidence) for judgement in judgements)
        counts.update(topic.topic for topic in topics)
        new = [author for author in find_followed(topics) if author not in authors]
        authors.update(new)
        labels = [Label(LabelKind.FIRST_BY, author) for author in new if are_reasons_known]
        labels += _count_on(topics, counts) if are_reasons_known else ()
        if place.candidate.carried:
            labels.append(Label(LabelKind.CARRIED, place.candidate.carried.isoformat()))
        matched.append(Match(paper=place.candidate.paper, topics=topics, score=place.score, labels=tuple(labels)))
    return tuple(matched)


def _count_on(topics: Sequence[TopicMatch], counts: Counter[str]) -> Iterator[Label]:
    """Which paper it is on the smallest of its topics that has seen enough of them."""
    worth = [topic.topic for topic in topics if counts[topic.topic] in _WORTH_A_WORD]
    if worth:
        smallest = min(worth, key=lambda topic: counts[topic])
        yield Label(LabelKind.NTH_ON, smallest, counts[smallest])


def _most_noticed(papers: Iterable[Paper], notice: Callable[[Paper], float]) -> list[Paper]:
    noticed = [(-notice(paper), -paper.published.timestamp(), paper.key, paper) for paper in papers]
    return [paper for less_notice, *_, paper in sorted(noticed, key=lambda each: each[:3]) if less_notice < 0]


def _leave_out(found: Iterable[_Of], named: Set[PaperKey]) -> list[_Of]:
    """What is not of a named paper, each paper once."""
    first: dict[PaperKey, _Of] = {}
    for each in found:
        if each.paper.key not in named:
            first.setdefault(each.paper.key, each)
    return list(first.values())
