"""The protocols between the core and the edges."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol

from digest.model import (
    NEWS,
    Announcement,
    Delivery,
    DeliveryState,
    Edition,
    Entry,
    Feedback,
    Message,
    Observation,
    Paper,
    PaperKey,
    Placed,
    Poll,
    Receipt,
    Recorded,
    Sent,
    SubscriberId,
    Validators,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time a poll has to cover, and what is known of it; times are aware, in UTC."""

    since: datetime
    """Until when the source was read completely; a day before ``until`` if it never was."""
    until: datetime
    """The run's reference time."""
    listed: int = 0
    """Entries in its last good listing."""
    papers: tuple[Paper, ...] = ()
    """For a source that is asked about papers we know (`Source.asks_about_papers`): these, most urgent first."""

    def start(self, overlap: timedelta, reach: timedelta) -> datetime:
        """From when to ask a source that lists some things late, and reads back only so far."""
        return max(self.since - overlap, self.until - reach)

    def days(self, reach: timedelta) -> list[date]:
        """Each day from the one before the window to its end, in UTC, oldest first, as far as a source reads back."""
        last = self.until.astimezone(UTC).date()
        first = max(self.since.astimezone(UTC).date() - timedelta(days=1), last - reach)
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a source."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Besides the usual ones; may hold a key, so they are never shown, and never sent on to another host."""
    body: bytes | None = field(default=None, repr=False)
    """JSON to be posted; without it the request is a GET."""
    about: tuple[PaperKey, ...] = ()
    """The papers that an answer is about, if it does not name them itself; comes back in the page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched response, decoded from its content encoding."""

    url: str
    """As asked, before redirects."""
    body: bytes
    charset: str | None = None
    about: tuple[PaperKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one page lists."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    """One line for each item that was skipped: which, and why."""
    doubt: str = ""
    """Why the page is not to be believed, though it could be read: fewer entries than it states."""
    skip_days: frozenset[int] = frozenset()
    """Days on which the source says that it lists nothing (RSS ``skipDays``); Monday is 0, in UTC."""
    next: Ask | None = None
    """Asks for one more page."""


class Source(Protocol):
    """A place we poll. It does no I/O: it names requests and parses bytes.

    Sources inherit from this protocol, and with it what holds for most of them.
    """

    announce: frozenset[Announcement] = NEWS
    """Which announcements are news; the others only update what is known."""
    missing_is_quiet: ClassVar[bool] = False
    """Whether an address that is missing (HTTP 404) lists nothing, as where each day has an address that exists only
    once the day has papers. Otherwise it is a failure."""
    asks_about_papers: ClassVar[bool] = False
    """Whether it is asked after the others, about papers that they listed (`Window.papers`)."""
    is_extra: ClassVar[bool] = False
    """Whether it only says more of papers that others list, so that nobody misses one without it."""
    is_standing: ClassVar[bool] = False
    """Whether it shows its newest entries at all times, so that an empty listing is suspicious if the last was not."""

    reach: ClassVar[timedelta | None] = None
    """How far back it can be asked, at most; ``None`` if that is not a matter of time, or without end."""

    leaves_out: ClassVar[str] = ""
    """What it never lists, for people: the window stays open where nothing better could be read."""

    @property
    def name(self) -> str:
        """Unique among the configured sources, for people and for the database: ``arxiv:cs.CL+cs.CV``."""

    @property
    def allow_private(self) -> bool:
        """Whether its addresses may lead to a private network (set by the operator only)."""

    def asks(self, window: Window) -> Sequence[Ask]:
        """The requests that cover this window."""

    def parse(self, page: Page) -> Listing:
        """Read one page.

        Raises:
            ThrottledError: The server wants us to come back later, and it says so in the page.
            SuspiciousError: The page is not what this source answers with: HTML, for instance.
            CollectError: Anything else that keeps the page from being read.
        """

    def due(self, window: Window) -> Sequence[datetime]:  # noqa: ARG002  most sources follow no calendar
        """The batches that this source should have shown since the window's start, as its calendar says: since when it
        shows each, oldest first. Empty if it follows none.
        """
        return ()

    def batch_of(self, entry: Entry) -> str | None:  # noqa: ARG002
        """The batch that an entry tells the age of: where one of several is known while the others are new, it is
        stale. ``None`` for an entry that tells nothing.
        """
        return ""

    def alternatives(self, window: Window, stale: frozenset[str]) -> Sequence["Source"]:  # noqa: ARG002
        """Other ways to the same papers, in the order to try them, for when this one is stale, suspicious or failed, or
        leaves a gap. Their entries count as this source's.

        Args:
            window: What has to be covered.
            stale: The batches that are stale; empty if all are missing.
        """
        return ()

    @property
    def covers_gap(self) -> bool:
        """Whether one poll of it lists every batch since the window's start, not only the newest."""
        return True


class HostTurns(Protocol):
    """When each host may be asked next; remembered between runs, and shared by runs at the same time."""

    def take(self, host: str, spacing: timedelta, now: datetime) -> datetime:
        """Reserve the next turn at this host, atomically: no two turns begin closer together than ``spacing``.

        Returns:
            When it begins; ``now`` or later.
        """

    def hold(self, host: str, until: datetime) -> None:
        """Nobody asks this host before this time: it said so."""


class Backend(Protocol):
    """A way to send one message. It never retries and never records: the outbox does."""

    @property
    def room(self) -> int:
        """So many calls of `deliver` at a time keep it busy; it takes more, and lets them wait."""

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        """Hand over one message; many may be under way at once, in one event loop.

        Args:
            message: Sent to exactly its one recipient.
            before_dot: Awaited once everything but the end of the message has been handed over; done when that is
                durable. If it raises, the message must not be completed.

        Raises:
            TemporaryDeliverError: Not accepted now.
            UnreachableError: Nothing can be handed over now; trying other messages is useless.
            PermanentDeliverError: Never accepted as it is.
            SmtpRefusedError: The server refuses us; trying other messages is useless.
            UncertainDeliverError: The connection broke after the final dot; it may have been accepted.
            asyncio.CancelledError: The message was not completed, and will not be; if it may have been, that is an
                `UncertainDeliverError` also then.
        """

    async def close(self) -> None:
        """Let go of the connections; never raises. The next `deliver`, in whatever event loop, makes new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is remembered of a source between runs."""

    name: str
    verdict: Verdict
    polled_at: datetime
    last_good_at: datetime | None
    """Until when it was read completely."""
    fresh_at: datetime | None
    """When it last listed something new: its last good batch."""
    listed: int
    """Entries in the last complete listing."""
    new: int
    """In the last poll: papers never seen before."""
    merged: int
    """In the last poll: papers known from another source, listed by this one for the first time."""
    seen: int
    """In the last poll: entries that are no news."""
    took_s: float
    problem: str
    """First problem of the last poll, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionState:
    """A ledger row for people."""

    subscriber: SubscriberId
    date: date
    state: DeliveryState
    papers: int
    attempts: int
    detail: str
    """The server's reply or the reason, without addresses."""
    updated_at: datetime
    next_try_at: datetime | None


class PaperStore(Protocol):
    """Papers, what announced them, and what is remembered of sources."""

    def record(self, poll: Poll, now: datetime) -> Recorded:
        """Merge one poll into the papers, with its validators and the source's state, in one transaction."""

    def source_state(self, source: str) -> SourceState | None:
        """What is remembered of this source."""

    def seen(self, source: str, entries: Sequence[Entry], before: datetime | None = None) -> frozenset[PaperKey]:
        """Keys of those entries whose work this source announced before, under whichever of its identities; of a
        replacement, whose version it did.

        Args:
            source: Name of the source.
            entries: What it lists.
            before: Announcements that were stored at this time or later do not count.
        """

    def validators(self) -> Mapping[str, Validators]:
        """What to ask each known address with; see `Poll.validators`."""

    def latest_seq(self) -> int:
        """The number of the newest announcement; 0 in an empty database."""

    def seq_before(self, moment: datetime) -> int:
        """The number before that of the first announcement stored at this moment or later; else the newest number."""

    def announced(self, since_seq: int, through_seq: int) -> Sequence[Paper]:
        """Papers announced with ``since_seq < seq <= through_seq``, each once, in order of announcement.

        Which announcements count was settled when they were recorded, by `Poll.announce`.
        """

    def announced_at(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, Paper]]:
        """Papers whose first announcement was stored at ``since`` or later and before ``until``, with its time, oldest
        first: what runs in between would have found.
        """

    def replaced(self, since_seq: int, through_seq: int) -> frozenset[PaperKey]:
        """Of the papers announced in between, those of which a newer version was, and nothing else."""

    def papers(self, keys: Sequence[PaperKey]) -> Sequence[Paper]:
        """Known papers with these keys, or merged from works that had them, in the order asked."""

    def recent(self, since: datetime, limit: int) -> Sequence[Paper]:
        """Papers first seen since then, newest first."""

    def observations(self, since: datetime, keys: Sequence[PaperKey] | None = None) -> Sequence[Observation]:
        """What sources said of signals since then, oldest first; of these papers, or of all."""

    def find_paper(self, text: str) -> Paper | None:
        """The paper with this key, arXiv id, DOI or address, else the newest whose title contains the text."""

    def count(self) -> int:
        """How many papers are stored."""

    def source_states(self) -> Sequence[SourceState]:
        """The last poll of every source, by name."""


class FeedbackStore(Protocol):
    """What subscribers said of papers."""

    def give(self, subscriber: SubscriberId, feedback: Feedback) -> None:
        """Remember it, in place of what they said of this paper before."""

    def take_back(self, subscriber: SubscriberId, paper: PaperKey) -> bool:
        """Forget what they said of it; false if they had said nothing."""

    def of(self, subscriber: SubscriberId) -> Sequence[Feedback]:
        """What they said, oldest first, under the names that papers have by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is written to no more."""

    address: str
    """A keyed hash: `digest.tokens.Keyring.know`."""
    subscriber: SubscriberId
    reason: str
    """For people, without addresses."""
    at: datetime


class Suppressions(Protocol):
    """Addresses that are written to no more, and what came back of others; they are kept as keyed hashes."""

    def note_bounce(
        self, address: str, subscriber: SubscriberId, *, detail: str, day: date, now: datetime
    ) -> Suppression | None:
        """Remember that mail to it came back because it does not exist.

        Returns:
            What it is suppressed for from now on, if this was the second day; one bad day of a server ends nothing.
        """

    def suppress(self, address: str, subscriber: SubscriberId, *, reason: str, now: datetime) -> None:
        """Write to it no more."""

    def lift(self, subscriber: SubscriberId) -> int:
        """Forget what is known against a subscriber's addresses; returns how many were suppressed."""

    def suppressions(self) -> Sequence[Suppression]:
        """All of them, newest first."""


class Embedder(Protocol):
    """Turns texts into vectors that are near to each other where the meanings are."""

    @property
    def name(self) -> str:
        """Of kind and model: vectors of different names are not compared."""

    @property
    def threshold(self) -> float:
        """The cosine, from 0 to 1, from which an abstract is about a description, unless a topic says otherwise."""

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row a text, of length 1; all zeros for a text without meaning.

        Raises:
            EmbedError: The model cannot be loaded or reached.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedEdition:
    """An edition with the announcements it covers: numbers over ``since_seq``, up to ``through_seq``."""

    edition: Edition
    since_seq: int
    through_seq: int
    detail: str = ""
    """Why it is empty, if that is not plain."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of an edition that was to be opened."""

    is_written: bool
    delivery: Delivery | None = None
    """The claim on it, unless it is empty or was not to be claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A claimed delivery goes to another state; ``docs/architecture.md`` draws which go where."""

    delivery: Delivery
    state: DeliveryState
    """``dot`` before the final dot; ``accepted``, ``deferred``, ``failed``, ``suppressed`` or ``uncertain`` end the
    claim, and so do ``pending`` and ``deferred`` with ``is_counted`` false: the trouble was not with this message."""
    now: datetime
    detail: str = ""
    """The server's reply or the reason, without addresses."""
    next_try_at: datetime | None = None
    """Of a ``deferred`` one, and of no other."""
    is_counted: bool = True
    """Whether this try counts."""


class Ledger(Protocol):
    """One row per subscriber and edition; nothing is sent that is not claimed here first."""

    def recover(self, now: datetime, *, resend: bool = False) -> Sequence[EditionState]:
        """Settle what dead runs left: an expired lease in ``claimed`` is pending again, or failed if runs keep dying of
        it; in ``dot`` it is uncertain, or with ``resend`` pending again, once.

        Returns:
            The editions that became uncertain.
        """

    def expire(self, before: date, now: datetime) -> None:
        """Give up editions of earlier dates that still wait: their papers come with the next."""

    def settled_date(self, subscriber: SubscriberId, today: date) -> date | None:
        """The newest local date with an edition that needs no more work and cannot be opened again.

        One that was skipped can, on its own date. Dates after tomorrow were written by a clock that was wrong, and do
        not count, or they would silence the subscriber until they come.
        """

    def owed_since(self, subscriber: SubscriberId) -> int | None:
        """The announcement number after which papers are owed: the highest where an accepted or skipped edition ended,
        else the lowest where one began; ``None`` for a subscriber without editions.
        """

    def sent_keys(self, subscriber: SubscriberId) -> frozenset[PaperKey]:
        """Papers of accepted editions, near misses left out: they are never sent again, unless carried over."""

    def carried(self, subscriber: SubscriberId) -> Mapping[PaperKey, date]:
        """What has another chance: the papers that their newest accepted edition only named, with its date.

        Each has one, as an edition into which a paper was carried does not name it again. What was ever shown in full,
        under whichever name, has none.
        """

    def history(self, subscriber: SubscriberId, since: date) -> Sequence[Sent]:
        """Every place in their accepted editions since this date, oldest edition first, in order."""

    def open_editions(
        self, owed: Sequence[OwedEdition], now: datetime, *, run: str, claim: bool = True
    ) -> Sequence[Opened]:
        """Write editions and their papers as ``claimed`` by this run (``pending`` without ``claim``, ``skipped`` if
        empty), all in one transaction.

        Other editions of a subscriber that wait in ``pending`` or ``deferred`` become ``expired``: this one carries
        their papers. An edition that was ``skipped`` or ``expired`` for the same date is opened again.

        Returns:
            What became of each. Nothing is written where the edition of this subscriber and date exists already, where
            another run is delivering one of theirs, or where one of these papers was delivered after the caller asked
            for ``sent_keys``. A paper labelled `LabelKind.CARRIED` may have been sent in section ``rest``, and nowhere
            else.
        """

    def claim(
        self, now: datetime, *, run: str, only: Sequence[SubscriberId] | None = None, limit: int = 1
    ) -> Sequence[Delivery]:
        """Take up to ``limit`` deliveries that may be tried now, atomically; empty when nothing is left."""

    def edition_papers(self, delivery: Delivery) -> Sequence[Placed]:
        """The places of the claimed edition, in order."""

    def rewrite_papers(self, delivery: Delivery, placed: Sequence[Placed], now: datetime) -> None:
        """Put these in place of what the claimed edition holds: what its message shows.

        Raises:
            StoreError: Another run took the delivery over, or the database cannot be written.
        """

    def move(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Write what became of claimed deliveries, all in one transaction, durable when it returns.

        Returns:
            For each, whether it was written; if not, another run took the delivery over, and nothing of it counts.

        Raises:
            StoreError: The database cannot be written, and none of them was.
        """

    def tally(self, run: str) -> Mapping[DeliveryState, int]:
        """How many editions this run opened or claimed last, by the state they are in."""

    def accepted_since(self, moment: datetime) -> int:
        """How many deliveries were accepted at this moment or later."""

    def waiting(self) -> int:
        """How many deliveries are not settled: they wait for a try, or a run has them in hand."""

    def editions(self, subscriber: SubscriberId | None = None, limit: int = 100) -> Sequence[EditionState]:
        """Ledger rows, newest first."""

    def recent(self, since: date) -> Sequence[EditionState]:
        """Everyone's rows since this date, and all that are not settled, in no order."""
