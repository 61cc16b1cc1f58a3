import re
from dataclasses import fields
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.model import Evidence, Field, Label, LabelKind, NearMiss, Rise, Score, TopicMatch
from digest.render import why
from tests.builders import a_paper

DAY = date(2026, 11, 20)  # a Friday
PART = st.floats(-50, 50)


def number(text: str) -> int:
    """In tenths, so that sums are exact."""
    return round(10 * float(text.replace("−", "-").replace(",", "")))


@pytest.mark.parametrize(
    ("score", "said"),
    [
        pytest.param(
            Score(match=6, follow=5, trend=0.8, recency=0.6, less=-3),
            "9.4 = words 6 + author 5 + trend 0.8 + recent 0.6 − less 3",
            id="parts that are not zero",
        ),
        pytest.param(Score(match=1, relevance=-2.5), "−1.5 = words 1 − relevance 2.5", id="below zero"),
        pytest.param(Score(relevance=-2.5), "−2.5 = −relevance 2.5", id="nothing but a dislike"),
        pytest.param(Score(match=3, less=-3), "0 = words 3 − less 3", id="nothing left"),
        pytest.param(Score(match=1.26, trend=1.26), "2.5 = words 1.3 + trend 1.2", id="one part gives way to the sum"),
        pytest.param(Score(match=2, recency=0.04), "2 = words 2", id="too little to print"),
        pytest.param(Score(match=1234.5), "1,234.5 = words 1,234.5", id="thousands"),
        pytest.param(Score(), "", id="nothing known"),
    ],
)
def test_a_score_is_said_as_a_sum(score: Score, said: str) -> None:
    assert why.say_score(score).replace("\u00a0", " ") == said


@given(st.builds(Score, match=PART, follow=PART, relevance=PART, trend=PART, recency=PART, less=PART))
@example(Score(match=0.1, follow=0.7, relevance=0.1))
def test_printed_parts_add_up_to_the_printed_total(score: Score) -> None:
    said = why.say_score(score).replace("\u00a0", " ")

    total, _, parts = said.partition(" = ")
    signed = re.findall(r"([+−]?) ?([a-z]+) ([\d,.]+)", parts)
    assert number(total or "0") == sum(number(sign.replace("+", "") + amount) for sign, _, amount in signed)
    assert abs(number(total or "0") - 10 * score.total) <= 0.51
    printed = {name: number(sign.replace("+", "") + amount) for sign, name, amount in signed}
    assert 0 not in printed.values()
    names = dict(zip(("words", "author", "relevance", "trend", "recent", "less"), fields(Score), strict=True))
    for name, part in names.items():
        assert abs(printed.get(name, 0) - 10 * getattr(score, part.name)) <= 1


@pytest.mark.parametrize(
    ("hit", "said"),
    [
        pytest.param(Evidence(Field.TITLE, "clip", "CLIP"), "“CLIP” in the title", id="title"),
        pytest.param(Evidence(Field.VENUE, "neurips", "NeurIPS"), "“NeurIPS” in the venue", id="venue"),
        pytest.param(Evidence(Field.SOURCE, "feed", "feed:Nature"), "listed by feed:Nature", id="source"),
        pytest.param(Evidence(Field.CATEGORY, "cs.*", "cs.CL"), "listed in cs.CL", id="category"),
        pytest.param(Evidence(Field.AUTHOR, "Lovelace", "A. Lovelace"), "by A. Lovelace", id="author"),
        pytest.param(Evidence(Field.MEANING, "asking twice", "0.83"), "near to “asking twice” (0.83)", id="meaning"),
        pytest.param(Evidence(Field.MEANING, "", "0.83"), "near to the examples (0.83)", id="examples only"),
        pytest.param(Evidence(Field.MEANING, "asking twice", ""), "near to “asking twice”", id="nearness not known"),
    ],
)
def test_what_hit_is_said_with_its_place(hit: Evidence, said: str) -> None:
    assert why.say_evidence(TopicMatch("T", (hit,))) == said


def test_many_hits_are_counted() -> None:
    hits = tuple(Evidence(Field.TITLE, f"w{number}", f"w{number}") for number in range(8))

    assert why.say_evidence(TopicMatch("T", hits)) == "“w0”, “w1”, “w2”, “w3”, “w4” and “w5” in the title, 2 more"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        pytest.param(
            Label(LabelKind.FIRST_BY, "Ada Lovelace"), "first paper here by Ada Lovelace", id="a followed author"
        ),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 3), "third on Retrieval this month", id="third"),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 10), "tenth on Retrieval this month", id="tenth"),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 11), "11th on Retrieval this month", id="beyond ten"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-19"), "from Thursday’s list", id="yesterday"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-14"), "from Saturday’s list", id="six days ago"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-13"), "from 13 Nov", id="seven days ago"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-20"), "from 20 Nov", id="today"),
        pytest.param(Label(LabelKind.CARRIED, "soon"), "from an earlier list", id="no date"),
    ],
)
def test_labels_are_a_few_words(label: Label, said: str) -> None:
    assert why.say_labels([label], DAY) == (said,)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        pytest.param("Europe/Berlin", "12 → 87 upvotes since Mon 16 Nov", id="past midnight"),
        pytest.param("America/New_York", "12 → 87 upvotes since Sun 15 Nov", id="before midnight"),
    ],
)
def test_growth_is_dated_where_the_reader_lives(zone: str, said: str) -> None:
    since = datetime(2026, 11, 15, 23, 30, tzinfo=UTC)
    rise = Rise(paper=a_paper(), signal="upvotes", before=12, now=87, since=since)

    assert why.say_growth(rise, ZoneInfo(zone)) == said


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        pytest.param("reranking", "Retrieval, without “reranking”", id="word"),
        pytest.param('"low resource"', "Retrieval, without “low resource”", id="phrase"),
        pytest.param('"a b" OR "c d"', 'Retrieval, without “"a b" OR "c d"”', id="alternatives"),
    ],
)
def test_the_missing_part_is_named(missing: str, said: str) -> None:
    assert why.say_missing(NearMiss(paper=a_paper(), topic="Retrieval", missing=missing)) == said
