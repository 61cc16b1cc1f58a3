"""Crossref's list of works: paging, JATS, dates in parts, relatives."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from digest.collect.sources.crossref import Crossref
from digest.errors import CollectError, SuspiciousError
from digest.model import Entry
from digest.ports import Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated
from tests.collect.test_biorxiv import JUNK

SOURCE = Crossref(("1234-5678", "8765-4321"), contact="mailto:ada@example.org")
URL = SOURCE.asks(Window(since=NOW - timedelta(days=1), until=NOW))[0].url


def work(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "DOI": f"10.1000/Invented.{number}",
        "type": "journal-article",
        "title": ["An <i>Invented</i> &amp; short Paper"],
        "abstract": "<jats:title>Abstract</jats:title><jats:sec><jats:title>Aim</jats:title>"
        "<jats:p>We <jats:italic>invent</jats:italic>.</jats:p></jats:sec>",
        "author": [
            {"given": "Ada B.", "family": "Example", "sequence": "first", "affiliation": []},
            {"given": "Ben", "family": "Sample", "suffix": "Jr"},
            {"name": "The Inventors"},
            {"family": "Mono"},
        ],
        "container-title": ["Journal of Invention &amp; more"],
        "published": {"date-parts": [[2026, 11, 3]]},
        "created": {"date-time": "2026-11-19T02:00:00Z"},
    } | changes


def answer(*works: object, cursor: str = "DnF1+=", total: object = 431) -> bytes:
    message = {"total-results": total, "next-cursor": cursor, "items": works}
    return json.dumps({"status": "ok", "message-type": "work-list", "message": message}).encode()


def read(body: bytes, url: str = URL) -> Listing:
    return SOURCE.parse(Page(url, body))


def only(**changes: Any) -> Entry:
    listing = read(answer(work(**changes)))
    assert listing.problems == ()
    [entry] = listing.entries
    return entry


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_one_request_for_what_was_registered_since_two_days_before_the_window() -> None:
    asked = query(URL)

    assert URL.startswith(
        "https://api.crossref.org/v1/works?filter=issn:1234-5678,issn:8765-4321,type:journal-article,"
    )
    assert asked["filter"].endswith(",from-created-date:2026-11-17")
    assert (asked["cursor"], asked["rows"], asked["mailto"]) == ("*", "200", "ada@example.org")
    assert SOURCE.name == "crossref:1234-5678+8765-4321"
    [ask] = Crossref(("1234-5678",), contact="https://example.org/@ada").asks(Window(since=NOW, until=NOW))
    assert "mailto" not in ask.url


def test_a_work_is_read_whole() -> None:
    entry = only()

    assert (entry.key, entry.title) == ("doi:10.1000/invented.1", "An Invented & short Paper")
    assert entry.abstract == "Aim: We invent."
    assert entry.authors == ("Ada B. Example", "Ben Sample Jr", "The Inventors", "Mono")
    assert entry.venue == "Journal of Invention & more"
    assert entry.published == datetime(2026, 11, 3, tzinfo=UTC)
    assert entry.links[0].url == "https://doi.org/10.1000/invented.1"


def test_a_bare_work_is_enough() -> None:
    [entry] = read(answer({"DOI": "10.1000/x", "type": "posted-content", "title": ["T"]})).entries

    assert (entry.abstract, entry.authors, entry.venue, entry.published) == ("", (), "", None)


@pytest.mark.parametrize(
    ("title", "subtitle", "shown"),
    [
        (["A title"], ["Its subtitle"], "A title: Its subtitle"),
        (["A title: its subtitle"], ["Its Subtitle"], "A title: its subtitle"),
        (["A title"], ["A title"], "A title"),
        ([""], ["A subtitle"], "A subtitle"),
        ("A title", None, "A title"),
    ],
)
def test_titles(title: object, subtitle: object, shown: str) -> None:
    assert only(title=title, subtitle=subtitle).title == shown


@pytest.mark.parametrize(
    ("parts", "created", "day"),
    [
        ([[2026, 11, 3]], "2026-11-19T02:00:00Z", datetime(2026, 11, 3, tzinfo=UTC)),
        ([[2027, 1, 15]], "2026-11-19T02:00:00Z", datetime(2026, 11, 19, 2, tzinfo=UTC)),
        ([[2026, 1]], "2026-11-19T02:00:00Z", datetime(2026, 11, 19, 2, tzinfo=UTC)),
        ([[2026]], "", datetime(2026, 1, 1, tzinfo=UTC)),
        ([[2026, 11]], "", datetime(2026, 11, 1, tzinfo=UTC)),
        ([[None]], "", None),
        ([[]], "", None),
        ([[9999, 1, 1]], "", None),
        ("x", "yesterday", None),
        ([[1, 2, 3, 4]], "", None),
    ],
)
def test_dates_come_in_parts(parts: object, created: str, day: datetime | None) -> None:
    assert only(published={"date-parts": parts}, created={"date-time": created}).published == day


@pytest.mark.parametrize("kind", ["is-preprint-of", "has-preprint"])
def test_relatives_are_the_same_work(kind: str) -> None:
    related = [
        {"id-type": "doi", "id": "10.1101/2026.01.02.123456v2"},
        {"id-type": "DOI", "id": "https://doi.org/10.48550/arXiv.2611.00001"},
        {"id-type": "uri", "id": "https://example.org"},
        {"id-type": "doi", "id": None},
        "odd",
    ]

    assert only(relation={kind: related}).ids == ("doi:10.1101/2026.01.02.123456", "arxiv:2611.00001")
    assert only(relation={"cites": related}).ids == ()


def test_other_types_are_not_wanted() -> None:
    assert read(answer(work(type="journal"), work(type="component"), work(type=None))) == Listing()


def test_paging_follows_the_cursor_until_a_page_is_not_full() -> None:
    full = read(answer(*map(work, range(200))))
    assert full.next is not None
    assert query(full.next.url) == query(URL) | {"cursor": "DnF1+="}

    assert read(answer(work()), full.next.url).next is None
    assert read(answer(), full.next.url) == Listing()


def test_an_empty_page_that_states_works_is_doubted() -> None:
    assert read(answer()).doubt == "empty, though it states 431 works"
    assert read(answer(total=0)) == Listing()


def test_bad_items_are_skipped_by_name() -> None:
    listing = read(answer(7, {"type": "journal-article"}, work(2, title=[]), work(DOI="x"), work(5)))

    assert [entry.key for entry in listing.entries] == ["doi:10.1000/invented.5"]
    assert listing.problems == (
        "skipped item 1: an object was expected, not '7'",
        "skipped item 2: DOI: field required",
        "skipped '10.1000/Invented.2': it has no title",
        "skipped 'x': 'x' is not a DOI",
    )


def test_what_is_no_list_is_an_error() -> None:
    with pytest.raises(SuspiciousError):
        read(b"<html>")
    refusal = {"status": "failed", "message-type": "validation-failure", "message": [{"message": "Filter is wrong"}]}
    with pytest.raises(CollectError, match="refused: 'Filter is wrong'"):
        read(json.dumps(refusal).encode())
    for body in (b"Resource not found.", b"[]", b"{}", b'{"message":{"items":{}}}'):
        with pytest.raises(CollectError):
            read(body)


@given(mutated(json.loads(answer(work(relation={"has-preprint": [{"id-type": "doi", "id": "10.1101/123456"}]})))))
def test_a_broken_answer_is_read_or_refused(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in read(body).entries)


@given(JUNK, st.sampled_from([*work(), "subtitle", "relation", "group-title"]))
def test_any_json_is_read_or_named(junk: object, field: str) -> None:
    listing = read(answer(work() | {field: junk}, junk, total=junk))
    assert len(listing.entries) + len(listing.problems) <= 2
    with suppress(CollectError):
        read(json.dumps({"message": junk, "status": junk}).encode())


def test_real_answers(real_data: Path) -> None:
    recorded = YAML(typ="safe").load((real_data / "samples" / "crossref_works_vcr.yml").read_text())
    bodies = [call["response"]["body"]["string"].encode() for call in recorded["http_interactions"]]
    lists = [body for body in bodies if b'"message-type":"work-list"' in body]
    read_whole = [read(body, URL.replace("cursor=*", "cursor=x")) for body in lists]

    entries = [entry for listing in read_whole for entry in listing.entries]
    assert len(entries) > 50
    assert all("it has no title" in problem for listing in read_whole for problem in listing.problems)
    assert not [entry for entry in entries if "jats" in entry.abstract or "&amp;" in entry.title + entry.venue]
    assert any(entry.ids == ("doi:10.1029/2020ms002386",) for entry in entries)
    for body in bodies:
        if body not in lists:
            with pytest.raises(CollectError):
                read(body)
