"""What a poll does when its first way is not enough."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.collect.poll import poll_sources, validator_name
from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, Entry, PaperKey, Poll, Validators, Verdict
from digest.ports import Ask, Listing, Page, Source, Window
from tests.collect.evil_http import Answer, EvilHttp

NOW = datetime(2026, 11, 19, 7, tzinfo=UTC)
KNOWN = frozenset({PaperKey("arxiv:1"), PaperKey("arxiv:2")})


@dataclass(frozen=True)
class Way(Source):
    """A source whose pages are ids, one a line; ``!`` doubts, ``?`` skips an item, ``<html>`` is no listing."""

    url: str
    name: str = "feed"
    batches: int = 0
    covers_gap: bool = False
    others: tuple["Way", ...] = ()
    allow_private: bool = field(default=True)

    def asks(self, window: Window) -> Sequence[Ask]:
        return [Ask(self.url)]

    def parse(self, page: Page) -> Listing:
        lines = page.body.decode().split()
        if "<html>" in lines:
            raise SuspiciousError("HTML page")
        if "broken" in lines:
            raise CollectError("broken")
        return Listing(
            entries=tuple(Entry(key=PaperKey(f"arxiv:{line}"), title="A") for line in lines if line.isdigit()),
            doubt="2 of 9 entries" if "!" in lines else "",
            problems=("skipped one",) if "?" in lines else (),
        )

    def due(self, window: Window) -> Sequence[datetime]:
        return [NOW - timedelta(hours=2)] * self.batches

    def alternatives(self, window: Window, stale: frozenset[str]) -> Sequence[Source]:
        return self.others


def poll(
    source: Source,
    listed: int = 0,
    since: datetime = NOW - timedelta(days=1),
    known: Mapping[str, Validators] = MappingProxyType({}),
) -> Poll:
    window = Window(since=since, until=NOW, listed=listed)
    [done] = asyncio.run(
        poll_sources(
            [source],
            {source.name: window},
            known,
            connect=lambda: Client(contact="tests", limits=LIMITS),
            limits=LIMITS,
            seen=lambda name, entries, before: KNOWN & {entry.key for entry in entries},
        )
    )
    return done


LIMITS = Limits(tries=1, backoff_s=0.01, deadline_s=5)


def numbers(done: Poll) -> list[str]:
    return [entry.key.removeprefix("arxiv:") for entry in done.entries]


@pytest.fixture
def ways(server: EvilHttp) -> "Ways":
    return Ways(server)


@dataclass
class Ways:
    """A feed, a listing page that shows the newest batch as well, and an archive that shows all."""

    server: EvilHttp

    def source(self, feed: object, listing: object = None, archive: object = None, *, batches: int = 1) -> Way:
        others = [
            Way(self._url(name, answer), name, covers_gap=name == "archive")
            for name, answer in (("listing", listing), ("archive", archive))
            if answer is not None
        ]
        return Way(self._url("feed", feed), batches=batches, others=tuple(others))

    def _url(self, name: str, answer: object) -> str:
        given = Answer(b"", answer) if isinstance(answer, int) else str(answer).encode()
        return self.server.answers(f"/{name}", given)


def test_one_way_that_is_fresh_is_enough(ways: Ways) -> None:
    done = poll(ways.source("1 3 4", "5", "6"))

    assert (done.verdict, numbers(done), done.via, done.covers) == (Verdict.FRESH, ["1", "3", "4"], (), True)
    assert ways.server.paths() == ["/feed"]


@pytest.mark.parametrize(
    ("feed", "cause"),
    [
        ("1 2", "no new batch where one was due: all 2 were announced before"),
        ("", "empty, and a batch came out since the last one"),
        ("<html>", "HTML page"),
        ("1 3 !", "2 of 9 entries"),
        ("broken", "broken"),
        (500, "HTTP 500"),
    ],
    ids=["stale", "empty", "HTML", "in doubt", "broken", "down"],
)
def test_the_listing_page_makes_up_for_a_bad_feed_and_the_cause_is_named(ways: Ways, feed: object, cause: str) -> None:
    done = poll(ways.source(feed, "1 2 7", "8"))

    assert (done.verdict, done.via, done.covers) == (Verdict.FRESH, ("listing",), True)
    assert "7" in numbers(done)
    assert len(numbers(done)) == len(set(numbers(done)))
    assert done.problems[0].startswith(cause)
    assert "read listing as well" in done.problems[0]


def test_where_the_listing_page_is_stale_too_the_archive_decides(ways: Ways) -> None:
    done = poll(ways.source("1 2", "2 1", "1 2 9"))

    assert (done.verdict, numbers(done), done.via) == (Verdict.FRESH, ["1", "2", "9"], ("listing", "archive"))
    assert done.covers


def test_nothing_new_anywhere_is_no_fault_of_the_source(ways: Ways) -> None:
    done = poll(ways.source("1 2", "1 2", "1"))

    assert (done.verdict, done.covers) == (Verdict.UNCHANGED, True)
    assert done.problems[0].startswith("no new batch where one was due")


def test_a_stale_source_without_other_ways_stays_stale(ways: Ways) -> None:
    done = poll(ways.source("1 2"))

    assert (done.verdict, done.covers) == (Verdict.STALE, False)


def test_when_every_way_fails_the_window_stays_open_and_each_cause_is_named(ways: Ways) -> None:
    done = poll(ways.source(500, "<html>", 503))

    assert (done.verdict, done.covers, done.via) == (Verdict.FAILED, False, ("listing", "archive"))
    assert any(problem.startswith("listing: HTML page") for problem in done.problems)
    assert any(problem.startswith("archive: HTTP 503") for problem in done.problems)
    assert any(problem.startswith("HTTP 500") for problem in done.problems)


def test_an_earlier_batch_comes_from_the_archive_though_the_feed_is_fresh(ways: Ways) -> None:
    done = poll(ways.source("3 4", "3 4", "1 2 3 5 6", batches=2))

    assert (done.verdict, numbers(done), done.via) == (Verdict.FRESH, ["3", "4", "1", "2", "5", "6"], ("archive",))
    assert (done.covers, done.problems) == (True, ())


def test_an_archive_that_fails_leaves_the_gap_open_and_says_so(ways: Ways) -> None:
    done = poll(ways.source("3 4", "3 4", 500, batches=3))

    assert (done.verdict, numbers(done), done.covers) == (Verdict.PARTIAL, ["3", "4"], False)
    assert "2 batches since Wed 18 Nov could not be read: asked for again next time" in done.problems


def test_a_gap_that_nothing_can_fill_is_said_once(ways: Ways) -> None:
    done = poll(ways.source("3 4", batches=2))

    assert (done.verdict, done.covers) == (Verdict.PARTIAL, True)
    assert "1 batch since Wed 18 Nov could not be read: no way leads to what is not shown any more" in done.problems


def test_a_skipped_item_is_said_and_does_not_keep_the_window_open(ways: Ways) -> None:
    done = poll(ways.source("3 ? 4"))

    assert (done.verdict, done.covers, done.problems) == (Verdict.PARTIAL, True, ("skipped one",))


def test_what_is_out_of_a_sources_reach_is_said(ways: Ways) -> None:
    @dataclass(frozen=True)
    class Short(Way):
        reach: timedelta | None = timedelta(days=7)  # type: ignore[misc]  # a class attribute elsewhere

    source = Short(ways.source("3").url)
    inside, outside = (poll(source, since=NOW - timedelta(days=days)) for days in (7, 9))

    assert (inside.verdict, inside.problems) == (Verdict.FRESH, ())
    assert (outside.verdict, outside.covers) == (Verdict.PARTIAL, True)
    assert outside.problems == ("Tue 10 Nov to Thu 12 Nov was not asked for: it reads back 7 days at most",)


def test_a_feed_whose_every_entry_is_new_may_have_lost_some(ways: Ways) -> None:
    @dataclass(frozen=True)
    class Standing(Way):
        is_standing: bool = True  # type: ignore[misc]  # a class attribute elsewhere

    source = Standing(ways.source("3 4").url)

    assert poll(source, listed=2).problems == ("all 2 are new: others may have come and gone since the last poll",)
    assert poll(source, listed=0).problems == ()
    assert poll(Standing(ways.source("2 3 4").url), listed=2).problems == ()


def test_a_way_that_leaves_something_out_fills_the_gap_and_leaves_it_open(ways: Ways) -> None:
    @dataclass(frozen=True)
    class Incomplete(Way):
        leaves_out: str = "cross-lists"  # type: ignore[misc]  # a class attribute elsewhere

    archive = Incomplete(ways.server.answers("/api", b"1 2 9"), "api", covers_gap=True)

    done = poll(replace(ways.source("3", batches=2), others=(archive,)))

    assert (done.verdict, numbers(done), done.covers) == (Verdict.PARTIAL, ["3", "1", "2", "9"], False)
    assert "api leaves out cross-lists: asked for again next time" in done.problems


def test_what_was_new_on_a_missed_day_and_is_replaced_today_is_still_new(ways: Ways) -> None:
    """The feed lists it as a replacement, the archive as new."""

    @dataclass(frozen=True)
    class Replacing(Way):
        def parse(self, page: Page) -> Listing:
            listing = super().parse(page)
            return Listing(entries=tuple(replace(e, announcement=Announcement.REPLACE) for e in listing.entries))

    archive = Way(ways.server.answers("/archive", b"5"), "archive", covers_gap=True)
    done = poll(Replacing(ways.server.answers("/feed", b"5"), batches=2, others=(archive,)))

    assert [entry.announcement for entry in done.entries] == [Announcement.REPLACE, Announcement.NEW]


@pytest.mark.parametrize(("since", "is_asked"), [(NOW - timedelta(hours=1), False), (NOW - timedelta(hours=3), True)])
def test_whether_anything_changed_is_not_asked_of_a_batch_that_may_have_come_early(
    ways: Ways, since: datetime, is_asked: bool
) -> None:
    source = ways.source("3")
    known = {validator_name(source, source.url): Validators(etag='"1"')}

    poll(source, since=since, known=known)

    assert ("if-none-match" in ways.server.requests[0].headers) is is_asked
