"""One work has one key, whatever its id is wrapped in."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.huggingface import HuggingFace
from digest.model import PaperKey
from digest.ports import Page
from digest.text.clean import clean_text
from digest.text.identity import (
    arxiv_key,
    doi_key,
    may_be_same,
    openreview_key,
    parse_key,
    pmid_key,
    title_key,
    url_key,
)
from digest.text.links import check_url


@pytest.mark.parametrize(
    "text",
    [
        "2611.00001",
        "2611.00001v3",
        "arXiv:2611.00001v1",
        "arxiv: 2611.00001 [cs.CL]",
        "oai:arXiv.org:2611.00001v1",
        "https://arxiv.org/abs/2611.00001",
        "http://export.arxiv.org/abs/2611.00001v2?context=cs",
        "arxiv.org/pdf/2611.00001v1.pdf",
        "https://arxiv.org/html/2611.00001v1#S2",
        "https://huggingface.co/papers/2611.00001",
        "10.48550/arXiv.2611.00001",
        "https://doi.org/10.48550/ARXIV.2611.00001",
        " arxiv:2611.00001 ",
    ],
)
def test_every_wrapping_of_an_arxiv_id_is_one_key(text: str) -> None:
    assert arxiv_key(text) == doi_key(text) == parse_key(text) == "arxiv:2611.00001"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("astro-ph/0601001", "arxiv:astro-ph/0601001"),
        ("oai:arXiv.org:hep-th/9901001v2", "arxiv:hep-th/9901001"),
        ("math.GT/0309136", "arxiv:math/0309136"),
        ("https://arxiv.org/abs/math/0309136", "arxiv:math/0309136"),
    ],
)
def test_old_ids(text: str, key: str) -> None:
    assert arxiv_key(text) == key


@pytest.mark.parametrize(
    "text", ["", "2613.00001", "12.3456", "https://example.org/abs/2611.00001", "foo/0601001", "see 2611.00001"]
)
def test_what_is_no_arxiv_id(text: str) -> None:
    assert arxiv_key(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "10.1000/ABC.1",
        "doi:10.1000/abc.1",
        "https://doi.org/10.1000%2FAbc.1",
        "http://dx.doi.org/10.1000/abc.1?x=1",
        "10.1000/abc.1.",
    ],
)
def test_a_doi_is_lower_case(text: str) -> None:
    assert doi_key(text) == parse_key(text) == "doi:10.1000/abc.1"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.Example.org:80/a/?utm_source=x&b=1#top", "url:https://example.org/a?b=1"),
        ("https://example.org", "url:https://example.org/"),
        ("https://bücher.example/ü", "url:https://xn--bcher-kva.example/%C3%BC"),
    ],
)
def test_addresses_of_one_page_are_one_key(url: str, key: str) -> None:
    assert url_key(url) == parse_key(url) == key
    assert parse_key(key) == key


@pytest.mark.parametrize(
    "text",
    [
        "10.1101/2026.01.02.123456",
        "10.1101/2026.01.02.123456v2",
        "https://doi.org/10.1101/2026.01.02.123456",
        "https://www.biorxiv.org/content/10.1101/2026.01.02.123456v2.full",
        "https://www.biorxiv.org/content/10.1101/2026.01.02.123456v2.full.pdf+html",
        "http://biorxiv.org/content/10.1101/2026.01.02.123456v1?rss=1",
        "www.medrxiv.org/content/10.1101/2026.01.02.123456",
        "https://www.biorxiv.org/content/10.1101/2026.01.02.123456v1.supplementary-material#a",
    ],
)
def test_a_preprint_of_biology_is_known_by_its_doi_without_version(text: str) -> None:
    assert doi_key(text) == parse_key(text) == "doi:10.1101/2026.01.02.123456"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("https://www.medrxiv.org/content/10.64898/2026.01.02.26348808v3", "doi:10.64898/2026.01.02.26348808"),
        ("https://www.biorxiv.org/content/10.1101/006569v1", "doi:10.1101/006569"),
        ("10.1101/gr.123456.111", "doi:10.1101/gr.123456.111"),
        ("https://www.biorxiv.org/about", None),
        ("https://www.biorxiv.org/content/early/2026/01/02/2026.01.02.123456", None),
    ],
)
def test_which_dois_are_of_preprints_of_biology(text: str, key: str | None) -> None:
    assert doi_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "pmid:42000001",
        "PMID: 42000001",
        "pmid:042000001",
        "https://pubmed.ncbi.nlm.nih.gov/42000001/",
        "pubmed.ncbi.nlm.nih.gov/42000001?dopt=Abstract",
        "http://www.ncbi.nlm.nih.gov/pubmed/42000001",
    ],
)
def test_every_wrapping_of_a_pmid_is_one_key(text: str) -> None:
    assert pmid_key(text) == parse_key(text) == "pmid:42000001"


@pytest.mark.parametrize("text", ["42000001", "pmid:", "pmid:0", "pmid:1234567890", "PMC123", "pmid:12x"])
def test_what_is_no_pmid(text: str) -> None:
    assert pmid_key(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "openreview:aBc-_123",
        "OpenReview:aBc-_123",
        "https://openreview.net/forum?id=aBc-_123",
        "https://openreview.net/pdf?id=aBc-_123",
        "openreview.net/forum?referrer=x&id=aBc-_123&noteId=y#z",
    ],
)
def test_every_wrapping_of_an_openreview_id_is_one_key(text: str) -> None:
    assert openreview_key(text) == parse_key(text) == "openreview:aBc-_123"


@pytest.mark.parametrize(
    "text", ["aBc-_123", "openreview:", "openreview:a b", "https://openreview.net/group?id=aBc-_123"]
)
def test_what_is_no_openreview_id(text: str) -> None:
    assert openreview_key(text) is None


@given(st.text(max_size=80))
def test_a_key_is_its_own_key(text: str) -> None:
    key = parse_key(text)

    assert key is None or parse_key(key) == key


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org/x",
        "https://",
        "https://user:pass@example.org/",
        "https://example.org\\@evil.example/",
        "https://exa mple.org/",
        "https://example.org/\r\nBcc: x",
        "https://example.org/\u202egpj",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/" + "x" * 2_000,
        "https://exa<mple.org/",
    ],
)
def test_addresses_nobody_is_sent_to(url: str) -> None:
    assert check_url(url) is None
    assert url_key(url) is None


def test_an_address_is_made_ascii_and_cannot_leave_an_attribute() -> None:
    assert check_url('HTTPS://EXAMPLE.org/a"b<c>?q=é') == "https://example.org/a%22b%3Cc%3E?q=%C3%A9"


@pytest.mark.parametrize(
    ("url", "written"),
    [
        pytest.param("https://example.org/a?b=1&c=%20#d", "https://example.org/a?b=1&c=%20#d", id="as it is"),
        pytest.param(
            "https://bücher.example:8443/é?ü=1", "https://xn--bcher-kva.example:8443/%C3%A9?%C3%BC=1", id="IDN"
        ),
    ],
)
def test_good_addresses_are_ascii(url: str, written: str) -> None:
    assert check_url(url) == written


# titles

TITLE = "A Long Enough Title: On Inventing Papers"


@pytest.mark.parametrize(
    ("title", "author"),
    [
        (TITLE, "Ada B. Example"),
        ("a long-enough title — on inventing papers.", "Example, Ada"),
        ("A  Lóng Enough\nTitle On Inventing Papers", "A. Example"),
        ("A longenough title (on inventing papers)", "Ada B. van Éxample"),
        (TITLE, "van Example, Ada"),
        (TITLE, "Ada Example, Jr."),
        (TITLE, "Ada Example III"),
    ],
)
def test_a_title_and_a_family_name_are_one_key_however_they_are_written(title: str, author: str) -> None:
    key = title_key(
        title,
        (
            author,
            "Ben Sample",
        ),
    )

    assert key is not None
    assert key == title_key(TITLE, ("Ada Example",)) == parse_key(key)


@pytest.mark.parametrize(
    ("title", "author"),
    [
        (TITLE, "Ada Sample"),
        ("A Long Enough Title", "Ada Example"),
        ("A Long Enough Title: On Inventing a Paper", "Ada Example"),
        ("A Long Enough Title: On Inventing Papers II", "Ada Example"),
    ],
)
def test_every_word_and_the_name_count(title: str, author: str) -> None:
    assert title_key(title, (author,)) != title_key(TITLE, ("Ada Example",))


@pytest.mark.parametrize(
    "title",
    [
        "Editorial",
        "Editorial: on the invention of many long papers",
        "Correction to: A Long Enough Title on Inventing Papers",
        "Author Correction: A Long Enough Title on Inventing Papers",
        "Erratum to 'A Long Enough Title on Inventing Papers'",
        "Corrigendum: A Long Enough Title on Inventing Papers",
        "Authors’ response to comments on inventing papers",
        "Author response to the reviews of inventing papers",
        "Reply to: A Long Enough Title on Inventing Papers",
        "Re: A Long Enough Title on Inventing Papers",
        "Response to “A Long Enough Title on Inventing Papers”",
        "Comment on 'A Long Enough Title on Inventing Papers'",
        "Book Review: The Invention of Very Many Papers",
        "Introduction to the Special Issue on Inventing Papers",
        "News & Views: the invention of very many papers",
        "Retracted: A Long Enough Title on Inventing Papers",
        "Letter to the Editor about the invention of papers",
        "Inventing papers",
        "To be or not to be, is it",
        "A a a a a a a a a a a a a a a",
        "",
        "发明论文的发明论文的发明论文的发明论文的发明论文的发明论文的发明论文",
    ],
)
def test_a_title_that_others_may_bear_is_no_key(title: str) -> None:
    assert title_key(title, ("Ada Example",)) is None


@pytest.mark.parametrize("title", ["Re-thinking long enough titles of papers", "Editorials in a long corpus of papers"])
def test_a_word_that_only_begins_so_is_no_reason(title: str) -> None:
    assert title_key(title, ("Ada Example",)) is not None


@pytest.mark.parametrize("authors", [(), ("",), (", ",), ("A",), ("?",)])
def test_without_an_author_there_is_no_key(authors: tuple[str, ...]) -> None:
    assert title_key(TITLE, authors) is None


@given(st.text(max_size=80), st.lists(st.text(max_size=20), max_size=2).map(tuple))
def test_any_title_has_a_key_or_none(title: str, authors: tuple[str, ...]) -> None:
    key = title_key(title, authors)

    assert key is None or parse_key(key) == key


# what ids allow


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        ("", "arxiv:1", True),
        ("arxiv:1", "arxiv:1", True),
        ("arxiv:1", "arxiv:2", False),
        ("arxiv:1 doi:10.1/a", "arxiv:2 doi:10.1/a", False),
        ("pmid:1", "pmid:2", False),
        ("openreview:a", "openreview:b", False),
        ("arxiv:1", "pmid:1", True),
        ("doi:10.1000/a", "doi:10.1000/b", False),
        ("doi:10.1000/a doi:10.1000/b", "doi:10.1000/b", True),
        ("doi:10.1101/2026.01.02.123456", "doi:10.1000/b", True),
        ("doi:10.1101/2026.01.02.123456", "doi:10.1101/2026.01.02.123457", False),
        ("doi:10.1101/123456", "doi:10.64898/2026.01.02.123457", False),
        ("doi:10.1101/gr.123456.111", "doi:10.1101/123456", True),
        ("doi:10.1101/gr.123456.111", "doi:10.1101/gr.123457.111", False),
        ("doi:10.26434/chemrxiv-2026-a", "doi:10.1101/123456", True),
        ("doi:10.26434/chemrxiv-2026-a-v1", "doi:10.26434/chemrxiv-2026-a-v2", True),
        ("doi:10.21203/rs.3.rs-1/v1", "doi:10.21203/rs.3.rs-1/v2", True),
        ("doi:10.21203/rs.3.rs-1/v1", "doi:10.21203/rs.3.rs-2/v1", False),
        ("doi:10.1002/essoar.10504562.1", "doi:10.1002/essoar.10504562.2", True),
        ("doi:10.31234/osf.io/ab", "doi:10.31235/osf.io/cd", False),
        ("doi:10.5281/zenodo.1", "doi:10.5281/zenodo.2", True),
        ("doi:10.5281/zenodo.1", "doi:10.1000/b", True),
        ("url:https://a.example/", "url:https://b.example/", True),
        ("guid:a:1", "guid:a:2", False),
        ("guid:a:1", "guid:b:2", True),
        ("url:https://a.example/1", "url:https://a.example/2", False),
    ],
)
def test_ids_of_which_a_work_has_only_one_tell_works_apart(one: str, other: str, may_be: bool) -> None:
    ours, theirs = (tuple(map(PaperKey, ids.split())) for ids in (one, other))

    assert may_be_same(ours, theirs) is may_be
    assert may_be_same(theirs, ours) is may_be


def recorded(real_data: Path) -> Iterator[tuple[PaperKey, str, tuple[str, ...]]]:
    """Key, title and first author of what arXiv and Hugging Face listed."""
    for path in sorted((real_data / "arxiv-rss" / "days").glob("*.json.gz")):
        for feed in json.loads(gzip.decompress(path.read_bytes())).values():
            for item in feed["entries"]:
                if key := arxiv_key(item["id"]):
                    yield key, clean_text(item["title"]), (item.get("author", "").partition(",")[0],)
    for path in sorted((real_data / "hf-daily" / "raw").glob("*.json.gz")):
        body = gzip.decompress(path.read_bytes())
        if body.lstrip().startswith(b"["):
            for entry in HuggingFace().parse(Page(f"https://source.example/{path.name}", body)).entries:
                yield entry.key, entry.title, entry.authors


@pytest.mark.soak
def test_of_30_000_real_works_only_those_announced_twice_share_a_title_key(real_data: Path) -> None:
    works: defaultdict[PaperKey, dict[PaperKey, str]] = defaultdict(dict)
    for key, title, authors in recorded(real_data):
        if shared := title_key(title, authors):
            works[shared][key] = clean_text(f"{title} / {authors[0]}").casefold()
    twice = [list(titles.items()) for titles in works.values() if len(titles) > 1]

    assert len(works) > 30_000
    # Seen by eye: each was submitted to arXiv a second time under a new id.
    assert len(twice) == 5
    for (one, title), (other, same_title) in twice:
        assert title == same_title
        assert not may_be_same([one], [other])
