"""OpenReview's list of a venue, in the form of both its APIs."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.openreview import OpenReview
from digest.errors import CollectError, SuspiciousError
from digest.model import Entry, LinkKind
from digest.ports import Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated
from tests.collect.test_biorxiv import JUNK

SOURCE = OpenReview("Invented.cc/2026/Conference", token="hush")
URL = SOURCE.asks(Window(since=NOW, until=NOW))[0].url
MS = int(NOW.timestamp() * 1000)


def content(**changes: Any) -> dict[str, Any]:
    return {
        "title": "An Invented Paper",
        "authors": ["Ada Example", "Anonymous", {"fullname": "Ben Sample", "username": "~Ben_Sample1"}],
        "abstract": "We invent. Data: https://huggingface.co/datasets/ada/invented",
        "keywords": ["invention"],
        "primary_area": "science",
        "venue": "Invented 2026 poster",
        "pdf": "/pdf/1.pdf",
        "code": "https://github.com/ada/invented",
        "doi": "10.1000/X",
        "html": "https://arxiv.org/abs/2611.00001v2",
    } | changes


def note(number: int = 1, *, nested: bool = True, **changes: Any) -> dict[str, Any]:
    fields = content(**changes.pop("content", {}))
    whole = {name: {"value": value} for name, value in fields.items()} if nested else fields
    return {"id": f"aBcDeF-{number:03d}", "forum": f"aBcDeF-{number:03d}", "tcdate": MS, "content": whole} | changes


def answer(*notes: object, count: object = None) -> bytes:
    return json.dumps({"notes": notes, "count": count}).encode()


def read(body: bytes, url: str = URL) -> Listing:
    return SOURCE.parse(Page(url, body))


def only(item: dict[str, Any]) -> Entry:
    listing = read(answer(item))
    assert listing.problems == ()
    [entry] = listing.entries
    return entry


def test_everything_is_asked_for_newest_first() -> None:
    [ask] = SOURCE.asks(Window(since=NOW, until=NOW))

    assert ask.url == (
        "https://api2.openreview.net/notes?content.venueid=Invented.cc/2026/Conference&sort=cdate:desc&limit=1000&offset=0"
    )
    assert ask.headers == (("Authorization", "Bearer hush"),)
    assert OpenReview("X").asks(Window(since=NOW, until=NOW))[0].headers == ()
    assert "hush" not in repr(SOURCE)
    assert (SOURCE.name, SOURCE.is_standing) == ("openreview:Invented.cc/2026/Conference", True)


@pytest.mark.parametrize("nested", [True, False])
def test_a_paper_is_read_whole_from_either_api(nested: bool) -> None:
    entry = only(note(nested=nested))

    assert (entry.key, entry.title, entry.venue) == (
        "openreview:aBcDeF-001",
        "An Invented Paper",
        "Invented 2026 poster",
    )
    assert entry.authors == ("Ada Example", "Ben Sample")
    assert entry.categories == ("science", "invention")
    assert entry.ids == ("doi:10.1000/x", "arxiv:2611.00001")
    assert entry.published == NOW
    assert {link.kind: link.url for link in entry.links} == {
        LinkKind.ABSTRACT: "https://openreview.net/forum?id=aBcDeF-001",
        LinkKind.PDF: "https://openreview.net/pdf?id=aBcDeF-001",
        LinkKind.CODE: "https://github.com/ada/invented",
        LinkKind.DATASET: "https://huggingface.co/datasets/ada/invented",
    }


@pytest.mark.parametrize(
    ("dates", "published"),
    [
        ({"pdate": 0, "tcdate": MS}, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"pdate": None, "tcdate": 10**30, "cdate": MS}, NOW),
        ({"pdate": "soon", "tcdate": float("nan")}, None),
        ({"tcdate": None}, None),
    ],
)
def test_dates_are_milliseconds(dates: dict[str, object], published: datetime | None) -> None:
    assert only(note() | dates).published == published


def test_reviews_are_not_wanted() -> None:
    assert read(answer(note(forum="other"))) == Listing()


def test_paging_goes_on_while_pages_are_full_or_more_is_stated() -> None:
    full = read(answer(*map(note, range(1000))))
    assert full.next is not None
    assert full.next.url == URL.replace("offset=0", "offset=1000")
    assert full.next.headers == (("Authorization", "Bearer hush"),)

    assert read(answer(note()), full.next.url).next is None
    stated = read(answer(note(), count=1002), full.next.url)
    assert stated.next is not None
    assert "offset=1001" in stated.next.url
    assert read(answer(count=1002), stated.next.url).doubt == "it states 1,002 papers and ends after 1,001"


def test_bad_items_are_skipped_by_name() -> None:
    listing = read(answer(None, {"content": {}}, note(3, content={"title": None}), note(id="?"), note(5), note(6)))

    assert [entry.key for entry in listing.entries] == ["openreview:aBcDeF-005", "openreview:aBcDeF-006"]
    assert listing.problems == (
        "skipped item 1: an object was expected, not 'None'",
        "skipped item 2: id: field required",
        "skipped 'aBcDeF-003': it has no title",
    )


def test_a_check_for_humans_is_suspicious() -> None:
    for body in (b'{"name":"ChallengeRequiredError","status":403}', b"<!DOCTYPE html><title>Just a moment</title>"):
        with pytest.raises(SuspiciousError):
            read(body)


def test_what_is_no_list_is_an_error() -> None:
    with pytest.raises(CollectError, match="refused: 'Group not found'"):
        read(b'{"name":"Error","message":"Group not found"}')
    for body in (b"", b"[]", b"{}", b'{"notes":7}'):
        with pytest.raises(CollectError):
            read(body)


@given(mutated(json.loads(answer(note(), note(nested=False), count=3))))
def test_a_broken_answer_is_read_or_refused(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in read(body).entries)


@given(
    JUNK,
    st.sampled_from([*content(), "arxiv"]),
    st.sampled_from(["content", "forum", "tcdate", "pdate"]),
    st.booleans(),
)
def test_any_json_is_read_or_named(junk: object, name: str, field: str, nested: bool) -> None:
    listing = read(answer(note(content={name: junk}, nested=nested), note() | {field: junk}, junk, count=junk))
    assert len(listing.entries) + len(listing.problems) <= 3
    with suppress(CollectError):
        read(json.dumps({"notes": junk, "name": junk, "message": junk}).encode())
