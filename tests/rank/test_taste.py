import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Paper
from digest.rank.corpus import Corpus
from digest.rank.taste import learn_taste
from tests.builders import a_paper

REPO = Path(__file__).parents[2]
DATA = Path(os.environ.get("DIGEST_REAL_DATA", REPO.parent / "shared" / "data"))

ROBOTS = [
    a_paper(1, title="Grasping with robot hands", abstract="A robot learns to grasp from demonstrations."),
    a_paper(2, title="Robots that open doors", abstract="A mobile robot opens doors after few demonstrations."),
    a_paper(3, title="Robot grasping in clutter", abstract="Robots grasp objects that lie in clutter."),
]
STARS = [
    a_paper(11, title="Dust around young stars", abstract="We observe discs of dust around stars."),
    a_paper(12, title="Stars in old clusters", abstract="The ages of stars in globular clusters."),
    a_paper(13, title="A survey of variable stars", abstract="Stars that vary are listed in a survey."),
]
SOUPS = [
    a_paper(21, title="Soup and health", abstract="Whether soup helps against colds."),
    a_paper(22, title="Recipes for soup", abstract="Forty recipes are compared by salt."),
]
ALL = [*ROBOTS, *STARS, *SOUPS]
CORPUS = Corpus(ALL)


def scores(more: Sequence[Paper], less: Sequence[Paper], papers: Sequence[Paper] = ALL) -> list[float]:
    taste = learn_taste(more, less, CORPUS)
    assert taste is not None
    return taste.score(papers)


def test_nothing_said_is_no_taste() -> None:
    assert learn_taste([], [], CORPUS) is None


def test_one_liking_is_enough_to_prefer_what_is_like_it() -> None:
    found = scores(ROBOTS[:1], [])

    assert found[0] == pytest.approx(1.0)
    assert min(found[1:3]) > max(found[3:])
    assert max(found[3:]) < 0 < found[2]


def test_a_disliking_alone_lowers_what_is_like_it_and_nothing_else() -> None:
    found = scores([], STARS[:1])

    assert found[3] == pytest.approx(-1.0)
    assert max(found[4:6]) < min(found[:3] + found[6:])


def test_likings_and_dislikings_order_what_was_not_spoken_of() -> None:
    found = scores(ROBOTS[:2], STARS[:2])
    robot, star, soup = found[2], found[5], found[6]

    assert robot > soup > star
    assert robot > 0 > star


def test_a_paper_that_came_after_the_corpus_was_made_is_scored() -> None:
    later = a_paper(99, title="Robot grasping again", abstract="")

    assert scores(ROBOTS[:1], STARS[:1], [later])[0] > 0.1
    assert scores([later], [])[0] > 0


def test_what_spoke_for_and_against_is_told_as_the_paper_prints_it() -> None:
    mixed = a_paper(98, title="ROBOTS among the Stars", abstract="")
    taste = learn_taste(ROBOTS, STARS, Corpus([*ALL, mixed]))
    assert taste is not None

    told = dict(taste.words(mixed))

    assert told["ROBOTS"] > 0 > told["Stars"]


def test_no_papers_have_no_scores() -> None:
    assert scores(ROBOTS, [], []) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(ALL), min_size=1, unique=True), st.data())
def test_scores_stay_in_bounds_whatever_was_said_in_whichever_order(said: list[Paper], data: st.DataObject) -> None:
    likes = data.draw(st.lists(st.booleans(), min_size=len(said), max_size=len(said)))
    more = [paper for paper, liked in zip(said, likes, strict=True) if liked]
    less = [paper for paper, liked in zip(said, likes, strict=True) if not liked]

    found = scores(more, less)

    assert all(-1 <= score <= 1 for score in found)
    assert found == scores(more, less)
    assert found == pytest.approx(scores(more[::-1], less[::-1]), abs=1e-4)


@pytest.mark.skipif(not (DATA / "relevance").is_dir(), reason="the recorded screening sets are not there")
def test_learning_saves_as_much_reading_as_naive_bayes() -> None:
    run = subprocess.run(
        [sys.executable, REPO / "benchmarks" / "relevance.py", "--quick", "--json", "--data", DATA],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )

    figures = json.loads(run.stdout)

    assert figures["wss_95"] >= figures["baseline_wss_95"]
    assert figures["atd"] <= figures["baseline_atd"]
    assert figures["alone_atd"] < 0.4
    assert figures["title_found"] > 0.8
