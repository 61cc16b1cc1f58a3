import re
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.model import (
    Evidence,
    Field,
    FollowUpKind,
    Growth,
    Label,
    LabelKind,
    NearMiss,
    Rise,
    Score,
    TopicMatch,
)
from digest.render import why
from digest.render.language import LANGUAGES, find_language
from digest.schedule.rules import parse_schedule
from tests.builders import a_paper

DAY = date(2026, 11, 20)  # a Friday
PART = st.floats(-50, 50)
ENGLISH = find_language("en")
GERMAN = find_language("de")
BERLIN = ZoneInfo("Europe/Berlin")


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
        pytest.param(Score(match=1.26, trend=1.26), "2.6 = words 1.3 + trend 1.3", id="the sum of what is printed"),
        pytest.param(Score(match=2, recency=0.04), "2 = words 2", id="too little to print"),
        pytest.param(Score(match=1234.5), "1,234.5 = words 1,234.5", id="thousands"),
        pytest.param(Score(), "", id="nothing known"),
    ],
)
def test_a_score_is_said_as_a_sum(score: Score, said: str) -> None:
    assert why.say_score(score, ENGLISH).replace("\u00a0", " ") == said


@given(st.builds(Score, match=PART, follow=PART, relevance=PART, trend=PART, recency=PART, less=PART))
@example(Score(match=0.1, follow=0.7, relevance=0.1))
def test_printed_parts_add_up_to_the_printed_total(score: Score) -> None:
    said = why.say_score(score, ENGLISH).replace("\u00a0", " ")

    total, _, parts = said.partition(" = ")
    signed = re.findall(r"([+−]?) ?([a-z]+) ([\d,.]+)", parts)
    assert number(total or "0") == sum(number(sign.replace("+", "") + amount) for sign, _, amount in signed)
    assert abs(number(total or "0") - 10 * score.total) <= 3.01  # six parts, each half a tenth off
    printed = {name: number(sign.replace("+", "") + amount) for sign, name, amount in signed}
    assert 0 not in printed.values()
    names = dict(zip(("words", "author", "relevance", "trend", "recent", "less"), fields(Score), strict=True))
    for name, part in names.items():
        assert abs(printed.get(name, 0) - 10 * getattr(score, part.name)) <= 0.51


def test_a_score_is_said_with_the_digits_of_the_language() -> None:
    said = why.say_score(Score(match=1234.5, recency=0.6, less=-3), GERMAN).replace("\u00a0", " ")

    assert said == "1.232,1 = Wörter 1.234,5 + Aktualität 0,6 − weniger 3"


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
        pytest.param(Evidence(Field.MEANING, "", "very"), "near to the examples (very)", id="nearness is no number"),
    ],
)
def test_what_hit_is_said_with_its_place(hit: Evidence, said: str) -> None:
    assert why.say_evidence(TopicMatch("T", (hit,)), ENGLISH) == said


def test_many_hits_are_counted() -> None:
    hits = tuple(Evidence(Field.TITLE, f"w{number}", f"w{number}") for number in range(8))

    said = why.say_evidence(TopicMatch("T", hits), ENGLISH)
    assert said == "“w0”, “w1”, “w2”, “w3”, “w4” and “w5” in the title, 2 more"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("de", "„CLIP“ und „SAM“ im Titel, von A. Lovelace, nah an den Beispielen (0,83)"),
        ("fr", "«\u00a0CLIP\u00a0» et «\u00a0SAM\u00a0» dans le titre, de A. Lovelace, proche de vos exemples (0,83)"),
        ("zh", "标题中有“CLIP”和“SAM”，作者 A. Lovelace，接近示例论文 (0.83)"),
        ("ja", "タイトルに「CLIP」、「SAM」／著者 A. Lovelace／例示した論文 (0.83)に近い"),
    ],
)
def test_quotation_marks_lists_and_numbers_are_those_of_the_language(tag: str, said: str) -> None:
    hits = (
        Evidence(Field.TITLE, "clip", "CLIP"),
        Evidence(Field.TITLE, "sam", "SAM"),
        Evidence(Field.AUTHOR, "Lovelace", "A. Lovelace"),
        Evidence(Field.MEANING, "", "0.83"),
    )

    assert why.say_evidence(TopicMatch("T", hits), find_language(tag)) == said


@pytest.mark.parametrize(
    ("label", "said"),
    [
        pytest.param(
            Label(LabelKind.FIRST_BY, "Ada Lovelace"), "first paper here by Ada Lovelace", id="a followed author"
        ),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 3), "third on Retrieval this month", id="third"),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 10), "tenth on Retrieval this month", id="tenth"),
        pytest.param(Label(LabelKind.NTH_ON, "Retrieval", 11), "no. 11 on Retrieval this month", id="beyond ten"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-19"), "from Thursday’s list", id="yesterday"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-14"), "from Saturday’s list", id="six days ago"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-13"), "from the list of 13 Nov", id="seven days ago"),
        pytest.param(Label(LabelKind.CARRIED, "2026-11-20"), "from the list of 20 Nov", id="today"),
        pytest.param(Label(LabelKind.CARRIED, "soon"), "from an earlier list", id="no date"),
    ],
)
def test_labels_are_a_few_words(label: Label, said: str) -> None:
    assert why.say_labels([label], DAY, ENGLISH) == (said,)


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

    assert why.say_growth(rise, ZoneInfo(zone), ENGLISH) == said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        pytest.param((35, 35, 60, 128), "▃▃▄█ +93 since Mon 16 Nov", id="grown"),
        pytest.param((0, 1_500), "·█ +1,500 since Mon 16 Nov", id="from nothing"),
        pytest.param((*range(1, 21),), "▃▄▄▄▅▅▆▆▆▇▇███ +19 since Mon 16 Nov", id="only the last bars are drawn"),
        pytest.param((5, 5), "", id="not grown"),
        pytest.param((5, 3), "", id="shrunk"),
    ],
)
def test_growth_of_a_signal_has_a_line(counts: tuple[int, ...], said: str) -> None:
    growth = Growth(signal="upvotes", counts=counts, since=datetime(2026, 11, 16, 9, tzinfo=UTC))

    assert why.say_grown(growth, BERLIN, ENGLISH).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("upvotes", 1, "1 upvote"),
        ("comments", 2, "2 comments"),
        ("stars", 1_234, "1,234 stars"),
        ("points", 87, "87 points on Hacker News"),
        ("citations", 1, "1 citation"),
        ("claps", 3, "3 claps"),
    ],
)
def test_signals_are_counted(name: str, number: int, said: str) -> None:
    assert why.say_signal(name, number, ENGLISH) == said


def test_news_of_a_paper_are_listed() -> None:
    paper = replace(a_paper(), venue="ICLR 2027")

    said = [why.say_follow_up(tuple(FollowUpKind), paper, language) for language in (ENGLISH, GERMAN)]

    assert said == [
        "code appeared, accepted at ICLR 2027, withdrawn",
        "Code veröffentlicht, angenommen bei ICLR 2027, zurückgezogen",
    ]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        pytest.param("reranking", "Retrieval, without “reranking”", id="word"),
        pytest.param('"low resource"', "Retrieval, without “low resource”", id="phrase"),
        pytest.param('"a b" OR "c d"', "Retrieval, without “a b / c d”", id="alternatives"),
    ],
)
def test_the_missing_part_is_named(missing: str, said: str) -> None:
    assert why.say_missing(NearMiss(paper=a_paper(), topic="Retrieval", missing=missing), ENGLISH) == said


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_language_places_a_paper_on_its_topic(tag: str) -> None:
    labels = [Label(LabelKind.NTH_ON, "Retrieval", number) for number in range(3, 12)]
    said = [why.say_labels([label], DAY, find_language(tag))[0] for label in labels]

    assert len(set(said)) == len(said)
    assert all("Retrieval" in each for each in said)
    assert "11" in said[-1]


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        ("daily at 07:30", "daily at 07:30", "täglich um 07:30 Uhr"),
        ("weekdays at 7:05", "weekdays at 07:05", "werktags um 07:05 Uhr"),
        ("weekly on Friday at 10:00", "Friday at 10:00", "Freitag um 10:00 Uhr"),
        (
            "Sunday, Monday and Wed at 10:00",
            "Sunday, Monday and Wednesday at 10:00",
            "Sonntag, Montag und Mittwoch um 10:00 Uhr",
        ),
        ("monthly on 3 at 10:00", "monthly on day 3 at 10:00", "monatlich am 3. um 10:00 Uhr"),
        (
            "monthly on 31 at 10:00",
            "on the last day of every month at 10:00",
            "am letzten Tag jedes Monats um 10:00 Uhr",
        ),
        ("0 7 1-9 * *", "0 7 1-9 * *", "0 7 1-9 * *"),
    ],
)
def test_a_schedule_is_said_in_the_readers_language(text: str, english: str, german: str) -> None:
    schedule = parse_schedule(text)

    assert why.say_schedule(schedule, ENGLISH) == english
    assert why.say_schedule(schedule, GERMAN) == german
