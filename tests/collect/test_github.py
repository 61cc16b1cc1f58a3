import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.github import GitHub
from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, Link, LinkKind, Paper, PaperKey, Signals
from digest.ports import Listing, Page, Window
from tests.builders import NOW, a_paper
from tests.collect.mutated import mutated

ABOUT = (PaperKey("arxiv:2611.00001"), PaperKey("arxiv:2611.00002"))
REPOSITORY: dict[str, Any] = {
    "id": 1,
    "full_name": "ada/invented",
    "private": False,
    "owner": {"login": "ada", "id": 2, "type": "User"},
    "html_url": "https://github.com/ada/invented",
    "fork": False,
    "stargazers_count": 87,
    "watchers_count": 87,
    "pushed_at": "2026-11-19T08:00:00Z",
    "license": None,
}


def coded(number: int, url: str, kind: LinkKind = LinkKind.CODE) -> Paper:
    return a_paper(number, links=(Link(kind, url),))


def asked(*papers: Paper, source: GitHub | None = None) -> list[tuple[str, tuple[PaperKey, ...]]]:
    window = Window(since=NOW, until=NOW, papers=papers)
    return [(ask.url.rpartition("/repos/")[2], ask.about) for ask in (source or GitHub()).asks(window)]


def listing(body: bytes) -> Listing:
    return GitHub().parse(Page("https://api.example/", body, about=ABOUT))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/Ada/Invented", "ada/invented"),
        ("http://www.github.com/ada/in.vented_2/", "ada/in.vented_2"),
        ("https://github.com/ada/invented.git", "ada/invented"),
        ("https://github.com/ada/invented/tree/main/src?x=1#readme", "ada/invented"),
        ("https://github.com/ada", None),
        ("https://github.com/ada/..", None),
        ("https://github.com/ada/../../user", None),
        ("https://github.com/-ada/invented", None),
        ("https://github.com/ada/inv%2Fented", None),
        ("https://github.com.evil.example/ada/invented", None),
        ("https://gitlab.com/ada/invented", None),
    ],
)
def test_the_repository_is_read_off_the_link(url: str, name: str | None) -> None:
    assert [path for path, _ in asked(coded(1, url))] == ([name] if name else [])


def test_only_links_to_code_are_asked_for() -> None:
    assert asked(coded(1, "https://github.com/ada/invented", LinkKind.PROJECT), a_paper(2)) == []


def test_a_repository_of_two_papers_is_asked_for_once() -> None:
    papers = (coded(1, "https://github.com/Ada/invented"), coded(2, "https://github.com/ada/Invented.git"))

    assert asked(*papers) == [("ada/invented", ABOUT)]


def test_an_address_without_a_token_asks_for_few_and_the_most_urgent() -> None:
    papers = [coded(number, f"https://github.com/ada/r{number}") for number in range(600)]

    few, many = asked(*papers), asked(*papers, source=GitHub("secret"))

    assert (len(few), len(many)) == (40, 500)
    assert few[0] == ("ada/r0", ("arxiv:2611.00000",))


def test_the_token_goes_along_and_is_never_shown() -> None:
    window = Window(since=NOW, until=NOW, papers=(coded(1, "https://github.com/ada/invented"),))
    [with_token] = GitHub("s3cret").asks(window)
    [without] = GitHub(url="https://ghe.example/api/v3/").asks(window)

    assert dict(with_token.headers)["Authorization"] == "Bearer s3cret"
    assert dict(with_token.headers)["X-GitHub-Api-Version"] == "2022-11-28"
    assert "s3cret" not in repr(GitHub("s3cret"))
    assert "Authorization" not in dict(without.headers)
    assert without.url == "https://ghe.example/api/v3/repos/ada/invented"


def test_stars_are_of_all_papers_that_name_the_repository() -> None:
    entries = listing(json.dumps(REPOSITORY).encode()).entries

    assert [entry.key for entry in entries] == list(ABOUT)
    assert {(entry.announcement, entry.signals) for entry in entries} == {(Announcement.MENTION, Signals(stars=87))}


def test_a_promised_repository_may_be_missing() -> None:
    assert (GitHub.missing_is_quiet, GitHub.asks_about_papers, GitHub.is_extra) == (True, True, True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html><title>Unicorn!</title>", SuspiciousError),
        (b"[]", CollectError),
        (b'{"message": "API rate limit exceeded"}', CollectError),
        (b'{"stargazers_count": "many"}', CollectError),
        (b"", CollectError),
    ],
)
def test_what_is_no_repository_is_an_error(body: bytes, error: type[CollectError]) -> None:
    with pytest.raises(error):
        listing(body)


@given(mutated(REPOSITORY) | st.binary(max_size=200))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.signals.stars is not None for entry in listing(body).entries)
