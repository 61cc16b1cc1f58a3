"""One work has one key, whatever its id is wrapped in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.identity import arxiv_key, doi_key, parse_key, url_key
from digest.text.links import check_url, find_code


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
    ("text", "url"),
    [
        ("Code at https://github.com/ada/inventions.", "https://github.com/ada/inventions"),
        ("{https://github.com/ada/in-ventions.git}", "https://github.com/ada/in-ventions"),
        ("https;//github.com/ada/x/tree/main),", "https://github.com/ada/x/tree/main"),
        ("github.com/ada/x", "https://github.com/ada/x"),
        ("See http://gitlab.com/group/sub/x!", "https://gitlab.com/group/sub/x"),
        ("https://huggingface.co/papers/2611.1 and hf.co/datasets/ada/x", "https://huggingface.co/datasets/ada/x"),
        ("https://huggingface.co/ada/model-1.5", "https://huggingface.co/ada/model-1.5"),
    ],
)
def test_code_is_found(text: str, url: str) -> None:
    assert find_code(text) == url


@pytest.mark.parametrize(
    "text", ["github.com/ada", "https://ada.github.io/x", "https://notgithub.com/a/b", "x@github.com/a/b", ""]
)
def test_what_is_no_code(text: str) -> None:
    assert find_code(text) is None


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
