import re
from datetime import date, timedelta
from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.match.topics import Reading
from digest.model import Evidence, Field
from digest.rank import score
from digest.rank.score import (
    CATEGORY,
    HALF_LIFE,
    LESS,
    NEARNESS,
    RECENCY,
    TASTE,
    TREND,
    Candidate,
    rank_candidates,
    score_candidate,
)
from digest.render.language import find_language
from digest.render.why import say_score
from tests.builders import NOW, a_candidate, a_judgement, a_paper

DOCS = Path(__file__).parents[2] / "docs" / "ranking.md"
SURVEY = Evidence(Field.TITLE, "survey", "survey")


def test_the_words_of_all_topics_count() -> None:
    candidate = a_candidate(judgements=(a_judgement("Vision", strength=4), a_judgement("Speech", strength=3)))

    assert score_candidate(candidate, NOW).match == 7


@pytest.mark.parametrize(
    ("strength", "follow", "match"),
    [
        pytest.param(0, 0, CATEGORY, id="by its category alone"),
        pytest.param(0, 5, 0, id="by a followed author"),
        pytest.param(0.5, 0, 0.5, id="by a word that counts little"),
    ],
)
def test_a_paper_without_words_is_given_something_for_its_category(strength: int, follow: int, match: float) -> None:
    found = score_candidate(a_candidate(judgements=(a_judgement(strength=strength, follow=follow),)), NOW)

    assert (found.match, found.follow) == (match, follow)


@pytest.mark.parametrize(("taste", "relevance"), [(1, TASTE), (-1, -TASTE), (0, 0)])
def test_what_the_reader_liked_raises_and_what_they_disliked_lowers(taste: float, relevance: float) -> None:
    assert score_candidate(a_candidate(taste=taste), NOW).relevance == relevance


def test_the_nearest_of_the_topics_that_want_it_counts() -> None:
    described = a_candidate(judgements=(a_judgement("One", nearness=0.5), a_judgement("Other", nearness=0.75)))

    assert score_candidate(described, NOW).relevance == NEARNESS * 0.75
    assert score_candidate(a_candidate(), NOW).relevance == 0


def test_notice_counts_by_its_weight() -> None:
    assert score_candidate(a_candidate(notice=5), NOW).trend == 5 * TREND


@pytest.mark.parametrize(
    ("age", "recency"),
    [
        pytest.param(timedelta(0), RECENCY, id="just announced"),
        pytest.param(HALF_LIFE, RECENCY / 2, id="one half-life"),
        pytest.param(2 * HALF_LIFE, RECENCY / 4, id="two half-lives"),
        pytest.param(timedelta(days=-1), RECENCY, id="dated in the future"),
    ],
)
def test_recency_halves(age: timedelta, recency: float) -> None:
    candidate = a_candidate(a_paper(published=NOW - age))

    assert score_candidate(candidate, NOW).recency == pytest.approx(recency)


def test_each_word_lowers_once_however_often_it_stands_there() -> None:
    twice = a_judgement(strength=9, lowered_by=(SURVEY, Evidence(Field.ABSTRACT, "survey", "surveys")))
    again = a_judgement("Speech", strength=0, lowered_by=(Evidence(Field.TITLE, "Survey", "survey"),))
    two = a_judgement("Text", strength=0, lowered_by=(Evidence(Field.TITLE, "review", "review"),))

    assert score_candidate(a_candidate(judgements=(twice, again)), NOW).less == -LESS
    assert score_candidate(a_candidate(judgements=(twice, again, two)), NOW).less == -2 * LESS


def test_lowering_takes_no_more_than_the_words_gave() -> None:
    found = score_candidate(a_candidate(judgements=(a_judgement(strength=1, follow=5, lowered_by=(SURVEY,)),)), NOW)

    assert found.less == -1
    assert found.total == pytest.approx(5 + RECENCY)


def test_the_sum_comes_first_then_recency_then_the_key() -> None:
    strong = a_candidate(a_paper(9, published=NOW - timedelta(days=30)), judgements=(a_judgement(strength=6),))
    # What it lacks in recency it has in words, so that the sums are equal.
    old = a_candidate(a_paper(1, published=NOW - HALF_LIFE), judgements=(a_judgement(strength=3.5),))
    fresh = a_candidate(a_paper(2))
    other = a_candidate(a_paper(3))

    ranked = rank_candidates([old, other, fresh, strong], NOW)

    assert [candidate for candidate, _ in ranked] == [strong, fresh, other, old]


strengths = st.floats(0, 100)


@given(
    st.lists(st.tuples(strengths, strengths, st.lists(st.sampled_from([SURVEY]))), min_size=1, max_size=4),
    st.floats(0, 10),
    st.floats(-1, 1),
    st.timedeltas(timedelta(0), timedelta(days=4000)),
)
def test_every_part_stays_within_its_bounds(
    judged: list[tuple[float, float, list[Evidence]]], notice: float, taste: float, age: timedelta
) -> None:
    judgements = tuple(
        a_judgement(f"Topic {number}", strength=strength, follow=follow, lowered_by=tuple(lowered))
        for number, (strength, follow, lowered) in enumerate(judged)
    )
    paper = a_paper(published=NOW - age)

    found = score_candidate(a_candidate(paper, judgements=judgements, notice=notice, taste=taste), NOW)

    assert found.match > 0 or found.follow > 0
    assert -found.match <= found.less <= 0
    assert -TASTE <= found.relevance <= TASTE + NEARNESS
    assert found.trend >= 0
    assert 0 <= found.recency <= RECENCY


def test_the_documented_weights_are_those_that_count() -> None:
    text = DOCS.read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+)", text, flags=re.MULTILINE))

    assert rows == {
        name: f"{getattr(score, name):g}" for name in ("CATEGORY", "TASTE", "NEARNESS", "TREND", "RECENCY", "LESS")
    }
    assert f"every {HALF_LIFE.days} days" in text


def test_the_documented_example_is_what_the_mail_says() -> None:
    reading = Reading(a_paper(published=NOW - timedelta(days=1)))
    words = a_judgement("Words", strength=6, follow=5, lowered_by=(SURVEY,))
    meaning = a_judgement("Meaning", strength=1, nearness=0.5)

    found = score_candidate(Candidate(reading, (words, meaning), notice=log(25)), NOW)

    assert f"    {say_score(found, find_language('en'))}\n".replace("\N{NO-BREAK SPACE}", " ") in DOCS.read_text()


def test_a_paper_that_is_carried_over_scores_as_others_do() -> None:
    carried = a_candidate(carried=date(2026, 11, 19))

    assert score_candidate(carried, NOW) == score_candidate(a_candidate(), NOW)
