r"""arXiv's daily announcements as RSS, one request for all categories, and other ways for when that is not enough.

An item, shortened::

    <title>A Title with Poincar\'e</title>
    <link>https://arxiv.org/abs/2611.00001</link>
    <description>arXiv:2611.00001v1 Announce Type: new
    Abstract: We invent.</description>
    <guid isPermaLink="false">oai:arXiv.org:2611.00001v1</guid>
    <category>cs.CL</category>
    <arxiv:announce_type>new</arxiv:announce_type>
    <arxiv:DOI>10.1000/invented</arxiv:DOI>
    <dc:creator>Ada Example, Ben Sample (Invented University, Nowhere)</dc:creator>

It shows one day's batch, from midnight to midnight in New York, at most 2,000 items: new ones first, then cross-lists,
then replacements. ``new`` is what has its primary category among those asked for.

Source: https://info.arxiv.org/help/rss_specifications.html; arXiv/arxiv-feed, feed/database.py, feed/fetch_data.py and
feed/serializers/, read on 2026-11-22; recorded feeds of 2018, 2025 and 2026.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest.collect.sources.arxiv_api import ArxivApi
from digest.collect.sources.arxiv_calendar import batches, is_announced_ahead
from digest.collect.sources.arxiv_listing import ArxivListing
from digest.collect.sources.arxiv_oai import ArxivOai
from digest.collect.sources.arxiv_paper import asked_category, paper, split_authors, text_in, texts_in
from digest.collect.sources.page import announced_at, quoted, read_feed
from digest.errors import CollectError
from digest.model import NEWS, Announcement, Entry
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_html
from digest.text.identity import arxiv_key

__all__ = ["Arxiv", "split_authors"]

_RSS = "https://rss.arxiv.org/rss"
_MAX_ITEMS = 2_000
_PREFIX = re.compile(r"\s*arXiv:\S+\s+Announce Type:\s*(?P<type>\S+)\s+(?:Abstract:\s*)?")
# The form of titles until 2024: "A title. (arXiv:1805.00001v1 [hep-ex] CROSS LISTED)".
_OLD_SUFFIX = re.compile(r"\s*\(arXiv:\S+ \[(?P<category>[\w.-]+)\](?: (?P<state>UPDATED|CROSS LISTED))?\)\s*$")
_OLD_STATES = {"UPDATED": Announcement.REPLACE, "CROSS LISTED": Announcement.CROSS}


@dataclass(frozen=True)
class Arxiv(Source):
    """What arXiv announces in some categories."""

    categories: tuple[str, ...]
    announce: frozenset[Announcement] = NEWS
    url: str | None = None
    """A mirror that stands in for ``https://rss.arxiv.org/rss``, and so for all of arXiv: of the other ways, only those
    with an address of their own are asked then."""
    listing_url: str | None = None
    """Stands in for ``https://arxiv.org/list``."""
    oai_url: str | None = None
    """Stands in for ``https://oaipmh.arxiv.org/oai``."""
    api_url: str | None = None
    """Stands in for ``https://export.arxiv.org/api/query``."""
    allow_private: bool = False
    name: str = ""
    """Begins with ``arxiv:``, by which `merge_entry` knows whose text counts; ``arxiv:cs.CL+cs.CV`` unless given."""

    def __post_init__(self) -> None:
        name = (self.name or "+".join(self.categories)).removeprefix("arxiv:")
        object.__setattr__(self, "name", f"arxiv:{name}")

    @property
    def covers_gap(self) -> bool:
        """The feed shows the newest batch only."""
        return False

    def asks(self, window: Window) -> Sequence[Ask]:  # noqa: ARG002  the feed holds the newest batch only
        """The one address that announces all categories; a whole archive, ``cs.*``, is called ``cs`` there."""
        subjects = "+".join(category.removesuffix(".*") for category in self.categories)
        return (Ask(f"{(self.url or _RSS).rstrip('/')}/{subjects}"),)

    def due(self, window: Window) -> Sequence[datetime]:
        """The batches that the feed turned to since all was read, if one is due; see `arxiv_calendar.batches`."""
        return tuple(batch.shown_at for batch in batches(window.since, window.until))

    def batch_of(self, entry: Entry) -> str | None:
        """The primary category: arXiv has shown one category's old batch among the new ones of others."""
        if entry.announcement is not Announcement.NEW or not entry.categories:
            return None
        return asked_category(entry.categories[0], self.categories)

    def alternatives(self, window: Window, stale: frozenset[str]) -> Sequence[Source]:
        """The listing pages of the stale categories; then two that leave no gap: OAI-PMH, and the query API."""
        few = tuple(sorted(stale)) or self.categories
        # More than the newest batch is missing, and of every category.
        all_or_few = self.categories if len(self.due(window)) > 1 else few
        ways: tuple[tuple[str | None, Source], ...] = (
            (self.listing_url, ArxivListing(few, self.listing_url, self.allow_private)),
            (self.oai_url, ArxivOai(all_or_few, window.since, self.oai_url, self.allow_private)),
            (self.api_url, ArxivApi(all_or_few, window.since, self.api_url, self.allow_private)),
        )
        # In the evening the pages show what the feed turns to at midnight: the batch that is missing is not there.
        is_ahead = is_announced_ahead(window.until)
        return tuple(way for own_url, way in ways[is_ahead:] if own_url or not self.url)

    def parse(self, page: Page) -> Listing:
        """Read a day of announcements; see `Source.parse`."""
        feed, broken = read_feed(page)
        # A wrong category answers 200 with this title: arXiv/arxiv-feed, feed/serializers/serializer.py.
        if (title := text_in(feed.feed, "title")).startswith("Feed error"):
            raise CollectError(f"arXiv refused the query: {quoted(title)}", hint="check the names of the categories")
        read = [_read(item) for item in feed.entries]
        entries = tuple(each for each in read if isinstance(each, Entry))
        # A feed that broke off may have lost any number.
        doubt = next(iter(broken), "")
        # Where the limit cuts off replacements that are no news, nothing is missing.
        if len(read) >= _MAX_ITEMS and entries and entries[-1].announcement in self.announce:
            doubt = f"lists {len(read):,} papers, the most that this feed ever shows: there may be more"
        return Listing(entries=entries, problems=tuple(each for each in read if isinstance(each, str)), doubt=doubt)


def _read(item: Any) -> Entry | str:
    """An entry, or why there is none."""
    title, summary = text_in(item, "title"), text_in(item, "summary")
    old = _OLD_SUFFIX.search(title)
    prefix = _PREFIX.match(summary)
    announced = text_in(item, "arxiv_announce_type") or (prefix["type"] if prefix else "")
    ids = (text_in(item, "id"), text_in(item, "link"))
    return paper(
        next(filter(arxiv_key, ids), ids[0] or ids[1]),
        title=_OLD_SUFFIX.sub("", title).rstrip(".") if old else title,
        abstract=summary[prefix.end() :] if prefix else clean_html(summary) if old else summary,
        authors=", ".join(texts_in(item, "authors", "name")),
        categories=texts_in(item, "tags", "term") or ([old["category"]] if old else []),
        published=announced_at(item),
        announcement=_announcement(announced, old),
        doi=text_in(item, "arxiv_doi"),
    )


def _announcement(announced: str, old: re.Match[str] | None) -> Announcement:
    try:
        return Announcement(announced.strip().lower())
    except ValueError:
        # A kind that arXiv adds one day is news: better shown once too often than never.
        return _OLD_STATES.get((old and old["state"]) or "", Announcement.NEW)
