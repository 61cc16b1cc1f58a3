r"""arXiv's daily announcements as RSS, one request for all categories.

An item, shortened::

    <title>A Title with Poincar\'e</title>
    <link>https://arxiv.org/abs/2611.00001</link>
    <description>arXiv:2611.00001v1 Announce Type: new
    Abstract: We invent.</description>
    <guid isPermaLink="false">oai:arXiv.org:2611.00001v1</guid>
    <category>cs.CL</category>
    <arxiv:announce_type>new</arxiv:announce_type>
    <dc:creator>Ada Example, Ben Sample (Invented University, Nowhere)</dc:creator>

Source: https://info.arxiv.org/help/rss_specifications.html and recorded feeds of 2018, 2025 and 2026.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from digest.collect.sources.page import announced_at, entry, link, quoted, read_feed
from digest.errors import CollectError
from digest.model import Announcement, Entry, LinkKind
from digest.ports import Listing, Page, Window
from digest.text.clean import clean_html, clean_text
from digest.text.identity import arxiv_key
from digest.text.links import find_code

_RSS = "https://rss.arxiv.org/rss"
_PREFIX = re.compile(r"\s*arXiv:\S+\s+Announce Type:\s*(?P<type>\S+)\s+(?:Abstract:\s*)?")
# The form of titles until 2024: "A title. (arXiv:1805.00001v1 [hep-ex] CROSS LISTED)".
_OLD_SUFFIX = re.compile(r"\s*\(arXiv:\S+ \[(?P<category>[\w.-]+)\](?: (?P<state>UPDATED|CROSS LISTED))?\)\s*$")
_OLD_STATES = {"UPDATED": Announcement.REPLACE, "CROSS LISTED": Announcement.CROSS}
_SUFFIXES = re.compile(r"(?:Jr|Sr|II|III|IV|Ph\.?\s?D|M\.?\s?D|Esq)\.?", re.IGNORECASE)
_MAX_CREATOR_CHARS = 400_000


@dataclass(frozen=True)
class Arxiv:
    """What arXiv announces in some categories."""

    categories: tuple[str, ...]
    url: str | None = None
    """A mirror that stands in for ``https://rss.arxiv.org/rss``."""
    allow_private: bool = False
    name: str = ""
    """Begins with ``arxiv:``, by which `merge_entry` knows whose text counts; ``arxiv:cs.CL+cs.CV`` unless given."""

    def __post_init__(self) -> None:
        name = (self.name or "+".join(self.categories)).removeprefix("arxiv:")
        object.__setattr__(self, "name", f"arxiv:{name}")

    def first_urls(self, window: Window) -> Sequence[str]:  # noqa: ARG002  the feed holds the newest day only
        """The one address that announces all categories; a whole archive, ``cs.*``, is called ``cs`` there."""
        subjects = "+".join(category.removesuffix(".*") for category in self.categories)
        return (f"{(self.url or _RSS).rstrip('/')}/{subjects}",)

    def parse(self, page: Page) -> Listing:
        """Read a day of announcements; see `Source.parse`."""
        feed, problems = read_feed(page)
        # A wrong category answers 200 with this title: arXiv/arxiv-feed, feed/serializers/serializer.py.
        if (title := feed.feed.get("title", "")).startswith("Feed error"):
            raise CollectError(f"arXiv refused the query: {quoted(title)}", hint="check the names of the categories")
        entries, skipped = [], list(problems)
        for item in feed.entries:
            read = _read(item)
            if isinstance(read, Entry):
                entries.append(read)
            else:
                skipped.append(read)
        return Listing(entries=tuple(entries), problems=tuple(skipped))


def _read(item: Any) -> Entry | str:
    """An entry, or why there is none."""
    raw_title = item.get("title", "")
    key = arxiv_key(item.get("id", "")) or arxiv_key(item.get("link", ""))
    if key is None:
        return (
            f"skipped {quoted(raw_title or 'an item')}: no arXiv id in {quoted(item.get('id') or item.get('link', ''))}"
        )
    old = _OLD_SUFFIX.search(raw_title)
    title = _OLD_SUFFIX.sub("", raw_title).rstrip(".") if old else raw_title
    if not clean_text(title):
        return f"skipped {key}: it has no title"
    summary = item.get("summary", "")
    prefix = _PREFIX.match(summary)
    abstract = summary[prefix.end() :] if prefix else clean_html(summary) if old else summary
    categories = [tag.get("term") or "" for tag in item.get("tags", ())] or ([old["category"]] if old else [])
    announced = item.get("arxiv_announce_type") or (prefix["type"] if prefix else "")
    arxiv_id = key.removeprefix("arxiv:")
    return entry(
        key=key,
        title=title,
        abstract=abstract,
        authors=split_authors(", ".join(author.get("name", "") for author in item.get("authors", ()))),
        categories=categories,
        links=(
            link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}"),
            link(LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}"),
            link(LinkKind.CODE, find_code(abstract)),
        ),
        published=announced_at(item),
        announcement=_announcement(announced, old),
    )


def _announcement(announced: str, old: re.Match[str] | None) -> Announcement:
    try:
        return Announcement(announced.strip().lower())
    except ValueError:
        # A kind that arXiv adds one day is news: better shown once too often than never.
        return _OLD_STATES.get((old and old["state"]) or "", Announcement.NEW)


def split_authors(creator: str) -> tuple[str, ...]:
    """Split arXiv's one string of authors at its commas and leave out affiliations.

    ``Ada Example (Uni, City), Ben Sample, Jr.`` → ``Ada Example``, ``Ben Sample, Jr.``. Brackets that do not match
    are read as if they were not there. The names still hold TeX.
    """
    creator = creator[:_MAX_CREATOR_CHARS]
    if "<" in creator:
        creator = clean_html(creator)
    names: list[str] = []
    for part in _outside_brackets(creator).split(","):
        # "A. Author, and B. Author" and "P. -W. Lo" are typed by people.
        name = re.sub(r"^and | and$", "", " ".join(part.split())).replace(". -", ".-")
        if names and _SUFFIXES.fullmatch(name):
            names[-1] += f", {name}"
        # A collaboration is written "The X Collaboration, :, A. Author".
        elif any(sign.isalpha() for sign in name) and name.lower().rstrip(".") != "et al":
            names.append(name)
    return tuple(names)


def _outside_brackets(text: str) -> str:
    kept: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return re.sub(r"[()]", " ", text) if depth else " ".join(kept)
