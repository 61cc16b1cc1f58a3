"""arXiv's listing pages: the newest batch of one category, as people see it.

They show what the feed shows, sometimes earlier, and state how much that is. A page, shortened::

    <div id='dlpage'><h1>Computation and Language</h1>
    <h3>Showing new listings for Friday, 20 November 2026</h3>
    <div class='paging'>Total of 3 entries </div>
    <dl id='articles'>
      <h3>New submissions (showing 1 of 1 entries)</h3>
      <dt>
        <a name='item1'>[1]</a>
        <a href ="/abs/2611.00001" title="Abstract" id="2611.00001"> arXiv:2611.00001 </a>
        [<a href="/pdf/2611.00001" title="Download PDF" id="pdf-2611.00001">pdf</a>]
      </dt>
      <dd><div class='meta'>
        <div class='list-title mathjax'><span class='descriptor'>Title:</span> An Invented Paper </div>
        <div class='list-authors'><a href="…">Ada Example</a>, <a href="…">Ben Sample</a></div>
        <div class='list-comments mathjax'><span class='descriptor'>Comments:</span> Accepted to ACL 2026 </div>
        <div class='list-journal-ref'><span class='descriptor'>Journal-ref:</span> Invented Letters 1 (2026) </div>
        <div class='list-subjects'><span class='descriptor'>Subjects:</span>
          <span class="primary-subject">Computation and Language (cs.CL)</span>; Machine Learning (cs.LG) </div>
        <p class='mathjax'> We invent. See <a href="https://invented.example/">this https URL</a>. </p>
      </div></dd>
    </dl>
    <dl id='articles'><h3>Cross submissions (showing 1 of 1 entries)</h3> … </dl>
    <dl id='articles'><h3>Replacement submissions (showing 1 of 1 entries)</h3> … </dl>

With more entries than fit, a heading says ``showing first 2000 of 2345 entries``, and the rest is at ``skip=2000``. A
day without any says ``No updates today.``

Source: arXiv/arxiv-browse, browse/templates/list/{new,list_macros}.html, browse/controllers/list_page/__init__.py and
its tests, read on 2026-11-22; headings as quoted from the live pages of September 2026. Not yet tried on a recorded
page. The page is cut at its tags, in one pass: `html.parser` of Python 3.11.7 takes two minutes for 120 kB of ``<a``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit

from digest.collect.sources.arxiv_calendar import shown_at
from digest.collect.sources.arxiv_paper import asked_category, paper
from digest.collect.sources.page import sane
from digest.errors import SuspiciousError
from digest.model import Announcement, Entry
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_html

_LIST = "https://arxiv.org/list"
_SHOW = 2_000
"""The most that a page shows."""
_MAX_FIELD_CHARS = 40_000
_TAIL_CHARS = 2_000

_PIECE = re.compile(r"(?=<(?:h3|dt)\b)", re.IGNORECASE)
_ABS = re.compile(r"/abs/([^\s\"'<>?#]+)")
_FIELD = re.compile(r"<div\b[^<>]{0,100}?\blist-(?P<name>[a-z-]+)[^<>]{0,100}>(?P<text>.*)", re.IGNORECASE | re.DOTALL)
_ABSTRACT = re.compile(r"<p\b[^<>]{0,100}\bmathjax\b[^<>]{0,100}>", re.IGNORECASE)
_DESCRIPTOR = re.compile(r"<span\b[^<>]{0,100}\bdescriptor\b[^<>]{0,100}>[^<>]{0,100}</span>", re.IGNORECASE)
# How arXiv hides every address, code and project pages among them.
_THIS_URL = re.compile(
    r"<a\b[^<>]{0,200}?\bhref\s*=\s*[\"']([^\"'<>]{1,2000})[\"'][^<>]{0,200}>\s*this \w{2,5} URL\s*</a>", re.IGNORECASE
)
_DATE = re.compile(r"listings for \w+, (\d{1,2} \w+ \d{4})")
_SHOWING = re.compile(r"\(.*?showing\D{0,20}(?P<shown>[\d,]{1,9}) of (?P<total>[\d,]{1,9}) entries")
_TOTAL = re.compile(r"\btotal of ([\d,]{1,9}) entries", re.IGNORECASE)
_SUBJECT = re.compile(r"\(([a-z-]+(?:\.[A-Za-z-]+)?)\)")
_SECTIONS = (("cross", Announcement.CROSS), ("replace", Announcement.REPLACE))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class ArxivListing(Source):
    """The newest batch of some categories, one request each."""

    categories: tuple[str, ...]
    url: str | None = None
    """Stands in for ``https://arxiv.org/list``."""
    allow_private: bool = False
    name: str = "arxiv listing"

    @property
    def covers_gap(self) -> bool:
        """A page shows the newest batch only."""
        return False

    def asks(self, window: Window) -> Sequence[Ask]:  # noqa: ARG002  the page holds the newest batch only
        """The page of each category; a whole archive, ``cs.*``, is called ``cs`` there."""
        base = (self.url or _LIST).rstrip("/")
        return tuple(Ask(f"{base}/{name.removesuffix('.*')}/new?show={_SHOW}") for name in self.categories)

    def parse(self, page: Page) -> Listing:
        """Read one page; see `Source.parse`."""
        address = urlsplit(page.url)
        skipped = _number("".join(parse_qs(address.query).get("skip", ())[:1]))
        text = _text(page)
        read, shown, total = _read(text, self.categories)
        if (stated := _TOTAL.search(text)) is not None:
            total = _number(stated[1])
        elif not read and not shown and "No updates" not in text:
            raise SuspiciousError("not a listing page of arXiv: it does not say how much it lists")
        subject = address.path.removesuffix("/new").rpartition("/")[2]
        doubt = ""
        if "</html" not in text[-_TAIL_CHARS:]:
            doubt = f"the page of {subject} broke off after {len(page.body):,} bytes"
            # Half of it may be missing.
            del read[-1:]
        entries = tuple(each for each in read if isinstance(each, Entry))
        expected = shown or min(_SHOW, total - skipped)
        if len(entries) < expected and not doubt:
            doubt = f"the page of {subject} states {expected:,} entries, and {len(entries):,} were found"
        more = shown and skipped + shown < total
        return Listing(
            entries=entries,
            problems=tuple(each for each in read if isinstance(each, str)),
            doubt=doubt,
            next=Ask(f"{page.url.partition('?')[0]}?skip={skipped + shown}&show={_SHOW}") if more else None,
        )


def _text(page: Page) -> str:
    try:
        return page.body.decode(page.charset or "utf-8", "replace")
    except LookupError:
        return page.body.decode("utf-8", "replace")


def _read(text: str, asked: Sequence[str]) -> tuple[list[Entry | str], int, int]:
    """What a page lists, and how many entries its headings say that it shows, and that there are."""
    read: list[Entry | str] = []
    shown = total = 0
    published, section = None, Announcement.NEW
    for piece in _PIECE.split(text):
        if piece[:3].lower() == "<dt":
            read.append(_item(piece, section, published, asked))
        elif piece[:3].lower() == "<h3":
            heading = clean_html(piece.partition("</h3>")[0][:1_000])
            if (day := _DATE.search(heading)) is not None:
                published = _published(day[1])
            # A section that arXiv adds one day is news.
            section = next((kind for start, kind in _SECTIONS if heading.lower().startswith(start)), Announcement.NEW)
            if (counts := _SHOWING.search(heading)) is not None:
                shown += _number(counts["shown"])
                total += _number(counts["total"])
    return read, shown, total


def _item(piece: str, section: Announcement, published: datetime | None, asked: Sequence[str]) -> Entry | str:
    """The entry of one ``dt`` and its ``dd``, or why there is none."""
    head, _, body = piece.partition("<dd")
    arxiv_id = next(iter(_ABS.findall(head)), "")
    fields = dict(_fields(body))
    abstract = _ABSTRACT.split(body, maxsplit=1)[1:]
    categories = _SUBJECT.findall(fields.get("subjects", ""))
    is_primary = bool(categories) and asked_category(categories[0], asked) is not None
    announcement = section
    if section is Announcement.REPLACE or "(replaced)" in head:
        announcement = Announcement.REPLACE if is_primary else Announcement.REPLACE_CROSS
    elif "(cross-list from" in head:
        announcement = Announcement.CROSS
    return paper(
        arxiv_id,
        title=fields.get("title", ""),
        abstract=_plain(abstract[0].partition("</p>")[0]) if abstract else "",
        authors=fields.get("authors", ""),
        categories=categories,
        published=published,
        announcement=announcement,
        version=1 if announcement is Announcement.NEW else None,
        comment=fields.get("comments", ""),
    )


def _fields(body: str) -> Iterator[tuple[str, str]]:
    for piece in body.split("</div>"):
        if (field := _FIELD.search(piece)) is not None:
            yield field["name"].lower(), _plain(field["text"])


def _plain(markup: str) -> str:
    return clean_html(_DESCRIPTOR.sub("", _THIS_URL.sub(r"\1", markup[:_MAX_FIELD_CHARS])))


def _published(day: str) -> datetime | None:
    """When the feed turns to what is listed under this day, as it states itself."""
    number, month, year = day.split()
    try:
        # Not `strptime`, whose names of months follow the locale.
        return sane(shown_at(date(int(year), _MONTHS.index(month[:3].lower()) + 1, int(number))))
    except (ValueError, OverflowError):
        return None


def _number(digits: str) -> int:
    digits = digits.replace(",", "")
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0
