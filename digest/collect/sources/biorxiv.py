"""bioRxiv's and medRxiv's new and revised preprints, from their common API.

An answer, shortened; it gives at most 30 at a time (it was 100 once)::

    {"messages": [{"status": "ok", "interval": "2026-11-19:2026-11-19", "cursor": 0, "count": 30, "total": "109"}],
     "collection": [{"doi": "10.64898/2026.11.18.000001", "title": "…", "authors": "Example, A.; Sample, B.",
                     "date": "2026-11-19", "version": "1", "type": "new results", "category": "cell biology",
                     "abstract": "…", "published": "NA", "server": "bioRxiv"}]}

An interval without any has ``"collection": []`` and the status "no posts found".

Source: https://api.biorxiv.org/ and recorded answers of 2026 (read 2026-11-22). Its dates have been seen without
leading zeros, ``total`` larger than what is served (https://github.com/ropensci/medrxivr/issues/19).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import BaseModel

from digest.collect.sources.json_page import Count, Required, Text, dict_of, read_items, read_json, text_of, time_of
from digest.collect.sources.page import entry, link, quoted
from digest.errors import CollectError
from digest.model import Announcement, Entry, LinkKind
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_jats
from digest.text.identity import doi_key
from digest.text.links import check_url, find_links

_API = "https://api.biorxiv.org"
_OLDEST = timedelta(days=30)
_CURSOR = re.compile(r"/(\d{1,9})/json")
# What their converter leaves of figures, headings, lists and small capitals: "AO_SCPLOWBSTRACTC_SCPLOWWe invent".
_FIGURES = re.compile(r"O_(FIG|TBL)\b.*?(?:C_\1|\Z)", re.DOTALL)
_LEFTOVERS = {"C_ST_ABS": ": ", "O_SCPLOW": "", "C_SCPLOW": "", "O_SCPCAP": "", "C_SCPCAP": ""}
_HEADING = re.compile(r"\A\s*ABSTRACT(?=[A-Z])")  # without anything between it and the text
_LEFTOVER = re.compile(r"[OC]_(?:ST_ABS|LI|SCPLOW|SCPCAP|TEXTBOX)")


class _PreprintJson(BaseModel):
    doi: Required
    title: Required
    authors: Text = ""
    date: Text = ""
    version: Count = None
    category: Text = ""
    abstract: Text = ""
    published: Text = ""


@dataclass(frozen=True)
class Biorxiv(Source):
    """What one of the two servers posts, in all categories or in some."""

    server: Literal["biorxiv", "medrxiv"] = "biorxiv"
    categories: tuple[str, ...] = ()
    """As the server names them, in lower case: ``cell biology``; all if empty."""
    url: str | None = None
    """Stands in for ``https://api.biorxiv.org``."""
    allow_private: bool = False
    name: str = ""
    """``biorxiv:cell biology+zoology`` unless given."""
    reach: ClassVar[timedelta | None] = _OLDEST

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"{self.server}:{'+'.join(self.categories) or 'all'}")

    def asks(self, window: Window) -> Sequence[Ask]:
        """A request for each day from the one before the window to its end, at most 31, newest first.

        So what a limit cuts off is the oldest. A preprint may be listed hours after the day that it bears.
        """
        # The server filters by one category; an unknown one is no filter at all, so what comes is looked at as well.
        query = f"?category={quote(self.categories[0])}" if len(self.categories) == 1 else ""
        base = f"{(self.url or _API).rstrip('/')}/details/{self.server}"
        return tuple(Ask(f"{base}/{day}/{day}/0/json{query}") for day in reversed(window.days(_OLDEST)))

    def parse(self, page: Page) -> Listing:
        """Read one page of a day; see `Source.parse`."""
        answer = read_json(page, dict)
        items, messages = answer.get("collection"), answer.get("messages")
        message = dict_of(messages[0]) if isinstance(messages, list) and messages else {}
        if not isinstance(items, list):
            said = text_of(message.get("status")) or text_of(messages) or "no collection"
            raise CollectError(f"the API refused: {quoted(said)}")
        cursor = _CURSOR.search(page.url)
        at = int(cursor[1]) if cursor else 0
        if not items:
            total = _PageJson.model_validate(message).total or 0
            return Listing(doubt="" if at or not total else f"empty, though it states {total:,} preprints")
        entries, problems = read_items(
            items, _PreprintJson, self._read, lambda item: item.get("doi") or item.get("title")
        )
        next_url = page.url[: cursor.start(1)] + str(at + len(items)) + page.url[cursor.end(1) :] if cursor else ""
        return Listing(entries=entries, problems=problems, next=Ask(next_url) if next_url else None)

    def _read(self, preprint: _PreprintJson) -> Entry | str | None:
        if self.categories and _folded(preprint.category) not in map(_folded, self.categories):
            return None
        key = doi_key(preprint.doi)
        if key is None:
            return f"{quoted(preprint.doi)} is not a DOI"
        if not preprint.title:
            return "it has no title"
        version = preprint.version or 1
        abstract = _abstract(preprint.abstract)
        page = f"https://www.{self.server}.org/content/{key.removeprefix('doi:')}v{version}"
        return entry(
            key=key,
            title=preprint.title,
            abstract=abstract,
            authors=map(_person, preprint.authors.split(";")),
            categories=(preprint.category,),
            links=(
                link(LinkKind.ABSTRACT, check_url(page)),
                link(LinkKind.PDF, check_url(f"{page}.full.pdf")),
                *find_links(abstract),
            ),
            published=time_of(preprint.date),
            announcement=Announcement.NEW if version == 1 else Announcement.REPLACE,
            version=version,
            ids=(doi_key(preprint.published),),
        )


class _PageJson(BaseModel):
    total: Count = None


def _person(name: str) -> str:
    """``Example, A.`` → ``A. Example``."""
    family, _, given = name.partition(",")
    return f"{given.strip()} {family.strip()}"


def _abstract(text: str) -> str:
    text = _LEFTOVER.sub(lambda mark: _LEFTOVERS.get(mark[0], " "), _FIGURES.sub(" ", text))
    return clean_jats(_HEADING.sub("", text))


def _folded(category: str) -> str:
    return category.replace("_", " ").strip().casefold()
