"""bioRxiv's and medRxiv's API: days, pages, versions, and whatever else it may answer."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.biorxiv import Biorxiv
from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, LinkKind
from digest.ports import Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated

ALL = Biorxiv()
URL = "https://api.biorxiv.org/details/biorxiv/2026-11-19/2026-11-19/0/json"
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=9), some, max_size=3),
)


def preprint(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "doi": f"10.64898/2026.11.18.{number:06d}",
        "title": "An Invented Preprint",
        "authors": "Example, A. B.; van Sample, B.; The Inventors",
        "date": "2026-11-19",
        "version": "1",
        "category": "cell biology",
        "abstract": "We invent. Code: https://github.com/ada/invented",
        "published": "NA",
        "server": "bioRxiv",
    } | changes


def answer(*preprints: object, status: str = "ok", total: object = "109") -> bytes:
    message = {"status": status, "cursor": 0, "count": len(preprints), "total": total}
    return json.dumps({"messages": [message], "collection": preprints}).encode()


def read(body: bytes, source: Biorxiv = ALL, url: str = URL) -> Listing:
    return source.parse(Page(url, body))


def test_each_day_of_the_window_and_the_one_before_is_asked_for_newest_first() -> None:
    asks = Biorxiv("medrxiv").asks(Window(since=NOW - timedelta(days=1), until=NOW))

    assert [ask.url for ask in asks] == [
        f"https://api.biorxiv.org/details/medrxiv/2026-11-{day}/2026-11-{day}/0/json" for day in (20, 19, 18)
    ]
    assert len(ALL.asks(Window(since=NOW - timedelta(days=999), until=NOW))) == 31


def test_one_category_is_filtered_by_the_server_more_by_us() -> None:
    window = Window(since=NOW, until=NOW)
    one, two = Biorxiv(categories=("cell biology",)), Biorxiv(categories=("Cell_Biology", "zoology"))

    assert one.asks(window)[0].url.endswith("/0/json?category=cell%20biology")
    assert two.asks(window)[0].url.endswith("/0/json")
    for source in (one, two):
        listing = read(answer(preprint(1), preprint(2, category="ecology")), source)
        assert [entry.key for entry in listing.entries] == ["doi:10.64898/2026.11.18.000001"]
        assert listing.problems == ()
    assert (ALL.name, two.name) == ("biorxiv:all", "biorxiv:Cell_Biology+zoology")


def test_a_preprint_is_read_whole() -> None:
    [entry] = read(answer(preprint(published="10.1000/Journal.1"))).entries

    assert (entry.key, entry.title) == ("doi:10.64898/2026.11.18.000001", "An Invented Preprint")
    assert entry.authors == ("A. B. Example", "B. van Sample", "The Inventors")
    assert entry.categories == ("cell biology",)
    assert entry.published == datetime(2026, 11, 19, tzinfo=UTC)
    assert (entry.announcement, entry.version) == (Announcement.NEW, 1)
    assert entry.ids == ("doi:10.1000/journal.1",)
    page = "https://www.biorxiv.org/content/10.64898/2026.11.18.000001v1"
    assert {link.kind: link.url for link in entry.links} == {
        LinkKind.ABSTRACT: page,
        LinkKind.PDF: f"{page}.full.pdf",
        LinkKind.CODE: "https://github.com/ada/invented",
    }


def test_a_later_version_replaces() -> None:
    first, second = read(answer(preprint(), preprint(version="2"))).entries

    assert first.key == second.key
    assert (second.announcement, second.version) == (Announcement.REPLACE, 2)


@pytest.mark.parametrize(
    ("date", "day"), [("2026-6-30", 30), ("2026-06-30", 30), ("2026-6-31", None), ("NA", None), (7, None)]
)
def test_dates_may_lack_their_zeros(date: object, day: int | None) -> None:
    [entry] = read(answer(preprint(date=date))).entries

    assert entry.published == (datetime(2026, 6, day, tzinfo=UTC) if day else None)


@pytest.mark.parametrize(
    ("raw", "abstract"),
    [
        ("AO_SCPLOWBSTRACTC_SCPLOWWe invent.", "We invent."),
        ("MO_SCPLOWETAC_SCPLOW is invented.", "META is invented."),
        ("O_ST_ABSBackgroundC_ST_ABSWe invent.", "Background: We invent."),
        ("Two: O_LIoneC_LI O_LItwoC_LI", "Two: one two"),
        ("We invent. O_FIG O_LINKSMALLFIG SRC=x C_FIG Twice.", "We invent. Twice."),
        ("p<0.05 & q>1", "p<0.05 & q>1"),
    ],
)
def test_leftovers_of_markup_vanish(raw: str, abstract: str) -> None:
    assert read(answer(preprint(abstract=raw))).entries[0].abstract == abstract


def test_paging_goes_by_what_is_given_and_ends_with_an_empty_page() -> None:
    first = read(answer(*map(preprint, range(30)), total="7"), url=f"{URL}?category=zoology")
    assert first.next is not None
    assert first.next.url == f"{URL.replace('/0/', '/30/')}?category=zoology"

    second = read(answer(preprint()), url=first.next.url)
    assert second.next is not None
    assert "/31/json" in second.next.url

    assert read(answer(status="no posts found"), url=second.next.url) == Listing()


def test_a_day_without_preprints_is_quiet_unless_the_answer_contradicts_itself() -> None:
    assert read(b'{"messages":[{"status":"no posts found"}],"collection":[]}') == Listing()
    assert read(answer()).doubt == "empty, though it states 109 preprints"


def test_bad_items_are_skipped_by_name() -> None:
    listing = read(answer(None, {}, preprint(1, doi="x"), preprint(2, title=None), preprint(3, title=" "), preprint(4)))

    assert [entry.key for entry in listing.entries] == ["doi:10.64898/2026.11.18.000004"]
    assert listing.problems == (
        "skipped item 1: an object was expected, not 'None'",
        "skipped item 2: doi: field required",
        "skipped 'x': 'x' is not a DOI",
        "skipped '10.64898/2026.11.18.000002': title: input should be a valid string",
        "skipped '10.64898/2026.11.18.000003': it has no title",
    )


def test_what_is_no_listing_is_an_error() -> None:
    with pytest.raises(SuspiciousError, match="titled 'Down' where JSON"):
        read(b"<!doctype html><title>Down</title>")
    with pytest.raises(CollectError, match="refused: 'interval is wrong'"):
        read(b'{"messages":[{"status":"interval is wrong"}]}')
    for body in (b"", b"[]", b"{}", b'{"collection":{}}', b"[" * 100_000, b"\xff\xfe{"):
        with pytest.raises(CollectError):
            read(body)


@given(mutated(json.loads(answer(preprint(), preprint(version="2")))))
def test_a_broken_answer_is_read_or_refused(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in read(body).entries)


@given(JUNK, st.sampled_from(["doi", "title", "authors", "date", "version", "category", "abstract", "published"]))
def test_any_json_is_read_or_named(junk: object, field: str) -> None:
    listing = read(answer(preprint() | {field: junk}, junk, total=junk))
    assert len(listing.entries) + len(listing.problems) == 2
    with suppress(CollectError):
        read(json.dumps({"collection": junk, "messages": junk}).encode())


def test_a_real_answer(real_data: Path) -> None:
    body = (real_data / "samples" / "biorxiv_details_abridged.json").read_bytes()

    listing = read(body)

    [item] = json.loads(body)["collection"]
    [entry] = listing.entries
    assert listing.problems == ()
    assert entry.key == f"doi:{item['doi']}"
    assert (entry.title, len(entry.authors), entry.abstract) == (item["title"], 3, item["abstract"])
    assert f"{entry.published:%Y-%m-%d}" == item["date"]
