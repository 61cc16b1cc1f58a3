"""The newest papers for feed readers: Atom (RFC 4287) and JSON Feed (https://www.jsonfeed.org/version/1.1/)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from uuid import UUID, uuid5

from digest.export.archive import Archive
from digest.export.pages import ATOM, JSON, fill
from digest.model import Link, LinkKind, Paper
from digest.render.view import safe_title, safe_url
from digest.render.words import plain

_MOST = 500
_MAX_ABSTRACT = 20_000
_MOST_AUTHORS = 100
_NAMESPACE = UUID("0f6d1c1e-6a0b-5b0a-9f53-2d8f0b7c9a11")
"""Of the ids that we give: feed readers show a paper again if it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A paper in a feed."""

    id: str
    url: str
    title: str
    text: str
    """Its abstract."""
    published: str
    """When it was announced, RFC 3339."""
    updated: str
    """When it was published here, never before."""
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    links: tuple[Link, ...]
    """To its text and code."""


def write_atom(archive: Archive, folders: Sequence[Path]) -> str:
    """The Atom feed.

    Args:
        archive: Of its papers, the newest 500.
        folders: See `digest.export.pages.fill`.
    """
    items = _items(archive)
    return fill(
        "atom.xml.j2",
        folders,
        archive,
        feed_id=_feed_id(archive),
        feed_url=f"{archive.base_url}{ATOM}" if archive.base_url else "",
        updated=max((item.updated for item in items), default="1970-01-01T00:00:00Z"),
        items=items,
    )


def write_json_feed(archive: Archive) -> str:
    """The JSON Feed, of the same papers."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": archive.heading,
        "home_page_url": archive.base_url,
        "feed_url": f"{archive.base_url}{JSON}" if archive.base_url else "",
        "language": archive.language.tag,
    }
    items = [
        {
            "id": item.id,
            "url": item.url,
            "title": item.title,
            "content_text": item.text or item.title,
            "date_published": item.published,
            "date_modified": item.updated,
            "authors": [{"name": name} for name in item.authors],
            "tags": item.categories,
        }
        for item in _items(archive)
    ]
    said = {name: value for name, value in feed.items() if value}
    shown = [{name: value for name, value in item.items() if value} for item in items]
    return json.dumps({**said, "items": shown}, ensure_ascii=False, indent=1) + "\n"


def _items(archive: Archive) -> list[Item]:
    return [_item(paper, day) for day, paper in archive.papers[:_MOST]]


def _item(paper: Paper, day: date) -> Item:
    return Item(
        id=f"urn:uuid:{uuid5(_NAMESPACE, paper.key)}",
        url=safe_url(paper.url) or "",
        title=safe_title(paper.title),
        text=plain(paper.abstract, _MAX_ABSTRACT),
        published=_stamp(paper.published),
        updated=_stamp(max(paper.published, datetime.combine(day, time(), UTC))),
        authors=tuple(name for name in (plain(author, 120) for author in paper.authors[:_MOST_AUTHORS]) if name),
        categories=tuple(plain(category, 80) for category in paper.categories),
        links=tuple(
            Link(link.kind, url)
            for link in paper.links
            if link.kind in (LinkKind.PDF, LinkKind.HTML, LinkKind.CODE) and (url := safe_url(link.url))
        ),
    )


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def _feed_id(archive: Archive) -> str:
    return archive.base_url or f"urn:uuid:{uuid5(_NAMESPACE, f'feed {archive.heading}')}"
