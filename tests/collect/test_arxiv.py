"""The ways to arXiv's papers on invented pages, and on what the world really sent."""

import asyncio
import gzip
import importlib.util
import io
import json
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.collect.poll import poll_sources
from digest.collect.sources import Arxiv
from digest.collect.sources.arxiv import split_authors
from digest.collect.sources.arxiv_api import ArxivApi
from digest.collect.sources.arxiv_calendar import batch_of_submission, batches
from digest.collect.sources.arxiv_listing import ArxivListing
from digest.collect.sources.arxiv_oai import ArxivOai
from digest.collect.sources.arxiv_paper import asked_category
from digest.errors import CollectError, SuspiciousError, ThrottledError
from digest.model import NEWS, Announcement, Entry, Link, LinkKind, Poll, Verdict
from digest.ports import Ask, Listing, Page, Source, Window
from digest.rank.followups import says_withdrawn
from tests.builders import NOW, an_entry
from tests.collect.arxiv_pages import api, api_entry, listing_item, listing_page, oai, oai_record
from tests.collect.evil_http import EvilHttp
from tests.collect.pages import rss, rss_item

SINCE = NOW - timedelta(days=1)
ARXIV = Arxiv(("cs.CL", "cs.CV"))
LISTING = ArxivListing(("cs.CL",))
OAI = ArxivOai(("cs.CL",), SINCE)
API = ArxivApi(("cs.CL",), SINCE)
NEW_YORK = ZoneInfo("America/New_York")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_window(since: datetime = SINCE, until: datetime = NOW) -> Window:
    return Window(since=since, until=until)


def read(source: Source, body: bytes, url: str | None = None) -> Listing:
    return source.parse(Page(url or source.asks(a_window())[0].url, body))


def only(source: Source, body: bytes) -> Entry:
    listing = read(source, body)
    assert listing.problems == ()
    [entry] = listing.entries
    return entry


def numbers(listing: Listing) -> list[int]:
    return [int(entry.key[-5:]) for entry in listing.entries]


def links(entry: Entry) -> list[tuple[LinkKind, str]]:
    return [(link.kind, link.url) for link in entry.links]


# the feed


def test_one_request_asks_for_all_categories() -> None:
    assert ARXIV.name == "arxiv:cs.CL+cs.CV"
    assert ARXIV.asks(a_window()) == (Ask("https://rss.arxiv.org/rss/cs.CL+cs.CV"),)
    mirror = Arxiv(("cs.*", "math.CO"), url="https://mirror.example/rss/", name="mine")
    assert mirror.asks(a_window()) == (Ask("https://mirror.example/rss/cs+math.CO"),)
    assert mirror.name == "arxiv:mine"


def test_an_item_is_read_whole() -> None:
    item = rss_item(
        title=r"Poincar\'e's $\mathcal{O}(n)$ <b> & more",
        abstract="We invent 50\\% if a<b and c>d &amp; so.\nCode: https://github.com/ada/invented.",
        authors=r"Ada Ex\'ample (Uni, City), Ben Sample, Jr., Cid (X (Y, Z)) Case,  ",
    ).replace("<dc:rights>", "<arxiv:DOI>10.1000/Invented 10.1000/too</arxiv:DOI><dc:rights>")

    entry = only(ARXIV, rss(item))

    assert entry.key == "arxiv:2611.00001"
    assert entry.title == "Poincaré's 𝒪(n) <b> & more"
    assert entry.abstract == "We invent 50% if a<b and c>d &amp; so. Code: https://github.com/ada/invented."
    assert entry.authors == ("Ada Exámple", "Ben Sample, Jr.", "Cid Case")
    assert entry.categories == ("cs.CL", "cs.LG")
    assert links(entry) == [
        (LinkKind.ABSTRACT, "https://arxiv.org/abs/2611.00001"),
        (LinkKind.PDF, "https://arxiv.org/pdf/2611.00001"),
        (LinkKind.CODE, "https://github.com/ada/invented"),
    ]
    assert entry.published == datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert entry.announcement is Announcement.NEW
    assert entry.version == 1
    assert entry.ids == ("doi:10.1000/invented", "doi:10.1000/too")


@pytest.mark.parametrize("kind", list(Announcement))
def test_announcements_are_told_apart(kind: Announcement) -> None:
    assert only(ARXIV, rss(rss_item(kind=kind))).announcement is kind


def test_an_unknown_announcement_is_news() -> None:
    assert only(ARXIV, rss(rss_item(kind="revived"))).announcement is Announcement.NEW


def test_the_version_is_that_of_the_id() -> None:
    body = rss(rss_item(kind="replace")).replace(b"2611.00001v1", b"2611.00001v12")

    assert only(ARXIV, body).version == 12


def test_an_old_id_is_read() -> None:
    assert only(ARXIV, rss(rss_item(arxiv_id="astro-ph/0601001"))).key == "arxiv:astro-ph/0601001"


def test_an_empty_weekend_is_no_error() -> None:
    assert read(ARXIV, rss()) == Listing()


def test_a_wrong_category_is_an_error() -> None:
    with pytest.raises(CollectError, match="refused the query: 'Feed error for query: xx'"):
        read(ARXIV, rss(title="Feed error for query: xx"))


def test_items_without_id_or_title_are_skipped_by_name() -> None:
    listing = read(ARXIV, rss(rss_item(1, arxiv_id="nonsense"), rss_item(2, title=" \n"), rss_item(3)))

    assert numbers(listing) == [3]
    assert listing.problems == (
        "skipped 'An Invented Paper': no arXiv id in 'oai:arXiv.org:nonsensev1'",
        "skipped arxiv:2611.00002: it has no title",
    )


def test_untrusted_fields_are_capped() -> None:
    authors = ", ".join(f"Author {number}x" for number in range(6_000))

    entry = only(ARXIV, rss(rss_item(title="t " * 10_000, abstract="a " * 100_000, authors=authors)))

    assert (len(entry.title), len(entry.abstract), len(entry.authors)) <= (500, 20_000, 5_000)
    assert entry.title.endswith("…")


@pytest.mark.parametrize(
    ("creator", "names"),
    [
        ("Ada Example", ("Ada Example",)),
        ("A, B and C (Uni (Dept, X), City), D", ("A", "B and C", "D")),
        ("Ada (Uni, City, Ben", ("Ada Uni", "City", "Ben")),
        ("The X Collaboration, :, Ada, et al.", ("The X Collaboration", "Ada")),
        ("Ada Example III, Ben, PhD, Cid, Sr.", ("Ada Example III", "Ben, PhD", "Cid, Sr.")),
        ('<a href="http://x/">Ada</a>, <a href="http://y/">Ben</a> (Z)', ("Ada", "Ben")),
        (" , ,", ()),
    ],
)
def test_authors_are_split(creator: str, names: tuple[str, ...]) -> None:
    assert split_authors(creator) == names


def test_a_feed_that_breaks_off_loses_its_half_item() -> None:
    body = rss(rss_item(1), rss_item(2))

    for end in range(body.index(b"2611.00002"), len(body) - len(b"  </channel>\n</rss>"), 97):
        listing = read(ARXIV, body[:end])
        assert numbers(listing) == [1]
        assert "broke off" in listing.doubt, "any number may be missing"


def test_a_text_that_breaks_off_in_its_tag_is_no_text() -> None:
    """feedparser gives ``None`` for it."""
    broken = rss_item(1).replace("<guid", "<description\n<guid")

    assert read(ARXIV, rss(broken, rss_item(2))).entries


def test_a_full_feed_is_doubted_if_its_limit_may_hide_news() -> None:
    papers = [rss_item(number) for number in range(1, 2_000)]
    whole, replaced = rss(*papers, rss_item(2_000)), rss(*papers, rss_item(2_000, kind="replace"))

    assert read(ARXIV, rss(*papers)).doubt == ""
    assert read(ARXIV, whole).doubt.startswith("lists 2,000 papers, the most that this feed ever shows")
    assert read(ARXIV, replaced).doubt == ""
    wants_all = replace(ARXIV, announce=frozenset(Announcement))
    assert read(wants_all, replaced).doubt != ""


@pytest.mark.parametrize(
    ("asked", "kind", "categories", "batch"),
    [
        (("cs.CL", "cs.AI"), Announcement.NEW, ("cs.CL", "cs.AI"), "cs.CL"),
        (("cs.AI",), Announcement.NEW, ("cs.CL", "cs.AI"), None),
        (("cs.AI",), Announcement.CROSS, ("cs.CL", "cs.AI"), None),
        (("cs.CL",), Announcement.REPLACE, ("cs.CL",), None),
        (("cs.*",), Announcement.NEW, ("cs.CL",), "cs.CL"),
        (("cs.SY",), Announcement.NEW, ("eess.SY", "cs.SY"), "cs.SY"),
        (("hep-ph",), Announcement.NEW, ("hep-ph",), "hep-ph"),
        (("cs.CL",), Announcement.NEW, (), None),
    ],
)
def test_a_new_paper_tells_the_age_of_its_primary_category(
    asked: tuple[str, ...], kind: Announcement, categories: tuple[str, ...], batch: str | None
) -> None:
    assert Arxiv(asked).batch_of(an_entry(categories=categories, announcement=kind)) == batch


# the calendar


@pytest.mark.parametrize(
    ("submitted", "listed"),
    [
        ("2026-11-18 13:59", "2026-11-19"),
        ("2026-11-18 14:00", "2026-11-20"),
        ("2026-11-19 13:59", "2026-11-20"),
        ("2026-11-19 14:00", "2026-11-23"),
        ("2026-11-20 14:00", "2026-11-24"),
        ("2026-11-22 23:00", "2026-11-24"),
        pytest.param("2026-11-25 14:00", "2026-11-30", id="Thanksgiving is on a Thursday"),
        pytest.param("2026-06-18 14:00", "2026-06-23", id="a Friday off leaves out Sunday"),
        pytest.param("2026-12-24 14:00", "2026-12-29", id="Christmas on a Friday"),
        pytest.param("2026-12-28 15:00", "2026-12-31", id="a Tuesday off"),
        pytest.param("2026-05-25 13:00", "2026-05-26", id="Memorial Day is not off"),
        pytest.param("2027-01-01 13:00", "2027-01-04", id="no days off are known for 2027"),
    ],
)
def test_a_submission_is_announced_after_the_next_freeze(submitted: str, listed: str) -> None:
    when = datetime.fromisoformat(submitted).replace(tzinfo=NEW_YORK)

    assert batch_of_submission(when).day == date.fromisoformat(listed)


@pytest.mark.parametrize(("day", "offset"), [(date(2026, 11, 20), 5), (date(2026, 7, 17), 4)])
def test_a_batch_is_announced_in_the_evening_shown_at_midnight_and_due_at_one(day: date, offset: int) -> None:
    midnight = datetime(day.year, day.month, day.day, offset, tzinfo=UTC)

    [batch] = batches(midnight - HOUR, midnight + HOUR)

    assert batch.day == day
    assert (batch.announced_at, batch.shown_at, batch.due_at) == (midnight - 4 * HOUR, midnight, midnight + HOUR)


def test_nothing_is_due_while_the_feed_is_being_rebuilt() -> None:
    midnight = datetime(2026, 11, 20, 5, tzinfo=UTC)

    assert batches(midnight - HOUR, midnight + HOUR - timedelta(seconds=1)) == ()
    # A batch that was missed counts with the one that may be shown already.
    assert len(batches(midnight - 26 * HOUR, midnight)) == 2


def test_each_announcement_day_of_two_years_has_one_batch_in_whatever_hour_one_asks() -> None:
    start = datetime(2025, 1, 1, 12, tzinfo=UTC)
    seen = batches(start, start + 730 * DAY)
    assert len({batch.day for batch in seen}) == len(seen)
    assert len(seen) == 2 * 261 - 8 - 9  # weekdays but for days off
    assert all(batch.day.weekday() < 5 for batch in seen)
    assert all(batch.announced_at.astimezone(NEW_YORK).hour == 20 for batch in seen)
    assert all(batch.announced_at < batch.shown_at < batch.due_at for batch in seen)

    total = 0
    for hour in range(24, 729 * 24):
        now = start + hour * HOUR
        found = batches(now - DAY, now)
        # In the hour in which the feed is rebuilt, that of the day before counts as well.
        assert len(found) <= 1 + (now.astimezone(NEW_YORK).hour == 0)
        total += sum(batch.due_at == now for batch in found)
    assert total == len([batch for batch in seen if start + DAY <= batch.due_at < start + 729 * DAY])


TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@given(TIMES, st.timedeltas(timedelta(0), timedelta(days=60)), st.timedeltas(timedelta(0), timedelta(days=60)))
def test_more_is_due_the_longer_one_waits(after: datetime, first: timedelta, second: timedelta) -> None:
    some, more = batches(after, after + first), batches(after, after + first + second)

    assert more[: len(some)] == some
    assert list(more) == sorted(more, key=lambda batch: batch.shown_at)


@given(st.lists(st.integers(1, 40 * 24 * 4), min_size=1, max_size=20, unique=True))
def test_no_batch_is_missed_without_being_noticed(quarters: list[int]) -> None:
    """Polls at any times of a feed that shows one day: what it does not show any more is known to be due."""
    start = datetime(2026, 11, 2, 5, tzinfo=UTC)
    every = batches(start - HOUR, start + 60 * DAY)
    caught_up = start - HOUR
    seen: set[date] = set()
    for now in (start + timedelta(minutes=15 * quarter) for quarter in sorted(quarters)):
        visible = {batch.day for batch in every if batch.day == now.astimezone(NEW_YORK).date()}
        missing = {batch.day for batch in every if batch.shown_at <= now} - seen - visible
        due = len(ARXIV.due(a_window(caught_up, now)))
        if missing:
            assert due > 1 or (due and not visible - seen)
        caught_up = now
        seen |= visible | missing


def test_what_was_due_is_so_until_all_was_read() -> None:
    assert len(ARXIV.due(a_window(since=NOW - 3 * DAY))) == 3
    assert ARXIV.due(a_window(since=NOW - HOUR)) == ()


def test_who_polls_while_the_feed_is_rebuilt_asks_for_that_batch_once_more() -> None:
    half_past_midnight = datetime(2026, 11, 17, 0, 30, tzinfo=NEW_YORK)

    assert len(ARXIV.due(a_window(half_past_midnight, half_past_midnight + 8 * HOUR))) == 1
    assert len(ARXIV.due(a_window(half_past_midnight, half_past_midnight + DAY))) == 2
    assert ARXIV.due(a_window(half_past_midnight, half_past_midnight + HOUR / 4)) == ()


def test_in_the_evening_the_listing_page_is_a_batch_ahead_of_the_feed() -> None:
    def ways(hour: int) -> list[str]:
        until = datetime(2026, 11, 17, hour, tzinfo=NEW_YORK)
        return [way.name for way in ARXIV.alternatives(a_window(until - DAY, until), frozenset())]

    assert ways(19) == ["arxiv listing", "arxiv OAI-PMH", "arxiv query API"]
    assert ways(21) == ["arxiv OAI-PMH", "arxiv query API"]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/Los_Angeles"])
def test_nothing_is_due_on_a_weekend_that_was_read_on_friday(zone: str) -> None:
    friday = datetime(2026, 11, 20, 20, tzinfo=ZoneInfo(zone))

    assert ARXIV.due(a_window(friday, friday + 2 * DAY)) == ()


# the other ways


def test_the_listing_comes_before_the_ways_that_fill_gaps() -> None:
    ways = ARXIV.alternatives(a_window(), frozenset())

    assert [way.name for way in ways] == ["arxiv listing", "arxiv OAI-PMH", "arxiv query API"]
    assert [way.covers_gap for way in (ARXIV, *ways)] == [False, False, True, True]
    query = (
        "search_query=%28cat%3Acs.CL+OR+cat%3Acs.CV%29+AND+submittedDate%3A%5B202611120730+TO+202611200730%5D"
        "&sortBy=submittedDate&sortOrder=ascending&start=0&max_results=1000"
    )
    assert [ask.url for way in ways for ask in way.asks(a_window())] == [
        "https://arxiv.org/list/cs.CL/new?show=2000",
        "https://arxiv.org/list/cs.CV/new?show=2000",
        "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXivRaw&from=2026-11-18&set=cs:cs:CL",
        "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXivRaw&from=2026-11-18&set=cs:cs:CV",
        f"https://export.arxiv.org/api/query?{query}",
    ]


def categories_of(ways: Sequence[Source]) -> list[tuple[str, ...]]:
    return [way.categories for way in ways if isinstance(way, ArxivListing | ArxivOai | ArxivApi)]


def test_only_stale_categories_are_asked_for_again() -> None:
    ways = ARXIV.alternatives(a_window(), frozenset({"cs.CV"}))

    assert categories_of(ways) == [("cs.CV",)] * 3


def test_a_gap_is_filled_for_every_category() -> None:
    ways = ARXIV.alternatives(a_window(since=NOW - 3 * DAY), frozenset({"cs.CV"}))

    assert categories_of(ways) == [("cs.CV",), ("cs.CL", "cs.CV"), ("cs.CL", "cs.CV")]


def test_a_mirror_stands_in_for_all_of_arxiv() -> None:
    mirror = Arxiv(("cs.CL",), url="http://mirror.example/rss", allow_private=True)
    assert mirror.alternatives(a_window(), frozenset()) == ()

    partly = replace(mirror, oai_url="http://mirror.example/oai", listing_url="http://mirror.example/list/")
    ways = partly.alternatives(a_window(), frozenset())

    assert [ask.url.partition("?")[0] for way in ways for ask in way.asks(a_window())] == [
        "http://mirror.example/list/cs.CL/new",
        "http://mirror.example/oai",
    ]
    assert all(way.allow_private for way in ways)


@pytest.mark.parametrize(
    ("category", "asked", "name"),
    [
        ("cs.CL", ("cs.CL",), "cs.CL"),
        ("cs.CL", ("cs.*",), "cs.CL"),
        ("math-ph", ("math.MP",), "math.MP"),
        ("math.NA", ("cs.*",), "cs.NA"),
        ("cs.CL", ("cs.C*", "stat.*"), None),
        ("", (".*",), None),
    ],
)
def test_a_category_is_known_by_both_of_its_names(category: str, asked: tuple[str, ...], name: str | None) -> None:
    assert asked_category(category, asked) == name


# polls


def polled(server: EvilHttp, seen: int, since: datetime = SINCE) -> Poll:
    """A poll of a mirror of all of arXiv; the first papers were seen before."""
    source = Arxiv(
        ("cs.CL", "cs.CV"),
        url=f"{server.url}/rss",
        listing_url=f"{server.url}/list",
        oai_url=f"{server.url}/oai",
        allow_private=True,
        name="mirror",
    )
    limits = Limits(tries=1, backoff_s=0.01, deadline_s=20)
    [done] = asyncio.run(
        poll_sources(
            [source],
            {source.name: a_window(since)},
            {},
            connect=lambda: Client(contact="tests", limits=limits),
            limits=limits,
            seen=lambda name, entries, before: frozenset(each.key for each in entries if int(each.key[-5:]) <= seen),
        )
    )
    return done


def of_category(item: str, category: str) -> str:
    return item.replace("<category>cs.CL<", f"<category>{category}<")


def test_an_old_batch_of_one_category_is_read_from_its_listing_page(server: EvilHttp) -> None:
    old, new = of_category(rss_item(1), "cs.CV"), rss_item(2)
    server.answers("/rss/cs.CL+cs.CV", rss(old, new))
    server.answers("/list/cs.CV/new", listing_page(listing_item(3, subjects="Computer Vision (cs.CV)")))

    done = polled(server, seen=1)

    assert (done.verdict, done.via) == (Verdict.FRESH, ("arxiv listing",))
    assert sorted(entry.key[-5:] for entry in done.entries) == ["00001", "00002", "00003"]
    assert [path.partition("?")[0] for path in server.paths()] == ["/rss/cs.CL+cs.CV", "/list/cs.CV/new"]


def test_batches_that_were_missed_are_read_by_oai_pmh(server: EvilHttp) -> None:
    server.answers("/rss/cs.CL+cs.CV", rss(rss_item(4)))
    server.answers("/oai", oai(oai_record(2), oai_record(3), token="more"), oai(error=("noRecordsMatch", "")))

    done = polled(server, seen=1, since=NOW - 3 * DAY)

    assert (done.verdict, done.via, done.covers) == (Verdict.FRESH, ("arxiv OAI-PMH",), True)
    assert sorted(entry.key[-5:] for entry in done.entries) == ["00002", "00003", "00004"]
    assert len(server.paths()) == 4


# listing pages


def test_a_whole_archive_has_one_page() -> None:
    asks = ArxivListing(("cs.*", "hep-ph")).asks(a_window())

    assert [ask.url for ask in asks] == [
        "https://arxiv.org/list/cs/new?show=2000",
        "https://arxiv.org/list/hep-ph/new?show=2000",
    ]


def test_a_listed_paper_is_read_whole() -> None:
    item = listing_item(
        title=r"Poincaré's $\mathcal{O}(n)$ <b> & more",
        abstract="We invent 50\\% if a&lt;b and c&gt;d.\n<br/>Code is at\n"
        '<a href="https://github.com/ada/invented?a=1&amp;b=2" rel="external noopener nofollow" '
        'class="link-external link-https">this https URL</a>. Based on '
        '<a href="https://arxiv.org/abs/2401.00001" data-arxiv-id="2401.00001" class="link">arXiv:2401.00001</a>.',
        comments='Accepted to ACL 2026 (oral), page <a class="link-external link-https" '
        'href="https://invented.github.io/" rel="external">this https URL</a>',
        authors=("Ada Exámple", "Ben Sample, Jr."),
    )

    listing = read(LISTING, listing_page(item))

    [entry] = listing.entries
    assert (listing.problems, listing.doubt, listing.next) == ((), "", None)
    assert entry == Entry(
        key=entry.key,
        title="Poincaré's 𝒪(n) <b> & more",
        abstract="We invent 50% if a<b and c>d. Code is at https://github.com/ada/invented?a=1&b=2. "
        "Based on arXiv:2401.00001.",
        authors=("Ada Exámple", "Ben Sample, Jr."),
        categories=("cs.CL", "cs.LG"),
        links=entry.links,
        published=datetime(2026, 11, 20, 5, tzinfo=UTC),
        announcement=Announcement.NEW,
        version=1,
        venue="ACL 2026 (oral)",
    )
    assert entry.key == "arxiv:2611.00001"
    assert Link(LinkKind.PROJECT, "https://invented.github.io/") in entry.links
    assert (LinkKind.CODE, "https://github.com/ada/invented") in [
        (kind, url.partition("?")[0]) for kind, url in links(entry)
    ]


def test_the_sections_of_a_listing_are_told_apart() -> None:
    body = listing_page(
        listing_item(1),
        listing_item(2, kind="cross", subjects="Robotics (cs.RO); Computation and Language (cs.CL)"),
        listing_item(3, kind="replace"),
        listing_item(4, kind="replace", subjects="Robotics (cs.RO); Computation and Language (cs.CL)"),
    )

    listing = read(LISTING, body)

    assert [(entry.announcement, entry.version) for entry in listing.entries] == [
        (Announcement.NEW, 1),
        (Announcement.CROSS, None),
        (Announcement.REPLACE, None),
        (Announcement.REPLACE_CROSS, None),
    ]
    assert listing.doubt == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Cross submissions (showing", b"Cross-lists (showing"),
        (b"Replacement submissions (showing", b"Replacements (showing"),
        (b"(showing 1 of 1 entries)", b"(continued, showing last 1 of 9 entries )"),
        (b"(showing 1 of 1 entries)", b"for Friday, 20 November 2026 (showing 1 of 1 entries )"),
        (b"<dt>", b"<DT >"),
        (b"class='list-title mathjax'", b'class="list-title mathjax"'),
        (b"<dd>", b"<dd class='x'>"),
    ],
)
def test_small_changes_of_the_layout_do_not_matter(old: bytes, new: bytes) -> None:
    body = listing_page(listing_item(1), listing_item(2, kind="cross"), listing_item(3, kind="replace"))
    assert old in body

    listing = read(LISTING, body.replace(old, new))

    assert [entry.announcement.value for entry in listing.entries] == ["new", "cross", "replace"]
    assert all(entry.title and entry.abstract and entry.authors for entry in listing.entries)
    assert listing.doubt == ""


def test_a_page_without_all_that_it_states_is_doubted() -> None:
    listing = read(LISTING, listing_page(listing_item(1), listing_item(2), stated=5))

    assert numbers(listing) == [1, 2]
    assert listing.doubt == "the page of cs.CL states 5 entries, and 2 were found"


@pytest.mark.parametrize("field", [b"list-title", b"/abs/"])
def test_a_page_whose_layout_changed_is_doubted(field: bytes) -> None:
    listing = read(LISTING, listing_page(listing_item(1), listing_item(2)).replace(field, b"x-y"))

    assert listing.entries == ()
    assert len(listing.problems) == 2
    assert listing.doubt == "the page of cs.CL states 2 entries, and 0 were found"


def test_a_total_without_any_entry_is_doubted() -> None:
    assert read(LISTING, listing_page(total=7)).doubt == "the page of cs.CL states 7 entries, and 0 were found"


def test_a_page_that_breaks_off_is_doubted_and_loses_its_half_paper() -> None:
    body = listing_page(listing_item(1), listing_item(2))
    for end in range(body.index(b"2611.00002"), len(body) - len(b"</html>\n"), 61):
        listing = read(LISTING, body[:end])
        assert numbers(listing) == [1]
        assert listing.doubt == f"the page of cs.CL broke off after {end:,} bytes"


def test_an_empty_day_is_no_error() -> None:
    assert read(LISTING, listing_page()) == Listing()


def test_a_page_that_says_nothing_is_no_listing() -> None:
    for body in (b"", b"<html><title>Maintenance</title></html>", b"<rss/>", b"\xff\xfe\x00"):
        with pytest.raises(SuspiciousError, match="not a listing page"):
            read(LISTING, body)


def test_further_pages_follow_until_the_total() -> None:
    pages = [
        listing_page(listing_item(1), listing_item(2), total=5),
        listing_page(listing_item(3), listing_item(4), total=5),
        listing_page(listing_item(5, kind="replace"), total=5),
    ]
    url: str | None = "https://mirror.example/list/cs.CL/new?show=2000"
    found, asked = [], []
    for body in pages:
        assert url is not None
        asked.append(urlsplit(url).query)
        listing = read(LISTING, body, url)
        assert listing.doubt == ""
        found += numbers(listing)
        url = listing.next.url if listing.next else None

    assert (found, url) == ([1, 2, 3, 4, 5], None)
    assert asked == ["show=2000", "skip=2&show=2000", "skip=4&show=2000"]


@pytest.mark.parametrize("day", ["Friday, 31 February 2026", "Friday, 1 Smarch 2026", "Friday, 1 May 9999", ""])
def test_an_odd_date_is_unknown(day: str) -> None:
    assert only(LISTING, listing_page(listing_item(), day=day)).published is None


def test_a_hostile_listing_is_read_at_once() -> None:
    page = listing_page(listing_item()).decode()
    for hostile in ("<a ", '<a b="', "<!--", "<div ", "<div class=list-", "<dt>", "<h3>(", "<p ", "<span "):
        bomb = page.replace("We invent.", hostile * 30_000)
        assert read(LISTING, bomb.encode()).entries


# OAI-PMH


@pytest.mark.parametrize(
    ("category", "spec"),
    [
        ("cs.CL", "cs:cs:CL"),
        ("cs.*", "cs:cs"),
        ("hep-ph", "physics:hep-ph"),
        ("astro-ph.GA", "physics:astro-ph:GA"),
        ("astro-ph.*", "physics:astro-ph"),
        ("physics.flu-dyn", "physics:physics:flu-dyn"),
        ("q-bio.NC", "q-bio:q-bio:NC"),
        ("math.CO", "math:math:CO"),
    ],
)
def test_each_category_is_a_set(category: str, spec: str) -> None:
    [ask] = ArxivOai((category,), SINCE).asks(a_window())

    assert parse_qs(urlsplit(ask.url).query)["set"] == [spec]


def test_a_withdrawal_that_only_the_comment_tells_is_seen() -> None:
    entry = only(OAI, oai(oai_record(extra="<comments>This paper has been withdrawn by the authors</comments>")))

    assert entry.abstract == "This paper has been withdrawn by the authors. We invent."
    assert says_withdrawn(entry.abstract)


def test_a_record_is_read_whole() -> None:
    body = oai(
        oai_record(
            title=r"Poincar\'e's $\mathcal{O}(n)$ <b> & more",
            extra="<comments>Accepted to ACL 2026. Code: https://github.com/ada/invented</comments>"
            "<doi>10.1000/Invented</doi>",
        )
    )

    entry = only(OAI, body)

    assert entry == Entry(
        key=entry.key,
        title="Poincaré's 𝒪(n) <b> & more",
        abstract="We invent.",
        authors=("Ada Example", "Ben Sample", "Cid Case"),
        categories=("cs.CL", "cs.LG"),
        links=(
            Link(LinkKind.ABSTRACT, "https://arxiv.org/abs/2611.00001"),
            Link(LinkKind.PDF, "https://arxiv.org/pdf/2611.00001"),
            Link(LinkKind.CODE, "https://github.com/ada/invented"),
        ),
        published=datetime(2026, 11, 20, 5, tzinfo=UTC),
        announcement=Announcement.NEW,
        version=1,
        ids=entry.ids,
        venue="ACL 2026",
    )
    assert (entry.key, entry.ids) == ("arxiv:2611.00001", ("doi:10.1000/invented",))


RECENT, LAST_WEEK, LONG_AGO = (
    "Thu, 19 Nov 2026 09:00:00 GMT",
    "Fri, 13 Nov 2026 09:00:00 GMT",
    "Thu, 1 Oct 2026 09:00:00 GMT",
)


@pytest.mark.parametrize(
    ("versions", "arxiv_id", "primary", "other"),
    [
        pytest.param([RECENT], "2611.00001", "new", "cross", id="new"),
        pytest.param([LAST_WEEK], "2611.00001", "new", "cross", id="held for some days"),
        pytest.param([LAST_WEEK, RECENT], "2611.00001", "new", "cross", id="new, and replaced at once"),
        pytest.param([LONG_AGO], "2611.00001", "new", "cross", id="held for weeks: ids tell the month"),
        pytest.param([LONG_AGO], "2610.00001", "mention", "cross", id="only a DOI, say; or a cross-list"),
        pytest.param([LONG_AGO], "hep-th/9901001", "mention", "cross", id="an old id"),
        pytest.param([LONG_AGO, RECENT], "2610.00001", "replace", "replace-cross", id="replaced"),
        pytest.param(["nonsense"], "2610.00001", "new", "cross", id="a date that cannot be read"),
        pytest.param([], "2610.00001", "new", "cross", id="no versions"),
    ],
)
def test_how_a_record_was_announced_is_settled_from_versions_and_id(
    versions: list[str], arxiv_id: str, primary: str, other: str
) -> None:
    body = oai(oai_record(versions=versions, arxiv_id=arxiv_id))

    assert only(OAI, body).announcement.value == primary
    assert only(replace(OAI, categories=("cs.LG",)), body).announcement.value == other


@given(TIMES, st.timedeltas(timedelta(0), timedelta(days=5)), st.timedeltas(timedelta(0), timedelta(days=60)))
def test_a_paper_that_was_announced_since_is_never_taken_for_known(
    since: datetime, later: timedelta, held: timedelta
) -> None:
    """Whenever it was submitted, and however long moderators held it."""
    [batch] = batches(since, since + 7 * DAY)[:1]
    announced = batch_of_submission(batch.announced_at - 6 * HOUR + later)
    evening = announced.announced_at.astimezone(NEW_YORK)
    submitted = announced.announced_at - 7 * HOUR - held
    record = oai_record(
        versions=[submitted.strftime("%d %b %Y %H:%M:%S GMT")],
        arxiv_id=f"{evening:%y%m}.00001",
        changed=announced.announced_at.date().isoformat(),
    )

    assert only(replace(OAI, since=since), oai(record)).announcement is Announcement.NEW


@pytest.mark.parametrize(
    ("versions", "changed", "published"),
    [
        ([LONG_AGO], "2026-11-20", "2026-11-20T05:00:00+00:00"),
        ([RECENT], "long ago", "2026-11-20T05:00:00+00:00"),
        ([LONG_AGO, RECENT], "2026-11-20", "2026-10-02T04:00:00+00:00"),
        (["nonsense"], "9999-99-99", "None"),
    ],
)
def test_a_record_is_dated_by_its_first_announcement(versions: list[str], changed: str, published: str) -> None:
    entry = only(OAI, oai(oai_record(versions=versions, changed=changed)))

    assert (entry.published.isoformat() if entry.published else "None") == published


def test_the_token_asks_for_more() -> None:
    token = "verb%3DListRecords%26set%3Dcs%3Acs%3ACL%26skip%3D2000"

    listing = read(OAI, oai(oai_record(), token=token), "https://mirror.example/oai?verb=ListRecords&set=x")

    assert listing.next is not None
    assert listing.next.url.startswith("https://mirror.example/oai?verb=ListRecords&resumptionToken=verb%253DList")
    assert parse_qs(urlsplit(listing.next.url).query)["resumptionToken"] == [token]
    assert read(OAI, oai(oai_record()).replace(b"</ListRecords>", b"<resumptionToken/></ListRecords>")).next is None


def test_no_records_are_an_empty_list() -> None:
    assert read(OAI, oai(error=("noRecordsMatch", "the list is empty"))) == Listing()


def test_other_oai_errors_are_errors() -> None:
    with pytest.raises(CollectError, match="OAI-PMH error 'badArgument': 'Set does not exist'"):
        read(OAI, oai(error=("badArgument", "Set does not exist")))


def test_deleted_records_are_no_papers_and_odd_ones_are_skipped_by_name() -> None:
    gone = oai_record(1).replace("<header>", '<header status="deleted">')
    other = oai_record(2).replace("OAI/arXivRaw/", "OAI/arXiv/")

    listing = read(OAI, oai(gone, other, oai_record(3, title=" "), oai_record(4)))

    assert numbers(listing) == [4]
    assert listing.problems == (
        "skipped 'oai:arXiv.org:2611.00002': it is not in the format arXivRaw",
        "skipped arxiv:2611.00003: it has no title",
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "malformed XML"),
        (b"<OAI-PMH", "malformed XML"),
        (b"<OAI-PMH/>", "no OAI-PMH records: the XML is 'OAI-PMH'"),
        (b"<html><title>Busy</title></html>", "HTML page titled 'Busy'"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "malformed XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "malformed XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "DOCTYPE"),
        (b"<a>" * 100_000, "malformed XML"),
    ],
)
def test_what_is_no_oai_answer_is_an_error(body: bytes, message: str) -> None:
    with pytest.raises(CollectError, match=message):
        read(OAI, body)


# the query API


def test_a_result_is_read_whole() -> None:
    entry = only(API, api(api_entry()))

    assert entry.key == "arxiv:2611.00001"
    assert (entry.title, entry.abstract, entry.authors) == (
        "An Invented Paper",
        "We invent.",
        ("Ada Example", "Ben Sample"),
    )
    assert entry.categories == ("cs.CL", "cs.LG")
    assert entry.announcement is Announcement.NEW
    assert (entry.version, entry.ids) == (1, ("doi:10.1000/invented",))
    assert entry.published == datetime(2026, 11, 20, 5, tzinfo=UTC)


def test_a_result_of_another_primary_category_is_a_cross_list() -> None:
    assert only(API, api(api_entry(primary="cs.RO"))).announcement is Announcement.CROSS


def test_no_results_are_an_empty_list() -> None:
    assert read(API, api()) == Listing()


def test_an_empty_answer_to_what_it_says_it_found_is_a_refusal() -> None:
    with pytest.raises(ThrottledError, match="found 1,234 papers and lists none"):
        read(API, api(total=1_234))


def test_fewer_results_than_stated_are_doubted_and_followed_up() -> None:
    listing = read(API, api(api_entry(1), api_entry(2), total=5))

    assert listing.doubt == "arXiv states 5 papers, and 2 were found"
    assert listing.next is not None
    assert parse_qs(urlsplit(listing.next.url).query)["start"] == ["2"]


def test_results_are_paged_through() -> None:
    url: str | None = API.asks(a_window())[0].url.replace("max_results=1000", "max_results=2")
    found = []
    for start in range(0, 5, 2):
        assert url is not None
        assert parse_qs(urlsplit(url).query)["start"] == [str(start)]
        page = [api_entry(number) for number in range(start + 1, min(start + 3, 6))]
        listing = read(API, api(*page, total=5, start=start), url)
        assert listing.doubt == ""
        found += numbers(listing)
        url = listing.next.url if listing.next else None

    assert (found, url) == ([1, 2, 3, 4, 5], None)


# whatever comes


GOOD = {
    "feed": (ARXIV, rss(rss_item(1), rss_item(2))),
    "listing": (LISTING, listing_page(listing_item(1), listing_item(2, kind="cross"), total=9)),
    "oai": (OAI, oai(oai_record(1), oai_record(2, versions=[LONG_AGO, RECENT]), token="more")),
    "api": (API, api(api_entry(1), api_entry(2), total=9)),
}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Cut off, with bytes changed, and with parts in other places."""
    body = bytearray(good)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(body) - 1))
        body[place] = draw(st.integers(0, 255))
    for _ in range(draw(st.integers(0, 2))):
        start, end, target = (draw(st.integers(0, len(body))) for _ in range(3))
        body[target:target] = body[start : start + min(max(end - start, 0), 200)]
    return bytes(body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body)


@pytest.mark.parametrize("name", GOOD)
@given(st.data())
def test_damage_is_a_collect_error_or_leaves_whole_papers(name: str, data: st.DataObject) -> None:
    source, good = GOOD[name]

    with suppress(CollectError):
        listing = read(source, data.draw(damaged(good)))
        assert all(entry.key.startswith("arxiv:") and entry.title for entry in listing.entries)


@pytest.mark.parametrize("name", GOOD)
@given(st.binary(max_size=300))
def test_garbage_is_a_collect_error_or_nothing(name: str, body: bytes) -> None:
    with suppress(CollectError):
        assert read(GOOD[name][0], body).entries == ()


@pytest.mark.parametrize("name", GOOD)
def test_what_breaks_off_is_noticed(name: str) -> None:
    source, good = GOOD[name]
    for end in range(0, len(good) - 200, 41):
        with suppress(CollectError):
            listing = read(source, good[:end])
            assert listing.problems or listing.doubt, end


# what the world really sent


def rebuilt(real_data: Path, day: Path, number: int) -> bytes:
    """Runs the data set's own rebuilder."""
    spec = importlib.util.spec_from_file_location("rebuild_rss", real_data / "arxiv-rss" / "rebuild_rss.py")
    assert spec is not None
    assert spec.loader is not None
    argv, out = sys.argv, io.StringIO()
    sys.argv = ["rebuild_rss.py", str(day), str(number)]
    try:
        with redirect_stdout(out):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    finally:
        sys.argv = argv
    return out.getvalue().encode()


def check_day(real_data: Path, day: Path) -> None:
    with gzip.open(day) as file:
        recorded = json.load(file)
    for number, url in enumerate(recorded):
        listing = read(ARXIV, rebuilt(real_data, day, number))

        assert listing.problems == ()
        assert len(listing.entries) == len(recorded[url]["entries"])
        keys = [entry.key for entry in listing.entries]
        assert len(set(keys)) == len(keys)
        for entry in listing.entries:
            assert not entry.abstract.startswith("arXiv:")
            assert "Announce Type" not in entry.abstract
            assert entry.abstract
            assert entry.authors
            assert not [name for name in entry.authors if re.search(r"""\\['"`^~=.vcukHlLoOi]""", name)], entry.authors
            assert entry.published is not None
            assert entry.version is not None
            assert entry.version > 1 or entry.announcement in NEWS


def recorded_days(real_data: Path) -> list[Path]:
    return sorted((real_data / "arxiv-rss" / "days").glob("*.json.gz"))


def test_a_real_day(real_data: Path) -> None:
    check_day(real_data, min(recorded_days(real_data), key=lambda day: day.stat().st_size))


@pytest.mark.soak
def test_all_real_days(real_data: Path) -> None:
    for day in recorded_days(real_data):
        check_day(real_data, day)


def test_real_batches_came_on_the_days_of_the_calendar(real_data: Path) -> None:
    stated = set()
    for path in recorded_days(real_data):
        with gzip.open(path) as file:
            feeds = json.load(file).values()
        stated |= {parsedate_to_datetime(each["feed"]["published"]) for each in feeds if each["entries"]}
    assert stated

    for midnight in stated:
        [batch] = batches(midnight - HOUR, midnight + HOUR)
        assert batch.shown_at == midnight


def test_real_samples_of_the_feed(real_data: Path) -> None:
    paths = sorted((real_data / "samples").glob("arxiv_rss_*.xml"))
    assert paths
    for path in paths:
        listing = read(ARXIV, path.read_bytes())

        assert listing.problems == ()
        assert len(listing.entries) == len(re.findall(rb"<item[ >]", path.read_bytes()))


def test_real_answers_of_the_query_api(real_data: Path) -> None:
    paths = sorted((real_data / "arxiv-api" / "bodies").glob("*.xml"))
    paths += sorted((real_data / "samples").glob("arxiv_api_*.xml"))
    assert paths
    for path in paths:
        body = path.read_bytes()
        asked = re.search(r"_s(\d+)_m(\d+)_", path.name)
        start, most = asked.groups() if asked else ("0", str(body.count(b"<entry>")))
        url = f"https://export.arxiv.org/api/query?search_query=x&start={start}&max_results={most}"
        if path.stem.endswith("http400"):
            with pytest.raises(CollectError, match="refused the query: 'incorrect id format for abc'"):
                read(API, body, url)
            continue

        listing = read(API, body, url)

        assert (listing.problems, listing.doubt) == ((), ""), path.name
        assert len(listing.entries) == body.count(b"<entry>")
        assert all(entry.authors and entry.published and entry.version for entry in listing.entries)
        total = int(re.search(rb"totalResults[^>]*>(\d+)", body)[1])  # type: ignore[index]  # each answer has it
        assert (listing.next is not None) == (0 < len(listing.entries) < total - int(start))


def as_raw(answer: bytes) -> bytes:
    """A recorded answer in the format ``arXiv``, rewritten to ``arXivRaw``: the words stay as they are."""
    names = "{http://arxiv.org/OAI/arXiv/}"
    root = ET.fromstring(answer)
    records = []
    for paper in root.iter(f"{names}arXiv"):
        texts = {child.tag.removeprefix(names): child.text or "" for child in paper}
        authors = [
            " ".join(author.findtext(f"{names}{part}") or "" for part in ("forenames", "keyname"))
            for author in paper.iter(f"{names}author")
        ]
        days = [texts["created"], *([texts["updated"]] if "updated" in texts else [])]
        records.append(
            oai_record(
                arxiv_id=texts["id"],
                versions=[f"{date.fromisoformat(day):%d %b %Y} 12:00:00 GMT" for day in days],
                categories=texts["categories"],
                title=texts["title"],
                authors=", ".join(authors),
                abstract=texts["abstract"],
                extra=f"<doi>{texts['doi']}</doi>".replace("&", "&amp;").replace("<1", "&lt;1")
                if "doi" in texts
                else "",
            )
        )
    return oai(*records)


def test_a_real_answer_of_oai_pmh_rewritten(real_data: Path) -> None:
    with gzip.open(real_data / "samples" / "arxiv_oai_pmh_2016_page103.xml.gz") as file:
        body = file.read()
    papers = body.count(b"<arXiv ")

    listing = read(ArxivOai(("cs.*",), SINCE), as_raw(body))

    assert listing.problems == ()
    assert len(listing.entries) == papers
    assert {entry.announcement for entry in listing.entries} <= {
        Announcement.MENTION,
        Announcement.CROSS,
        Announcement.REPLACE,
        Announcement.REPLACE_CROSS,
    }
    assert all(entry.abstract and entry.authors and entry.categories and entry.published for entry in listing.entries)


def test_a_real_answer_in_another_format_is_skipped_by_name(real_data: Path) -> None:
    with gzip.open(real_data / "samples" / "arxiv_oai_pmh_2016_page103.xml.gz") as file:
        body = file.read()

    listing = read(OAI, body)

    assert listing.entries == ()
    assert len(listing.problems) == body.count(b"<record>")


def test_a_real_malformed_answer_of_another_server_is_an_error(real_data: Path) -> None:
    with pytest.raises(CollectError, match="malformed XML"):
        read(OAI, (real_data / "samples" / "oai_listrecords.xml").read_bytes())
