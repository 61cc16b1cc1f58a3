"""OpenAlex: new works of some topics, or that a search finds, out of everything that has a DOI.

An answer, shortened; every field but ``id`` may be null or missing::

    {"meta": {"count": 431, "per_page": 100, "next_cursor": "IlsxNjA5…"},
     "results": [{"id": "https://openalex.org/W7100000001", "doi": "https://doi.org/10.1000/invented",
       "ids": {"doi": "https://doi.org/10.1000/invented", "pmid": "https://pubmed.ncbi.nlm.nih.gov/42000001"},
       "display_name": "An Invented Paper", "publication_date": "2026-11-19", "type": "article", "cited_by_count": 0,
       "authorships": [{"author": {"display_name": "Ada Example"}, "raw_author_name": "A. Example"}],
       "primary_location": {"landing_page_url": "https://…", "pdf_url": null,
                            "source": {"display_name": "Journal of Invention", "type": "journal"}},
       "locations": [{"landing_page_url": "http://arxiv.org/abs/2611.00001"}],
       "primary_topic": {"display_name": "Invention Studies"},
       "abstract_inverted_index": {"We": [0], "invent.": [1]}}]}

Source: https://developers.openalex.org (guides/page-through-results, api-reference/authentication) and public clients
(read 2026-11-22). Not tried against a recorded real answer. Without a key there is little to spend a day, and paging by
cursor has been refused since October 2026.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from itertools import islice
from typing import ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel

from digest.collect.sources.json_page import (
    Count,
    Dict,
    Dicts,
    Required,
    Text,
    dict_of,
    query_of,
    read_items,
    read_json,
    text_of,
    time_of,
    with_query,
)
from digest.collect.sources.page import entry, link, quoted
from digest.errors import CollectError
from digest.model import Entry, Link, LinkKind, PaperKey, Signals
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_html
from digest.text.identity import doi_key, openreview_key, pmid_key, url_key
from digest.text.links import check_url, find_links

_API = "https://api.openalex.org/works"
# Works come in days after the date that they bear; to ask for what came in is not free.
_OVERLAP = timedelta(days=14)
_OLDEST = timedelta(days=60)
_PER_PAGE = 100  # the most they give
_MAX_PAGED = 10_000
_MAX_WORDS = 20_000
_FIELDS = (
    "id,doi,ids,display_name,publication_date,type,cited_by_count,authorships,primary_location,locations,primary_topic"
    ",abstract_inverted_index"
)


class _WorkJson(BaseModel):
    id: Required
    doi: Text = ""
    ids: Dict = {}
    display_name: Text = ""
    publication_date: Text = ""
    cited_by_count: Count = None
    authorships: Dicts = []
    primary_location: Dict = {}
    locations: Dicts = []
    primary_topic: Dict = {}
    abstract_inverted_index: Dict = {}


class _MetaJson(BaseModel):
    count: Count = None
    next_cursor: Text = ""


@dataclass(frozen=True)
class OpenAlex(Source):
    """New works of any of some topics, that a search finds, or both."""

    topics: tuple[str, ...] = ()
    """Ids of topics: ``T10653``."""
    search: str = ""
    """Sought in title, abstract and full text."""
    key: str | None = field(default=None, repr=False)
    """Free at https://openalex.org/settings/api."""
    url: str | None = None
    """Stands in for ``https://api.openalex.org/works``."""
    allow_private: bool = False
    name: str = ""
    """``openalex:T10653+T10028`` or ``openalex:what is sought`` unless given."""
    reach: ClassVar[timedelta | None] = _OLDEST

    def __post_init__(self) -> None:
        if not self.name:
            what = filter(None, ("+".join(self.topics), self.search))
            object.__setattr__(self, "name", f"openalex:{' '.join(what) or 'all'}"[:80])

    def asks(self, window: Window) -> Sequence[Ask]:
        """One request for what bears a date in the window or in the two weeks before it, at most 60 days in all."""
        since = window.start(_OVERLAP, _OLDEST).astimezone(UTC).date()
        dates = f"from_publication_date:{since},to_publication_date:{window.until.astimezone(UTC).date()}"
        topics = [f"primary_topic.id:{'|'.join(self.topics)}"] if self.topics else []
        query = {
            "filter": ",".join([*topics, dates, "type:article|preprint|review"]),
            **({"search": self.search} if self.search else {}),
            "sort": "publication_date:desc",
            "per_page": str(_PER_PAGE),
            "select": _FIELDS,
            **({"cursor": "*", "api_key": self.key} if self.key else {"page": "1"}),
        }
        return (Ask(f"{(self.url or _API).rstrip('/')}?{urlencode(query, safe=':,*|')}"),)

    def parse(self, page: Page) -> Listing:
        """Read one page; see `Source.parse`."""
        answer = read_json(page, dict)
        works, meta = answer.get("results"), _MetaJson.model_validate(dict_of(answer.get("meta")))
        if not isinstance(works, list):
            said = text_of(answer.get("message")) or text_of(answer.get("error")) or "no results"
            raise CollectError(f"OpenAlex refused: {quoted(said)}")
        query = query_of(page.url)
        is_first = query.get("cursor") == "*" or query.get("page") == "1"
        if is_first and not works and meta.count:
            return Listing(doubt=f"empty, though it states {meta.count:,} works")
        entries, problems = read_items(works, _WorkJson, _read, lambda work: work.get("doi") or work.get("id"))
        return Listing(entries=entries, problems=problems, next=_next(page.url, len(works), meta))


def _next(url: str, works: int, meta: _MetaJson) -> Ask | None:
    number = query_of(url).get("page", "")
    if works < _PER_PAGE:
        return None
    if not number:
        return Ask(with_query(url, cursor=meta.next_cursor)) if meta.next_cursor else None
    is_last = not number.isdigit() or int(number[:9]) * _PER_PAGE >= _MAX_PAGED
    return None if is_last else Ask(with_query(url, page=int(number[:9]) + 1))


def _read(work: _WorkJson) -> Entry | str:
    ids = [*filter(None, _ids(work))]
    key = next(iter(ids), None) or url_key(work.id)
    if key is None:
        return "it has neither a DOI nor a usable id"
    title = clean_html(work.display_name)
    if not title:
        return "it has no title"
    abstract = clean_html(_text(work.abstract_inverted_index))
    return entry(
        key=key,
        title=title,
        abstract=abstract,
        authors=map(_person, work.authorships),
        categories=(text_of(work.primary_topic.get("display_name")),),
        links=(*_links(work, key), *find_links(abstract)),
        published=time_of(work.publication_date),
        signals=Signals(citations=work.cited_by_count),
        ids=ids,
        venue=_venue(dict_of(work.primary_location.get("source"))),
    )


def _text(index: dict[str, object]) -> str:
    """The words of an abstract, each of which comes with its places in it."""
    places = (
        (place, word)
        for word, where in index.items()
        for place in (where if isinstance(where, list) else ())
        if isinstance(place, int)
    )
    return " ".join(word for _, word in sorted(islice(places, _MAX_WORDS)))


def _person(authorship: dict[str, object]) -> str:
    return text_of(dict_of(authorship.get("author")).get("display_name")) or text_of(authorship.get("raw_author_name"))


def _links(work: _WorkJson, key: PaperKey) -> Iterator[Link | None]:
    address = text_of(work.primary_location.get("landing_page_url"))
    resolver = f"https://doi.org/{key.removeprefix('doi:')}" if key.startswith("doi:") else work.id
    yield link(LinkKind.ABSTRACT, check_url(address) or check_url(resolver))
    yield link(LinkKind.PDF, check_url(text_of(work.primary_location.get("pdf_url"))))


def _ids(work: _WorkJson) -> Iterator[PaperKey | None]:
    """Its ids, best first, and those of the places where it is kept."""
    yield doi_key(work.doi)
    yield pmid_key(text_of(work.ids.get("pmid")))
    for location in work.locations:
        address = text_of(location.get("landing_page_url"))
        yield doi_key(address) or openreview_key(address)


def _venue(source: dict[str, object]) -> str:
    """Where it is published: a repository only keeps it."""
    return "" if source.get("type") == "repository" else text_of(source.get("display_name"))
