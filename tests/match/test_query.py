import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.match.parse import parse_query, read_topic, wants_something
from digest.match.query import (
    About,
    And,
    Author,
    Category,
    Listed,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Scope,
    Word,
    compile_pattern,
    leaves,
    normal,
    print_query,
)
from digest.model import Paper, PaperKey, Topic
from tests.builders import a_paper
from tests.match.reference import keywords, meets, nodes, papers

_AWKWARD = (
    "OR", "AND", "NOT", "NEAR", "NEAR/5", "NEAR5", "less", "less:x", "a:b", "title:x", 'the "best" model', "“x”", "«x",
    "a\\", "\\a", "-x", "–x", "/x/", "/x", "x/", "x^2", "^x", "(x)", "x)", "x~1", "*x", "x*", "a * b", "x,", "x.",
    ".x", "'x'", "x\"",
    "e\u0301", "ﬁ", "x\u200dy", "深 度", "x  y", " x ", "R&D", "C++", "x_", "_x", "about", "ÅÄÖ", "𝒳y", "🙂x",
)  # fmt: skip
_REGEXES = (
    "x/y",
    r"x\/y",
    r"\d+",
    r"\\",
    r"a\\/b",
    " x",
    r"\ x",
    "[/]x",
    '"',
    "(a|b)",
    "x y",
    "^x$",
    "é",
    r"\x{1F600}x",
)


def _has_letter(text: str) -> bool:
    return re.search(r"[a-zA-Z0-9]", text) is not None


_FREE = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
_WORDS = st.one_of(
    keywords(),
    st.sampled_from(_AWKWARD),
    st.text(st.one_of(_FREE, st.sampled_from(' "\\()-:/^~*')), max_size=12).filter(_has_letter),
)


@st.composite
def _words(draw: st.DrawFn) -> str:
    """Anything in which a letter is found, however it is written; composed, so that its ``repr`` is short."""
    return draw(_WORDS)


def _leaves() -> st.SearchStrategy[Node]:
    boosts = st.one_of(st.just(1.0), st.floats(0.1, 10))
    scopes = st.sampled_from(Scope)
    thresholds = st.one_of(
        st.none(), st.floats(0, 1), st.sampled_from((PaperKey("arxiv:2401.01234"), PaperKey("doi:10.1000/a(b)c")))
    )
    return st.one_of(
        st.builds(Word, _words(), scopes, boosts),
        st.builds(Near, st.tuples(_words(), _words()), st.integers(0, 50), scopes, boosts),
        st.builds(Pattern, st.sampled_from(_REGEXES), scopes, boosts),
        st.builds(Author, _words(), boosts),
        st.builds(Category, _words()),
        st.builds(Listed, _words()),
        st.builds(lambda text, threshold: About(text, threshold=threshold), _words(), thresholds),
    )


def _trees() -> st.SearchStrategy[Node]:
    def combined(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(parts, min_size=1, max_size=4).map(tuple)
        return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, parts))

    return st.recursive(_leaves(), combined, max_leaves=12)


_TREES = _trees()
_WANTING = _TREES.filter(lambda node: wants_something(normal(Query(node)).wants))


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    return Query(draw(_WANTING), tuple(draw(st.lists(_TREES, max_size=3))))


@given(_queries())
def test_what_is_printed_reads_as_the_same_query(query: Query) -> None:
    assert parse_query(print_query(query)) == normal(query)


@given(_queries())
def test_the_normal_form_is_one(query: Query) -> None:
    once = normal(query)

    assert normal(once) == once
    assert print_query(once) == print_query(query)


@given(nodes(), papers())
def test_the_normal_form_means_the_same(node: Node, paper: Paper) -> None:
    assert meets(normal(Query(node)).wants, paper) == meets(node, paper)


def _lists(words: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(words, max_size=3).map(tuple)


@given(
    st.builds(
        Topic,
        name=st.just("T"),
        query=st.one_of(st.just(""), _queries().map(print_query)),
        any=_lists(_words()),
        all=_lists(_words()),
        none=_lists(_words()),
        less=_lists(_words()),
        categories=_lists(st.sampled_from(("cs.CL", "cs.*", "hep-th"))),
        authors=_lists(_words()),
        about=st.one_of(st.just(""), _words()),
        threshold=st.one_of(st.none(), st.floats(0, 1)),
    ).filter(lambda topic: topic.query or topic.any or topic.all or topic.categories or topic.authors or topic.about)
)
def test_a_topic_reads_the_same_from_its_line(topic: Topic) -> None:
    query = read_topic(topic)

    assert normal(query) == query
    assert parse_query(print_query(query)) == query


@pytest.mark.parametrize(
    ("wants", "printed"),
    [
        pytest.param(Or((And((Word("a"), Word("b"))), Word("c"))), "(a b) OR c", id="groups show how they bind"),
        pytest.param(Not(And((Word("a"), Not(Word("b"))))), "NOT (a NOT b)", id="negated group"),
        pytest.param(Word("language model", Scope.TITLE, 2), 'title:"language model"^2', id="phrase"),
        pytest.param(Word("OR"), '"OR"', id="operator as a word"),
        pytest.param(Word("a:b"), '"a:b"', id="colon"),
        pytest.param(Word('say "x"'), r'"say \"x\""', id="quotes"),
        pytest.param(Near(("a", "b c"), 3, Scope.TITLE, 0.5), 'title:(a NEAR/3 "b c")^0.5', id="near"),
        pytest.param(Pattern("a/b"), r"/a\/b/", id="slash"),
        pytest.param(Listed("feed:Nature"), 'source:"feed:Nature"', id="source"),
    ],
)
def test_the_normal_form_is_what_people_would_write(wants: Node, printed: str) -> None:
    assert print_query(Query(wants)) == printed


def test_leaves_are_named_from_left_to_right() -> None:
    tree = And((Word("a"), Not(Or((Word("b"), Author("c")))), Word("d")))

    assert list(leaves(tree)) == [Word("a"), Word("b"), Author("c"), Word("d")]


def test_patterns_do_not_ask_for_case() -> None:
    assert compile_pattern("gpt-?[45]").search("About GPT4") is not None
    assert compile_pattern("é").search("É") is not None
    with pytest.raises(ValueError, match="missing"):
        compile_pattern("(")


@pytest.mark.parametrize(
    ("query", "met"),
    [
        ("pretraining NEAR/1 large", True),
        ("large NEAR/1 pretraining", True),
        ("pretraining NEAR/0 large", False),
        ("graph NEAR/0 analysis", True),
        ("models NEAR/9 cats", False),
        ('"language model" NEAR/0 model', False),
        ("cat NEAR/2 cat", True),
        ("cat NEAR/1 cat", False),
        ('cat NEAR/1 "a cat"', True),
        ("venue:neurips", True),
        ("neurips", False),
        ("source:arxiv", True),
        ("source:arx", False),
        ('source:"feed:nature"', True),
        ("title:cat", False),
        ("/^pre.*graph/", True),
        (r"abs:/dogs\. a/", True),
        ("cat:cs.*", True),
        ("cat:math.*", False),
    ],
)
def test_the_reference_goes_by_the_definitions(query: str, met: bool) -> None:
    paper = a_paper(
        title="Pre-training of large language models for graph analysis",
        abstract="Cats chase dogs. A cat and a cat.",
        venue="NeurIPS 2026",
        sources=("arxiv:cs.CL", "feed:Nature Physics"),
        categories=("cs.CL", "math-ph"),
    )

    assert meets(parse_query(query).wants, paper) is met
