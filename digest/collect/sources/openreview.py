"""OpenReview: the papers of one conference, workshop or journal.

An answer, shortened; the older API has ``"title": "…"`` where the newer one has ``"title": {"value": "…"}``::

    {"count": 2, "notes": [
      {"id": "aBcDeFgH1j", "forum": "aBcDeFgH1j", "tcdate": 1790000000000, "pdate": 1795000000000,
       "content": {"title": {"value": "An Invented Paper"}, "authors": {"value": ["Ada Example"]},
                   "abstract": {"value": "We invent."}, "keywords": {"value": ["invention"]},
                   "venue": {"value": "Invented 2026 poster"}, "venueid": {"value": "Invented.cc/2026/Conference"}}}]}

Source: https://docs.openreview.net/reference/api-v2, openreview-py's ``api/client.py`` and public clients of 2025 and
2026 (read 2026-11-22). Not tried against a recorded real answer. Since August 2026 the API has refused callers who are
not signed in, with HTTP 403 and ``"name": "ChallengeRequiredError"``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel

from digest.collect.sources.json_page import (
    Count,
    Dict,
    Required,
    Text,
    query_of,
    read_items,
    read_json,
    text_of,
    texts_of,
    with_query,
)
from digest.collect.sources.page import entry, link, quoted, sane
from digest.errors import CollectError, SuspiciousError
from digest.model import Entry, LinkKind, PaperKey
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.identity import doi_key, openreview_key
from digest.text.links import check_url, find_links

_API = "https://api2.openreview.net"
_LIMIT = 1_000  # the most they give
_IDS = ("doi", "arxiv", "arxiv_id", "html", "pdf", "external_link")


class _NoteJson(BaseModel):
    id: Required
    forum: Text = ""
    content: Dict
    pdate: Any = None
    odate: Any = None
    tcdate: Any = None
    cdate: Any = None


class _PageJson(BaseModel):
    count: Count = None


@dataclass(frozen=True)
class OpenReview(Source):
    """What a venue has accepted, or has under review if that is the venue's id."""

    venue: str
    """Its id, as in the address of its page: ``NeurIPS.cc/2026/Conference``."""
    url: str | None = None
    """Stands in for ``https://api2.openreview.net``."""
    token: str | None = field(default=None, repr=False)
    """Of a signed-in user."""
    allow_private: bool = False
    name: str = ""
    """``openreview:NeurIPS.cc/2026/Conference`` unless given."""
    is_standing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"openreview:{self.venue}")

    def asks(self, window: Window) -> Sequence[Ask]:  # noqa: ARG002  see below
        """One request for all papers: one that is accepted today was submitted months ago, so no date narrows it."""
        query = {"content.venueid": self.venue, "sort": "cdate:desc", "limit": str(_LIMIT), "offset": "0"}
        return (self._ask(f"{(self.url or _API).rstrip('/')}/notes?{urlencode(query, safe='/:')}"),)

    def _ask(self, url: str) -> Ask:
        return Ask(url, headers=(("Authorization", f"Bearer {self.token}"),) if self.token else ())

    def parse(self, page: Page) -> Listing:
        """Read one page; see `Source.parse`."""
        answer = read_json(page, dict)
        if "Challenge" in text_of(answer.get("name")) or "Verification" in text_of(answer.get("name")):
            raise SuspiciousError("OpenReview wants to see a human", hint="it answers those who sign in: set a token")
        notes = answer.get("notes")
        if not isinstance(notes, list):
            raise CollectError(f"OpenReview refused: {quoted(text_of(answer.get('message')) or 'no list of papers')}")
        entries, problems = read_items(notes, _NoteJson, _read, lambda note: note.get("id"))
        offset = query_of(page.url).get("offset", "")
        at = (int(offset) if offset.isdigit() and len(offset) < 10 else 0) + len(notes)
        count = _PageJson.model_validate(answer).count or 0
        has_more = bool(notes) and (len(notes) >= _LIMIT or at < count)
        return Listing(
            entries=entries,
            problems=problems,
            doubt="" if notes or at >= count else f"it states {count:,} papers and ends after {at:,}",
            next=self._ask(with_query(page.url, offset=at)) if has_more else None,
        )


def _read(note: _NoteJson) -> Entry | str | None:
    if note.forum not in ("", note.id):
        return None  # a review or a comment
    key = openreview_key(f"openreview:{note.id}")
    if key is None:
        return "it has no usable id"
    content = {name: _value(value) for name, value in note.content.items()}
    title, abstract = text_of(content.get("title")), text_of(content.get("abstract"))
    if not title:
        return "it has no title"
    return entry(
        key=key,
        title=title,
        abstract=abstract,
        authors=_people(content.get("authors")),
        categories=(*texts_of(content.get("primary_area")), *texts_of(content.get("keywords"))),
        links=(
            link(LinkKind.ABSTRACT, f"https://openreview.net/forum?id={note.id}"),
            link(LinkKind.PDF, f"https://openreview.net/pdf?id={note.id}" if content.get("pdf") else None),
            link(LinkKind.CODE, check_url(text_of(content.get("code")))),
            *find_links(abstract),
        ),
        published=next(filter(None, map(_time, (note.pdate, note.odate, note.tcdate, note.cdate))), None),
        ids=_ids(content),
        venue=text_of(content.get("venue")),
    )


def _value(field: object) -> object:
    return field.get("value") if isinstance(field, dict) else field


def _people(value: object) -> Iterator[str]:
    """Authors are names, or since 2025 objects that hold one."""
    for person in value if isinstance(value, list) else ():
        name = text_of(person.get("fullname")) if isinstance(person, dict) else text_of(person)
        if name.lower() not in ("anonymous", "anonymous authors"):
            yield name


def _ids(content: dict[str, object]) -> Iterator[PaperKey | None]:
    for name in _IDS:
        yield doi_key(text_of(content.get(name)))


def _time(value: object) -> datetime | None:
    """Milliseconds since 1970."""
    if not isinstance(value, int | float):
        return None
    try:
        return sane(datetime.fromtimestamp(value / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
