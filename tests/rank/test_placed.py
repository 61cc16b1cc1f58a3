import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import (
    SIGNALS,
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Label,
    LabelKind,
    Link,
    LinkKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Placed,
    Rise,
    Score,
    TopicMatch,
)
from digest.rank.placed import bring_up_to_date, placements, read_authors, read_nearness, read_topics, restore
from tests.builders import NOW, a_match, a_paper, an_edition

TITLE = Evidence(Field.TITLE, "clip", "CLIP")
AUTHOR = Evidence(Field.AUTHOR, "A. Lovelace", "Ada Lovelace")
CARRIED = Label(LabelKind.CARRIED, "2026-11-19")


def judge_nothing(paper: Paper) -> tuple[TopicMatch, ...]:
    return ()


def restored(places: tuple[Placed, ...], edition: Edition) -> Edition:
    """The edition that these places hold, with the papers of another and all that is no matter of places."""
    known = {paper.key: paper for paper in every_paper(edition)}
    evidence = {match.paper.key: match.topics for match in edition.matched}
    return replace(edition, **restore(places, known, lambda paper: evidence.get(paper.key, ())))


def every_paper(edition: Edition) -> tuple[Paper, ...]:
    followed = (each.paper for each in edition.follow_ups)
    return (*edition.papers, *followed, *edition.updated, *(near.paper for near in edition.near_misses))


def through_json(places: tuple[Placed, ...]) -> tuple[Placed, ...]:
    return tuple(replace(place, why=json.loads(json.dumps(place.why))) for place in places)


words = st.text(min_size=1, max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
evidences = st.builds(Evidence, st.sampled_from(Field), words, words)
labels = st.builds(Label, st.sampled_from(LabelKind), words, st.integers(0, 50))
topics = st.lists(
    st.builds(TopicMatch, words, st.lists(evidences, max_size=3).map(tuple)),
    min_size=1,
    max_size=3,
    unique_by=lambda topic: topic.topic,
).map(tuple)
scores = st.builds(Score, match=numbers, follow=numbers, relevance=numbers, trend=numbers, less=numbers)
counts = st.integers(0, 10**9)
kinds = st.sets(st.sampled_from(FollowUpKind), min_size=1).map(
    lambda some: tuple(kind for kind in FollowUpKind if kind in some)
)
times = st.datetimes(timezones=st.just(UTC))


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    number = iter(range(1, 100))

    def some(of: Any) -> Any:
        return tuple(of(a_paper(next(number))) for _ in range(draw(st.integers(0, 3))))

    return an_edition(
        matched=some(
            lambda paper: Match(
                paper=paper,
                topics=draw(topics),
                score=draw(scores),
                labels=tuple(draw(st.lists(labels, max_size=3))),
            )
        ),
        trending=some(lambda paper: paper),
        rising=some(
            lambda paper: Rise(
                paper=paper,
                signal=draw(st.sampled_from(SIGNALS)),
                before=draw(counts),
                now=draw(counts),
                since=draw(times),
            )
        ),
        rest=some(lambda paper: paper),
        follow_ups=some(lambda paper: FollowUp(paper=paper, kinds=draw(kinds))),
        updated=some(lambda paper: paper),
        near_misses=some(lambda paper: NearMiss(paper=paper, topic=draw(words), missing=draw(words))),
    )


@given(editions())
def test_an_edition_comes_back_as_it_was_chosen(edition: Edition) -> None:
    assert restored(through_json(placements(edition)), edition) == edition


def test_sections_stand_in_the_order_of_the_mail() -> None:
    edition = an_edition(
        near_misses=(NearMiss(paper=a_paper(7), topic="Vision", missing="CLIP"),),
        updated=(a_paper(6),),
        follow_ups=(FollowUp(paper=a_paper(5), kinds=(FollowUpKind.CODE,)),),
        rest=(a_paper(4),),
        rising=(Rise(paper=a_paper(3), signal="stars", before=1, now=99, since=NOW),),
        trending=(a_paper(2),),
        matched=(a_match(a_paper(1)),),
    )

    places = placements(edition)

    sections = ["matched", "trending", "rising", "rest", "followup", "updated", "near"]
    assert [place.section for place in places] == sections
    assert [place.paper for place in places] == [a_paper(number).key for number in range(1, 8)]


def test_a_place_says_what_is_known_only_when_the_edition_is_chosen() -> None:
    match = a_match(
        topics=(TopicMatch("Vision", (TITLE, AUTHOR)), TopicMatch("People", (AUTHOR,))),
        score=Score(match=3, follow=5),
        labels=(CARRIED,),
    )

    [place] = placements(an_edition(matched=(match,)))

    assert place.why == {
        "topics": ["Vision", "People"],
        "authors": ["A. Lovelace"],
        "score": {"match": 3, "follow": 5},
        "labels": [{"kind": "carried", "name": "2026-11-19", "number": 0}],
        "carried": "2026-11-19",
        "had": [],
    }
    assert read_topics(place) == ("Vision", "People")
    assert read_authors(place) == ("A. Lovelace",)


def test_a_place_says_how_near_the_paper_is_to_what_its_topics_describe() -> None:
    hits = (Evidence(Field.MEANING, "seals", "0.62"), Evidence(Field.MEANING, "ice", "a phrase"), TITLE)

    [place] = placements(an_edition(matched=(a_match(topics=(TopicMatch("Animals", hits),)),)))

    assert place.why["near"] == {"Animals": 0.62}
    assert read_nearness(place) == {"Animals": 0.62}


def test_every_paper_that_is_sent_says_what_it_had() -> None:
    paper = a_paper(venue="ICML 2027", links=(Link(LinkKind.CODE, "https://github.com/example/invented"),))
    rise = Rise(paper=paper, signal="stars", before=1, now=99, since=NOW)
    edition = an_edition(
        matched=(a_match(paper),),
        trending=(paper,),
        rising=(rise,),
        rest=(paper,),
        follow_ups=(FollowUp(paper=paper, kinds=(FollowUpKind.ACCEPTED,)),),
        updated=(paper,),
    )

    places = placements(edition)

    assert [place.why.get("had") for place in places] == [["code", "accepted"]] * 4 + [None, None]
    assert places[4].why == {"kinds": ["accepted"]}


@given(editions())
def test_places_are_up_to_date_as_long_as_no_paper_changed(edition: Edition) -> None:
    places = placements(edition)

    assert bring_up_to_date(through_json(places), {paper.key: paper for paper in every_paper(edition)}) == places


def test_a_place_says_what_its_paper_had_when_it_was_shown_at_last() -> None:
    edition = an_edition(
        matched=(a_match(a_paper(1), score=Score(match=3)),),
        rest=(a_paper(2),),
        follow_ups=(FollowUp(paper=a_paper(3), kinds=(FollowUpKind.CODE,)),),
    )
    by_now = {a_paper(number).key: a_paper(number, venue="ICML 2027") for number in (1, 3)}

    shown, unknown, told = bring_up_to_date(placements(edition), by_now)

    assert shown.why == {**placements(edition)[0].why, "had": ["accepted"]}
    assert unknown.why == {"had": []}
    assert told.why == {"kinds": ["code"]}


def test_what_was_withdrawn_before_it_was_shown_is_left_out_unless_nothing_else_is_sent() -> None:
    edition = an_edition(
        matched=(a_match(a_paper(1)), a_match(a_paper(2))),
        updated=(a_paper(3),),
        near_misses=(NearMiss(paper=a_paper(4), topic="Vision", missing="CLIP"),),
    )
    gone = {a_paper(number).key: a_paper(number, title="Withdrawn: It") for number in (1, 3, 4)}

    some = bring_up_to_date(placements(edition), {**gone, a_paper(2).key: a_paper(2)})
    alone = bring_up_to_date(placements(an_edition(matched=(a_match(a_paper(1)),))), gone)

    assert [(place.section, place.paper) for place in some] == [
        ("matched", a_paper(2).key),
        ("updated", a_paper(3).key),
    ]
    assert [(place.paper, place.why["had"]) for place in alone] == [(a_paper(1).key, ["withdrawn"])]


def test_a_follow_up_of_which_nothing_is_told_is_left_out() -> None:
    paper = a_paper()

    for kinds in (None, [], ["praised"]):
        place = Placed("followup", paper.key, {"kinds": kinds})
        assert restore([place], {paper.key: paper}, judge_nothing)["follow_ups"] == ()


def test_the_topics_that_counted_then_count_though_the_reader_changed_them() -> None:
    place = Placed("matched", a_paper().key, {"topics": ["Renamed since", "Vision"]})
    papers = {a_paper().key: a_paper()}

    contents = restore([place], papers, lambda _: (TopicMatch("New", (TITLE,)), TopicMatch("Vision", (TITLE,))))

    assert contents["matched"][0].topics == (TopicMatch("Renamed since", ()), TopicMatch("Vision", (TITLE,)))


def test_an_edition_of_an_older_release_is_judged_again() -> None:
    contents = restore(
        [Placed("matched", a_paper().key)], {a_paper().key: a_paper()}, lambda _: (TopicMatch("Vision", (TITLE,)),)
    )

    assert contents["matched"] == (Match(paper=a_paper(), topics=(TopicMatch("Vision", (TITLE,)),)),)


def test_papers_that_are_not_known_any_more_are_left_out() -> None:
    edition = an_edition(matched=(a_match(a_paper(1)), a_match(a_paper(2))))

    contents = restore(placements(edition), {a_paper(2).key: a_paper(2)}, judge_nothing)

    assert [match.paper for match in contents["matched"]] == [a_paper(2)]


def test_papers_that_became_one_stand_at_the_first_place() -> None:
    one = a_paper(1)
    places = [Placed("matched", one.key), Placed("rest", PaperKey("doi:10.5555/1")), Placed("updated", one.key)]

    contents = restore(places, {one.key: one, PaperKey("doi:10.5555/1"): one}, judge_nothing)

    assert [match.paper for match in contents["matched"]] == [one]
    assert contents["rest"] == ()
    assert contents["updated"] == ()


@pytest.mark.parametrize(
    "why",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"signal": "claps", "before": 1, "now": 9, "since": NOW.isoformat()}, id="unknown signal"),
        pytest.param({"signal": "stars", "before": 1, "now": 9, "since": "yesterday"}, id="no time"),
        pytest.param(
            {"signal": "stars", "before": 1, "now": 9, "since": "0001-01-01T00:00:00+14:00"}, id="no such time"
        ),
    ],
)
def test_a_risen_paper_without_its_growth_is_shown_all_the_same(why: dict[str, Any]) -> None:
    paper = a_paper()

    contents = restore([Placed("rising", paper.key, why)], {paper.key: paper}, judge_nothing)

    assert contents["rising"] == ()
    assert contents["trending"] == (paper,)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "had",
    "kinds",
    "near",
    "topics",
    "authors",
    "score",
    "labels",
    "carried",
    "signal",
    "before",
    "now",
    "since",
    "topic",
    "missing",
]
garbage = st.dictionaries(
    st.sampled_from(KEYS),
    json_values
    | st.just("stars")
    | st.dictionaries(st.sampled_from(["match", "less"]), json_values)
    | st.lists(st.dictionaries(st.sampled_from(["kind", "name", "number"]), json_values | st.just("carried")))
    | st.just(["code"]),
)


@given(st.sampled_from(["matched", "trending", "rising", "rest", "followup", "updated", "near", "later"]), garbage)
def test_whatever_a_place_says_a_paper_that_is_sent_is_there(section: str, why: dict[str, Any]) -> None:
    place = Placed(section, a_paper().key, why)

    contents = restore([place], {a_paper().key: a_paper()}, judge_nothing)

    edition = an_edition(**contents)
    assert every_paper(edition) == (a_paper(),) or section in {"followup", "near", "later"}
    assert all(isinstance(author, str) for author in read_authors(place))
    assert all(isinstance(nearness, float) for nearness in read_nearness(place).values())


def test_a_time_without_zone_is_read_as_utc() -> None:
    why = {"signal": "stars", "before": 1, "now": 9, "since": "2026-11-16T07:00:00"}

    contents = restore([Placed("rising", a_paper().key, why)], {a_paper().key: a_paper()}, judge_nothing)

    assert contents["rising"][0].since == datetime(2026, 11, 16, 7, tzinfo=UTC)
