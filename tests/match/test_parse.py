import pickle
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.match.parse import QueryError, parse_query, read_topic
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
    print_query,
)
from digest.model import Example, PaperKey, Topic
from tests.builders import a_topic

A, B, C = Word("a1"), Word("b1"), Word("c1")


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        pytest.param("a1 b1", And((A, B)), id="words side by side"),
        pytest.param("a1 AND b1", And((A, B)), id="AND"),
        pytest.param("a1 OR b1 c1", Or((A, And((B, C)))), id="OR binds weaker than AND"),
        pytest.param("(a1 OR b1) c1", And((Or((A, B)), C)), id="parentheses"),
        pytest.param("(a1 OR b1)c1", And((Or((A, B)), C)), id="parentheses without blanks"),
        pytest.param("NOT a1 b1", And((Not(A), B)), id="NOT binds tightest"),
        pytest.param("b1 -a1", And((B, Not(A))), id="minus"),
        pytest.param("b1 −a1 –c1", And((B, Not(A), Not(C))), id="typographic minus and dash"),
        pytest.param("b1 -(a1 OR c1)", And((B, Not(Or((A, C))))), id="minus before a group"),
        pytest.param('b1 -"a c"', And((B, Not(Word("a c")))), id="minus before a phrase"),
        pytest.param("a1, b1; c1", And((A, B, C)), id="commas are no part of words"),
        pytest.param("  a1\n  b1\t", And((A, B)), id="any blanks"),
        pytest.param("a1 and b1", And((A, Word("and"), B)), id="small operators are words"),
        pytest.param("ANDROID NOTE ORB NEAR-Earth", None, id="operators are whole words"),
        pytest.param('"a OR b"', Word("a OR b"), id="no operators in quotes"),
        pytest.param("“a b”", Word("a b"), id="english quotes"),
        pytest.param("„a b“", Word("a b"), id="german quotes"),
        pytest.param("«a b»", Word("a b"), id="french quotes"),
        pytest.param("»a b«", Word("a b"), id="german guillemets"),
        pytest.param(r'"a \"b\" \\ c"', Word(r'a "b" \ c'), id="escaped quotes"),
        pytest.param("transform*", Word("transform*"), id="prefix"),
        pytest.param("title:a1", Word("a1", Scope.TITLE), id="title"),
        pytest.param("TI: a1", Word("a1", Scope.TITLE), id="alias, capitals, blank"),
        pytest.param("abs:a1", Word("a1", Scope.ABSTRACT), id="abstract"),
        pytest.param("venue:NeurIPS", Word("NeurIPS", Scope.VENUE), id="venue"),
        pytest.param(
            "title:(a1 OR -b1)", Or((Word("a1", Scope.TITLE), Not(Word("b1", Scope.TITLE)))), id="field of a group"
        ),
        pytest.param("-title:a1 b1", And((Not(Word("a1", Scope.TITLE)), B)), id="minus before a field"),
        pytest.param("author:LeCun", Author("LeCun"), id="author"),
        pytest.param('au:"Yann LeCun"^3', Author("Yann LeCun", 3), id="quoted author with a boost"),
        pytest.param("category:(cs.CL OR cs.*)", Or((Category("cs.CL"), Category("cs.*"))), id="categories"),
        pytest.param('source:arxiv source:"feed:Nature"', And((Listed("arxiv"), Listed("feed:Nature"))), id="sources"),
        pytest.param('about:"how cells age"', About("how cells age"), id="meaning"),
        pytest.param('about:"ageing"~0.5', About("ageing", threshold=0.5), id="meaning with a threshold"),
        pytest.param(
            'about:"ageing"~2401.01234v2', About("ageing", threshold=PaperKey("arxiv:2401.01234")), id="near as a paper"
        ),
        pytest.param("a1 NEAR/5 b1", Near(("a1", "b1"), 5), id="near"),
        pytest.param('"a b" NEAR/0 “c d”', Near(("a b", "c d"), 0), id="phrases that are near"),
        pytest.param("title:a1 NEAR/5 b1 c1", And((Near(("a1", "b1"), 5, Scope.TITLE), C)), id="field before near"),
        pytest.param("(a1 NEAR/5 b1)^2", Near(("a1", "b1"), 5, boost=2), id="boosted near"),
        pytest.param("/gpt-?[45]/", Pattern("gpt-?[45]"), id="regular expression"),
        pytest.param(r"title:/and\/or (x|y)/^2", Pattern("and/or (x|y)", Scope.TITLE, 2), id="slash and blanks in it"),
        pytest.param("image/text /x/", And((Word("image/text"), Pattern("x"))), id="a slash within a word"),
        pytest.param('"diffusion model"^2', Word("diffusion model", boost=2), id="boost"),
        pytest.param("(a1^2 OR b1)^0.5", Or((A, Word("b1", boost=0.5))), id="boosts multiply"),
        pytest.param("((((a1))))", A, id="needless parentheses"),
        pytest.param("NOT NOT a1", A, id="double negation"),
        pytest.param("a1 (b1 (c1 a1))", And((A, B, C)), id="nested groups and what is there twice"),
        pytest.param("16:9", Word("16:9"), id="a colon behind digits"),
    ],
)
def test_a_query_is_read(text: str, wants: Node | None) -> None:
    expected = And(tuple(map(Word, text.split()))) if wants is None else wants

    assert parse_query(text) == Query(expected)


@pytest.mark.parametrize(
    "word",
    ["C++", "C#", ".NET", "AT&T", "R&D", "RL", "GPT-4", "k-means", "深度学习", "Poincaré", "l'apprentissage", "model’s",
     "a+b", "α-synuclein", "β", "H₂O", "and/or", "not", "less", "title", "x_1", "50%", "é", "naïve", "N-gram"],
)  # fmt: skip
def test_what_people_write_is_a_word(word: str) -> None:
    assert parse_query(word) == Query(Word(word))
    assert parse_query(f"{word} -{word}2") == Query(And((Word(word), Not(Word(f"{word}2")))))


def test_what_is_wanted_less_stands_anywhere_outside_of_parentheses() -> None:
    query = parse_query('less:survey a1 less:"case report" OR b1 less:(x1 OR title:y1) AND less: author:LeCun')

    assert query.wants == Or((A, B))
    assert query.less == (
        Word("survey"),
        Word("case report"),
        Or((Word("x1"), Word("y1", Scope.TITLE))),
        Author("LeCun"),
    )


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param("", None, "the query is empty", id="empty"),
        pytest.param(" \n", None, "the query is empty", id="blank"),
        pytest.param("cat OR", 6, "expected a word, a phrase or ‘(’ behind ‘OR’, but the query ends", id="ends early"),
        pytest.param("OR cat", 0, "but got ‘OR’", id="begins with an operator"),
        pytest.param("cat AND OR dog", 8, "expected a word, a phrase or ‘(’ behind ‘AND’", id="two operators"),
        pytest.param("(cat NOT)", 8, "expected a word, a phrase or ‘(’ behind ‘NOT’", id="not nothing"),
        pytest.param("cat (dog (bird", 9, "not closed", id="parenthesis open: the inner one"),
        pytest.param("cat) dog", 3, "never opened", id="parenthesis closed"),
        pytest.param("cat ()", 5, "nothing between", id="empty parentheses"),
        pytest.param('cat "dog', 4, "quotation mark is not closed", id="quote open"),
        pytest.param("cat “dog", 4, "quotation mark is not closed", id="typographic quote open"),
        pytest.param("titel:cat", 0, "did you mean ‘title:’?", id="unknown field"),
        pytest.param("x http://a.example/", 2, "there is no field ‘http:’", id="address"),
        pytest.param("title:author:cat", 6, "‘author:’ cannot stand behind ‘title:’", id="field before field"),
        pytest.param("title:(cat abs:dog)", 11, "a field stands within another", id="field in field"),
        pytest.param("title:", 6, "expected a word", id="field before nothing"),
        pytest.param("cat NEAR5 dog", 4, "write NEAR/5", id="near without slash"),
        pytest.param("cat NEAR dog", 4, "write NEAR/5", id="near without number"),
        pytest.param("cat NEAR/x dog", 4, "write NEAR/5", id="near without digits"),
        pytest.param("cat NEAR/51 dog", 4, "at most 50 words", id="near too far"),
        pytest.param("cat NEAR/5 (dog)", 11, "expected a word or a phrase behind ‘NEAR/5’", id="near a group"),
        pytest.param("(cat) NEAR/5 dog", 6, "joins two words", id="a group near"),
        pytest.param("cat NEAR/5 dog NEAR/5 cow", 15, "joins two words", id="three words near"),
        pytest.param("cat^", 3, "is no boost", id="boost without number"),
        pytest.param("cat^two", 3, "is no boost", id="boost in letters"),
        pytest.param("cat^0.01", 3, "from 0.1 to 10", id="boost too small"),
        pytest.param("cat^11", 3, "from 0.1 to 10", id="boost too large"),
        pytest.param("(cat^5)^5", 1, "the boosts amount to 25", id="boosts too large together"),
        pytest.param("^2", 0, "behind nothing", id="boost of nothing"),
        pytest.param("cat:cs.CL^2", 4, "takes no boost", id="boost of a category"),
        pytest.param("/(/", 0, "missing )", id="broken expression"),
        pytest.param("/(?=x)/", 0, "no look-around", id="unsupported expression"),
        pytest.param(r"/\pL{900}/", 0, "too large", id="expression that needs much memory"),
        pytest.param("cat /dog", 4, "does not end with ‘/’", id="expression open"),
        pytest.param("author:/dog/", 7, "takes no regular expression", id="expression for an author"),
        pytest.param("author:(a NEAR/1 b)", 8, "takes no NEAR", id="near for an author"),
        pytest.param('cat author:"..."', 11, "holds no letter", id="author without letters"),
        pytest.param("cat !!", 4, "holds no letter", id="word without letters"),
        pytest.param("cat - dog", 4, "‘-’ stands directly before", id="minus that stands alone"),
        pytest.param('cat about:"?"', 10, "holds no letter", id="meaning of nothing"),
        pytest.param('about:"x"~2', 6, "does not say how near", id="threshold out of range"),
        pytest.param('"x"~0.5', 0, "stands only behind about:", id="threshold of a phrase"),
        pytest.param("-cat -dog", 0, "only what it does not want", id="only negatives"),
        pytest.param("-cat OR -(dog -cow)", 0, "only what it does not want", id="only negatives, nested"),
        pytest.param("less:cat", 0, "only what it wants less", id="only less"),
        pytest.param("cat OR less:dog", 7, "‘less:’ at the end", id="less as an alternative"),
        pytest.param("cat (less:dog)", 5, "outside of parentheses", id="less in parentheses"),
        pytest.param("cat -less:dog", 5, "outside of parentheses", id="not less"),
        pytest.param("cat\x00", 3, "U+0000", id="control character"),
        pytest.param("c\u202eat", 1, "U+202E", id="direction override"),
        pytest.param("cat\ufdd0", 3, "U+FDD0", id="noncharacter"),
        pytest.param("cat\ud800", 3, "U+D800", id="half a surrogate"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, place: int | None, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(text)

    assert words in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    if place is None:
        assert caught.value.place == ""
    else:
        _, caret = caught.value.place.splitlines()
        assert caret == " " * (place + 2) + "^"


def test_the_caret_stands_right_in_long_lines_and_below_wide_characters() -> None:
    with pytest.raises(QueryError) as long:
        parse_query("word " * 1_000 + "titel:x " + "word " * 1_000)
    with pytest.raises(QueryError) as wide:
        parse_query("深度 titel:x")

    line, caret = long.value.place.splitlines()
    assert line[caret.index("^") :].startswith("titel:x")
    assert len(line) < 110
    assert wide.value.place.splitlines()[1] == " " * (2 + 2 * 2 + 1) + "^"


@pytest.mark.parametrize(
    "text",
    ["(" * 50_000, "(" * 51 + "a" + ")" * 51, "-" * 99_999, "NOT " * 20_000 + "a", "a -(" * 30 + "a" + ")" * 30,
     "-title:(" * 20 + "a" + ")" * 20],
    ids=["open", "groups", "minus", "not", "mixed", "with fields"],
)  # fmt: skip
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(QueryError, match="nested more than 50 deep"):
        parse_query(text)


def test_fifty_levels_are_read() -> None:
    assert parse_query("(" * 50 + "a1" + ")" * 50) == Query(A)
    assert parse_query("a1 (b1 OR " * 25 + "c1" + ")" * 25).less == ()


def test_ten_thousand_terms_are_read_in_bounded_time() -> None:
    terms = [f"w{number}" for number in range(10_000)]
    start = time.process_time()

    together, either = parse_query(" ".join(terms)), parse_query(" OR ".join(terms))
    printed = print_query(either)

    # It takes about a second; quadratic time would be minutes.
    assert time.process_time() - start < 20
    assert together.wants == And(tuple(map(Word, terms)))
    assert printed == " OR ".join(terms)


@pytest.mark.parametrize("text", ["a" * 100_001, "/x/ " * 101, f"/{'x' * 1_001}/"], ids=["long", "patterns", "pattern"])
def test_what_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"more than 1,000|100,000|more than 100"):
        parse_query(text)


_PIECES = ("a1", "OR", "AND", "NOT", "-", "(", ")", '"', "title:", "less:", "NEAR/2", "^2", "/x/", "/", "about:",
           "~0.5", " ", " ", "“", "x*", "深", "\\", ":", "cat:")  # fmt: skip


@given(st.one_of(st.lists(st.sampled_from(_PIECES)).map("".join), st.text()))
@example('"\\')
@example('a "b\\" c')
def test_whatever_is_typed_is_a_query_or_told(text: str) -> None:
    try:
        query = parse_query(text)
    except QueryError:
        return
    assert parse_query(print_query(query)) == query


def test_the_lists_of_a_topic_are_a_query_spelled_out() -> None:
    topic = a_topic(
        query="title:graph less:poster",
        any=("language model", "LLM"),
        all=("benchmark",),
        none=("survey",),
        less=("review",),
        categories=("cs.CL", "cs.*"),
        authors=("He, Kaiming",),
        about="what models know",
        threshold=0.5,
    )

    query = read_topic(topic)

    assert print_query(query) == (
        'title:graph ("language model" OR LLM) benchmark (cat:cs.CL OR cat:cs.*) author:"He, Kaiming"'
        ' about:"what models know"~0.5 NOT survey less:poster less:review'
    )


def test_examples_of_a_topic_are_part_of_its_query() -> None:
    works = (Example(keys=(PaperKey("arxiv:2401.01234"),)), Example(title="A title"))

    query = read_topic(a_topic(like=works, threshold=PaperKey("arxiv:2401.01234")))

    assert query == Query(About("", works, PaperKey("arxiv:2401.01234")))
    assert print_query(query) == 'like:"2 works"~"arxiv:2401.01234"'


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(a_topic(), id="empty"),
        pytest.param(a_topic(none=("survey",), less=("review",), threshold=0.5, limit=3), id="wants nothing"),
        pytest.param(a_topic(any=("--",)), id="keyword without letters"),
        pytest.param(a_topic(any=("x",), less=("--",)), id="less without letters"),
        pytest.param(a_topic(authors=("...",)), id="author without letters"),
        pytest.param(a_topic(any=("x",), query="(a"), id="query that cannot be read"),
    ],
)
def test_a_topic_that_cannot_be_used_is_refused(topic: Topic) -> None:
    with pytest.raises(ValueError, match=r"wants nothing|holds no letter|not closed"):
        read_topic(topic)
