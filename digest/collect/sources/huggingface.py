"""Hugging Face Daily Papers: a list a day, a week or a month, or what trends now.

An item, shortened; every field but ``paper.id``, ``paper.title`` may be missing::

    {"paper": {"id": "2611.00001", "title": "…", "summary": "…", "publishedAt": "2026-11-20T00:00:00.000Z",
               "authors": [{"name": "Ada Example", "hidden": false}], "upvotes": 12, "ai_summary": "…",
               "githubRepo": "https://…", "githubStars": 3, "projectPage": "https://…"},
     "numComments": 2}

Source: the API's answers of 2024-05 to 2026-07 and huggingface_hub's ``hf_api.py`` (read 2026-11-22). Lists of weeks,
months and what trends are not tried against a recorded real answer; they have the form of a day's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator

from digest.collect.sources.json_page import (
    Count,
    Required,
    Text,
    dict_of,
    dicts_of,
    query_of,
    read_items,
    read_json,
    text_of,
    time_of,
    with_query,
)
from digest.collect.sources.page import entry, link, quoted
from digest.model import Entry, LinkKind, Signals
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.identity import arxiv_key
from digest.text.links import check_url, find_links

_API = "https://huggingface.co/api/daily_papers"
_OLDEST = timedelta(days=30)
_PAGE_ITEMS = 100  # the most they give


def _people(value: object) -> list[str]:
    """Names of the visible authors; hidden ones were taken off by a claim and are not authors."""
    return [text_of(person.get("name")) for person in dicts_of(value) if person.get("hidden") is not True]


class _PaperJson(BaseModel):
    """Strict about what makes a paper, lenient about what decorates it."""

    id: Required
    title: Required
    summary: Text = ""
    ai_summary: Text = ""
    authors: Annotated[list[str], BeforeValidator(_people)] = []
    publishedAt: Text = ""  # noqa: N815  their name
    upvotes: Count = None
    githubRepo: Text = ""  # noqa: N815
    githubStars: Count = None  # noqa: N815
    projectPage: Text = ""  # noqa: N815


class _ItemJson(BaseModel):
    paper: _PaperJson
    numComments: Count = None  # noqa: N815


@dataclass(frozen=True)
class HuggingFace(Source):
    """The papers that Hugging Face's community puts forward, with their votes."""

    list: Literal["daily", "weekly", "monthly", "trending"] = "daily"
    url: str | None = None
    """Stands in for ``https://huggingface.co/api/daily_papers``."""
    token: str | None = field(default=None, repr=False)
    """A user's; raises the limit from 500 to 1,000 requests in five minutes."""
    allow_private: bool = False
    name: str = ""
    """``huggingface:daily`` and so on unless given."""
    missing_is_quiet: ClassVar[bool] = True
    """Today's list answers 404 until it exists."""
    reach: ClassVar[timedelta | None] = _OLDEST

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"huggingface:{self.list}")

    def asks(self, window: Window) -> Sequence[Ask]:
        """One request for each day, week or month that the window and the day before it touch, in UTC, at most 31 days.

        A day's list grows while the day lasts, so the day before the last poll is read again. What trends is one list
        of a hundred.
        """
        asked = dict.fromkeys(self._query(day) for day in window.days(_OLDEST))
        return tuple(self._ask(f"{self.url or _API}?{query}&limit={_PAGE_ITEMS}") for query in asked)

    def _query(self, day: date) -> str:
        match self.list:
            case "daily":
                return f"date={day}"
            case "weekly":
                return f"week={day:%G-W%V}"
            case "monthly":
                return f"month={day:%Y-%m}"
            case "trending":
                return "sort=trending"

    def _ask(self, url: str) -> Ask:
        return Ask(url, headers=(("Authorization", f"Bearer {self.token}"),) if self.token else ())

    def parse(self, page: Page) -> Listing:
        """Read one list; see `Source.parse`."""
        items = read_json(page, list)
        entries, problems = read_items(items, _ItemJson, _read, _name)
        return Listing(entries=entries, problems=problems, next=self._next(page.url, len(items)))

    def _next(self, url: str, items: int) -> Ask | None:
        """Asks for the list's next page, if this one is full; pages are counted from 0."""
        if items < _PAGE_ITEMS or self.list == "trending":
            return None
        number = query_of(url).get("p", "0")
        return self._ask(with_query(url, p=int(number[:9]) + 1)) if number.isdigit() else None


def _read(item: _ItemJson) -> Entry | str:
    paper = item.paper
    key = arxiv_key(paper.id)
    if key is None:
        return f"{quoted(paper.id)} is not an arXiv id"
    if not paper.title:
        return "it has no title"
    arxiv_id = key.removeprefix("arxiv:")
    stated = (
        link(LinkKind.CODE, check_url(paper.githubRepo)),
        link(LinkKind.PROJECT, check_url(paper.projectPage)),
    )
    kinds = {known.kind for known in stated if known}
    return entry(
        key=key,
        title=paper.title,
        abstract=paper.summary,
        authors=paper.authors,
        links=(
            link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}"),
            link(LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}"),
            *stated,
            *(found for found in find_links(paper.summary) if found.kind not in kinds),
            link(LinkKind.DISCUSSION, f"https://huggingface.co/papers/{arxiv_id}"),
        ),
        published=time_of(paper.publishedAt),
        signals=Signals(upvotes=paper.upvotes, comments=item.numComments, stars=paper.githubStars),
        summary=paper.ai_summary,
    )


def _name(item: dict[str, Any]) -> str:
    paper = dict_of(item.get("paper")) or item
    return text_of(paper.get("id")) or text_of(paper.get("title")) or text_of(item.get("title"))
