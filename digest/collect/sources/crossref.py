"""Crossref: what some journals, proceedings or preprint servers have newly registered.

An answer, shortened; most fields may be missing, and titles come in lists::

    {"status": "ok", "message-type": "work-list",
     "message": {"total-results": 431, "next-cursor": "DnF1ZXJ5…", "items": [
       {"DOI": "10.1000/Invented", "type": "journal-article", "title": ["An <i>invented</i> &amp; short paper"],
        "abstract": "<jats:title>Abstract</jats:title><jats:p>We invent.</jats:p>",
        "author": [{"given": "Ada", "family": "Example", "sequence": "first"}, {"name": "The Inventors"}],
        "container-title": ["Journal of Invention"], "published": {"date-parts": [[2026, 11]]},
        "created": {"date-time": "2026-11-20T02:00:00Z"},
        "relation": {"has-preprint": [{"id-type": "doi", "id": "10.1101/2026.01.02.000001"}]}}]}}

Source: https://api.crossref.org/swagger-ui/index.html and recorded answers of 2022 and 2024 (read 2026-11-22).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from digest.collect.sources.json_page import (
    Count,
    Dict,
    Dicts,
    Required,
    Text,
    Texts,
    address_in,
    day_of,
    dict_of,
    dicts_of,
    earliest,
    query_of,
    read_items,
    read_json,
    text_of,
    time_of,
    with_query,
)
from digest.collect.sources.page import entry, link, quoted
from digest.errors import CollectError
from digest.model import Entry, LinkKind, PaperKey
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_html, clean_jats
from digest.text.fold import fold
from digest.text.identity import doi_key
from digest.text.links import check_url, find_links

_API = "https://api.crossref.org/v1/works"
_OVERLAP = timedelta(days=2)
_OLDEST = timedelta(days=60)
_ROWS = 200
_TYPES = ("journal-article", "posted-content", "proceedings-article")
_FIELDS = "DOI,type,title,subtitle,abstract,author,container-title,group-title,published,created,relation"


class _DateJson(BaseModel):
    parts: Any = Field(None, alias="date-parts")
    time: Text = Field("", alias="date-time")


class _WorkJson(BaseModel):
    DOI: Required
    type: Text = ""
    title: Texts = []
    subtitle: Texts = []
    abstract: Text = ""
    author: Dicts = []
    container: Texts = Field([], alias="container-title")
    group: Text = Field("", alias="group-title")
    published: Dict = {}
    created: Dict = {}
    relation: Dict = {}


class _MessageJson(BaseModel):
    items: Any = None
    total: Count = Field(None, alias="total-results")
    next: Text = Field("", alias="next-cursor")


@dataclass(frozen=True)
class Crossref(Source):
    """What is newly registered under some ISSNs."""

    issns: tuple[str, ...]
    contact: str = ""
    """Told to Crossref if it is an e-mail address, which gets us into their faster "polite pool"."""
    url: str | None = None
    """Stands in for ``https://api.crossref.org/v1/works``."""
    allow_private: bool = False
    name: str = ""
    """``crossref:1234-5678+8765-4321`` unless given."""
    reach: ClassVar[timedelta | None] = _OLDEST

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"crossref:{'+'.join(self.issns)}")

    def asks(self, window: Window) -> Sequence[Ask]:
        """One request for what was registered in the window and the two days before it, at most 60 days in all."""
        since = window.start(_OVERLAP, _OLDEST).astimezone(UTC).date()
        filters = [f"issn:{issn}" for issn in self.issns] + [f"type:{kind}" for kind in _TYPES]
        query = {
            "filter": ",".join([*filters, f"from-created-date:{since}"]),
            "select": _FIELDS,
            "rows": str(_ROWS),
            "cursor": "*",
        }
        if address := address_in(self.contact):
            query["mailto"] = address
        return (Ask(f"{(self.url or _API).rstrip('/')}?{urlencode(query, safe=':,*')}"),)

    def parse(self, page: Page) -> Listing:
        """Read one page; see `Source.parse`."""
        answer = read_json(page, dict)
        message = _MessageJson.model_validate(dict_of(answer.get("message")))
        if not isinstance(message.items, list):
            said = [text_of(reason.get("message")) for reason in dicts_of(answer.get("message"))]
            raise CollectError(f"Crossref refused: {quoted(', '.join(said) or 'no list of works')}")
        is_first = query_of(page.url).get("cursor") == "*"
        if is_first and not message.items and message.total:
            return Listing(doubt=f"empty, though it states {message.total:,} works")
        entries, problems = read_items(message.items, _WorkJson, _read, lambda item: item.get("DOI"))
        is_full = len(message.items) >= _ROWS and message.next
        return Listing(
            entries=entries,
            problems=problems,
            next=Ask(with_query(page.url, cursor=message.next)) if is_full else None,
        )


def _read(work: _WorkJson) -> Entry | str | None:
    if work.type not in _TYPES:
        return None
    key = doi_key(work.DOI)
    if key is None:
        return f"{quoted(work.DOI)} is not a DOI"
    title = _title(work)
    if not title:
        return "it has no title"
    abstract = clean_jats(work.abstract)
    return entry(
        key=key,
        title=title,
        abstract=abstract,
        authors=map(_person, work.author),
        categories=(clean_html(work.group),),
        links=(
            link(LinkKind.ABSTRACT, check_url(f"https://doi.org/{key.removeprefix('doi:')}")),
            *find_links(abstract),
        ),
        published=_published(work),
        ids=_relatives(work.relation),
        venue=clean_html(next(iter(work.container), "")),
    )


def _title(work: _WorkJson) -> str:
    title, subtitle = (clean_html(next(iter(texts), "")) for texts in (work.title, work.subtitle))
    # Some repeat the title in part or as a whole.
    return f"{title}: {subtitle}" if title and fold(subtitle) not in fold(title) else title or subtitle


def _person(author: dict[str, Any]) -> str:
    names = [text_of(author.get(name)) for name in ("given", "family", "suffix")]
    return text_of(author.get("name")) or " ".join(filter(None, names))


def _published(work: _WorkJson) -> datetime | None:
    """When it was registered, unless it is known to the day that it was out before; an issue's month says nothing."""
    registered = time_of(_DateJson.model_validate(work.created).time)
    parts = _DateJson.model_validate(work.published).parts
    first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], list) else []
    if len(first) == 3 or not registered:
        return earliest(registered, day_of(*first[:3]) if first else None)
    return registered


def _relatives(relation: dict[str, Any]) -> Iterator[PaperKey | None]:
    """The same work as a preprint, or as the article that it became."""
    for kind in ("is-preprint-of", "has-preprint"):
        for other in dicts_of(relation.get(kind)):
            if text_of(other.get("id-type")).lower() == "doi":
                yield doi_key(text_of(other.get("id")))
