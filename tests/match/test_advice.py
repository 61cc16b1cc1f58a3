import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.match.advice import advise
from digest.match.parse import parse_query, read_topic
from digest.match.query import And, Not, Query, Word
from tests.builders import a_paper, a_topic
from tests.match.reference import meets


@pytest.mark.parametrize(
    "query",
    [
        "cat -cat",
        "cats -cat",
        '"language model" -model',
        'title:"language models" -"language model"',
        "title:cat -cat",
        "cat dog -(cow OR dog)",
        "cat -(cat OR cow)",
        "cat dog -(cat dog)",
        "(cat NEAR/3 dog) -cat",
        "transformer -transform*",
        "transformers* -transform*",
        "GPT-4 -gpt*",
        "cat:cs.CL -cat:cs.*",
        'author:"Yann LeCun" -author:"yann lecun"',
        "cat /x+/ -/x+/",
        "source:arxiv -source:ArXiv",
        "dog (cat OR (cow -dog))",
        "(cat OR cow) -cat -cow",
        "cat OR (cow -cow)",
        "(cat OR dog) -cat",
    ],
)
def test_what_excludes_itself_is_named(query: str) -> None:
    assert any("can hardly match" in note for note in advise(parse_query(query)))


@pytest.mark.parametrize(
    "query",
    [
        "the",
        "cat OR of",
        "a*",
        "/x*/",
        "cat OR -dog",
        "cat OR NOT cat",
        "cat:*",
        "in the",
        "title:/x*/ OR cat",
    ],
)
def test_what_nearly_every_paper_meets_is_named(query: str) -> None:
    assert any("nearly every paper" in note for note in advise(parse_query(query)))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("cat or dog", "‘or’ is sought as a word"),
        ("cat And dog", "the operator is ‘AND’"),
        ("cat not dog", "‘NOT’, in capitals"),
        ("cat -the", "rules out nearly every paper"),
        ("IMAGE -survey", "‘IMAGE’ is taken for an acronym"),
        ("GRAPH NEURAL NETWORKS", "‘GRAPH’ is taken for an acronym"),
        ("trans*er", "a star stands at the end"),
        ("author:LeCun", "everybody of that family name"),
        ("cat less:IMAGE", "‘IMAGE’ is taken for an acronym"),
    ],
)
def test_what_is_read_otherwise_than_it_looks_is_named(query: str, words: str) -> None:
    assert [note for note in advise(parse_query(query)) if words in note]


@pytest.mark.parametrize(
    "query",
    [
        "cat",
        "cat -dog",
        'model -"language model"',
        "cat -title:cat",
        "cat title:dog -abs:dog",
        "cat -(cat dog)",
        "RL (LLM OR RAG) -survey",
        "BERT OR GPT-4",
        "transform* -transformer",
        '"language mod*" -mod',
        "venue:Nature -Nature",
        "the cat",
        '"to be or not to be"',
        "cat:cs.* -cat:cs.CL",
        'author:"Yann LeCun" -author:"Yann LeCunn"',
        '/x+/ OR about:"cats"',
        "R OR C++",
    ],
)
def test_a_sound_query_needs_no_advice(query: str) -> None:
    assert advise(parse_query(query)) == ()


def test_the_lists_of_a_topic_are_looked_at_as_well() -> None:
    topic = a_topic(any=("survey of cats", "dog"), none=("survey",))

    assert advise(read_topic(topic)) == (
        '‘"survey of cats"’ can hardly match: ‘survey’ is excluded, and in what is required',
    )


_WORDS = ("graph", "graphs", "GRAPH", "study", "studies", "RL", "rl", "RLs", "SAM", "Sam", "model*", "mod*", "models")


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3),
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3),
    st.lists(st.sampled_from((*(word for word in _WORDS if "*" not in word), "model")), max_size=6),
)
@example(["studies"], ["study"], ["study"])
def test_what_is_said_not_to_match_does_not(wanted: list[str], unwanted: list[str], title: list[str]) -> None:
    node = And((*map(Word, wanted), *(Not(Word(word)) for word in unwanted)))
    paper = a_paper(title=" ".join(title), abstract="")

    assert not (meets(node, paper) and any("can hardly match" in note for note in advise(Query(node))))


def test_a_long_list_takes_no_long_time() -> None:
    assert advise(Query(read_topic(a_topic(any=tuple(f"w{n}" for n in range(5_000)), none=("w1",))).wants)) == ()
    assert advise(Query(Word("cat"))) == ()
