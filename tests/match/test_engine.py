import gzip
import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.match.engine import PAPERS_AT_ONCE, Engine, places
from digest.match.names import Name
from digest.match.parse import parse_query
from digest.match.query import About, And, Author, Category, Node, Not, Or, Query, Word
from digest.match.scan import Scanner
from digest.match.topics import Nearness, Reading
from digest.model import Paper
from digest.text.fold import Keyword, Words
from tests.builders import a_paper
from tests.match.reference import meets, nodes, papers

DATA = Path(os.environ.get("DIGEST_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
AWKWARD = [
    "State-of-the-art pre-training, pre training and pretraining; the therapist is the rapist.",
    "The model's s, models' s and 's alone: it's 's",
    "C++11, C#, C+, .NET and ASP.NET, dot.net .Net. F# AT&T R&D A & B U.S.A. GPT-4 GPT4 gpt 4",
    "深度学习方法 and ディープラーニング mixed深with度latin",
    "Poincare\u0301 Poincaré ﬁne-tuning ½ ² Straße STRASSE İstanbul ŉ ﾞ \u0301 x\u0301",
    "soft\u00adhyphen zero\u200bwidth under_score  two  blanks \t tab\nline (in brackets) [x] a/b/c",
    "",
    "''s 's",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3,
]


def _matching(engine: Engine, number: int, some: list[Paper]) -> list[int]:
    return places(engine.ask([Reading(paper) for paper in some]).rows(number, number + 1)[0])


@given(st.lists(nodes(), min_size=1, max_size=6), st.lists(papers(), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_engine_finds_what_the_reference_finds(queries: list[Node], some: list[Paper]) -> None:
    engine = Engine()
    numbers = [engine.add(Query(node)) for node in queries]

    rows = engine.ask([Reading(paper) for paper in some]).rows(0, len(engine))

    for node, number in zip(queries, numbers, strict=True):
        assert places(rows[number]) == [at for at, paper in enumerate(some) if meets(node, paper)], node


_ALPHABET = "abcst'’ -./&_+#\u0301é深ﬁ½ßS.netNE\u00ad(,"


@given(
    st.lists(st.one_of(st.text(_ALPHABET, max_size=30), st.sampled_from(AWKWARD), st.text(max_size=20)), max_size=6),
    st.lists(st.one_of(st.text(_ALPHABET, max_size=10), st.text(max_size=6)), max_size=12),
)
@settings(max_examples=400, deadline=None)
def test_scanning_finds_each_keyword_where_seeking_it_alone_does(texts: list[str], written: list[str]) -> None:
    keywords = [keyword for text in written if (keyword := _keyword(text))]
    scanner = Scanner()
    numbers = [scanner.add(keyword) for keyword in keywords]

    hits = set(zip(*(found.tolist() for found in scanner.scan(texts)), strict=True))

    for number, keyword in zip(numbers, keywords, strict=True):
        for at, text in enumerate(texts):
            assert ((number, at) in hits) is (Words(text).find(keyword) is not None), (keyword, text)


def _keyword(text: str) -> Keyword | None:
    try:
        return Keyword.parse(text)
    except ValueError:
        return None


def test_every_piece_of_awkward_texts_is_found() -> None:
    rng = random.Random(1)
    pieces = [text[at : at + rng.randint(1, 14)] for text in AWKWARD for at in range(len(text))]
    keywords = [keyword for piece in pieces for ending in ("", "*") if (keyword := _keyword(piece + ending))]
    scanner = Scanner()
    for keyword in keywords:
        scanner.add(keyword)

    hits = set(zip(*(found.tolist() for found in scanner.scan(AWKWARD)), strict=True))

    words = [Words(text) for text in AWKWARD]
    expected = {
        (number, at)
        for number, keyword in enumerate(keywords)
        for at, each in enumerate(words)
        if each.find(keyword) is not None
    }
    assert hits == expected


def test_recorded_papers_hold_the_keywords_that_seeking_them_alone_finds() -> None:
    path = DATA / "hf-daily" / "raw" / "2025-05-15.json.gz"
    if not path.exists():
        pytest.skip(f"no recorded answers in {DATA}")
    items = [item["paper"] for item in json.loads(gzip.decompress(path.read_bytes()))]
    texts = [text for item in items for text in (item["title"], item["summary"])]
    rng = random.Random(2)
    words = [re.findall(r"[\w-]+", text) for text in texts]
    keywords = []
    for some in words:
        for _ in range(20):
            at, length = rng.randrange(len(some)), rng.randint(1, 3)
            keywords.append(_keyword(" ".join(some[at : at + length]) + rng.choice(["", "", "*"])))
    scanner = Scanner()
    known = [keyword for keyword in keywords if keyword]
    for keyword in known:
        scanner.add(keyword)

    hits = set(zip(*(found.tolist() for found in scanner.scan(texts)), strict=True))

    for at in rng.sample(range(len(texts)), min(12, len(texts))):
        text = Words(texts[at])
        for number, keyword in enumerate(known):
            assert ((number, at) in hits) is (text.find(keyword) is not None), (keyword, texts[at])


def test_equal_queries_are_one() -> None:
    engine = Engine()

    assert engine.add(parse_query("invented OR absent")) == engine.add(parse_query("invented OR absent"))
    assert engine.add(parse_query("invented")) != engine.add(parse_query("absent"))
    assert len(engine) == 3


def test_more_papers_than_fit_a_row_are_asked_about_in_order() -> None:
    some = [a_paper(number, title=f"Number {number}") for number in range(PAPERS_AT_ONCE + 80)]
    engine = Engine()
    number = engine.add(Query(Or((Word("7"), Word(f"{PAPERS_AT_ONCE + 3}")))))

    assert _matching(engine, number, some) == [7, PAPERS_AT_ONCE + 3]


def test_any_range_of_queries_can_be_asked_for_by_itself() -> None:
    engine = Engine()
    for number in range(300):
        engine.add(Query(Or((Word(f"w{number % 7}"), Word(f"x{number}")))))
    some = [a_paper(at, abstract=f"w{at % 9} x{at}") for at in range(70)]
    answer = engine.ask([Reading(paper) for paper in some])

    whole = answer.rows(0, len(engine))

    for first, last in ((0, 1), (17, 180), (299, 300), (120, 120)):
        assert (answer.rows(first, last) == whole[first:last]).all()


def test_what_is_near_in_meaning_is_told_with_the_paper() -> None:
    about = About("inventions")
    engine = Engine()
    number = engine.add(Query(And((about, Not(Word("absent"))))))
    readings = [Reading(a_paper(at), {about: Nearness(0.1 * at, 0.25)}) for at in range(5)]

    assert places(engine.ask(readings).rows(number, number + 1)[0]) == [3, 4]


def test_no_papers_and_no_queries_are_no_trouble() -> None:
    engine = Engine()

    assert engine.ask([]).rows(0, 0).shape == (0, 0)
    assert engine.ask([Reading(a_paper())]).rows(0, 0).shape[0] == 0
    number = engine.add(Query(Category("cs.CL")))
    assert places(engine.ask([]).rows(number, number + 1)[0]) == []


def test_an_abstract_of_a_megabyte_costs_no_more_than_its_size() -> None:
    long = replace(a_paper(), abstract="word " * 200_000 + "needle")
    engine = Engine()
    number = engine.add(Query(Word("needle")))

    assert _matching(engine, number, [long]) == [0]


@pytest.mark.parametrize(
    "author",
    [
        "International Consortium for Blood-Pressure GWAS",
        "Kongand " * 30 + "é",
        "a" * 5_000 + "-b",
        "A. " * 2_000 + "é",
    ],
)
def test_no_name_takes_long_to_read(author: str) -> None:
    engine = Engine()
    number = engine.add(parse_query("author:LeCun"))

    assert _matching(engine, number, [a_paper(authors=(author, "Y. LeCun"))]) == [0]


@given(st.lists(st.text("AaBb.-’, jrédeJ", max_size=16), max_size=5), st.lists(st.text("AaBb. -jré", max_size=12)))
def test_followed_people_are_found_as_each_name_alone_is(authors: list[str], followed: list[str]) -> None:
    paper = a_paper(authors=tuple(authors))
    nodes = [Author(name) for name in followed if any(sign.isalpha() for sign in name)]
    nodes = [node for node in nodes if _is_name(node.name)]
    engine = Engine()
    numbers = [engine.add(Query(node)) for node in nodes]
    answer = engine.ask([Reading(paper)])

    for node, number in zip(nodes, numbers, strict=True):
        assert (answer.places(number) == [0]) is meets(node, paper), node


def _is_name(text: str) -> bool:
    try:
        Name.parse(text)
    except ValueError:
        return False
    return True
