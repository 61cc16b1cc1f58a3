"""Citations, venues, other identities and one-sentence summaries, from Semantic Scholar's batch interface.

An answer has an item for each id that was asked, in that order, ``null`` for what is unknown; shortened::

    [{"paperId": "649def…", "externalIds": {"ArXiv": "2611.00001", "DOI": "10.1000/invented", "PubMed": "19872477"},
      "venue": "Neural Information Processing Systems", "publicationVenue": {"name": "…", "type": "conference"},
      "citationCount": 12, "tldr": {"model": "tldr@v2.0.0", "text": "…"}}, null]

Source: https://api.semanticscholar.org/api-docs/graph, recorded answers and threads of allenai/s2-folks (read
2026-11-22): at most 500 ids a request. With a key one request a second; those without one share a limit that is mostly
used up. If no id at all is known, the answer is HTTP 400.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel, ValidationError

from digest.collect.sources.json_page import Count, Dict, Text, read_json, text_of
from digest.collect.sources.page import entry, quoted
from digest.errors import CollectError
from digest.model import Announcement, Entry, Paper, PaperKey, Signals
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.identity import arxiv_key, doi_key

_API = "https://api.semanticscholar.org/graph/v1"
_FIELDS = "externalIds,venue,publicationVenue,citationCount,tldr"
_MOST = 500
# As they write the kinds of keys that they know, best first.
_KINDS = {"arxiv": "ARXIV", "doi": "DOI", "pmid": "PMID"}
# Where everybody may post is not where a paper was accepted.
_NO_VENUES = (
    "arxiv",
    "biorxiv",
    "medrxiv",
    "chemrxiv",
    "corr",
    "ssrn",
    "social science research network",
    "research square",
)


class _PaperJson(BaseModel):
    externalIds: Dict = {}  # noqa: N815  their name
    venue: Text = ""
    publicationVenue: Dict = {}  # noqa: N815
    citationCount: Count = None  # noqa: N815
    tldr: Dict = {}


@dataclass(frozen=True)
class SemanticScholar(Source):
    """What Semantic Scholar knows of papers that other sources list."""

    key: str | None = field(default=None, repr=False)
    url: str | None = None
    """Stands in for ``https://api.semanticscholar.org/graph/v1``."""
    allow_private: bool = False
    name: str = "semantic_scholar:enrich"
    asks_about_papers: ClassVar[bool] = True
    is_extra: ClassVar[bool] = True

    def asks(self, window: Window) -> Sequence[Ask]:
        """A request for every 500 of the window's papers; without a key only the first."""
        known = [(paper.key, name) for paper in window.papers if (name := _name(paper))]
        headers = (("x-api-key", self.key),) if self.key else ()
        url = f"{(self.url or _API).rstrip('/')}/paper/batch?fields={_FIELDS}"
        parts = [known[start : start + _MOST] for start in range(0, len(known), _MOST)]
        return tuple(
            Ask(
                url,
                headers,
                body=json.dumps({"ids": [name for _, name in part]}).encode(),
                about=tuple(key for key, _ in part),
            )
            for part in (parts if self.key else parts[:1])
        )

    def parse(self, page: Page) -> Listing:
        """Read one batch; see `Source.parse`."""
        items = read_json(page, list)
        if len(items) != len(page.about):
            raise CollectError(f"{len(items):,} items in answer to {len(page.about):,} ids")
        entries: list[Entry] = []
        problems: list[str] = []
        for key, item in zip(page.about, items, strict=True):
            if item is None:
                continue
            try:
                read = _read(key, _PaperJson.model_validate(item))
            except ValidationError:
                read = f"an object was expected, not {quoted(str(item)[:200])}"
            if isinstance(read, Entry):
                entries.append(read)
            else:
                problems.append(f"skipped {key}: {read}")
        return Listing(entries=tuple(entries), problems=tuple(problems))


def _name(paper: Paper) -> str | None:
    """What they call the paper, by the best of its identities."""
    ids = dict(key.split(":", 1) for key in (*reversed(paper.ids), paper.key))
    return next((f"{theirs}:{ids[kind]}" for kind, theirs in _KINDS.items() if kind in ids), None)


def _read(key: PaperKey, paper: _PaperJson) -> Entry | str:
    ids = {name.casefold(): text_of(value) for name, value in paper.externalIds.items()}
    arxiv = arxiv_key(ids.get("arxiv", ""))
    if arxiv and key.startswith("arxiv:") and arxiv != key:
        return f"the answer is about {arxiv}"
    pubmed = ids.get("pubmed", "")
    venue = paper.venue or text_of(paper.publicationVenue.get("name"))
    return entry(
        key=key,
        title="",
        announcement=Announcement.MENTION,
        signals=Signals(citations=paper.citationCount),
        ids=(
            arxiv,
            doi_key(ids.get("doi", "")),
            PaperKey(f"pmid:{pubmed}") if pubmed.isascii() and pubmed.isdigit() else None,
        ),
        venue="" if venue.casefold().startswith(_NO_VENUES) else venue,
        summary=text_of(paper.tldr.get("text")),
    )
