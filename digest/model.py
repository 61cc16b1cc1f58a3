"""Frozen values that travel the line from a source's entry to a delivery; see docs/glossary.md."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import NewType
from zoneinfo import ZoneInfo

PaperKey = NewType("PaperKey", str)
"""Stable and versionless identity of a work: ``arxiv:2401.01234``, ``doi:10.1000/x``, ``url:https://…``, or, for an
item of a feed that has none of these, ``guid:name of the feed:its id``."""

SubscriberId = NewType("SubscriberId", str)
"""A slug of the subscriber's name; never holds an address, so it may stand in logs and in the database."""


class Announcement(StrEnum):
    """How a source listed a paper; the values are arXiv's ``announce_type``."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"

    @property
    def is_news(self) -> bool:
        """Whether readers are owed the paper: a replacement revises a work that was announced before."""
        return self in (Announcement.NEW, Announcement.CROSS)


class LinkKind(StrEnum):
    """What a paper's link leads to."""

    ABSTRACT = "abstract"
    PDF = "pdf"
    CODE = "code"
    PROJECT = "project"
    DISCUSSION = "discussion"


@dataclass(frozen=True, slots=True)
class Link:
    """A checked http(s) address that belongs to a paper."""

    kind: LinkKind
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What a community did with a paper; ``None`` means that no source said."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A paper as one source describes it, already plain text: no markup, no TeX accents, no control characters."""

    key: PaperKey
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    published: datetime | None = None
    """When the source says it was announced, timezone-aware, in UTC."""
    announcement: Announcement = Announcement.NEW
    signals: Signals = field(default_factory=Signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One work, merged from every source that lists it."""

    key: PaperKey
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    links: tuple[Link, ...]
    published: datetime
    """First announcement, timezone-aware, in UTC; the time we first saw it where no source says."""
    first_seen: datetime
    """When a run of ours first stored it, timezone-aware, in UTC."""
    signals: Signals
    sources: tuple[str, ...]
    """Names of the sources that announced it, first one first."""

    def link(self, kind: LinkKind) -> str | None:
        """The first address of this kind."""
        return next((link.url for link in self.links if link.kind is kind), None)

    @property
    def url(self) -> str | None:
        """Where the title leads: the abstract page, else any other link."""
        return self.link(LinkKind.ABSTRACT) or next((link.url for link in self.links), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One named filter of a subscriber.

    A paper passes when it meets every part that is given: at least one of ``any``, each of ``all``,
    none of ``none``, at least one of ``categories``, at least one of ``authors``.
    """

    name: str
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a subscriber is written to, in their own time zone."""

    text: str
    """As the subscriber put it: ``weekdays at 07:30``."""
    cron: str
    """The same as a five-field cron expression: ``30 7 * * 1-5``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address with topics, schedule, time zone and template."""

    id: SubscriberId
    name: str
    email: str = field(repr=False)
    """Kept out of ``repr`` so that no log line or traceback can show it."""
    zone: ZoneInfo
    schedule: Schedule
    topics: tuple[Topic, ...] = ()
    limit: int = 20
    """At most this many papers are shown in full; the rest is named by title."""
    trending: int = 0
    """Besides the matches, this many of the most upvoted papers."""
    template: str = "daily"


class Field(StrEnum):
    """The part of a paper in which a term was found."""

    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What hit: becomes "why you got this"."""

    field: Field
    term: str
    """As the subscriber wrote it."""
    found: str
    """As the paper prints it."""


@dataclass(frozen=True, slots=True)
class TopicMatch:
    """A topic that wants a paper, and why."""

    topic: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A paper that at least one topic of a subscriber wants."""

    paper: Paper
    topics: tuple[TopicMatch, ...]
    strength: int
    """How well it fits, from 1; what counts is written in ``digest.match.topics``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The ordered selection for one subscriber and one local date, before rendering."""

    subscriber: Subscriber
    date: date
    """The subscriber's local date; with the subscriber it is the edition's identity."""
    matched: tuple[Match, ...] = ()
    """Shown in full, best first."""
    trending: tuple[Paper, ...] = ()
    """Shown in full, most upvoted first; never one of the matched."""
    rest: tuple[Paper, ...] = ()
    """Matched beyond the subscriber's limit, best first; named by title."""
    absent_sources: tuple[str, ...] = ()
    """Names of sources that could not be read, or not in full, for this edition."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is owed."""
        return not (self.matched or self.trending or self.rest)

    @property
    def papers(self) -> tuple[Paper, ...]:
        """Every paper the edition carries, in the order in which it names them."""
        return (*(match.paper for match in self.matched), *self.trending, *self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A rendered edition, ready for any backend."""

    message_id: str
    """With angle brackets; stable per subscriber and edition, so that a resend is the same message."""
    sender: str = field(repr=False)
    """Envelope sender, a bare address."""
    recipient: str = field(repr=False)
    """Envelope recipient, a bare address."""
    subject: str
    text: str
    html: str
    raw: bytes = field(repr=False)
    """The whole message as it goes over the wire: CRLF line ends, ASCII only, no line over 998 octets."""


class DeliveryState(StrEnum):
    """Where a delivery stands; ``docs/architecture.md`` draws the transitions."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DOT = "dot"
    """The final dot may have gone out: whether the server accepted is not known until the reply is stored."""
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """The address must never be written to again; nothing sets this yet."""
    SKIPPED = "skipped"
    """Nothing was owed, so nothing was sent."""
    EXPIRED = "expired"
    """A later edition took its papers over before it could be sent."""
    UNCERTAIN = "uncertain"
    """Run or connection died between the final dot and the stored reply; never resent, its papers come back."""


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """For a server on this machine only."""

    def permits(self, host: str) -> bool:
        """Whether mail and password may go to this host: nothing leaves this machine in the clear."""
        if self is not Security.NONE or host.lower() == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A backend's word that it took a message."""

    code: int
    """SMTP reply code, 250 for backends that have none."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The ledger row of one edition, claimed by this process."""

    id: int
    subscriber: SubscriberId
    date: date
    token: str
    """Fencing token: a write with an older token is refused."""
    attempts: int
    """How often sending was tried, this claim included."""


class Verdict(StrEnum):
    """How one poll of a source ended."""

    FRESH = "fresh"
    UNCHANGED = "unchanged"
    """The server says that nothing changed since the last poll (HTTP 304)."""
    QUIET = "quiet"
    """A valid listing with nothing in it, as on a weekend."""
    PARTIAL = "partial"
    """Some items or pages could not be read; the rest was taken."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to ask "changed since?" with (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one source listed in one poll."""

    source: str
    verdict: Verdict
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    """One line each, for people: what was skipped or went wrong, with the value."""
    validators: tuple[tuple[str, Validators], ...] = ()
    """Per address that answered; stored in the same transaction as the entries, so neither is lost alone."""
    took_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether the source said all it had to say."""
        return self.verdict not in (Verdict.FAILED, Verdict.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What storing one poll changed."""

    source: str
    new: int
    """Papers never seen before."""
    merged: int
    """Papers known from another source that this one now lists too."""
    seen: int
    """Entries that are no news: listed by this source before, or replacements."""
