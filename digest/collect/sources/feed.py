"""Any RSS, Atom or RDF feed: a journal, a preprint server, a laboratory's blog."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urljoin

from digest.collect.sources.arxiv import split_authors
from digest.collect.sources.page import announced_at, entry, link, quoted, read_feed, skip_days
from digest.collect.web import shown
from digest.model import Entry, LinkKind, PaperKey
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_text, html_lines
from digest.text.identity import arxiv_key, doi_key, url_key
from digest.text.links import check_url, find_links

_MAX_GUID_CHARS = 300
# The heading "Abstract" with a colon or alone in its block or line; a line broken after its first word goes on in
# lower case: "Abstract\ninterpretation is…".
_LABEL = re.compile(r"\A\s*(?:Abstract|ABSTRACT)[^\S\n]*(?::|\n\s*\n|\n(?!\s*[a-z])|\Z)")


@dataclass(frozen=True)
class Feed(Source):
    """One feed by its address."""

    url: str
    name: str = ""
    """The address without its scheme and what may be secret in it, unless given."""
    allow_private: bool = False
    is_standing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"feed:{shown(self.url).partition('://')[2]}")

    def asks(self, window: Window) -> Sequence[Ask]:  # noqa: ARG002  a feed shows its newest items, whatever one asks
        """The feed's address."""
        return (Ask(self.url),)

    def parse(self, page: Page) -> Listing:
        """Read the feed; see `Source.parse`."""
        feed, problems = read_feed(page)
        entries: dict[PaperKey, Entry] = {}
        skipped = list(problems)
        for number, item in enumerate(feed.entries, 1):
            read = self._read(item, number, page.url)
            if isinstance(read, Entry):
                entries.setdefault(read.key, read)
            else:
                skipped.append(read)
        return Listing(entries=tuple(entries.values()), problems=tuple(skipped), skip_days=skip_days(page))

    def _read(self, item: Any, number: int, base: str) -> Entry | str:
        """An entry, or why there is none."""
        title = _plain(item.get("title_detail"))
        guid = item.get("id", "")
        address = _address(item, base)
        url = check_url(address)
        if not title:
            return f"skipped item {number} ({quoted(url or guid or 'no link')}): it has no title"
        ids = _ids(item, address)
        key = next(iter(ids), None) or url_key(address) or url_key(guid) or self._guid_key(guid)
        if key is None:
            return f"skipped {quoted(title)}: it has neither a usable link nor an id"
        abstract = _abstract(item.get("summary_detail")) or next(map(_abstract, item.get("content", ())), "")
        arxiv_id = key.removeprefix("arxiv:") if key.startswith("arxiv:") else ""
        doi = key.removeprefix("doi:") if key.startswith("doi:") else ""
        return entry(
            key=key,
            title=title,
            abstract=abstract,
            authors=_authors(item),
            categories=(tag.get("term") or "" for tag in item.get("tags", ())),
            links=(
                link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else url or _doi_url(doi)),
                link(LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}" if arxiv_id else _pdf(item)),
                *find_links(abstract),
            ),
            published=announced_at(item),
            ids=ids,
        )

    def _guid_key(self, guid: str) -> PaperKey | None:
        """An id that is no address is unique within its feed only."""
        guid = clean_text(guid)[:_MAX_GUID_CHARS]
        return PaperKey(f"guid:{self.name}:{guid}") if guid else None


def _address(item: Any, base: str) -> str:
    """Where the item leads; feedparser takes the id for it where there is nothing else, which may be any text."""
    address: str = item.get("link", "")
    if not address or address == item.get("id"):
        return address
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _ids(item: Any, address: str) -> tuple[PaperKey, ...]:
    """Every identity of the work that the item states, the arXiv id first: other sources know it by that."""
    addresses = (address, item.get("id", ""))
    stated = (item.get("prism_doi"), item.get("dc_identifier"), item.get("arxiv_doi"), *addresses)
    dois = [doi_key(text) for text in stated if isinstance(text, str)]
    found = dict.fromkeys(key for key in (*dois, *map(arxiv_key, addresses)) if key)
    return tuple(sorted(found, key=lambda key: not key.startswith("arxiv:")))


def _plain(detail: Any) -> str:
    return clean_text(_lines(detail))


def _abstract(detail: Any) -> str:
    return clean_text(_LABEL.sub("", _lines(detail)))


def _lines(detail: Any) -> str:
    """What feedparser found to be HTML is reduced to its text; what is text stays, angle brackets and all."""
    if not detail or not detail.get("value"):
        return ""
    value: str = detail["value"]
    return value if detail.get("type") == "text/plain" else html_lines(value)


def _authors(item: Any) -> Iterator[str]:
    for author in item.get("authors", ()):
        # RSS has one creator per person or, as often, all of them in one, with commas.
        yield from split_authors(author.get("name") or "")


def _pdf(item: Any) -> str | None:
    found = (address.get("href") or "" for address in item.get("links", ()) if address.get("type") == "application/pdf")
    return next(filter(None, map(check_url, found)), None)


def _doi_url(doi: str) -> str | None:
    return check_url(f"https://doi.org/{doi}") if doi else None
