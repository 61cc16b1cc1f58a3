"""Hugging Face Daily Papers, a list a day.

An item, shortened; every field but ``paper.id``, ``paper.title`` may be missing::

    {"paper": {"id": "2611.00001", "title": "…", "summary": "…", "publishedAt": "2026-11-20T00:00:00.000Z",
               "authors": [{"name": "Ada Example", "hidden": false}], "upvotes": 12,
               "githubRepo": "https://…", "githubStars": 3, "projectPage": "https://…"},
     "numComments": 2}

Source: the API's answers of 2024-05 to 2026-06 and huggingface_hub's ``hf_api.py`` (read 2026-11-20).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from digest.collect.sources.page import entry, link, quoted, refuse_html, sane
from digest.errors import CollectError
from digest.model import Entry, LinkKind, Signals
from digest.ports import Listing, Page, Window
from digest.text.clean import clean_text
from digest.text.identity import arxiv_key
from digest.text.links import check_url, find_code

_API = "https://huggingface.co/api/daily_papers"
_OLDEST = timedelta(days=7)
_PAGE_ITEMS = 100  # the most they give
_MAX_COUNT = 10**9


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
        return value
    return None


def _text(value: object) -> str:
    return clean_text(value) if isinstance(value, str) else ""


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def _integer(digits: str) -> int | None:
    """An absurdly long number would fail the whole page."""
    return int(digits) if len(digits) < 20 else None


def _people(value: object) -> list[str]:
    """Names of the visible authors; hidden ones were taken off by a claim and are not authors."""
    if not isinstance(value, list):
        return []
    return [
        _text(person.get("name")) for person in value if isinstance(person, dict) and person.get("hidden") is not True
    ]


_Count = Annotated[int | None, BeforeValidator(_count)]
_Required = Annotated[str, BeforeValidator(_clean)]
_Optional = Annotated[str, BeforeValidator(_text)]


class _PaperJson(BaseModel):
    """Strict about what makes a paper, lenient about what decorates it."""

    id: _Required
    title: _Required
    summary: _Optional = ""
    authors: Annotated[list[str], BeforeValidator(_people)] = []
    publishedAt: _Optional = ""  # noqa: N815  their name
    upvotes: _Count = None
    githubRepo: _Optional = ""  # noqa: N815
    githubStars: _Count = None  # noqa: N815
    projectPage: _Optional = ""  # noqa: N815


class _ItemJson(BaseModel):
    paper: _PaperJson
    numComments: _Count = None  # noqa: N815


@dataclass(frozen=True)
class HuggingFace:
    """The papers that Hugging Face's community puts forward each day, with their votes."""

    url: str | None = None
    """Stands in for ``https://huggingface.co/api/daily_papers``."""
    allow_private: bool = False
    name: str = "huggingface:daily"
    missing_is_quiet: bool = True
    """Today's list answers 404 until it exists."""

    def first_urls(self, window: Window) -> Sequence[str]:
        """One address for each UTC day of the window and the day before it, at most eight days.

        A day's list grows while the day lasts, so the day before the last poll is read again.
        """
        last = window.until.astimezone(UTC).date()
        day = max(window.since.astimezone(UTC).date() - timedelta(days=1), last - _OLDEST)
        base = self.url or _API
        days = range((last - day).days + 1)
        return tuple(f"{base}?date={day + timedelta(days=number)}&limit={_PAGE_ITEMS}" for number in days)

    def parse(self, page: Page) -> Listing:
        """Read one day; see `Source.parse`."""
        refuse_html(page, "JSON")
        try:
            items = json.loads(page.body, parse_int=_integer)
        except (ValueError, RecursionError) as exc:
            raise CollectError(f"broken JSON ({quoted(str(exc))[1:-1]})") from exc
        if not isinstance(items, list):
            raise CollectError(f"a JSON list was expected, not {quoted(json.dumps(items))}")
        entries, problems = [], []
        for number, item in enumerate(items, 1):
            read = _read(item, number)
            if isinstance(read, Entry):
                entries.append(read)
            else:
                problems.append(read)
        return Listing(entries=tuple(entries), problems=tuple(problems), next_url=_next(page.url, len(items)))


def _read(item: Any, number: int) -> Entry | str:
    """An entry, or why there is none."""
    if not isinstance(item, dict):
        return f"skipped item {number}: an object was expected, not {quoted(str(item)[:200])}"
    try:
        read = _ItemJson.model_validate(item)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        return f"skipped {_name(item, number)}: {where}: {clean_text(error['msg']).lower()}"
    paper = read.paper
    key = arxiv_key(paper.id)
    if key is None:
        return f"skipped {_name(item, number)}: {quoted(paper.id)} is not an arXiv id"
    if not paper.title:
        return f"skipped {_name(item, number)}: it has no title"
    arxiv_id = key.removeprefix("arxiv:")
    return entry(
        key=key,
        title=paper.title,
        abstract=paper.summary,
        authors=paper.authors,
        links=(
            link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}"),
            link(LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}"),
            link(LinkKind.CODE, check_url(paper.githubRepo) or find_code(paper.summary)),
            link(LinkKind.PROJECT, check_url(paper.projectPage)),
            link(LinkKind.DISCUSSION, f"https://huggingface.co/papers/{arxiv_id}"),
        ),
        published=_when(paper.publishedAt),
        signals=Signals(upvotes=paper.upvotes, comments=read.numComments, stars=paper.githubStars),
    )


def _next(url: str, items: int) -> str | None:
    """The address of the day's next page, if this one is full; pages are counted from 0."""
    if items < _PAGE_ITEMS:
        return None
    base, _, number = url.partition("&p=")
    return f"{base}&p={int(number or 0) + 1}"


def _name(item: dict[str, Any], number: int) -> str:
    paper = item.get("paper")
    given = paper if isinstance(paper, dict) else item
    name = _text(given.get("id")) or _text(given.get("title")) or _text(item.get("title"))
    return quoted(name) if name else f"item {number}"


def _when(text: str) -> datetime | None:
    try:
        return sane(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
