"""arXiv's query API, by date of submission: the last way to batches that no page shows any more.

An answer, shortened::

    <feed xmlns="http://www.w3.org/2005/Atom" …>
      <opensearch:totalResults>230</opensearch:totalResults>
      <opensearch:startIndex>0</opensearch:startIndex>
      <entry>
        <id>http://arxiv.org/abs/2611.00001v1</id>
        <title>An Invented Paper</title>
        <published>2026-11-19T09:00:00Z</published>
        <summary>We invent.</summary>
        <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
        <arxiv:primary_category term="cs.CL"/>
        <arxiv:comment>Accepted to ACL 2026</arxiv:comment>
        <arxiv:doi>10.1000/invented</arxiv:doi>
        <author><name>Ada Example</name></author>
      </entry>
    </feed>

A refused query is one entry titled ``Error`` under ``https://arxiv.org/api/errors#…``. Under load it answers with no
entry, or with fewer than it states.

Source: https://info.arxiv.org/help/api/user-manual.html, recorded answers of 2026, and lukasschwab/arxiv.py#158.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from digest.collect.sources.arxiv_calendar import batch_of_submission
from digest.collect.sources.arxiv_oai import HELD
from digest.collect.sources.arxiv_paper import asked_category, paper, text_in, texts_in
from digest.collect.sources.page import announced_at, quoted, read_feed
from digest.errors import CollectError, ThrottledError
from digest.model import Announcement, Entry
from digest.ports import Ask, Listing, Page, Source, Window

_API = "https://export.arxiv.org/api/query"
_SHOW = 1_000
"""Asked for at a time; 2,000 are allowed."""


@dataclass(frozen=True)
class ArxivApi(Source):
    """What was submitted to some categories since a week before a time, one request for all categories.

    It knows no announcements: replacements and cross-lists of older papers are missing, and what was announced in that
    week is listed again.
    """

    categories: tuple[str, ...]
    since: datetime
    """Everything announced before is known."""
    url: str | None = None
    """Stands in for ``https://export.arxiv.org/api/query``."""
    allow_private: bool = False
    name: str = "arxiv query API"
    leaves_out: ClassVar[str] = "replacements and cross-lists of older papers"

    def asks(self, window: Window) -> Sequence[Ask]:
        """One query, oldest first, so that what is announced meanwhile shifts no page."""
        first, last = (when.astimezone(UTC).strftime("%Y%m%d%H%M") for when in (self.since - HELD, window.until))
        subjects = " OR ".join(f"cat:{category}" for category in self.categories)
        query = {
            "search_query": f"({subjects}) AND submittedDate:[{first} TO {last}]",
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
            "start": "0",
            "max_results": str(_SHOW),
        }
        return (Ask(f"{self.url or _API}?{urlencode(query)}"),)

    def parse(self, page: Page) -> Listing:
        """Read one page of results; see `Source.parse`."""
        feed, problems = read_feed(page)
        for item in feed.entries:
            if "/api/errors" in text_in(item, "id"):
                raise CollectError(f"arXiv refused the query: {quoted(text_in(item, 'summary'))}")
        address, query = page.url.partition("?")[0], dict(parse_qsl(urlsplit(page.url).query))
        start, count = _number(query.get("start", "0")), len(feed.entries)
        total = _number(text_in(feed.feed, "opensearch_totalresults"))
        expected = min(_number(query.get("max_results", "0")) or _SHOW, total - start)
        if expected > 0 and not count:
            raise ThrottledError(f"arXiv found {total:,} papers and lists none of them")
        read = [self._read(item) for item in feed.entries]
        following = query | {"start": str(start + count)}
        return Listing(
            entries=tuple(each for each in read if isinstance(each, Entry)),
            problems=(*problems, *(each for each in read if isinstance(each, str))),
            doubt=f"arXiv states {expected:,} papers, and {count:,} were found" if count < expected else "",
            next=Ask(f"{address}?{urlencode(following)}") if 0 < count < total - start else None,
        )

    def _read(self, item: Any) -> Entry | str:
        """An entry, or why there is none."""
        primary = text_in(item.get("arxiv_primary_category"), "term")
        submitted = announced_at(item)
        is_primary = asked_category(primary, self.categories) is not None
        return paper(
            text_in(item, "id"),
            title=text_in(item, "title"),
            abstract=text_in(item, "summary"),
            authors=", ".join(texts_in(item, "authors", "name")),
            categories=[primary, *texts_in(item, "tags", "term")],
            announcement=Announcement.NEW if is_primary else Announcement.CROSS,
            published=batch_of_submission(submitted).shown_at if submitted else None,
            comment=text_in(item, "arxiv_comment"),
            doi=text_in(item, "arxiv_doi"),
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
