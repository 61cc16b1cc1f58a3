import pytest

from digest.match.topics import Reading, TopicFilter, explain_match
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
