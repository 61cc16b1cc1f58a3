import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.semantic_scholar import SemanticScholar
from digest.errors import CollectError, SuspiciousError
from digest.model import Announcement, Entry, Paper, PaperKey, Signals
from digest.ports import Ask, Listing, Page, Window
from tests.builders import NOW, a_paper
from tests.collect.mutated import mutated

ARXIV, DOI = PaperKey("arxiv:2611.00001"), PaperKey("doi:10.1000/invented")


def item(**changes: Any) -> dict[str, Any]:
    """In the shape of the API's answers."""
    return {
        "paperId": "0123456789abcdef0123456789abcdef01234567",
        "externalIds": {"ArXiv": "2611.00001", "DOI": "10.1000/Invented", "PubMed": "19872477", "CorpusId": 1},
        "venue": "Neural Information Processing Systems",
        "publicationVenue": {
            "id": "d9720b90-d60b-48bc-9df8-87a30b9a60dd",
            "name": "Neural Information Processing Systems",
            "type": "conference",
            "alternate_names": ["NeurIPS"],
            "url": "http://neurips.cc/",
        },
        "citationCount": 12,
        "tldr": {"model": "tldr@v2.0.0", "text": "We invent\n papers."},
    } | changes


def asks(*papers: Paper, key: str | None = None) -> list[Ask]:
    return list(SemanticScholar(key).asks(Window(since=NOW, until=NOW, papers=papers)))


def listing(items: object, *about: PaperKey) -> Listing:
    body = items if isinstance(items, bytes) else json.dumps(items).encode()
    return SemanticScholar().parse(Page("https://s2.example/", body, about=about))


def only(**changes: Any) -> Entry:
    read = listing([item(**changes)], ARXIV)
    assert read.problems == ()
    [entry] = read.entries
    return entry


@pytest.mark.parametrize(
    ("key", "ids", "name"),
    [
        ("arxiv:2611.00001", (), "ARXIV:2611.00001"),
        ("arxiv:math/0309136", ("doi:10.1000/x",), "ARXIV:math/0309136"),
        ("doi:10.1000/x", ("pmid:12",), "DOI:10.1000/x"),
        ("doi:10.1000/x", ("arxiv:2611.00001",), "ARXIV:2611.00001"),
        ("doi:10.1000/x", ("doi:10.1000/y",), "DOI:10.1000/x"),
        ("pmid:12", (), "PMID:12"),
        ("url:https://x.example/", (), None),
        ("guid:blog:1", ("pmid:12",), "PMID:12"),
        ("openreview:x", (), None),
    ],
)
def test_a_paper_is_asked_for_by_the_best_of_its_identities(key: str, ids: tuple[str, ...], name: str | None) -> None:
    found = asks(a_paper(key=PaperKey(key), ids=tuple(map(PaperKey, ids))))

    assert [json.loads(ask.body or b"") for ask in found] == ([{"ids": [name]}] if name else [])
    assert [ask.about for ask in found] == ([(key,)] if name else [])


def test_a_batch_holds_what_they_allow_and_without_a_key_one_must_do() -> None:
    papers = [a_paper(number) for number in range(1_200)]

    batches = asks(*papers, key="s3cret")

    assert [len(ask.about) for ask in batches] == [500, 500, 200]
    assert batches[0].url == (
        "https://api.semanticscholar.org/graph/v1/paper/batch"
        "?fields=externalIds,venue,publicationVenue,citationCount,tldr"
    )
    assert {ask.headers for ask in batches} == {(("x-api-key", "s3cret"),)}
    assert [(len(ask.about), ask.headers) for ask in asks(*papers)] == [(500, ())]
    assert "s3cret" not in repr(SemanticScholar("s3cret"))


def test_a_known_paper_is_told_of() -> None:
    entry = only()

    assert entry == Entry(
        key=ARXIV,
        title="",
        announcement=Announcement.MENTION,
        signals=Signals(citations=12),
        ids=(DOI, PaperKey("pmid:19872477")),
        venue="Neural Information Processing Systems",
        summary="We invent papers.",
    )
    assert (SemanticScholar.asks_about_papers, SemanticScholar.is_extra) == (True, True)


@pytest.mark.parametrize(
    ("changes", "venue"),
    [
        ({"venue": "arXiv.org"}, ""),
        ({"venue": "bioRxiv"}, ""),
        ({"venue": "Social Science Research Network"}, ""),
        ({"venue": ""}, "Neural Information Processing Systems"),
        ({"venue": "", "publicationVenue": None}, ""),
        ({"venue": None, "publicationVenue": {"name": "arXiv.org"}}, ""),
    ],
)
def test_a_preprint_server_is_no_venue(changes: dict[str, Any], venue: str) -> None:
    assert only(**changes).venue == venue


@pytest.mark.parametrize(
    "changes",
    [
        {"tldr": None, "citationCount": None, "externalIds": None},
        {"tldr": {"text": 7}, "citationCount": "many", "externalIds": {"DOI": 7, "PubMed": "x"}},
        {"tldr": "text", "citationCount": -1, "externalIds": []},
    ],
)
def test_what_is_missing_or_odd_is_left_out(changes: dict[str, Any]) -> None:
    entry = only(**changes)

    assert (entry.summary, entry.signals, entry.ids) == ("", Signals(), ())


def test_answers_are_matched_by_their_order() -> None:
    unknown = PaperKey("pmid:1")

    read = listing([None, item(citationCount=3), item(externalIds={"DOI": "10.1000/Invented"})], unknown, ARXIV, DOI)

    assert [(entry.key, entry.signals.citations) for entry in read.entries] == [(ARXIV, 3), (DOI, 12)]


def test_an_answer_about_another_paper_is_refused() -> None:
    read = listing([item(externalIds={"ArXiv": "2611.00009"}), 7], ARXIV, DOI)

    assert read.entries == ()
    assert read.problems == (
        "skipped arxiv:2611.00001: the answer is about arxiv:2611.00009",
        "skipped doi:10.1000/invented: an object was expected, not '7'",
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html><title>Forbidden</title>", SuspiciousError),
        (b'{"error": "No valid paper ids given"}', CollectError),
        (b"[]", CollectError),
        (b"[null, null]", CollectError),
        (b"", CollectError),
    ],
)
def test_what_does_not_fit_the_question_is_an_error(body: bytes, error: type[CollectError]) -> None:
    with pytest.raises(error):
        listing(body, ARXIV)


@given(mutated([item(), None, item()]) | st.binary(max_size=200))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    with suppress(CollectError):
        assert {entry.key for entry in listing(body, ARXIV, PaperKey("pmid:1"), DOI).entries} <= {ARXIV, DOI, "pmid:1"}


def test_recorded_papers_are_read(real_data: Path) -> None:
    papers = [
        *json.loads((real_data / "samples" / "semantic_scholar_search.json").read_bytes())["data"],
        *json.loads((real_data / "samples" / "semantic_scholar_Author.json").read_bytes())["papers"],
    ]
    about = tuple(PaperKey(f"doi:10.1000/{number}") for number in range(len(papers)))

    read = listing(papers, *about)

    assert (len(read.entries), read.problems) == (len(papers), ())
    for paper, entry in zip(papers, read.entries, strict=True):
        assert entry.signals.citations == paper.get("citationCount")
        stated = {name for name in ("ArXiv", "DOI", "PubMed") if name in paper["externalIds"]}
        assert len(entry.ids) == len(stated)
        assert not entry.venue.lower().startswith("arxiv")
    assert any(entry.venue for entry in read.entries)
