"""Hugging Face's lists of papers: which are asked for, and what may stand in them."""

import gzip
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.huggingface import HuggingFace
from digest.errors import CollectError
from digest.model import Entry, LinkKind, Signals
from digest.ports import Ask, Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated
from tests.collect.pages import hf, hf_item

HF = HuggingFace()


def listing(body: bytes) -> Listing:
    return HF.parse(Page("https://source.example/", body))


def only(body: bytes) -> Entry:
    read = listing(body)
    assert read.problems == ()
    [entry] = read.entries
    return entry


def window(days: int = 1, now: datetime = NOW) -> Window:
    return Window(since=now - timedelta(days=days), until=now)


def asked(source: HuggingFace, window: Window) -> list[str]:
    return [ask.url.removeprefix("https://huggingface.co/api/daily_papers?") for ask in source.asks(window)]


def test_every_day_of_the_window_is_asked_for() -> None:
    assert len(asked(HF, window(days=99))) == 31
    assert asked(HF, window()) == [f"date=2026-11-{day}&limit=100" for day in (18, 19, 20)]


def test_a_day_that_was_a_stub_when_it_was_read_is_read_again() -> None:
    early = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)

    # The next morning's window begins where the early one ended.
    assert "date=2026-11-20&limit=100" in asked(HF, window(now=early + timedelta(days=1)))
    assert "date=2026-11-19&limit=100" in asked(HF, Window(since=early, until=early + timedelta(hours=12)))


@pytest.mark.parametrize(
    ("which", "now", "asks"),
    [
        ("weekly", NOW, ["week=2026-W47&limit=100"]),
        ("weekly", datetime(2026, 11, 23, 7, tzinfo=UTC), ["week=2026-W47&limit=100", "week=2026-W48&limit=100"]),
        ("weekly", datetime(2027, 1, 2, 7, tzinfo=UTC), ["week=2026-W53&limit=100"]),
        ("monthly", NOW, ["month=2026-11&limit=100"]),
        ("monthly", datetime(2026, 12, 1, 7, tzinfo=UTC), ["month=2026-11&limit=100", "month=2026-12&limit=100"]),
        ("trending", NOW, ["sort=trending&limit=100"]),
    ],
)
def test_the_other_lists(which: Literal["weekly", "monthly", "trending"], now: datetime, asks: list[str]) -> None:
    source = HuggingFace(which)

    assert asked(source, window(now=now)) == asks
    assert source.name == f"huggingface:{which}"
    assert source.announce == HF.announce


def test_a_full_list_has_more_unless_it_is_what_trends() -> None:
    full = Page("https://huggingface.co/api/daily_papers?week=2026-W47&limit=100", hf(*map(hf_item, range(1, 101))))

    second = HuggingFace("weekly", token="hush").parse(full).next
    assert second == Ask(f"{full.url}&p=1", headers=(("Authorization", "Bearer hush"),))
    third = HF.parse(Page(second.url, full.body)).next
    assert third == Ask(f"{full.url}&p=2")
    assert HF.parse(Page(second.url, hf(hf_item()))).next is None
    assert HuggingFace("trending").parse(full).next is None


def test_a_token_is_sent_and_not_shown() -> None:
    source = HuggingFace(token="hush")

    assert source.asks(window())[0].headers == (("Authorization", "Bearer hush"),)
    assert HF.asks(window())[0].headers == ()
    assert "hush" not in repr(source)


def test_a_hugging_face_item_is_read_whole() -> None:
    entry = only(hf(hf_item()))

    assert (entry.key, entry.title, entry.abstract) == ("arxiv:2611.00001", "An Invented Paper", "We invent. Twice.")
    assert entry.authors == ("Ada Example",)
    assert entry.published == datetime(2026, 11, 19, 18, tzinfo=UTC)
    assert entry.signals == Signals(upvotes=12, comments=2, stars=3)
    assert {link.kind: link.url for link in entry.links} == {
        LinkKind.ABSTRACT: "https://arxiv.org/abs/2611.00001",
        LinkKind.PDF: "https://arxiv.org/pdf/2611.00001",
        LinkKind.CODE: "https://github.com/ada/invented",
        LinkKind.PROJECT: "https://invented.example/",
        LinkKind.DISCUSSION: "https://huggingface.co/papers/2611.00001",
    }


def test_a_machines_sentence_is_kept() -> None:
    assert only(hf(hf_item(ai_summary="It invents.\n"))).summary == "It invents."
    assert only(hf(hf_item())).summary == ""


def test_links_in_the_abstract_stand_in_for_those_that_are_not_stated() -> None:
    summary = "Code: https://github.com/ben/other. Data: https://huggingface.co/datasets/ben/data"

    def links(**paper: Any) -> dict[LinkKind, str]:
        return {link.kind: link.url for link in only(hf(hf_item(summary=summary, **paper))).links}

    assert links()[LinkKind.CODE] == "https://github.com/ada/invented"
    assert links()[LinkKind.DATASET] == "https://huggingface.co/datasets/ben/data"
    assert links(githubRepo=None)[LinkKind.CODE] == "https://github.com/ben/other"


def test_a_bare_hugging_face_item_is_enough() -> None:
    entry = only(hf({"paper": {"id": "2611.00001", "title": "T"}}))

    assert (entry.signals, entry.published, entry.authors) == (Signals(), None, ())


def test_malformed_items_are_skipped_by_name() -> None:
    read = listing(
        hf(
            "{'paper': {}}",
            None,
            {},
            hf_item(2, title=None),
            hf_item(3, id=7),
            hf_item(4, id="x"),
            hf_item(5, title=""),
            hf_item(6),
        ),
    )

    assert [entry.key for entry in read.entries] == ["arxiv:2611.00006"]
    assert read.problems == (
        "skipped item 1: an object was expected, not '{'paper': {}}'",
        "skipped item 2: an object was expected, not 'None'",
        "skipped item 3: paper: field required",
        "skipped '2611.00002': paper.title: input should be a valid string",
        "skipped 'An Invented Paper': paper.id: input should be a valid string",
        "skipped 'x': 'x' is not an arXiv id",
        "skipped '2611.00005': it has no title",
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1" * 5_000, "1e999", '"many"', "true", "null", "[]"])
def test_odd_numbers_are_unknown(value: str) -> None:
    body = hf(hf_item(upvotes="ODD")).replace(b'"ODD"', value.encode())

    assert only(body).signals.upvotes is None


def test_decorations_of_the_wrong_kind_do_not_matter() -> None:
    item = hf_item(
        authors="Ada", summary=None, publishedAt="yesterday", githubRepo=["x"], projectPage="javascript:alert(1)"
    )

    entry = only(hf(item))

    assert (entry.authors, entry.abstract, entry.published) == ((), "", None)
    assert LinkKind.PROJECT not in {link.kind for link in entry.links}


def test_surrogates_and_placeholder_dates_are_dropped() -> None:
    entry = only(hf(hf_item(title="A\ud800B", publishedAt="9999-12-31T23:59:59Z")))

    assert (entry.title, entry.published) == ("AB", None)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error":"x"}', b"[", b"\xff\xfe[", b"[" * 100_000, b"<html>"])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(CollectError):
        listing(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda some: st.lists(some, max_size=3)
    )
)
def test_any_json_list_is_read_or_named(odd: object) -> None:
    item = {"paper": {"id": "2611.00001", "title": odd, "authors": odd, "upvotes": odd}, "numComments": odd}

    read = listing(hf(item, odd))

    assert len(read.entries) + len(read.problems) == 2


@given(mutated([hf_item(), hf_item(2)]))
def test_a_broken_answer_is_read_or_refused(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in listing(body).entries)


# what the world really sent


def check_hf_day(day: Path) -> tuple[int, int]:
    with gzip.open(day) as file:
        body = file.read()
    items = json.loads(body)
    if not isinstance(items, list):
        with pytest.raises(CollectError, match="a JSON list was expected"):
            listing(body)
        return 0, 1
    read = listing(body)
    malformed = [item for item in items if not isinstance(item, dict)]
    assert len(read.entries) == len(items) - len(malformed)
    assert len(read.problems) == len(malformed)
    assert all("an object was expected" in problem for problem in read.problems)
    return len(read.entries), len(read.problems)


def hf_days(real_data: Path) -> list[Path]:
    return sorted((real_data / "hf-daily" / "raw").glob("*.json.gz"))


def test_real_samples(real_data: Path) -> None:
    paths = sorted((real_data / "samples").glob("hf_daily_papers*.json"))
    assert paths
    for path in paths:
        read = listing(path.read_bytes())

        assert read.problems == ()
        items = json.loads(path.read_bytes())
        assert [bool(entry.summary) for entry in read.entries] == ["ai_summary" in item["paper"] for item in items]
        assert all(entry.published for entry in read.entries)


def test_some_real_hugging_face_days(real_data: Path) -> None:
    days = hf_days(real_data)
    malformed = [day for day in days if "2024-12-11" <= day.name <= "2025-01-10"]

    counts = [check_hf_day(day) for day in {*days[::40], *malformed}]

    assert sum(problems for _, problems in counts) > 0


@pytest.mark.soak
def test_all_real_hugging_face_days(real_data: Path) -> None:
    for day in hf_days(real_data):
        check_hf_day(day)
