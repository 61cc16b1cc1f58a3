"""Untrusted text loses what can break or reorder a line, and nothing else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.clean import clean_html, clean_text, fit


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        pytest.param("  a\tb\r\n c ", "a b c", id="white space"),
        pytest.param("a\x00b\x07c\x9bd", "abcd", id="controls"),
        pytest.param("a\x0bb\x85c\u2028d", "a b c d", id="unusual line breaks"),
        pytest.param("abc\u202edef\u2069", "abcdef", id="bidi overrides"),
        pytest.param("soft\u00adhyphen zero\u200bwidth\ufeff", "softhyphen zerowidth", id="invisible"),
        pytest.param("a\ud800b\ufffec", "abc", id="surrogates and non-characters"),
        pytest.param("Poincare\u0301", "Poincaré", id="composed"),
        pytest.param("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬", id="joiners that scripts and emoji need"),
    ],
)
def test_text_becomes_one_plain_line(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@given(st.text(alphabet=st.characters()))
def test_cleaning_is_final(text: str) -> None:
    once = clean_text(text)

    assert clean_text(once) == once
    assert once == once.strip()
    assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in once)
    once.encode("utf-8")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param("<p>One</p><p>Two<br>three</p>", "One Two three", id="blocks keep words apart"),
        pytest.param("in<b>side</b> a word", "inside a word", id="inline markup joins"),
        pytest.param("a<script>alert(1)</script><style>p{}</style>b<!-- c -->", "ab", id="no scripts"),
        pytest.param("AT&amp;T &lt;b&gt; &eacute;", "AT&T <b> é", id="entities, once"),
        pytest.param("p < 0.05", "p < 0.05", id="a bare angle bracket"),
        pytest.param("<p>un<b>closed", "unclosed", id="unclosed"),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert clean_html(markup) == text


@given(st.text(max_size=200))
def test_html_never_fails(markup: str) -> None:
    assert clean_text(clean_html(markup)) == clean_html(markup)


def test_deeply_nested_html_is_quick() -> None:
    assert clean_html("<div><b>" * 10_000 + "x").endswith("x")


def test_shortening_ends_at_a_word() -> None:
    assert fit("one two three", 10) == "one two…"
    assert fit("one two", 7) == "one two"
    assert len(fit("x" * 99, 10)) == 10
