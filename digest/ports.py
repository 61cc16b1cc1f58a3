"""The protocols between the core and the edges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from digest.model import (
    Delivery,
    DeliveryState,
    Edition,
    Entry,
    Message,
    Paper,
    PaperKey,
    Poll,
    Receipt,
    Recorded,
    SubscriberId,
    Validators,
)


@dataclass(frozen=True, slots=True)
class Window:
    """The time a poll has to cover; both ends aware, in UTC."""

    since: datetime
    """When the source last said all it had to say; a day before ``until`` if it never did."""
    until: datetime
    """The run's reference time."""


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched response, decoded from its content encoding."""

    url: str
    body: bytes
    content_type: str
    """The media type in lower case, without parameters; empty if the server gave none."""
    charset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one page lists."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    """One line for each item that was skipped: which, and why."""
    next_url: str | None = None
    """Asks for one more page."""


class Source(Protocol):
    """A place we poll. It does no I/O: it names addresses and parses bytes.

    A source may also say ``missing_is_quiet = True``: then an address that is missing (HTTP 404) lists nothing, as
    where each day has an address that exists only once the day has papers. Otherwise it is a failure.
    """

    @property
    def name(self) -> str:
        """Unique among the configured sources, for people and for the database: ``arxiv:cs.CL+cs.CV``."""

    @property
    def allow_private(self) -> bool:
        """Whether its addresses may lead to a private network (set by the operator only)."""

    def first_urls(self, window: Window) -> Sequence[str]:
        """The addresses to read for this window."""

    def parse(self, page: Page) -> Listing:
        """Read one page.

        Raises:
            CollectError: The page is not what this source answers with (HTML, a throttling notice, broken JSON).
        """


class Backend(Protocol):
    """A way to send one message. It never retries and never records: the outbox does."""

    def deliver(self, message: Message, before_dot: Callable[[], None]) -> Receipt:
        """Hand over one message.

        Args:
            message: Sent to exactly its one recipient.
            before_dot: Called once everything but the end of the message has been handed over, and returns when
                that is durable. If it raises, the message must not be completed.

        Raises:
            TemporaryDeliverError: Not accepted now.
            UnreachableError: Nothing can be handed over now; trying other messages is useless.
            PermanentDeliverError: Never accepted as it is.
            SmtpRefusedError: The server refuses us; trying other messages is useless.
            UncertainDeliverError: The connection broke after the final dot; it may have been accepted.
        """

    def close(self) -> None:
        """Let go of the connection; never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is remembered of a source between runs."""

    name: str
    verdict: str
    polled_at: datetime
    last_good_at: datetime | None
    entries: int
    """Listed in the last poll."""
    new: int
    """Of these, never seen before."""
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

    def last_good(self, source: str) -> datetime | None:
        """When this source was last read completely."""

    def validators(self) -> Mapping[str, Validators]:
        """What to ask each known address with."""

    def latest_seq(self) -> int:
        """The number of the newest announcement; 0 in an empty database."""

    def seq_before(self, moment: datetime) -> int:
        """The number before that of the first announcement stored at this moment or later; else the newest number."""

    def announced(self, since_seq: int, through_seq: int) -> Sequence[Paper]:
        """Papers announced as new or cross-listed with ``since_seq < seq <= through_seq``, in order of announcement."""

    def papers(self, keys: Sequence[PaperKey]) -> Sequence[Paper]:
        """Known papers with these keys, in the order asked."""

    def find_paper(self, text: str) -> Paper | None:
        """The paper with this key, arXiv id, DOI or address, else the newest whose title contains the text."""

    def count(self) -> int:
        """How many papers are stored."""

    def source_states(self) -> Sequence[SourceState]:
        """The last poll of every source, by name."""


class Ledger(Protocol):
    """One row per subscriber and edition; nothing is sent that is not claimed here first."""

    def recover(self, now: datetime) -> Sequence[EditionState]:
        """Settle what dead runs left: an expired lease in ``claimed`` is pending again, in ``dot`` is uncertain.

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
        """Papers of accepted editions: they are never sent again."""

    def open_edition(self, edition: Edition, *, since_seq: int, through_seq: int, now: datetime) -> bool:
        """Write the edition and its papers as ``pending`` (``skipped`` if empty), in one transaction.

        Other editions of the subscriber that wait in ``pending`` or ``deferred`` become ``expired``:
        this one carries their papers. An edition that was ``skipped`` or ``expired`` for the same date is opened again.

        Returns:
            False if nothing was written: the edition of this subscriber and date exists already, or another run is
            delivering one of theirs, or it delivered one of these papers after the caller asked for ``sent_keys``.
        """

    def claim(self, now: datetime, only: Sequence[SubscriberId] | None = None) -> Delivery | None:
        """Take one delivery that may be tried now, atomically; ``None`` when nothing is left."""

    def edition_papers(self, delivery: Delivery) -> Sequence[tuple[str, PaperKey]]:
        """Section and paper of the claimed edition, in order."""

    def mark_dot(self, delivery: Delivery, now: datetime) -> None:
        """Durable before the final dot goes out.

        Raises:
            StoreError: Another run took the delivery over, or the database cannot be written.
        """

    def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        detail: str,
        now: datetime,
        next_try_at: datetime | None = None,
    ) -> None:
        """End this claim as ``accepted``, ``deferred`` (with ``next_try_at``), ``failed``, ``suppressed`` or
        ``uncertain``; durable when it returns.

        Raises:
            StoreError: Another run took the delivery over, or the database cannot be written.
        """

    def release(self, delivery: Delivery, *, detail: str, now: datetime, next_try_at: datetime | None = None) -> None:
        """Put a claim back without counting the attempt: the trouble was not with this message.

        It is ``pending`` again, or ``deferred`` if a time for the next try is given.

        Raises:
            StoreError: Another run took the delivery over, or the database cannot be written.
        """

    def waiting(self) -> int:
        """How many deliveries are not settled: they wait for a try, or a run has them in hand."""

    def editions(self, subscriber: SubscriberId | None = None, limit: int = 100) -> Sequence[EditionState]:
        """Ledger rows, newest first."""
