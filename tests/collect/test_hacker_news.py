import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.hacker_news import HackerNews
from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, LinkKind, Signals
from digest.ports import Listing, Page, Window
from tests.builders import NOW
from tests.collect.mutated import mutated

HN = HackerNews()


def story(number: int = 1, **changes: Any) -> dict[str, Any]:
    """In the shape of the API's answers."""
    return {
        "_highlightResult": {"url": {"matchLevel": "full", "matchedWords": ["arxiv.org"], "value": "…"}},
        "_tags": ["story", "author_ada", f"story_{number}"],
        "author": "ada",
        "created_at": "2026-11-19T08:00:00Z",
        "created_at_i": 1795075200,
        "num_comments": 12,
        "objectID": str(number),
        "points": 87,
        "story_id": number,
        "title": "An invented paper [pdf]",
        "updated_at": "2026-11-20T08:00:00Z",
        "url": "https://arxiv.org/abs/2611.00001",
    } | changes


def answer(*hits: object) -> bytes:
    return json.dumps({"hits": hits, "hitsPerPage": 1000, "nbHits": len(hits), "nbPages": 1, "page": 0}).encode()


def listing(body: bytes) -> Listing:
    return HN.parse(Page("https://hn.example/", body))


def test_one_request_asks_for_the_stories_since_a_week_before_the_window() -> None:
    [ask] = HN.asks(Window(since=NOW, until=NOW + timedelta(days=1)))

    assert ask.url.startswith("https://hn.algolia.com/api/v1/search_by_date?")
    midnight = int(datetime(2026, 11, 13, tzinfo=UTC).timestamp())
    assert parse_qs(urlsplit(ask.url).query) == {
        "query": ["arxiv.org"],
        "restrictSearchableAttributes": ["url"],
        "tags": ["story"],
        "hitsPerPage": ["1000"],
        "numericFilters": [f"created_at_i>{midnight}"],
    }
    assert (ask.body, ask.headers) == (None, ())


def test_it_only_adds_to_papers_that_are_known() -> None:
    assert HN.is_extra
    assert not HN.asks_about_papers

    [entry] = listing(answer(story())).entries

    assert (entry.announcement, entry.title) == (Announcement.MENTION, "")
    assert entry.signals == Signals(points=87)
    assert [(link.kind, link.url) for link in entry.links] == [
        (LinkKind.DISCUSSION, "https://news.ycombinator.com/item?id=1")
    ]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://arxiv.org/abs/2611.00001v2", "arxiv:2611.00001"),
        ("http://www.arxiv.org/pdf/2611.00001.pdf#page=3", "arxiv:2611.00001"),
        ("https://export.arxiv.org/abs/cs/0601001", "arxiv:cs/0601001"),
        ("https://arxiv.org/abs/2611.00001?utm_source=x", "arxiv:2611.00001"),
        ("https://doi.org/10.48550/arXiv.2611.00001", "arxiv:2611.00001"),
        ("https://doi.org/10.1000/Invented", "doi:10.1000/invented"),
        ("https://blog.example/arxiv.org", "url:https://blog.example/arxiv.org"),
    ],
)
def test_a_story_is_about_the_paper_that_it_links(url: str, key: str) -> None:
    assert [entry.key for entry in listing(answer(story(url=url))).entries] == [key]


@pytest.mark.parametrize("changes", [{"url": None}, {"url": "javascript:x"}, {"points": None}, {"points": -1}])
def test_a_story_that_says_nothing_of_a_paper_is_passed_over(changes: dict[str, Any]) -> None:
    assert listing(answer(story(**changes))) == Listing()


def test_of_several_stories_of_a_paper_the_one_with_most_points_counts() -> None:
    versions = [f"https://arxiv.org/abs/2611.00001v{number}" for number in (1, 2, 3)]
    points = (3, 90, 7)
    stories = [story(n, url=url, points=p) for n, (url, p) in enumerate(zip(versions, points, strict=True), 1)]

    [entry] = listing(answer(*stories)).entries

    assert entry.signals.points == 90
    assert entry.links[0].url.endswith("id=2")


@pytest.mark.parametrize("bad", [{"objectID": "1&x=javascript:"}, {"objectID": None}])
def test_what_is_no_story_is_skipped_by_name(bad: dict[str, Any]) -> None:
    read = listing(answer(story(**bad), "nonsense", story(2)))

    assert len(read.entries) == 1
    assert len(read.problems) == 2
    assert all(problem.startswith("skipped ") for problem in read.problems)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<!doctype html><title>Sign in</title>", SuspiciousError),
        (b"[]", CollectError),
        (b'{"message": "Invalid parameter"}', CollectError),
        (b"", CollectError),
        (b"{" * 10_000, CollectError),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, error: type[CollectError]) -> None:
    with pytest.raises(error):
        listing(body)


@given(mutated(json.loads(answer(story(), story(2)))) | st.binary(max_size=200))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key for entry in listing(body).entries)
