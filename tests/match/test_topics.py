from typing import Any

import pytest

from digest.match.parse import parse_query
from digest.match.query import About
from digest.match.topics import Nearness, Reading, TopicFilter, explain_match, meets
from digest.model import Evidence, Field, Topic
from tests.builders import a_paper, a_topic

PAPER = a_paper(
    title="CLIP for Vision-Language Pretraining",
    abstract="A new benchmark for pre-trained encoders, without a survey of LLMs.",
    authors=("Y. LeCun", "Kaiming He"),
    categories=("cs.CV", "stat.ML"),
)


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        pytest.param(a_topic(any=("CLIP",)), True, id="any"),
        pytest.param(a_topic(any=("retrieval", "CLIP")), True, id="one of any"),
        pytest.param(a_topic(any=("retrieval",)), False, id="none of any"),
        pytest.param(a_topic(all=("CLIP", "benchmark")), True, id="all"),
        pytest.param(a_topic(all=("CLIP", "retrieval")), False, id="one of all missing"),
        pytest.param(a_topic(any=("CLIP",), none=("survey",)), False, id="excluded"),
        pytest.param(a_topic(any=("CLIP",), none=("review",)), True, id="exclusion that does not hit"),
        pytest.param(a_topic(categories=("cs.CV",)), True, id="category"),
        pytest.param(a_topic(categories=("CS.cv",)), True, id="category in another case"),
        pytest.param(a_topic(categories=("stat.*",)), True, id="archive"),
        pytest.param(a_topic(categories=("cs.CL",)), False, id="other category"),
        pytest.param(a_topic(categories=("cs.C",)), False, id="category is no prefix"),
        pytest.param(a_topic(authors=("Yann LeCun",)), True, id="author"),
        pytest.param(a_topic(authors=("He, Kaiming",)), True, id="author last first"),
        pytest.param(a_topic(authors=("Ada Example",)), False, id="other author"),
        pytest.param(a_topic(any=("CLIP",), categories=("cs.CL",)), False, id="every part must be met"),
        pytest.param(a_topic(any=("CLIP",), authors=("Yann LeCun",), categories=("cs.CV",)), True, id="all parts met"),
        pytest.param(a_topic(any=("pretraining for",)), False, id="no phrase across title and abstract"),
    ],
)
def test_a_topic_wants_a_paper_that_meets_each_of_its_parts(topic: Topic, wanted: bool) -> None:
    assert TopicFilter(topic).judge(Reading(PAPER)).wants is wanted


def test_evidence_says_which_word_in_which_field_as_printed() -> None:
    topic = a_topic(any=("vision language", "LLM"), all=("pre-training",), authors=("Yann LeCun",))

    judgement = TopicFilter(topic).judge(Reading(PAPER))

    assert judgement.evidence == (
        Evidence(Field.TITLE, "vision language", "Vision-Language"),
        Evidence(Field.ABSTRACT, "LLM", "LLMs"),
        Evidence(Field.TITLE, "pre-training", "Pretraining"),
        Evidence(Field.AUTHOR, "Yann LeCun", "Y. LeCun"),
    )
    assert judgement.strength == 3 + 3, "any counts once, by its best hit"
    assert judgement.follow == 5


def test_an_archive_is_not_another_whose_name_begins_alike() -> None:
    paper = a_paper(categories=("math-ph",))

    assert not TopicFilter(a_topic(categories=("math.*",))).judge(Reading(paper)).wants


def test_two_topics_may_want_one_paper() -> None:
    filters = [TopicFilter(a_topic(name="a", any=("CLIP",))), TopicFilter(a_topic(name="b", any=("benchmark",)))]

    assert [topic.topic for topic in explain_match(filters, Reading(PAPER))] == ["a", "b"]


def test_every_objection_is_named_with_its_words() -> None:
    topic = a_topic(any=("retrieval",), all=("robot",), none=("survey",), categories=("cs.RO",), authors=("Ada B",))

    judgement = TopicFilter(topic).judge(Reading(PAPER))

    assert len(judgement.objections) == 5
    for word in ("retrieval", "robot", "survey", "cs.RO", "Ada B"):
        assert any(f"“{word}”" in line.text for line in judgement.objections)


def test_categories_that_no_source_gave_are_named_as_unknown() -> None:
    judgement = TopicFilter(a_topic(categories=("cs.RO",))).judge(Reading(a_paper(categories=())))

    assert "unknown" in judgement.objections[0].text


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(a_topic(), id="empty"),
        pytest.param(a_topic(none=("survey",)), id="only exclusions"),
        pytest.param(a_topic(any=("--",)), id="keyword without letters"),
        pytest.param(a_topic(authors=("...",)), id="author without letters"),
    ],
)
def test_a_topic_that_cannot_want_anything_is_refused(topic: Topic) -> None:
    with pytest.raises(ValueError, match=r"wants nothing|holds no letter"):
        TopicFilter(topic)


def test_nearness_is_that_of_the_topics_own_description_where_it_is_near_enough() -> None:
    animals, soup, hats = About("animals"), About("soup"), About("", threshold=0.1)
    reading = Reading(PAPER, {animals: Nearness(0.6, 0.5), soup: Nearness(0.4, 0.5), hats: Nearness(0.9, 0.1)})

    def nearness(**parts: Any) -> float:
        return TopicFilter(a_topic(**parts)).judge(reading).nearness

    assert nearness(about="animals") == 0.6
    assert nearness(about="soup") == 0
    assert nearness(any=("CLIP",)) == 0
    assert nearness(query='CLIP OR about:"soup" OR about:"animals"') == 0.6
    assert nearness(about="unheard of") == 0


@pytest.mark.parametrize(
    ("query", "is_near"),
    [
        ("vision NEAR/0 pretraining", False),
        ("clip NEAR/1 vision", True),
        ("vision NEAR/1 clip", True),
        ("clip NEAR/0 vision", False),
        ("clip NEAR/50 survey", False),
        ('"pre-trained encoders" NEAR/1 survey', False),
        ('"pre-trained encoders" NEAR/2 survey', True),
        ("encoders NEAR/9 encoders", False),
    ],
)
def test_near_words_stand_in_one_field_with_few_others_between(query: str, is_near: bool) -> None:
    assert meets(parse_query(query).wants, Reading(PAPER)) is is_near


def test_near_is_found_fast_in_a_long_text() -> None:
    long = a_paper(abstract="alpha " * 5_000 + "word " * 60 + "beta " * 5_000 + "gamma")

    assert not meets(parse_query("alpha NEAR/50 beta").wants, Reading(long))
    assert meets(parse_query("alpha NEAR/50 word").wants, Reading(long))
