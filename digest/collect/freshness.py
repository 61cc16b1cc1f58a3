"""What a listing is worth: new, known, quiet, stale, or not to be believed.

Judged by ids that were not seen before, by what the source itself states (how many entries a page shows, the days on
which it lists nothing, that nothing changed), and by its calendar, which says what is due. Never by dates alone:
arXiv's feed has borne today's date over yesterday's batch, and yesterday's over today's.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from digest.model import NEWS, Entry, PaperKey, Verdict
from digest.ports import Listing, Source, Window

_GETS_USED_TO = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Read:
    """What was read of a source so far, from one page or from many."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """One line each: an item that was skipped, a page that could not be read."""
    doubts: list[str] = field(default_factory=list)
    """Why a page is not to be believed, though it could be read."""
    whole_pages: int = 0
    """Read completely, or known to be unchanged or missing."""
    lost_pages: int = 0
    """Not read, or not to the end."""
    is_suspicious: bool = False
    """Whether a page came that is no listing at all."""
    is_unchanged: bool = False
    """Whether a server said that nothing changed since the last poll (HTTP 304)."""
    skip_days: frozenset[int] = frozenset()
    """Days on which the source says that it lists nothing; Monday is 0."""

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for came, and can be believed."""
        return self.whole_pages > 0 and not (self.lost_pages or self.doubts)

    @property
    def troubles(self) -> list[str]:
        """Doubts and problems, gravest first."""
        return [*self.doubts, *self.problems]

    def take(self, listing: Listing) -> None:
        """Add one page that came whole."""
        self.whole_pages += 1
        self.entries += listing.entries
        self.problems += listing.problems
        self.doubts += [listing.doubt] if listing.doubt else []
        self.skip_days |= listing.skip_days

    def lose(self, problem: str) -> None:
        """Count a page that did not come, or not whole."""
        self.lost_pages += 1
        self.problems.append(problem)

    def forget_troubles(self) -> None:
        """Another way made up for what went wrong."""
        self.lost_pages, self.is_suspicious = 0, False
        self.doubts.clear()
        self.problems.clear()

    def add(self, other: "Read") -> None:
        """Take over what another way gave."""
        self.entries += other.entries_beside(self)
        self.problems += other.problems
        self.whole_pages += other.whole_pages

    def entries_beside(self, other: "Read") -> list[Entry]:
        """The entries that the other one lacks: what it lists as replaced may have been new on a day that it missed."""
        known = {(entry.key, entry.announcement in NEWS) for entry in other.entries}
        return [entry for entry in self.entries if (entry.key, entry.announcement in NEWS) not in known]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what it rests on."""

    verdict: Verdict
    reason: str = ""
    """For people; empty where the problems say it already, or nothing is wrong."""
    stale: frozenset[str] = frozenset()
    """The batches that are stale, by `Source.batch_of`; empty if none or all of them are."""


def judge(source: Source, window: Window, read: Read, seen: frozenset[PaperKey]) -> Judgement:
    """Say what was read is worth.

    Args:
        source: Whose calendar and batches count.
        window: What had to be covered.
        read: What was read.
        seen: Of its entries, those that this source announced before.
    """
    due = len(source.due(window))
    news = _news(source, read)
    fresh = [entry for entry in news if entry.key not in seen]
    if not read.whole_pages and not read.lost_pages:
        return Judgement(Verdict.QUIET)  # nothing had to be asked
    if not read.whole_pages and not read.entries:
        return Judgement(Verdict.SUSPICIOUS if read.is_suspicious else Verdict.FAILED)
    if read.doubts:
        return Judgement(Verdict.SUSPICIOUS)
    if empty := _wrongly_empty(source, window, read, due):
        return Judgement(Verdict.SUSPICIOUS, empty)
    if due and not fresh and (news or read.is_unchanged):
        known = f"all {len(news)} were announced before" if news else "nothing changed since the last poll"
        return Judgement(Verdict.STALE, f"no new batch where one was due: {known}")
    if due and (stale := _stale_batches(source, news, seen)):
        return Judgement(Verdict.STALE, f"an old batch of {', '.join(sorted(stale))} among new ones", frozenset(stale))
    return Judgement(_calm(source, read, fresh))


def settled(source: Source, read: Read, seen: frozenset[PaperKey]) -> Judgement:
    """Say what was read is worth once a way that leaves no gap was read to its end: then ids alone decide."""
    return Judgement(_calm(source, read, [entry for entry in _news(source, read) if entry.key not in seen]))


def _news(source: Source, read: Read) -> list[Entry]:
    return [entry for entry in read.entries if entry.announcement in source.announce]


def _calm(source: Source, read: Read, fresh: Sequence[Entry]) -> Verdict:
    """The verdict when nothing is missing but single items or pages."""
    if read.lost_pages or read.problems:
        return Verdict.PARTIAL
    if fresh or (source.is_extra and read.entries):
        return Verdict.FRESH
    return Verdict.UNCHANGED if read.entries or read.is_unchanged else Verdict.QUIET


def _wrongly_empty(source: Source, window: Window, read: Read, due: int) -> str:
    """Why a listing without entries is not to be believed, if so."""
    if read.entries or read.problems or read.is_unchanged:
        return ""
    # The source's own "nothing today" says nothing of a batch that came out since the last poll and is gone today.
    if due:
        return "empty, and a batch came out since the last one"
    # One that stays empty was emptied: said for some days, and then it is so.
    is_new = window.until - window.since < _GETS_USED_TO
    if source.is_standing and window.listed and is_new and window.until.weekday() not in read.skip_days:
        return f"empty, where {window.listed} were listed the last time"
    return ""


def _stale_batches(source: Source, news: Sequence[Entry], seen: frozenset[PaperKey]) -> set[str]:
    """The batches of which every entry is known."""
    known: defaultdict[str, bool] = defaultdict(lambda: True)
    for entry in news:
        if (batch := source.batch_of(entry)) is not None:
            known[batch] &= entry.key in seen
    return {batch for batch, is_known in known.items() if is_known}
