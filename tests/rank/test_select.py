from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.match.topics import Judgement
from digest.model import (
    Edition,
    Evidence,
    Field,
    Label,
    LabelKind,
    NearMiss,
    Paper,
    PaperKey,
    Placed,
    Rise,
    Sent,
    Subscriber,
    Topic,
)
from digest.rank.placed import placements
from digest.rank.score import Candidate
from digest.rank.select import select_edition
from digest.rank.variety import Variety
from tests.builders import NOW, a_candidate, a_judgement, a_paper, a_subscriber, an_edition

DAY = NOW.date()
YESTERDAY = DAY - timedelta(days=1)

WHALES = "Counting whales from satellite images of the southern ocean"
SEALS = "Robust transcription of noisy telephone conversations"


def wanted(number: int, strength: float = 3, topics: Sequence[str] = ("Everything",), **changes: object) -> Candidate:
    """A candidate of a paper that resembles no other; all its topics together give it this strength."""
    paper = a_paper(number, title=f"{chr(96 + number) * 4}", abstract="")
    judgements = tuple(a_judgement(topic, strength=strength / len(topics)) for topic in topics)
    return replace(a_candidate(paper, judgements=judgements), **changes)  # type: ignore[arg-type]  # by the caller


def on_subject(number: int, subject: str, strength: float = 3, follow: float = 0) -> Candidate:
    return a_candidate(a_paper(number, title=subject), judgements=(a_judgement(strength=strength, follow=follow),))


def by(number: int, *authors: str) -> Candidate:
    evidence = tuple(Evidence(Field.AUTHOR, author, "As Printed") for author in authors)
    return replace(wanted(number), judgements=(a_judgement(evidence=evidence, follow=5),))


def select(candidates: Sequence[Candidate], subscriber: Subscriber | None = None, **changes: object) -> Edition:
    """Choose for someone who is owed these papers."""
    owed = [candidate.paper for candidate in candidates if not candidate.carried]
    given = {"owed": owed, "notice": lambda paper: float(paper.signals.upvotes or 0), **changes}
    return select_edition(subscriber or a_subscriber(), DAY, NOW, candidates, **given)  # type: ignore[arg-type]  # so


def sent(edition: Edition, day: date = YESTERDAY) -> list[Sent]:
    return [Sent(day, placed) for placed in placements(edition)]


def numbers(papers: Sequence[Paper]) -> list[int]:
    return [int(paper.key.rpartition(".")[2]) for paper in papers]


def shown(edition: Edition) -> list[int]:
    return numbers([match.paper for match in edition.matched])


def labels(edition: Edition, kind: LabelKind) -> list[tuple[int, str, int]]:
    return [
        (numbers([match.paper])[0], label.name, label.number)
        for match in edition.matched
        for label in match.labels
        if label.kind is kind
    ]


# Order and variety.


def test_the_best_come_first_and_what_is_over_the_limit_is_named() -> None:
    edition = select([wanted(1, 3), wanted(2, 9), wanted(3, 6), wanted(4, 1)], a_subscriber(limit=2))

    assert shown(edition) == [2, 3]
    assert numbers(edition.rest) == [1, 4]


def test_an_equally_good_paper_on_something_else_goes_first() -> None:
    edition = select([on_subject(1, WHALES), on_subject(2, WHALES), on_subject(3, SEALS)])

    assert shown(edition) == [1, 3, 2]


def test_a_much_better_paper_on_the_same_subject_stays_first() -> None:
    edition = select([on_subject(1, WHALES, 9), on_subject(2, WHALES, 9), on_subject(3, SEALS, 3)])

    assert shown(edition) == [1, 2, 3]


def test_variety_decides_who_is_shown_where_there_is_not_room_for_all() -> None:
    whales = [on_subject(number, WHALES, 4) for number in range(1, 6)]

    edition = select([*whales, on_subject(6, SEALS)], a_subscriber(limit=2))

    assert shown(edition) == [1, 6]
    assert numbers(edition.rest) == [2, 3, 4, 5]


def test_a_followed_author_is_not_lowered_for_a_subject() -> None:
    followed = on_subject(2, WHALES, 0, follow=3)

    edition = select([on_subject(1, WHALES, 3.5), followed, on_subject(3, SEALS, 2.5)], a_subscriber(limit=2))

    assert shown(edition) == [1, 2]


def test_papers_resemble_each_other_by_what_few_others_say() -> None:
    common = "We present a new method and evaluate it on several benchmarks."
    papers = [
        a_paper(number, title=title, abstract=common)
        for number, title in enumerate([WHALES, "Satellite images of whales", SEALS, "Grammar of old letters"])
    ]
    variety = Variety(papers)

    variety.take(0)

    assert variety.likeness[0] == 1
    assert variety.likeness[1] > 0.5
    assert max(variety.likeness[2:]) < 0.2


texts = st.builds(
    lambda title, abstract: (title, abstract),
    st.lists(st.sampled_from([*WHALES.split(), *SEALS.split(), "AI", "é"]), max_size=6).map(" ".join),
    st.lists(st.sampled_from([*WHALES.split(), *SEALS.split(), "of"]), max_size=6).map(" ".join),
)


@given(st.lists(texts, min_size=1, max_size=6), st.data())
def test_likeness_is_from_0_to_1_and_only_grows(printed: list[tuple[str, str]], data: st.DataObject) -> None:
    variety = Variety([a_paper(title=title, abstract=abstract) for title, abstract in printed])
    before = variety.likeness

    for number in data.draw(st.lists(st.sampled_from(range(len(printed))))):
        variety.take(number)

        assert (variety.likeness >= before).all()
        assert (variety.likeness <= 1).all()
        before = variety.likeness


# Topics and their limits.

TOPICS = (Topic(name="Vision", limit=1), Topic(name="Speech", limit=2), Topic(name="Text"))


def test_a_paper_counts_to_the_first_of_its_topics_that_has_room() -> None:
    subscriber = a_subscriber(topics=TOPICS)
    candidates = [
        wanted(1, 9, ["Vision"]),
        wanted(2, 8, ["Vision", "Speech"]),
        wanted(3, 7, ["Vision"]),
        wanted(4, 6, ["Speech"]),
        wanted(5, 5, ["Vision", "Speech"]),
        wanted(6, 4, ["Speech", "Text"]),
    ]

    edition = select(candidates, subscriber)

    assert [(numbers([match.paper])[0], match.topics[0].topic) for match in edition.matched] == [
        (1, "Vision"),
        (2, "Speech"),
        (4, "Speech"),
        (6, "Text"),
    ]
    assert numbers(edition.rest) == [3, 5]
    assert [topic.topic for topic in edition.matched[1].topics] == ["Speech", "Vision"]


def test_a_paper_whose_topics_are_full_lowers_no_other_on_its_subject() -> None:
    subscriber = a_subscriber(topics=TOPICS)
    full = replace(on_subject(2, WHALES, 8), judgements=(a_judgement("Vision", strength=8),))
    same = replace(on_subject(3, WHALES, 5), judgements=(a_judgement("Speech", strength=5),))

    edition = select([wanted(1, 9, ["Vision"]), full, same, wanted(4, 4, ["Speech"])], subscriber)

    assert shown(edition) == [1, 3, 4]


def test_room_that_a_full_topic_leaves_goes_to_papers_that_score_far_less() -> None:
    subscriber = a_subscriber(topics=TOPICS, limit=2)

    edition = select([wanted(1, 9, ["Vision"]), wanted(2, 9, ["Vision"]), wanted(3, 1, ["Text"])], subscriber)

    assert shown(edition) == [1, 3]


def test_by_topic_the_order_is_that_of_the_topics_and_within_each_the_best_come_first() -> None:
    subscriber = a_subscriber(topics=(Topic(name="Vision"), Topic(name="Speech")), by_topic=True, limit=4)
    candidates = [
        wanted(1, 9, ["Speech"]),
        wanted(2, 8, ["Vision", "Speech"]),
        wanted(3, 7, ["Speech"]),
        wanted(4, 6, ["Vision"]),
        wanted(5, 5, ["Vision"]),
    ]

    edition = select(candidates, subscriber)

    assert shown(edition) == [2, 4, 1, 3]
    assert [match.topics[0].topic for match in edition.matched] == ["Vision", "Vision", "Speech", "Speech"]
    assert numbers(edition.rest) == [5]


# Carrying over.


def test_a_carried_paper_competes_and_is_dropped_if_it_does_not_make_it() -> None:
    candidates = [wanted(1, 6), wanted(2, 9, carried=YESTERDAY), wanted(3, 3, carried=YESTERDAY), wanted(4, 1)]

    edition = select(candidates, a_subscriber(limit=2))

    assert shown(edition) == [2, 1]
    assert numbers(edition.rest) == [4]
    assert edition.matched[0].labels == (Label(LabelKind.CARRIED, YESTERDAY.isoformat()),)
    assert edition.matched[1].labels == ()


def test_a_carried_paper_that_was_replaced_since_is_not_named_twice() -> None:
    carried = wanted(1, carried=YESTERDAY)

    edition = select([carried], updated=[carried.paper, a_paper(2)])

    assert numbers(edition.updated) == [2]


def test_the_first_paper_of_a_followed_author_is_worth_a_word_once() -> None:
    history = sent(an_edition(matched=select([by(1, "A. Lovelace")]).matched))

    edition = select([by(2, "A. Lovelace", "B. Sample"), by(3, "B. Sample")], history=history)

    assert labels(edition, LabelKind.FIRST_BY) == [(2, "B. Sample", 0)]


def test_who_was_first_is_not_said_where_it_is_not_known_who_was_sent_before() -> None:
    history = [Sent(YESTERDAY, Placed("matched", PaperKey("arxiv:2610.00001")))]

    assert labels(select([by(2, "A. Lovelace")], history=history), LabelKind.FIRST_BY) == []


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        pytest.param(30, [(3, "Everything", 3), (4, "Everything", 4)], id="within a month"),
        pytest.param(31, [], id="longer ago"),
    ],
)
def test_the_third_paper_on_a_topic_within_a_month_is_worth_a_word(
    days_ago: int, expected: list[tuple[int, str, int]]
) -> None:
    past = select([wanted(1), wanted(2)])
    history = sent(past, DAY - timedelta(days=days_ago))

    edition = select([wanted(3, 9), wanted(4, 6)], history=history)

    assert labels(edition, LabelKind.NTH_ON) == expected


def test_what_was_only_named_does_not_count_as_a_paper_on_a_topic() -> None:
    history = sent(select([wanted(1, 9), wanted(2, 6), wanted(3, 3)], a_subscriber(limit=1)))

    assert labels(select([wanted(4)], history=history), LabelKind.NTH_ON) == []


def test_one_word_about_the_smallest_topic_is_enough() -> None:
    topics = ("Everything", "Whales")
    history = sent(select([wanted(1), *(wanted(number, 3, topics) for number in (2, 3))]))

    edition = select([wanted(4, 3, topics)], history=history)

    assert labels(edition, LabelKind.NTH_ON) == [(4, "Whales", 3)]


# What stands beside the matches.


def test_trending_is_what_no_topic_wants_by_its_notice() -> None:
    papers = [
        a_paper(number, signals=replace(a_paper().signals, upvotes=votes))
        for number, votes in [(2, 0), (3, 5), (4, 9), (5, 7), (6, None)]
    ]
    matched = wanted(1, notice=99)

    edition = select([matched], a_subscriber(trending=2), owed=[matched.paper, *papers])

    assert numbers(edition.trending) == [4, 5]
    assert numbers(select([matched], a_subscriber(trending=9), owed=papers).trending) == [4, 5, 3]


def a_rise(number: int) -> Rise:
    return Rise(paper=a_paper(number), signal="upvotes", before=1, now=99, since=NOW)


def a_near_miss(number: int, topic: str = "Everything") -> NearMiss:
    return NearMiss(paper=a_paper(number), topic=topic, missing="whales")


def test_rising_and_near_misses_are_the_first_that_are_nowhere_else() -> None:
    trending = a_paper(3, signals=replace(a_paper().signals, upvotes=9))
    subscriber = a_subscriber(limit=1, trending=1, rising=2, near_misses=2)
    candidates = [wanted(1, 9), wanted(2, 3)]

    edition = select(
        candidates,
        subscriber,
        owed=[*(candidate.paper for candidate in candidates), trending],
        rising=[a_rise(number) for number in (1, 2, 3, 4, 5, 6)],
        updated=[a_paper(7)],
        near_misses=[*(a_near_miss(number) for number in (1, 2, 3, 4, 7, 8)), a_near_miss(8, "Text"), a_near_miss(9)],
    )

    assert numbers([rise.paper for rise in edition.rising]) == [4, 5]
    assert [(numbers([near.paper])[0], near.topic) for near in edition.near_misses] == [
        (8, "Everything"),
        (9, "Everything"),
    ]


# Whatever is owed.

NAMES = [topic.name for topic in TOPICS]
judgements: st.SearchStrategy[tuple[Judgement, ...]] = st.lists(
    st.builds(
        lambda topic, strength, follow: a_judgement(topic, strength=strength, follow=follow),
        st.sampled_from(NAMES),
        st.integers(0, 3),
        st.sampled_from([0, 0, 5]),
    ),
    min_size=1,
    unique_by=lambda judgement: judgement.topic,
).map(lambda judged: tuple(sorted(judged, key=lambda judgement: NAMES.index(judgement.topic))))
papers = st.builds(
    lambda number, title, age: a_paper(number, title=title, published=NOW - timedelta(days=age)),
    st.integers(1, 99),
    st.sampled_from([WHALES, SEALS, f"{WHALES} {SEALS}", ""]),
    st.integers(0, 3),
)
some = st.lists(
    st.builds(
        lambda paper, judged, notice, carried: a_candidate(paper, judgements=judged, notice=notice, carried=carried),
        papers,
        judgements,
        st.integers(0, 5),
        st.sampled_from([None, None, YESTERDAY]),
    ),
    unique_by=lambda candidate: candidate.paper.key,
)
readers = st.builds(
    lambda limit, limits, by_topic, others: a_subscriber(
        limit=limit,
        topics=tuple(Topic(name=name, limit=most) for name, most in zip(NAMES, limits, strict=True)),
        by_topic=by_topic,
        trending=others,
        rising=others,
        near_misses=others,
    ),
    st.integers(1, 6),
    st.tuples(*[st.sampled_from([None, None, 1, 2])] * 3),
    st.booleans(),
    st.integers(0, 3),
)


@given(some, readers, st.lists(papers, unique_by=lambda paper: paper.key), st.data())
def test_nothing_is_lost_nothing_comes_twice_and_limits_hold(
    candidates: list[Candidate], reader: Subscriber, others: list[Paper], data: st.DataObject
) -> None:
    known = {paper.key: paper for paper in others} | {each.paper.key: each.paper for each in candidates}
    carried = {each.paper.key for each in candidates if each.carried}
    owed = [paper for key, paper in known.items() if key not in carried]
    rises = [Rise(paper=paper, signal="stars", before=0, now=9, since=NOW) for paper in others]
    near = [NearMiss(paper=paper, topic="Text", missing="x") for paper in others]

    def choose(some: list[Candidate], papers: list[Paper]) -> Edition:
        return select_edition(
            reader,
            DAY,
            NOW,
            some,
            owed=papers,
            notice=lambda paper: len(paper.title) % 3,
            rising=rises,
            near_misses=near,
            updated=others,
        )

    edition = choose(candidates, owed)

    named = [*edition.papers, *edition.updated, *(near.paper for near in edition.near_misses)]
    assert len({paper.key for paper in named}) == len(named)
    wanted_keys = {candidate.paper.key for candidate in candidates} - carried
    full = {match.paper.key for match in edition.matched}
    rest = {paper.key for paper in edition.rest}
    assert wanted_keys <= full | rest <= wanted_keys | carried
    assert not rest & carried
    assert len(full) <= reader.limit
    for topic in reader.topics:
        under = [match for match in edition.matched if match.topics[0].topic == topic.name]
        assert topic.limit is None or len(under) <= topic.limit
    if rest and all(topic.limit is None for topic in reader.topics):
        assert len(full) == reader.limit
    assert len(edition.trending) <= reader.trending
    assert len(edition.rising) <= reader.rising
    assert len(edition.near_misses) <= reader.near_misses
    assert choose(data.draw(st.permutations(candidates)), data.draw(st.permutations(owed))) == edition


@given(some, readers)
def test_only_what_scores_more_stands_before_a_followed_author(candidates: list[Candidate], reader: Subscriber) -> None:
    edition = select(candidates, replace(reader, by_topic=False))

    for place, match in enumerate(edition.matched):
        if match.score.follow:
            assert all(before.score.total >= match.score.total for before in edition.matched[:place])


@given(some, st.integers(1, 6))
def test_looking_only_at_those_that_can_be_shown_changes_nothing(candidates: list[Candidate], limit: int) -> None:
    unbounded = a_subscriber(topics=tuple(Topic(name=name) for name in NAMES), limit=limit)
    roomy = replace(unbounded, topics=tuple(Topic(name=name, limit=999) for name in NAMES))
    alike = [replace(each, reading=a_candidate(replace(each.paper, title=WHALES)).reading) for each in candidates]

    # With limits of topics all are looked at; the weight of words must not depend on it here, so all are the same.
    assert select(alike, unbounded).matched == select(alike, roomy).matched
