"""OpenAlex's list of works: keys, paging with and without one, abstracts turned inside out."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.openalex import OpenAlex
from digest.errors import CollectError, SuspiciousError
from digest.model import LinkKind, Signals
from digest.ports import Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated
from tests.collect.test_biorxiv import JUNK

SOURCE = OpenAlex(("T10653", "T10028"), key="hush")
KEYLESS = OpenAlex(search="invented things")
WINDOW = Window(since=NOW - timedelta(days=1), until=NOW)
URL = SOURCE.asks(WINDOW)[0].url


def work(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.1000/Invented.{number}",
        "ids": {"pmid": f"https://pubmed.ncbi.nlm.nih.gov/{number}"},
        "display_name": "An <i>Invented</i> Paper",
        "publication_date": "2026-11-19",
        "cited_by_count": 2,
        "authorships": [{"author": {"display_name": "Ada Example"}}, {"raw_author_name": "B. Sample", "author": {}}],
        "primary_location": {
            "landing_page_url": "https://journal.example/1",
            "pdf_url": "https://journal.example/1.pdf",
            "source": {"display_name": "Journal of Invention", "type": "journal"},
        },
        "locations": [{"landing_page_url": "http://arxiv.org/abs/2611.00001"}, {"landing_page_url": None}],
        "primary_topic": {"display_name": "Invention Studies"},
        "abstract_inverted_index": {"twice.": [3], "We": [0, 2], "invent": [1]},
    } | changes


def answer(*works: object, cursor: object = "Ils+x=", count: object = 431) -> bytes:
    return json.dumps({"meta": {"count": count, "next_cursor": cursor}, "results": works}).encode()


def read(body: bytes, url: str = URL) -> Listing:
    return SOURCE.parse(Page(url, body))


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_one_request_that_reaches_two_weeks_back() -> None:
    asked = query(URL)

    assert asked["filter"] == (
        "primary_topic.id:T10653|T10028,from_publication_date:2026-11-05,to_publication_date:2026-11-20"
        ",type:article|preprint|review"
    )
    assert (asked["cursor"], asked["api_key"], asked["per_page"]) == ("*", "hush", "100")
    assert "page" not in asked
    assert "hush" not in repr(SOURCE)
    assert (SOURCE.name, KEYLESS.name) == ("openalex:T10653+T10028", "openalex:invented things")


def test_a_work_is_read_whole() -> None:
    [entry] = read(answer(work())).entries

    assert (entry.key, entry.title, entry.abstract) == (
        "doi:10.1000/invented.1",
        "An Invented Paper",
        "We invent We twice.",
    )
    assert (entry.authors, entry.categories) == (("Ada Example", "B. Sample"), ("Invention Studies",))
    assert (entry.ids, entry.venue) == (("pmid:1", "arxiv:2611.00001"), "Journal of Invention")
    assert (entry.published, entry.signals) == (datetime(2026, 11, 19, tzinfo=UTC), Signals(citations=2))
    assert {link.kind: link.url for link in entry.links} == {
        LinkKind.ABSTRACT: "https://journal.example/1",
        LinkKind.PDF: "https://journal.example/1.pdf",
    }


@pytest.mark.parametrize(
    ("changes", "key", "url"),
    [
        ({}, "doi:10.1000/invented.1", "https://doi.org/10.1000/invented.1"),
        ({"doi": "https://doi.org/10.48550/arXiv.2611.00001"}, "arxiv:2611.00001", "https://openalex.org/W1"),
        ({"doi": None}, "pmid:1", "https://openalex.org/W1"),
        ({"doi": None, "ids": None}, "arxiv:2611.00001", "https://openalex.org/W1"),
        ({"doi": None, "ids": None, "locations": None}, "url:https://openalex.org/W1", "https://openalex.org/W1"),
    ],
)
def test_a_work_is_known_by_the_best_id_it_states(changes: dict[str, Any], key: str, url: str) -> None:
    [entry] = read(answer(work(primary_location=None, **changes))).entries

    assert (entry.key, entry.links[0].url) == (key, url)


def test_a_repository_is_no_venue() -> None:
    source = {"display_name": "arXiv", "type": "repository"}

    assert read(answer(work(primary_location={"source": source}))).entries[0].venue == ""


@pytest.mark.parametrize(
    ("index", "abstract"),
    [
        (None, ""),
        ([], ""),
        ({"far": [10**18], "near": [0, "x", None]}, "near far"),
        ({"a": list(range(50_000))}, "a " * 9_999 + "a…"),
        ({"<p>We": [0], "invent</p>": [1]}, "We invent"),
    ],
)
def test_abstracts_come_inside_out(index: object, abstract: str) -> None:
    assert read(answer(work(abstract_inverted_index=index))).entries[0].abstract == abstract


def test_a_key_pages_by_cursor() -> None:
    full = read(answer(*map(work, range(100))))
    assert full.next is not None
    assert query(full.next.url) == query(URL) | {"cursor": "Ils+x="}

    assert read(answer(*map(work, range(100)), cursor=None), full.next.url).next is None
    assert read(answer(work()), full.next.url).next is None


def test_without_a_key_pages_are_counted() -> None:
    url = KEYLESS.asks(WINDOW)[0].url
    assert query(url)["search"] == "invented things"
    assert not query(url).keys() & {"cursor", "api_key"}

    full = answer(*map(work, range(100)), cursor=None)
    second = read(full, url).next
    assert second is not None
    assert query(second.url) == query(url) | {"page": "2"}
    assert read(full, url.replace("page=1", "page=100")).next is None


def test_an_empty_page_that_states_works_is_doubted() -> None:
    assert read(answer()).doubt == "empty, though it states 431 works"
    assert read(answer(count=0)) == Listing()


def test_bad_items_are_skipped_by_name() -> None:
    listing = read(answer([], {}, work(2, display_name=None), work(3, doi=None, ids={}, locations=[], id="x"), work(4)))

    assert [entry.key for entry in listing.entries] == ["doi:10.1000/invented.4"]
    assert listing.problems == (
        "skipped item 1: an object was expected, not a list",
        "skipped item 2: id: field required",
        "skipped 'https://doi.org/10.1000/Invented.2': it has no title",
        "skipped 'x': it has neither a DOI nor a usable id",
    )


def test_what_is_no_list_is_an_error() -> None:
    with pytest.raises(SuspiciousError):
        read(b"<html>")
    with pytest.raises(CollectError, match="refused: 'The key is not valid'"):
        read(b'{"error":"Forbidden","message":"The key is not valid"}')
    for body in (b"", b"[]", b"{}", b'{"results":7}'):
        with pytest.raises(CollectError):
            read(body)


@given(mutated(json.loads(answer(work()))))
def test_a_broken_answer_is_read_or_refused(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in read(body).entries)


@given(JUNK, st.sampled_from([*work()]))
def test_any_json_is_read_or_named(junk: object, field: str) -> None:
    listing = read(answer(work() | {field: junk}, junk, count=junk, cursor=junk))
    assert len(listing.entries) + len(listing.problems) == 2
    with suppress(CollectError):
        read(json.dumps({"results": junk, "meta": junk, "message": junk}).encode())
