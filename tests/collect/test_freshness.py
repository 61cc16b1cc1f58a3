"""What a listing is worth, case by case."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digest.collect.freshness import Read, judge, settled
from digest.model import NEWS, Announcement, Entry, PaperKey, Verdict
from digest.ports import Ask, Listing, Page, Source, Window

NOW = datetime(2026, 11, 19, 7, tzinfo=UTC)  # a Thursday


@dataclass(frozen=True)
class Calendar(Source):
    """A source with a calendar and batches by category."""

    batches: int = 0
    is_standing: bool = False  # type: ignore[misc]  # a class attribute elsewhere
    is_extra: bool = False  # type: ignore[misc]
    announce: frozenset[Announcement] = NEWS
    name: str = "calendar"
    allow_private: bool = False

    def asks(self, window: Window) -> list[Ask]:
        return []

    def parse(self, page: Page) -> Listing:
        return Listing()

    def due(self, window: Window) -> list[datetime]:
        return [NOW - timedelta(hours=2)] * self.batches

    def batch_of(self, entry: Entry) -> str | None:
        return entry.categories[0] if entry.announcement is Announcement.NEW else None


def an_entry(number: int, category: str = "cs.CL", kind: Announcement = Announcement.NEW) -> Entry:
    return Entry(key=PaperKey(f"arxiv:2611.{number:05}"), title="A", categories=(category,), announcement=kind)


def a_window(listed: int = 0, until: datetime = NOW) -> Window:
    return Window(since=until - timedelta(days=1), until=until, listed=listed)


OLD = tuple(an_entry(number) for number in range(3))
NEW = tuple(an_entry(number) for number in range(10, 13))
SEEN = frozenset(entry.key for entry in OLD)
REPLACED = an_entry(20, kind=Announcement.REPLACE)

CASES = [
    ("new papers", Calendar(1), Read(entries=[*NEW], whole_pages=1), Verdict.FRESH, ""),
    ("some new papers", Calendar(1), Read(entries=[*OLD, *NEW], whole_pages=1), Verdict.FRESH, ""),
    ("known papers, none due", Calendar(0), Read(entries=[*OLD], whole_pages=1), Verdict.UNCHANGED, ""),
    ("304, none due", Calendar(0), Read(is_unchanged=True, whole_pages=1), Verdict.UNCHANGED, ""),
    ("nothing, none due", Calendar(0), Read(whole_pages=1), Verdict.QUIET, ""),
    ("known papers, one due", Calendar(1), Read(entries=[*OLD], whole_pages=1), Verdict.STALE, "all 3 were announced"),
    ("304, one due", Calendar(1), Read(is_unchanged=True, whole_pages=1), Verdict.STALE, "nothing changed"),
    ("nothing, one due", Calendar(1), Read(whole_pages=1), Verdict.SUSPICIOUS, "empty, and a batch came out"),
    ("only replacements", Calendar(1), Read(entries=[REPLACED], whole_pages=1), Verdict.UNCHANGED, ""),
    ("a page in doubt", Calendar(1), Read(entries=[*NEW], doubts=["2 of 9"], whole_pages=1), Verdict.SUSPICIOUS, ""),
    ("an item skipped", Calendar(1), Read(entries=[*NEW], problems=["skipped"], whole_pages=1), Verdict.PARTIAL, ""),
    ("a page lost", Calendar(1), Read(entries=[*NEW], lost_pages=1, whole_pages=1), Verdict.PARTIAL, ""),
    ("half a page", Calendar(1), Read(entries=[*NEW], lost_pages=1), Verdict.PARTIAL, ""),
    ("no page", Calendar(1), Read(lost_pages=1, problems=["HTTP 500"]), Verdict.FAILED, ""),
    ("HTML only", Calendar(0), Read(lost_pages=1, is_suspicious=True), Verdict.SUSPICIOUS, ""),
    ("HTML for one of two", Calendar(0), Read(entries=[*NEW], lost_pages=1, whole_pages=1, is_suspicious=True),
     Verdict.PARTIAL, ""),
    ("an extra", Calendar(is_extra=True), Read(entries=[an_entry(1, kind=Announcement.MENTION)], whole_pages=1),
     Verdict.FRESH, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "read", "verdict", "reason"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_verdict(source: Calendar, read: Read, verdict: Verdict, reason: str) -> None:
    found = judge(source, a_window(), read, SEEN)

    assert found.verdict is verdict
    assert found.reason.find(reason) >= 0
    assert bool(found.reason) is bool(reason)


def test_one_stale_category_among_fresh_ones_is_named() -> None:
    read = Read(entries=[*(an_entry(n, "cs.AI") for n in range(3)), *(an_entry(n, "cs.CL") for n in range(10, 20))])
    read.whole_pages = 1

    found = judge(Calendar(1), a_window(), read, SEEN)

    assert (found.verdict, found.stale) == (Verdict.STALE, frozenset({"cs.AI"}))
    assert "cs.AI" in found.reason


def test_a_replacement_that_readers_chose_is_news() -> None:
    everything = frozenset({*NEWS, Announcement.REPLACE})

    found = judge(Calendar(1, announce=everything), a_window(), Read(entries=[REPLACED], whole_pages=1), SEEN)

    assert found.verdict is Verdict.FRESH


@pytest.mark.parametrize(
    ("listed", "skip", "verdict"),
    [(20, frozenset(), Verdict.SUSPICIOUS), (0, frozenset(), Verdict.QUIET), (20, frozenset({3}), Verdict.QUIET)],
    ids=["listed before", "never listed", "its day off"],
)
def test_a_feed_that_shows_its_newest_is_never_rightly_empty(
    listed: int, skip: frozenset[int], verdict: Verdict
) -> None:
    read = Read(whole_pages=1, skip_days=skip)

    assert judge(Calendar(is_standing=True), a_window(listed), read, frozenset()).verdict is verdict


def test_a_day_off_does_not_excuse_a_batch_that_came_out_before() -> None:
    saturday = datetime(2026, 11, 21, 7, tzinfo=UTC)

    found = judge(Calendar(1), a_window(until=saturday), Read(whole_pages=1, skip_days=frozenset({5, 6})), frozenset())

    assert found.verdict is Verdict.SUSPICIOUS


def test_once_a_way_without_gaps_was_read_ids_alone_decide() -> None:
    assert settled(Calendar(1), Read(entries=[*OLD], whole_pages=1), SEEN).verdict is Verdict.UNCHANGED
    assert settled(Calendar(1), Read(entries=[*OLD, *NEW], whole_pages=1), SEEN).verdict is Verdict.FRESH
    assert settled(Calendar(1), Read(whole_pages=1), SEEN).verdict is Verdict.QUIET


@given(
    numbers=st.lists(st.integers(0, 30), max_size=12),
    known=st.sets(st.integers(0, 30)),
    due=st.integers(0, 3),
    lost=st.integers(0, 2),
    whole=st.integers(0, 2),
    doubt=st.booleans(),
)
def test_no_listing_is_called_good_while_a_due_batch_is_missing(
    numbers: list[int], known: set[int], due: int, lost: int, whole: int, doubt: bool
) -> None:
    entries = [an_entry(number) for number in numbers]
    seen = frozenset(an_entry(number).key for number in known)
    assume(whole or lost or entries)
    lost = lost or int(bool(entries) and not whole)  # entries come from pages, of which this one broke off
    read = Read(entries=entries, whole_pages=whole, lost_pages=lost, doubts=["doubt"] if doubt else [])

    found = judge(Calendar(due), a_window(), read, seen)

    has_news = any(entry.key not in seen for entry in entries)
    if found.verdict.is_good:
        assert whole
        assert not lost
        assert not doubt
        assert has_news or not due
    assert (found.verdict is Verdict.FRESH) <= has_news
