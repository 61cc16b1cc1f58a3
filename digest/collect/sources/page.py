"""What every parser does first: tell a listing from an error page, XML from a trap, an entry from untrusted text."""

import html
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import feedparser

from digest.errors import CollectError
from digest.model import Announcement, Entry, Link, LinkKind, PaperKey, Signals
from digest.ports import Page
from digest.text.clean import clean_text, fit
from digest.text.latex import latex_to_text

MAX_TITLE_CHARS = 500
MAX_ABSTRACT_CHARS = 20_000
MAX_AUTHORS = 5_000
_MAX_NAME_CHARS = 200
_MAX_CATEGORIES = 50
_PROLOG_BYTES = 65_536

# Possessive, as a plain group over comments takes time exponential in their number.
_HTML = re.compile(
    rb"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_HTML_TITLE = re.compile(rb"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:\w+:)?(?:rss|feed|rdf)\b", re.IGNORECASE)
_ENTITIES = re.compile(rb"<!ENTITY|<!DOCTYPE[^>\[]*\[|encoding\s*=\s*.utf-?7", re.IGNORECASE)
_END_TAG = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)


def refuse_html(page: Page, expected: str) -> None:
    """Name an HTML page that stands where a listing should: maintenance, a captive portal, a bot check.

    Raises:
        CollectError: The page is HTML, whatever its media type says.
    """
    if _HTML.match(page.body[:_PROLOG_BYTES].lstrip(b"\xef\xbb\xbf")):
        title = _HTML_TITLE.search(page.body[:_PROLOG_BYTES])
        titled = f" titled {quoted(html.unescape(title[1].decode('utf-8', 'replace')))}" if title else ""
        raise CollectError(f"HTML page{titled} where {expected} was expected")


def read_feed(page: Page) -> tuple[Any, tuple[str, ...]]:
    """Parse RSS, Atom or RDF.

    Returns:
        feedparser's result with the fields as the feed wrote them (nothing sanitised), and problems: the last item
        of a feed that broke off is dropped, as half of it may be missing.

    Raises:
        CollectError: Not a feed, or one that declares entities, which no feed of papers needs and attacks do.
    """
    refuse_html(page, "a feed")
    # UTF-16 hides ASCII behind NUL bytes.
    prolog = page.body[:_PROLOG_BYTES].replace(b"\0", b"")
    root = _ROOT.search(prolog)
    if _ENTITIES.search(prolog[: root.start()] if root else prolog):
        raise CollectError("the XML declares entities or an unsafe encoding")
    headers = {"content-type": f"application/xml; charset={page.charset}"} if page.charset else {}
    # Never a str or bytes: feedparser would open it as a file or an address.
    feed = feedparser.parse(
        io.BytesIO(page.body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    if not feed.get("version") and not feed.entries:
        start = quoted(page.body[:80].decode("utf-8", "replace"))
        raise CollectError(
            f"not a feed: it starts with {start}" if page.body.strip() else "not a feed: the body is empty"
        )
    if feed.bozo and not _END_TAG.search(page.body[-2_000:].replace(b"\0", b"")):
        dropped = feed.entries.pop() if feed.entries else {}
        named = f"; dropped the last item {quoted(dropped.get('title', ''))}" if dropped else ""
        return feed, (f"the feed broke off after {len(page.body):,} bytes{named}",)
    return feed, ()


def entry(
    *,
    key: PaperKey,
    title: str,
    abstract: str = "",
    authors: Iterable[str] = (),
    categories: Iterable[str] = (),
    links: Iterable[Link | None] = (),
    published: datetime | None = None,
    announcement: Announcement = Announcement.NEW,
    signals: Signals | None = None,
) -> Entry:
    """Build an entry from untrusted text: LaTeX to Unicode, one clean line each, capped in size and number."""
    names: dict[str, None] = {}
    for author in authors:
        names.setdefault(plain(author, _MAX_NAME_CHARS))
        if len(names) > MAX_AUTHORS:
            break
    terms = dict.fromkeys(fit(clean_text(term), 100) for term in categories)
    return Entry(
        key=key,
        title=plain(title, MAX_TITLE_CHARS),
        abstract=plain(abstract, MAX_ABSTRACT_CHARS),
        authors=tuple(name for name in names if name)[:MAX_AUTHORS],
        categories=tuple(term for term in terms if term)[:_MAX_CATEGORIES],
        links=tuple(dict.fromkeys(link for link in links if link)),
        published=published,
        announcement=announcement,
        signals=signals or Signals(),
    )


def plain(text: str, limit: int) -> str:
    """One clean line of at most ``limit`` characters; surplus is cut before the slow work."""
    return fit(clean_text(latex_to_text(clean_text(text[: limit * 4]))), limit)


def link(kind: LinkKind, url: str | None) -> Link | None:
    """A link if there is a (checked) address."""
    return Link(kind, url) if url else None


def quoted(text: str) -> str:
    """An untrusted value for a problem line: short, clean, in quotes."""
    return f"'{fit(clean_text(text), 80)}'"


def announced_at(item: Any) -> datetime | None:
    """When feedparser's item says it appeared, else when it was changed; ``None`` for what is no date of this age."""
    # Not `get`: feedparser answers that for a missing `updated_parsed`, with a deprecation warning.
    names = [name for name in ("published_parsed", "updated_parsed") if name in item]
    parsed = next((item[name] for name in names), None)
    try:
        return sane(datetime(*parsed[:6]).replace(tzinfo=UTC)) if parsed else None  # noqa: DTZ001
    except (TypeError, ValueError, OverflowError):
        return None


def sane(when: datetime) -> datetime | None:
    """The time in UTC, unless its year is a placeholder (0001, 9999) that no zone can show."""
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return when.astimezone(UTC) if 1900 < when.year < 2200 else None
