from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.errors import EmbedError
from digest.match.query import About
from digest.model import Example, Paper, PaperKey
from digest.rank.corpus import Corpus
from digest.rank.meaning import Meaning
from tests.builders import a_paper

ROBOT = a_paper(1, title="Grasping with robot hands", abstract="We train. A robot learns to grasp from demonstrations.")
DOOR = a_paper(2, title="Robots that open doors", abstract="A mobile robot opens doors after few demonstrations.")
STAR = a_paper(3, title="Dust around young stars", abstract="We observe discs of dust around stars.")
SOUP = a_paper(4, title="Recettes de crème", abstract="Forty recipes for pre-training soup are compared.")
PAPERS = [ROBOT, DOOR, STAR, SOUP]
GRASPING = About("robots which grasp, learning from demonstrations")


AXES = {"robot": 0, "machine": 0, "star": 1, "galaxy": 1, "soup": 2}


class Senses:
    """Knows what a text is about from its first known word, and counts what it is asked."""

    name = "senses"
    threshold = 0.8

    def __init__(self, fails: bool = False) -> None:
        self.asked: list[str] = []
        self.fails = fails

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.fails:
            raise EmbedError("HTTP 503", where="senses")
        self.asked += texts
        rows = np.zeros((len(texts), 4), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word, axis in AXES.items():
                row[axis] += word in text.lower()
            row[3] = 0.0 if row.any() else 1.0
            row /= np.linalg.norm(row)
        return rows


def known(keys: Sequence[PaperKey]) -> Sequence[Paper]:
    return [paper for paper in PAPERS if {paper.key, *paper.ids} & set(keys)]


def a_meaning(embedder: Senses | None = None) -> Meaning:
    return Meaning(Corpus(PAPERS), embedder, known)


def near(meaning: Meaning, about: About) -> list[Paper]:
    found = meaning.measure([about], PAPERS)[about]
    return [paper for paper, one in zip(PAPERS, found, strict=True) if one.score >= one.threshold]


def test_papers_are_near_what_shares_their_words() -> None:
    meaning = a_meaning()

    found = meaning.measure([GRASPING], PAPERS)[GRASPING]

    assert near(meaning, GRASPING) == [ROBOT, DOOR]
    assert found[0].score > found[1].score > 0.5
    assert [one.score for one in found[2:]] == [0, 0]


@pytest.mark.parametrize("text", ["recette de CREME", "recettes de crèmes", "pretraining", "pre training"])
def test_case_accents_plurals_and_hyphens_do_not_matter(text: str) -> None:
    assert near(a_meaning(), About(text, threshold=0.2)) == [SOUP]


def test_words_that_no_paper_holds_make_nothing_nearer() -> None:
    plain, strange = About("robot"), About("robot frobnication quuxes wibbling")

    found = a_meaning().measure([plain, strange], PAPERS)

    assert 0 < found[strange][0].score < found[plain][0].score


def test_a_number_is_the_threshold() -> None:
    assert near(a_meaning(), replace(GRASPING, threshold=0.99)) == []
    assert near(a_meaning(), replace(GRASPING, threshold=0.0)) == PAPERS


def test_examples_with_text_and_by_id_count() -> None:
    meaning = a_meaning()
    written = About(like=(Example(title="Robot hands", abstract="They grasp."),))
    stored = About(like=(Example(keys=(PaperKey("doi:10.1/x"), ROBOT.key)),), threshold=0.3)

    assert near(meaning, written) == [ROBOT, DOOR]
    assert near(meaning, stored) == [ROBOT, DOOR]
    assert meaning.notes == ()


def test_examples_that_nobody_knows_are_told_once() -> None:
    meaning = a_meaning()
    about = About(like=(Example(keys=(PaperKey("arxiv:2401.01234"),)),))

    assert near(meaning, about) == near(meaning, about) == []
    assert [note for _, note in meaning.notes] == [
        "no text is known of arxiv:2401.01234, all its examples, so that it finds nothing"
    ]


def test_a_paper_as_threshold_lets_through_what_is_as_near() -> None:
    meaning = a_meaning()
    about = replace(GRASPING, threshold=DOOR.key)

    found = meaning.measure([about], PAPERS)[about]

    assert near(meaning, about) == [ROBOT, DOOR]
    assert found[1].score == pytest.approx(found[1].threshold)


@pytest.mark.parametrize(
    ("about", "note"),
    [
        pytest.param(replace(GRASPING, threshold=PaperKey("arxiv:1")), "is no stored paper", id="unknown"),
        pytest.param(
            About(like=(Example(keys=(DOOR.key,)),), threshold=DOOR.key), "is its only example", id="its only example"
        ),
    ],
)
def test_a_threshold_that_says_nothing_gives_way_to_the_default(about: About, note: str) -> None:
    meaning = a_meaning()

    assert {one.threshold for one in meaning.measure([about], PAPERS)[about]} == {0.5}
    assert note in meaning.notes[0][1]


def test_what_is_nearest_is_told_as_the_paper_prints_it() -> None:
    told = a_meaning().nearest_phrases(GRASPING, ROBOT, 3)

    assert "Grasping" not in dict(told)
    assert {phrase for phrase, _ in told} <= {"robot", "grasp", "demonstrations", "learns to grasp", "robot learns"}
    assert [added for _, added in told] == sorted((added for _, added in told), reverse=True)


def test_vectors_find_what_shares_no_word() -> None:
    meaning = a_meaning(Senses())
    machines = About("a machine")

    assert near(meaning, machines) == [ROBOT, DOOR]
    assert near(a_meaning(), machines) == []
    assert meaning.nearest_phrases(machines, ROBOT) == [("A robot learns to grasp from demonstrations.", 1.0)]


def test_the_embedders_threshold_is_a_score_of_a_half() -> None:
    class Between(Senses):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.array([[1, 0] if text == "x" else [0.8, 0.6] for text in texts], dtype=np.float32)

    assert a_meaning(Between()).measure([About("x")], PAPERS)[About("x")][0].score == pytest.approx(0.5)


def test_each_text_is_embedded_once_however_many_readers_share_it() -> None:
    senses = Senses()
    meaning = a_meaning(senses)

    meaning.measure([About("a machine"), About("a machine", threshold=0.3), About("soup")], PAPERS)
    meaning.measure([About("a machine")], PAPERS)

    assert len(senses.asked) == len(set(senses.asked)) == 6


def test_words_are_compared_when_the_model_fails() -> None:
    meaning = a_meaning(Senses(fails=True))

    assert near(meaning, GRASPING) == [ROBOT, DOOR]
    assert meaning.nearest_phrases(GRASPING, ROBOT)
    assert meaning.notes == ((None, "senses: HTTP 503; words were compared in place of meanings"),)


def test_nothing_to_compare() -> None:
    assert len(a_meaning().measure([GRASPING], [])[GRASPING]) == 0
    assert a_meaning().measure([], PAPERS) == {}
    assert Meaning(Corpus([]), None, known).measure([GRASPING], [a_paper(9, abstract="")])[GRASPING][0].score == 0


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=40), st.lists(st.sampled_from(["robot", "stars", "soup", "of", "—", "深層", "C++"]), max_size=5)
)
def test_scores_stay_in_bounds_whatever_is_described(text: str, words: list[str]) -> None:
    about = About(" ".join([text, *words]))
    meaning = a_meaning()

    assert all(0 <= one.score <= 1.000001 for one in meaning.measure([about], PAPERS)[about])
    assert all(phrase in f"{ROBOT.title} {ROBOT.abstract}" for phrase, _ in meaning.nearest_phrases(about, ROBOT))
