"""Untrusted text loses what can break or reorder a line, and nothing else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.clean import clean_html, clean_jats, clean_text, fit, mathml_to_text


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
        pytest.param("H<sub>2</sub>O, <SUP>13</SUP>C, 10<sup>&#8722;5</sup>", "H₂O, ¹³C, 10⁻⁵", id="scripts"),
        pytest.param(
            "4<sup>th</sup> of 10<sup>5.5</sup> P<sub>CO2,in</sub>", "4th of 10^5.5 PCO2,in", id="no such signs"
        ),
        pytest.param("a <math><msup><mi>x</mi><mn>2</mn></msup></math> b", "a x² b", id="mathematics"),
        pytest.param("<sec>One</sec><sec>Two <mi>x</mi></sec>", "One Two x", id="what nh3 takes away"),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert clean_html(markup) == text


@given(st.text(max_size=200))
def test_html_never_fails(markup: str) -> None:
    assert clean_text(clean_html(markup)) == clean_html(markup)


M = 'xmlns:mml="http://www.w3.org/1998/Math/MathML"'


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param(
            "<jats:title>Abstract</jats:title><jats:p>One &amp; two.</jats:p><jats:p>Three.</jats:p>",
            "One & two. Three.",
            id="heading goes",
        ),
        pytest.param(
            "<jats:sec><jats:title>Background</jats:title><jats:p>Why.</jats:p></jats:sec>\n"
            "<jats:sec><jats:title>Methods:</jats:title><jats:p>How.</jats:p></jats:sec>",
            "Background: Why. Methods: How.",
            id="sections",
        ),
        pytest.param(
            '<AbstractText Label="AIM" NlmCategory="X">Why.</AbstractText><AbstractText>How.</AbstractText>',
            "AIM: Why.How.",
            id="PubMed's labels",
        ),
        pytest.param('<AbstractText Label="UNLABELLED">Why.</AbstractText>', "Why.", id="PubMed's label for none"),
        pytest.param(
            "<jats:p>CO\n  <jats:sub>2</jats:sub>\n  of <jats:italic>E. coli</jats:italic>\n , s<sup>−1</sup></jats:p>",
            "CO₂ of E. coli, s⁻¹",
            id="scripts in indented markup",
        ),
        pytest.param(
            "<jats:p>an <jats:inline-formula><jats:alternatives><jats:tex-math>$$k_{\\bot }$$</jats:tex-math>"
            f"<mml:math {M}><mml:msub><mml:mi>k</mml:mi><mml:mi>⊥</mml:mi></mml:msub></mml:math>"
            "</jats:alternatives></jats:inline-formula> step</jats:p>",
            "an k_⊥ step",
            id="TeX beside MathML is read once",
        ),
        pytest.param(
            r"<tex-math>\documentclass[12pt]{minimal}\begin{document}$$x^2 &lt; 3$$\end{document}</tex-math>",
            "x² < 3",
            id="a whole TeX document",
        ),
        pytest.param(
            r"<jats:tex-math><![CDATA[$8\pm 2$]]></jats:tex-math> or <jats:tex-math><?CDATA $\alpha$?></jats:tex-math>",
            "8±2 or α",
            id="CDATA",
        ),
        pytest.param("<jats:p>R&amp;amp;D, p &amp;lt; 0.05</jats:p>", "R&D, p < 0.05", id="escaped twice"),
        pytest.param("Abstract\nWe invent.", "We invent.", id="heading without markup"),
        pytest.param("Abstract interpretation is old.", "Abstract interpretation is old.", id="no heading"),
        pytest.param("<jats:p>un<jats:bold>closed <mml:mi>x", "unclosed x", id="unclosed"),
    ],
)
def test_jats_becomes_text(markup: str, text: str) -> None:
    assert clean_jats(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<mi>x</mi><mo>=</mo><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "x = (a+b)/2"),
        ("<msqrt><mi>x</mi></msqrt><msqrt><mi>n</mi><mi>T</mi></msqrt>", "√x√(nT)"),
        ("<msubsup><mo>∑</mo><mn>0</mn><mi>n</mi></msubsup>", "∑₀ⁿ"),
        ("<mover><mi>x</mi><mo>¯</mo></mover><munder><mi>lim</mi><mi>n</mi></munder>", "x̄limₙ"),
        ("<mmultiscripts><mi>Be</mi><mprescripts/><none/><mn>10</mn></mmultiscripts>", "¹⁰Be"),
        ("<msup><mi>x</mi><mrow><mi>a</mi><mo>·</mo><mi>b</mi></mrow></msup>", "x^(a·b)"),
        ("<semantics><mi>x</mi><annotation>x</annotation></semantics>", "x"),
        ("<msub><mi>x</mi></msub></mi><mn>1", "x1"),
    ],
)
def test_mathml_becomes_one_line(markup: str, text: str) -> None:
    assert mathml_to_text(f"<math>{markup}</math>") == text


PIECES = [
    "<jats:p>", "</jats:p>", "<title>", "</title>", "Abstract", "<inline-formula>", "</inline-formula>",
    "<alternatives>", "<tex-math>", "</tex-math>", "<![CDATA[", "]]>", "<math>", "</math>", "<msub>", "</msub>",
    "<mi>", "</mi>", "<sub>2", "</sub>", '<AbstractText Label="', '">', "<", ">", "&amp;", "&", "$x^", "\\frac",
    "\n", " ", ".", "x", "\x00", "\x02",
]  # fmt: skip


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_jats_never_fails(markup: str) -> None:
    text = clean_jats(markup)

    assert text == clean_text(text)


@pytest.mark.parametrize("piece", [*PIECES, "<tex-math><![CDATA[", "<math><mi>", "<inline-formula><tex-math>"])
def test_many_of_anything_come_to_an_end(piece: str) -> None:
    clean_jats(piece * (100_000 // len(piece)))
    clean_jats("<tex-math>" + piece * (90_000 // len(piece)) + "</tex-math>")
    clean_jats("<math>" + piece * (90_000 // len(piece)) + "</math>")


def test_deeply_nested_html_is_quick() -> None:
    assert clean_html("<div><b>" * 10_000 + "x").endswith("x")


def test_shortening_ends_at_a_word() -> None:
    assert fit("one two three", 10) == "one two…"
    assert fit("one two", 7) == "one two"
    assert len(fit("x" * 99, 10)) == 10
