"""Frozen values that travel the line from a source's entry to a delivery; see docs/glossary.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from email import message_from_bytes, policy
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Literal, NewType
from zoneinfo import ZoneInfo

PaperKey = NewType("PaperKey", str)
"""Stable and versionless identity of a work: ``arxiv:2401.01234``, ``doi:10.1000/x``, ``pmid:123``, ``openreview:id``,
``url:https://…``, or, for an item of a feed that has none of these, ``guid:name of the feed:its id``."""

SubscriberId = NewType("SubscriberId", str)
"""A slug of the subscriber's name; never holds an address, so it may stand in logs and in the database."""


class Announcement(StrEnum):
    """How a source listed a paper; the values are arXiv's ``announce_type``."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"
    MENTION = "mention"
    """Not announced at all: something more is said of a work that may be known, such as its stars."""

    @property
    def is_replacement(self) -> bool:
        """Whether the text is a newer version of a known one."""
        return self in (Announcement.REPLACE, Announcement.REPLACE_CROSS)


NEWS = frozenset({Announcement.NEW, Announcement.CROSS})
"""What readers are owed unless they choose otherwise: a replacement revises a work that was announced before."""


class LinkKind(StrEnum):
    """What a paper's link leads to."""

    ABSTRACT = "abstract"
    PDF = "pdf"
    HTML = "html"
    """The paper's text as a web page."""
    CODE = "code"
    PROJECT = "project"
    DATASET = "dataset"
    MODEL = "model"
    DISCUSSION = "discussion"
    BIBTEX = "bibtex"


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
    points: int | None = None
    """On Hacker News, of the story with the most."""
    citations: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self != Signals()


SIGNALS = tuple(each.name for each in fields(Signals))


@dataclass(frozen=True, slots=True)
class Observation:
    """What one source said of a paper's signals at one time; their growth is what trends."""

    paper: PaperKey
    source: str
    at: datetime
    """When we read it, timezone-aware, in UTC."""
    signals: Signals


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
    version: int | None = None
    """Of the text, where the source numbers its versions, as arXiv does."""
    signals: Signals = field(default_factory=Signals)
    ids: tuple[PaperKey, ...] = ()
    """Every other identity that the source states: the DOI of an arXiv paper, the arXiv id of an article."""
    venue: str = ""
    """Where it is published or accepted: ``NeurIPS 2026``, ``Nature``."""
    summary: str = ""
    """One sentence that a machine wrote, where the source has one."""


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
    ids: tuple[PaperKey, ...] = ()
    """Its other identities, as `Entry.ids`."""
    venue: str = ""
    summary: str = ""
    origins: tuple[tuple[str, str], ...] = ()
    """Field and the source it was taken from, for title, abstract, authors, venue and summary; and ``doi``, if the
    venue was stated together with the DOI of a publication."""

    def link(self, kind: LinkKind) -> str | None:
        """The first address of this kind."""
        return next((link.url for link in self.links if link.kind is kind), None)

    @property
    def url(self) -> str | None:
        """Where the title leads: the abstract page, else any other link."""
        return self.link(LinkKind.ABSTRACT) or next((link.url for link in self.links), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A work that stands for what a reader wants: an entry of their library, or an id in a list."""

    title: str = ""
    abstract: str = ""
    keys: tuple[PaperKey, ...] = ()
    """Its identities; where it has no text, the stored paper with one of these gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One named filter of a subscriber.

    A paper passes when it meets every part that is given: ``query``, at least one of ``any``, each of ``all``,
    none of ``none``, at least one of ``categories``, at least one of ``authors``, and near enough to ``about`` and
    ``like``.
    """

    name: str
    query: str = ""
    """In the one-line language of ``digest.match.query``."""
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    """Words that lower a paper in the order, and do not keep it out."""
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    about: str = ""
    """A description of the subject, compared by meaning."""
    like: tuple[Example, ...] = ()
    """Works that are near to what is wanted."""
    threshold: float | PaperKey | None = None
    """From 0 to 1: how near a paper must be to ``about`` and ``like``; or as near as this paper; or what suits most."""
    limit: int | None = None
    """At most this many papers of the topic are shown in full."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a subscriber is written to, in their own time zone."""

    text: str
    """As the subscriber put it: ``weekdays at 07:30``."""
    cron: str
    """The same as a five-field cron expression: ``30 7 * * 1-5``."""


@dataclass(frozen=True, slots=True)
class DateSpan:
    """Local dates from the first to the last, both included."""

    first: date
    last: date


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
    """Besides the matches, this many of the papers that are talked about most."""
    rising: int = 0
    """At most this many older papers that they were not sent and that took off since."""
    near_misses: int = 0
    """At most this many papers that one missing word kept out, with the word."""
    by_topic: bool = False
    """Whether the matched papers stand under their topics, in the order of the topics."""
    template: str = "daily"
    theme: str = "paper"
    language: str = ""
    """A language tag such as ``de``: the mail's own words are in it, and titles and summaries are translated into it if
    something can translate. Empty means English."""
    abstract: int = 600
    """So many characters of an abstract are shown where there is room, from 0; cut at the end of a sentence."""
    archive: str = ""
    """Where the editions of this subscriber are published by ``digest export``, an https address; or empty."""
    quiet: tuple[DateSpan, ...] = ()
    """Dates without an edition; the next one carries their papers."""
    holidays: str = ""
    """A country or a part of one, ``DE`` or ``DE-BE``, whose public holidays are such dates, too; or empty."""
    at_least: int = 1
    """An edition waits until it has so many papers; until then they come with the next."""
    latest_send: time | None = None
    """The local time until which an edition waits for sources that are late; ``None`` if it does not."""
    links: int = 1
    """Raised to make void what earlier mails let their readers do: unsubscribe, pause, give feedback."""

    @property
    def look(self) -> tuple[str, str]:
        """What their mail looks like: template and theme."""
        return self.template, self.theme


class Field(StrEnum):
    """The part of a paper in which a term was found."""

    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    CATEGORY = "category"
    VENUE = "venue"
    SOURCE = "source"
    MEANING = "meaning"
    """`Evidence.found` then is how near it is, from 0 to 1: ``0.83``."""


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
class Score:
    """What ranks a paper for one reader: a sum of parts, each shown to them; see ``digest.rank.score``."""

    match: float = 0.0
    """How well the words fit, from 0."""
    follow: float = 0.0
    """For followed authors, from 0."""
    relevance: float = 0.0
    """How near it is to what they describe and liked: 0 to the weight of relevance; below 0 for what they disliked."""
    trend: float = 0.0
    """What is made of it by now, from 0."""
    recency: float = 0.0
    """For its age, from 0."""
    less: float = 0.0
    """For words that lower it, 0 or below."""

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return self.match + self.follow + self.relevance + self.trend + self.recency + self.less


class LabelKind(StrEnum):
    """What is worth a word about a matched paper."""

    FIRST_BY = "first-by"
    """The first paper of a followed author that this reader is sent; `Label.name` is the author."""
    NTH_ON = "nth-on"
    """The third or later paper on one topic within a month; `Label.name` is the topic."""
    CARRIED = "carried"
    """The limit cut it from the last edition; `Label.name` is that edition's date, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Label:
    """A word about a matched paper."""

    kind: LabelKind
    name: str
    number: int = 0
    """Of ``NTH_ON``: 3 for the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A paper that at least one topic of a subscriber wants."""

    paper: Paper
    topics: tuple[TopicMatch, ...]
    score: Score = field(default_factory=Score)
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """An older paper that took off: what one of its signals was, and what it is."""

    paper: Paper
    signal: str
    """One of `SIGNALS`: the one that grew most."""
    before: int
    now: int
    since: datetime
    """When the count was ``before``, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A paper that one missing part of a topic kept out."""

    paper: Paper
    topic: str
    missing: str
    """The part, as the reader wrote it."""


class FollowUpKind(StrEnum):
    """What became of a paper that a reader was sent."""

    CODE = "code"
    """Its code was published."""
    ACCEPTED = "accepted"
    """It has a venue now."""
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """News of a paper that a reader was sent in an earlier edition."""

    paper: Paper
    kinds: tuple[FollowUpKind, ...]
    """At least one, in the order of `FollowUpKind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How one signal of a paper grew."""

    signal: str
    """One of `SIGNALS`: the one that grew most."""
    counts: tuple[int, ...]
    """At least two, oldest first, at equal distances; the last is the newest."""
    since: datetime
    """When the first was counted, in UTC."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """What was announced on one local date."""

    date: date
    announced: int
    """By all sources."""
    matched: int
    """For this reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The seven local dates that end with an edition's, for templates that look back."""

    days: tuple[DayCount, ...]
    """Seven, oldest first."""
    discussed: tuple[Paper, ...] = ()
    """The papers of the week with most comments and points, most first; at most five."""
    sent: tuple[Paper, ...] = ()
    """What this reader was sent in full in the week, newest edition first."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A paper's place in an edition, as the ledger keeps it."""

    section: str
    """One of ``matched``, ``trending``, ``rising``, ``rest``, ``updated``, ``near``, ``followup``; see
    ``digest.rank.placed``."""
    paper: PaperKey
    why: Mapping[str, Any] = field(default_factory=dict)
    """Whatever is known only when the edition is chosen, ready for JSON: topics, score, labels, growth."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A place in an edition that was accepted."""

    date: date
    """The edition's."""
    placed: Placed


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a subscriber said of a paper: more like this, or less."""

    paper: PaperKey
    more: bool
    at: datetime


WordingKind = Literal["title", "summary"]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a language model wrote of one paper in one language."""

    title: str
    """Its title in that language, or empty."""
    summary: str
    """One sentence, or empty."""
    by: str
    """The model's name, which readers are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The ordered selection for one subscriber and one local date, before rendering."""

    subscriber: Subscriber
    date: date
    """The subscriber's local date; with the subscriber it is the edition's identity."""
    matched: tuple[Match, ...] = ()
    """Shown in full, best first."""
    trending: tuple[Paper, ...] = ()
    """Shown in full, most talked about first; never one of the matched."""
    rising: tuple[Rise, ...] = ()
    """Announced before this edition's window, never sent, and taken off since; shown in full, largest growth first."""
    rest: tuple[Paper, ...] = ()
    """Matched beyond the subscriber's limit, best first; named by title."""
    updated: tuple[Paper, ...] = ()
    """Sent in an earlier edition and replaced by a newer version since; named by title."""
    near_misses: tuple[NearMiss, ...] = ()
    """Named by title with the missing word; they do not count as sent."""
    follow_ups: tuple[FollowUp, ...] = ()
    """News of papers that were sent before, named by title: they do not count as sent and make no mail of their own."""
    gaps: tuple["Gap", ...] = ()
    """The sources that may have had more for this edition."""
    growth: Mapping[PaperKey, Growth] = field(default_factory=dict, hash=False)
    """How the signals of papers that it shows in full grew, where that is known and they did."""
    week: Week | None = None
    """Given where the template looks back on a week."""
    wordings: Mapping[PaperKey, Wording] = field(default_factory=dict, hash=False)
    """What a language model wrote for this reader, where one is configured and was in time."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is owed; news of papers that were sent before is no reason for a mail, nor is a near miss."""
        return not (self.matched or self.trending or self.rising or self.rest)

    @property
    def shown(self) -> tuple[Paper, ...]:
        """The papers it shows in full, in their order."""
        return (*(match.paper for match in self.matched), *self.trending, *(rise.paper for rise in self.rising))

    @property
    def papers(self) -> tuple[Paper, ...]:
        """Every paper the edition carries, in the order in which it names them."""
        return (*self.shown, *self.rest)


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
    raw: bytes = field(repr=False)
    """The whole message as it goes over the wire: CRLF line ends, ASCII only, no line over 998 octets."""
    html_bytes: int
    """Size of the HTML part as it goes over the wire."""

    @property
    def text(self) -> str:
        """The plain part, read back from the message; empty if it has none."""
        return _read_body(self.raw, "plain")

    @property
    def html(self) -> str:
        """The rich part, read back from the message; empty if it has none."""
        return _read_body(self.raw, "html")


@lru_cache(maxsize=4)
def _read_body(raw: bytes, subtype: str) -> str:
    part = message_from_bytes(raw, policy=policy.default).get_body((subtype,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


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


class CatchUp(StrEnum):
    """What becomes of editions whose send time passed while nothing ran."""

    MERGE = "merge"
    """One edition now, with the papers of all of them."""
    LATEST = "latest"
    """One edition now, with the papers of the last of them."""
    EACH = "each"
    """An edition for each missed date."""
    NONE = "none"
    """Nothing now; the next edition has the papers of all of them."""


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
    resends: int = 0
    """How often it was sent again although it may have arrived."""


class Verdict(StrEnum):
    """How one poll of a source ended; ``digest.collect.freshness`` has the rules."""

    FRESH = "fresh"
    """It lists papers that it never listed before."""
    UNCHANGED = "unchanged"
    """Everything in it is known, and nothing more was due."""
    QUIET = "quiet"
    """A valid listing with nothing in it, on a day without one: a weekend, a holiday."""
    STALE = "stale"
    """A batch we already have, where a new one is due."""
    PARTIAL = "partial"
    """Some items or pages could not be read; the rest was taken."""
    SUSPICIOUS = "suspicious"
    """Not to be believed: empty where a batch is due, HTML, fewer entries than the page itself states."""
    FAILED = "failed"

    @property
    def is_good(self) -> bool:
        """Whether the source said all it had to say."""
        return self in (Verdict.FRESH, Verdict.UNCHANGED, Verdict.QUIET)

    @property
    def is_bad(self) -> bool:
        """Whether a whole batch may be missing, so that other ways to it are worth trying."""
        return self in (Verdict.STALE, Verdict.SUSPICIOUS, Verdict.FAILED)


@dataclass(frozen=True, slots=True)
class Gap:
    """A source that may have had more than it said."""

    source: str
    """Its name."""
    verdict: Verdict
    """Of its last poll; none that is good."""
    fresh_on: date | None
    """When it last listed anything new, a date in UTC; ``None`` if it never did."""


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
    """Of each address that answered, under a hash of its source and itself, as it may hold a key; stored in the same
    transaction as the entries, so neither is lost alone."""
    took_s: float = 0.0
    announce: frozenset[Announcement] = NEWS
    """Which announcements are news; the others only update what is known."""
    covers: bool = True
    """Whether all that the window asked for was read, so that the next one begins where this one ends."""
    via: tuple[str, ...] = ()
    """Names of the alternatives that were asked because the first way was not enough, in order."""
    is_extra: bool = False
    """Whether readers miss nothing without it: it only says more of papers that are known."""

    @property
    def is_good(self) -> bool:
        """Whether nobody has to be told: the source said all it had to say, or is an extra."""
        return self.verdict.is_good or self.is_extra


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
