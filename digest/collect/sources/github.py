"""How many stars the code of papers has, from GitHub's API.

An answer, shortened::

    {"id": 1, "full_name": "ada/invented", "stargazers_count": 87, "pushed_at": "2026-11-19T08:00:00Z"}

Source: https://docs.github.com/en/rest/repos/repos#get-a-repository and its page on rate limits (read 2026-11-22): 60
requests an hour for an address without a token, 5,000 with one; "not modified" costs none if a token is sent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel

from digest.collect.sources.json_page import Count, read_json
from digest.collect.sources.page import entry
from digest.errors import CollectError
from digest.model import Announcement, LinkKind, PaperKey, Signals
from digest.ports import Ask, Listing, Page, Source, Window

_API = "https://api.github.com"
_REPOSITORY = re.compile(
    r"https?://(?:www\.)?github\.com/(?P<owner>[a-z\d](?:[a-z\d-]{0,38}))/(?P<name>[\w.-]{1,100}?)(?:\.git)?(?:[/?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_MOST, _MOST_WITH_TOKEN = 40, 500


class _RepositoryJson(BaseModel):
    stargazers_count: Count = None


@dataclass(frozen=True)
class GitHub(Source):
    """Stars of the repositories that papers, which other sources list, name as their code."""

    token: str | None = field(default=None, repr=False)
    url: str | None = None
    """Stands in for ``https://api.github.com``."""
    allow_private: bool = False
    name: str = "github:stars"
    missing_is_quiet: ClassVar[bool] = True
    """A repository may be promised and not there yet, or be gone."""
    asks_about_papers: ClassVar[bool] = True
    is_extra: ClassVar[bool] = True

    def asks(self, window: Window) -> Sequence[Ask]:
        """A request for each repository of the window's papers, at most 40, with a token 500."""
        papers: dict[str, list[PaperKey]] = {}
        for paper in window.papers:
            for link in paper.links:
                found = _REPOSITORY.fullmatch(link.url) if link.kind is LinkKind.CODE else None
                if found and found["name"].strip("."):
                    papers.setdefault(f"{found['owner']}/{found['name']}".lower(), []).append(paper.key)
        headers = (
            ("Accept", "application/vnd.github+json"),
            ("X-GitHub-Api-Version", "2022-11-28"),
            *([("Authorization", f"Bearer {self.token}")] if self.token else []),
        )
        base = (self.url or _API).rstrip("/")
        asks = [Ask(f"{base}/repos/{name}", headers, about=tuple(keys)) for name, keys in papers.items()]
        return tuple(asks[: _MOST_WITH_TOKEN if self.token else _MOST])

    def parse(self, page: Page) -> Listing:
        """Read one repository; see `Source.parse`."""
        stars = _RepositoryJson.model_validate(read_json(page, dict)).stargazers_count
        if stars is None:
            raise CollectError("the answer is of no repository")
        return Listing(
            entries=tuple(
                entry(key=key, title="", announcement=Announcement.MENTION, signals=Signals(stars=stars))
                for key in dict.fromkeys(page.about)
            )
        )
