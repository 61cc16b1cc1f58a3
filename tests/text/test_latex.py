"""LaTeX becomes readable; what only looks like LaTeX stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.latex import latex_to_text


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"Poincar\'e", "Poincaré"),
        (r"Schr{\"o}dinger", "Schrödinger"),
        (r"\L{}ukasz Fran\c{c}ois \v{S}ime \DJ or\dj e", "Łukasz François Šime Đorđe"),
        (r"Ga\~n\'an, Erd\H{o}s, Stra\ss e, R\'{\i}os, \.{I}", "Gañán, Erdős, Straße, Ríos, İ"),
        (r"$\mathcal{O}(n\log n)$", "𝒪(n log n)"),
        (r"$\tilde{O}(\sqrt{T})$", "Õ(√T)"),
        (r"$\mathbb{R}^{n\times d}$", "ℝ^(n×d)"),
        (r"H$_2$O and $^{13}$C at $90^\circ$", "H₂O and ¹³C at 90°"),
        (r"$x_{i+1}^{2k}$, $10^{-3}$, $x_\text{model}$", "xᵢ₊₁²ᵏ, 10⁻³, x_model"),
        (r"$\frac{a}{b}$ and $\frac{a+1}{2}$", "a/b and (a+1)/2"),
        (r"\(O(n)\) and \[x\]", "O(n) and x"),
        (r"$\{0,1\}$", "{0,1}"),
        (r"$\alpha$-stable, $p<0.05$, $\pm 0.3$", "α-stable, p<0.05, ±0.3"),
        (r"\emph{very} \textbf{big $x^2$} {\it and} so", "very big x² and so"),
        (r"40\% of \$5 \& \#1 a\_b", "40% of $5 & #1 a_b"),
        (r"\ModelName improves \ours{} by \hl{far}", "ModelName improves ours by far"),
        (r"\href{https://example.org/a_b}{our page}", "our page (https://example.org/a_b)"),
        (r"\url{https://example.org/a_b/~c%20d}", "https://example.org/a_b/~c%20d"),
        (r"known \cite{b20} facts\unicode{x2014}all", "known  facts—all"),
        (r"$\sim$50\% of users, F1$<$0.72", "∼50% of users, F1<0.72"),
        (r"for $5 and $x_1$ and $10", "for $5 and x₁ and $10"),
        (r"from $ \omega(\sqrt{\log n}) $ to $1", "from ω(√(log n)) to $1"),
        ("``quoted'' et~al.", "“quoted” et al."),
    ],
)
def test_latex_becomes_readable(latex: str, text: str) -> None:
    assert latex_to_text(latex) == text


@pytest.mark.parametrize(
    "text",
    [
        "50% of users",
        "$5 and $10",
        "from $5-$10 to $3M",
        "for $1,000, $2 and $ 3",
        "R&D, C#, a_b, x^2",
        "~50 papers at /~home",
        "https://example.org/a_b?c=d&e=50%25#f",
        "a < b > c",
        "Ünïcödé — 论文",
    ],
)
def test_what_is_not_latex_stays(text: str) -> None:
    assert latex_to_text(text) == text
    assert latex_to_text(text + r" \%") == text + " %"


@given(st.text(alphabet=r"\${}_^~%&#'\"`[]()ab1 ", max_size=120))
def test_nothing_is_raised(text: str) -> None:
    latex_to_text(text)


@pytest.mark.parametrize(
    "piece",
    [
        r"\textbf{",
        "$",
        r"\(",
        "{",
        "$x",
        r"\a",
        "^",
        "$x_",
        "$_x^",
        r"\frac",
        r"\begin{a}",
        r"\'",
        "``",
        r"\[",
        "$$",
        "$ x",
    ],
)
def test_time_is_bounded(piece: str) -> None:
    started = time.perf_counter()

    latex_to_text(piece * (19_000 // len(piece)))

    assert time.perf_counter() - started < 3


def test_deep_braces_come_back_unchanged() -> None:
    assert latex_to_text(r"\a" + "{" * 300) == r"\a" + "{" * 300
