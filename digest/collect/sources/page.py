"""What every parser does first: tell a listing from an error page, XML from a trap, an entry from untrusted text."""

import codecs
import html
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import feedparser

from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, Entry, Link, LinkKind, PaperKey, Signals
from digest.ports import Page
from digest.text.clean import clean_text, fit
from digest.text.latex import latex_to_text

MAX_TITLE_CHARS = 500
MAX_ABSTRACT_CHARS = 20_000
MAX_AUTHORS = 5_000
_MAX_NAME_CHARS = 200
_MAX_SUMMARY_CHARS = 600
_MAX_CATEGORIES = 50
_PROLOG_BYTES = 65_536
_MAX_ITEMS = 5_000

# Possessive, as a plain group over comments takes time exponential in their number.
_HTML = re.compile(
    rb"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_HTML_TITLE = re.compile(rb"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:\w+:)?(?:rss|feed|rdf)\b", re.IGNORECASE)
_ENTITIES = re.compile(rb"<!ENTITY|<!DOCTYPE[^>\[]*\[", re.IGNORECASE)
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"'>]*)["']""", re.IGNORECASE)
_END_TAG = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*(?:>|\Z)", re.IGNORECASE)
_ITEM = re.compile(rb"<(?:item|entry)[\s>]", re.IGNORECASE)
_ITEM_END = re.compile(rb"</(?:item|entry)\s*>", re.IGNORECASE)
_SKIP_DAYS = re.compile(rb"<skipDays\s*>(.*?)</skipDays\s*>", re.IGNORECASE | re.DOTALL)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MARK = re.compile(rb"<(?:!\[CDATA\[|!--|(?P<end>/?)(?P<name>[a-z][\w:.-]*)(?P<rest>[^<>]*))", re.IGNORECASE)
_VOID = (b"br", b"hr", b"img", b"input", b"meta", b"p", b"li")
"""Where HTML stands among the XML unescaped, these are often not closed."""
_MAX_ATTRIBUTES = 300
_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 1_000
_MAX_SUBJECTS = 1_000
_MAX_KEYWORDS_BYTES = 10_000
_MAX_STRAY = 50_000
_MAX_ENTITIES = 1_500_000
# XML allows no control characters; abstracts that were copied from a PDF hold some.
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_CHARACTER = re.compile(rb"&#(x[0-9a-f]+|[0-9]+);", re.IGNORECASE)
_WIDE = ("utf16", "utf32", "ucs2", "ucs4")
# feedparser takes ASCII in two or four bytes a sign for UTF-8 with NULs, unless it is told.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NULS = {"0001": "utf-32-be", "1000": "utf-32-le", "0101": "utf-16-be", "1010": "utf-16-le"}


def is_html(body: bytes) -> bool:
    """Whether a body is a web page, whatever its media type says."""
    return _HTML.match(body[:_PROLOG_BYTES].lstrip(b"\xef\xbb\xbf")) is not None


def refuse_html(page: Page, expected: str) -> None:
    """Name an HTML page that stands where a listing should: maintenance, a captive portal, a bot check.

    Raises:
        SuspiciousError: The page is HTML, whatever its media type says.
    """
    if is_html(page.body):
        title = _HTML_TITLE.search(page.body[:_PROLOG_BYTES])
        titled = f" titled {quoted(html.unescape(title[1].decode('utf-8', 'replace')))}" if title else ""
        raise SuspiciousError(f"HTML page{titled} where {expected} was expected")


def read_feed(page: Page) -> tuple[Any, tuple[str, ...]]:
    """Parse RSS, Atom or RDF.

    Returns:
        feedparser's result with the fields as the feed wrote them (nothing sanitised), and problems: the last item
        of a feed that broke off is dropped, as half of it may be missing, and so are those beyond the first 5,000.

    Raises:
        CollectError: Not a feed, or one that declares entities, which no feed of papers needs and attacks do.
    """
    refuse_html(page, "a feed")
    body, charset = _readable(page)
    # UTF-16 hides ASCII behind NUL bytes.
    prolog = body[:_PROLOG_BYTES].replace(b"\0", b"")
    root = _ROOT.search(prolog)
    if _ENTITIES.search(prolog[: root.start()] if root else prolog):
        raise CollectError("the XML declares entities or an unsafe encoding")
    body, surplus = _cut(body)
    _refuse_traps(body)
    headers = {"content-type": f"application/xml; charset={charset}"} if charset else {}
    try:
        # Never a str or bytes: feedparser would open it as a file or an address.
        feed = feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as exc:  # on broken input it raises whatever its libraries do
        problem = fit(clean_text(str(exc)), 100)
        raise CollectError(f"not a readable feed ({type(exc).__name__}: {problem})") from exc
    if not feed.get("version") and not feed.entries:
        start = quoted(page.body[:80].decode("utf-8", "replace"))
        raise CollectError(
            f"not a feed: it starts with {start}" if page.body.strip() else "not a feed: the body is empty"
        )
    for item in feed.entries:
        # Of broken items it sets some fields to None, which a default does not replace.
        for name in [name for name, value in item.items() if value is None]:
            del item[name]
    if surplus:
        return feed, (f"kept the first {_MAX_ITEMS:,} of {_MAX_ITEMS + surplus:,} items",)
    if feed.bozo and not _END_TAG.search(body[-2_000:].replace(b"\0", b"")):
        dropped = feed.entries.pop() if feed.entries else {}
        named = f"; dropped the last item {quoted(dropped.get('title', ''))}" if dropped else ""
        return feed, (f"the feed broke off after {len(page.body):,} bytes{named}",)
    return feed, ()


def skip_days(page: Page) -> frozenset[int]:
    """The days on which a feed says, before its first item, that it lists nothing; Monday is 0.

    feedparser knows them not.
    """
    head = page.body[:_PROLOG_BYTES].replace(b"\0", b"")
    first = _ITEM.search(head)
    stated = _SKIP_DAYS.search(head[: first.start()] if first else head)
    days = re.findall(r"\w+", stated[1].decode("ascii", "ignore").lower()) if stated else []
    return frozenset(_DAYS.index(day) for day in days if day in _DAYS)


def _readable(page: Page) -> tuple[bytes, str | None]:
    """The body with the charset to read it with, whatever the server and the feed itself claim.

    Text that is valid as UTF-8 is UTF-8: in any other encoding it is not, by chance, unless it is all ASCII. A few
    bytes that are wrong, as where a body broke off, do not change that; they are replaced.
    """
    body = page.body
    charset = None if page.charset is None or _is_unsafe(page.charset) else page.charset
    declared = _DECLARED.match(body[:1_000])
    if declared and _is_unsafe(declared[1].decode("ascii", "replace")):
        raise CollectError("the XML declares entities or an unsafe encoding")
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :], encoding
    if wide := _NULS.get("".join("1" if byte else "0" for byte in body[:4])):
        return body, wide
    if b"\0" in body[:100] or b"\x1b" in body:
        return body, charset
    try:
        body.decode()
        return _legal(body), "utf-8"
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    wrong, other = text.count("\ufffd"), sum(not char.isascii() for char in text)
    if wrong * 10 <= other or text.find("\ufffd") == len(text) - 1:
        return _legal(text.encode()), "utf-8"
    return body, charset


def _legal(body: bytes) -> bytes:
    """Without what XML does not allow: one such sign costs feedparser the whole feed, or the strict parser."""
    return _CHARACTER.sub(_legal_character, body.translate(None, _CONTROLS))


def _legal_character(reference: re.Match[bytes]) -> bytes:
    digits = reference[1].lower()
    code = int(digits.replace(b"x", b""), 16 if digits.startswith(b"x") else 10) if len(digits) < 12 else 0
    is_legal = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return reference[0] if is_legal else "\ufffd".encode()


def _is_unsafe(charset: str) -> bool:
    """Whether what is not ASCII may become ASCII in it, as in UTF-7: entities would go unnoticed."""
    if charset.lower().replace("-", "").startswith(_WIDE):
        return False
    probe = "<!ENTITY \\x3c +ADw-"
    try:
        return probe.encode().decode(charset) != probe
    except LookupError:
        return False  # Nobody knows it, so nobody reads by it.
    except ValueError:
        return True


def _cut(body: bytes) -> tuple[bytes, int]:
    """A feed without the items beyond those that can be read in reasonable time, and their number."""
    starts = [found.start() for found in _ITEM.finditer(body)]
    if len(starts) <= _MAX_ITEMS:
        return body, 0
    rest = _ITEM_END.split(body[starts[-1] :], maxsplit=1)[1:]
    return body[: starts[_MAX_ITEMS]] + b"".join(rest), len(starts) - _MAX_ITEMS


def _refuse_traps(body: bytes) -> None:
    """Refuse XML on which feedparser spends hours or gigabytes, as the square of these numbers; no feed comes near.

    Raises:
        CollectError: One tag has too many attributes, or one item too many elements, or too deep ones.
    """
    at = marks = depth = elements = subjects = 0
    while found := _MARK.search(body, at):
        at, name = found.end(), (found["name"] or b"").lower()
        marks += 1
        if not name:
            end = body.find(b"]]>" if found[0].endswith(b"[") else b"-->", at)
            if end < 0:
                break
            marks += body.count(b"<", at, end)
            at = end
        elif found["end"]:
            depth = max(0, depth - 1)
        else:
            if name in (b"item", b"entry"):
                depth = elements = subjects = 0
            elements += 1
            subjects += name.endswith((b"category", b"subject"))
            depth += not found["rest"].endswith(b"/") and name not in _VOID
            if (
                found["rest"].count(b"=") > _MAX_ATTRIBUTES
                or elements > _MAX_ELEMENTS
                or depth > _MAX_DEPTH
                or subjects > _MAX_SUBJECTS
                or (name.endswith(b"keywords") and body.find(b"</", at) > at + _MAX_KEYWORDS_BYTES)
            ):
                raise CollectError("the XML is a trap: too many attributes, elements or levels in one place")
    else:
        at = len(body)
    if body.count(b"<", 0, at) - marks > _MAX_STRAY or body.count(b"&") > _MAX_ENTITIES:
        raise CollectError("the XML is a trap: too many stray signs")


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
    ids: Iterable[PaperKey | None] = (),
    venue: str = "",
    summary: str = "",
    version: int | None = None,
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
        ids=tuple(dict.fromkeys(other for other in ids if other and other != key)),
        venue=plain(venue, _MAX_NAME_CHARS),
        summary=plain(summary, _MAX_SUMMARY_CHARS),
        version=version,
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
