"""What Hacker News made of papers: the points of the stories that link them, from Algolia's search.

An answer, shortened::

    {"hits": [{"objectID": "46000001", "title": "…", "url": "https://arxiv.org/abs/2611.00001v2", "points": 87,
               "num_comments": 12, "created_at_i": 1795000000}], "nbHits": 1, "page": 0, "hitsPerPage": 1000}

``points`` and ``url`` may be null. Newest first, and never more than 1,000.

Source: https://hn.algolia.com/api, and public clients for ``restrictSearchableAttributes`` (read 2026-11-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import ClassVar

from pydantic import BaseModel

from digest.collect.sources.json_page import Count, Required, Text, read_items, read_json, with_query
from digest.collect.sources.page import entry, link
from digest.errors import CollectError
from digest.model import Announcement, Entry, LinkKind, Signals
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.identity import arxiv_key, doi_key, url_key

_API = "https://hn.algolia.com/api/v1/search_by_date"
_MOST = 1_000
# A story hardly gains points after a week.
_GROWS = timedelta(days=7)


class _StoryJson(BaseModel):
    objectID: Required  # noqa: N815  their name
    url: Text = ""
    points: Count = None


@dataclass(frozen=True)
class HackerNews(Source):
    """Points and discussions of papers that other sources list, where the story links arXiv."""

    url: str | None = None
    """Stands in for ``https://hn.algolia.com/api/v1/search_by_date``."""
    allow_private: bool = False
    name: str = "hackernews:points"
    is_extra: ClassVar[bool] = True

    def asks(self, window: Window) -> Sequence[Ask]:
        """One request for every story that links arXiv since a week before the window, so that growth is seen."""
        # From midnight on, so that a day's requests are the same.
        first = (window.since.astimezone(UTC) - _GROWS).replace(hour=0, minute=0, second=0, microsecond=0)
        return (
            Ask(
                with_query(
                    self.url or _API,
                    query="arxiv.org",
                    restrictSearchableAttributes="url",
                    tags="story",
                    hitsPerPage=_MOST,
                    numericFilters=f"created_at_i>{int(first.timestamp())}",
                )
            ),
        )

    def parse(self, page: Page) -> Listing:
        """Read the stories, of each paper the one with the most points; see `Source.parse`."""
        hits = read_json(page, dict).get("hits")
        if not isinstance(hits, list):
            raise CollectError("the answer lists no stories")
        entries, problems = read_items(hits, _StoryJson, _read, lambda hit: hit.get("objectID"))
        best: dict[str, Entry] = {}
        for each in entries:
            known = best.setdefault(each.key, each)
            if (each.signals.points or 0) > (known.signals.points or 0):
                best[each.key] = each
        return Listing(entries=tuple(best.values()), problems=problems)


def _read(story: _StoryJson) -> Entry | str | None:
    key = arxiv_key(story.url) or doi_key(story.url) or url_key(story.url)
    if key is None or story.points is None:
        return None
    if not (story.objectID.isascii() and story.objectID.isdigit()):
        return "it has no number"
    return entry(
        key=key,
        title="",
        links=(link(LinkKind.DISCUSSION, f"https://news.ycombinator.com/item?id={story.objectID}"),),
        announcement=Announcement.MENTION,
        signals=Signals(points=story.points),
    )
