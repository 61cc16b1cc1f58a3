"""LaTeX becomes readable; what only looks like LaTeX stays."""

import gzip
import json
import re
import signal
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc.latexencode import get_builtin_conversion_rules

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
        (r"\href{https://example.org/a_b}{our \emph{page}}", "our page"),
        (
            r"at \href{https://example.org/a_b}{} \href{https://example.org/c}{.}",
            "at https://example.org/a_b https://example.org/c",
        ),
        (r"\url{https://example.org/a_b/~c%20d}", "https://example.org/a_b/~c%20d"),
        (r"known \cite{b20} facts\unicode{x2014}all", "known  facts—all"),
        (r"$\sim$50\% of users, F1$<$0.72", "∼50% of users, F1<0.72"),
        (r"for $5 and $x_1$ and $10", "for $5 and x₁ and $10"),
        (r"from $ \omega(\sqrt{\log n}) $ to $1", "from ω(√(log n)) to $1"),
        ("``quoted'' et~al.", "“quoted” et al."),
        ("``it's $x$'s'', ``so\" and `one', a `two words'", "“it's x's”, “so” and ‘one’, a ‘two words’"),
        (
            "a---b, so --- so, pages 3--5, Navier--Stokes -- (all)--many",
            "a—b, so — so, pages 3–5, Navier–Stokes – (all)–many",
        ),
        (r"$\binom{d}{s}$, $\log{n\choose k}$", "(d choose s), log(n choose k)"),
        (r"$\log\log T$, \log\log T, $2\log^2 n$", "log log T, log log T, 2 log² n"),
        (r"$O(n\log n)$, $\log_{10}n$, $\log(n)$", "O(n log n), log₁₀ n, log(n)"),
        (r"$\min_{x\in X}f(x)$, $\operatorname*{argmin}_i$", "min_(x∈X) f(x), argminᵢ"),
        (r"$a \bmod b$, $\pmod{p}$", "a mod b, (mod p)"),
        (r"$\frac{1}{2}x$, $\frac{1}{2n}$, $\frac{2n}{3}$, $\frac12$", "(1/2)x, 1/(2n), 2n/3, 1/2"),
        (r"$\frac{1}{\sqrt{n}}$, $\frac{x_{t}}{y^2}$, $\frac{\frac{a}{b}}{c}$", "1/√n, xₜ/y², (a/b)/c"),
        (r"$n^{-\frac{1}{2}}$, $n^\frac{1}{2}$, $\nicefrac{1}{2}$", "n^(-1/2), n^(1/2), 1/2"),
        (r"$\sqrt{x}$, $\sqrt{x+1}$, $\sqrt{nT}$, $\sqrt x_1$, $\sqrt[3]{12}$", "√x, √(x+1), √(nT), √x₁, ³√12"),
        (r"$\tilde O$, $\tilde{O}(n)$, $\widetilde{\mathcal{O}}(n)$", "Õ, Õ(n), Õ(n)"),
        (r"$\bar{x}$, $\hat{y}$, $\bar\epsilon$", "x̄, ŷ, ϵ̄"),
        (r"$\mathbb{R}^n$, $\mathbb{R}^{n}$, $x_{t+1}$", "ℝⁿ, ℝⁿ, xₜ₊₁"),
        (r"$\|x\|_2$, $x^*$, $A^\top$, $f^\prime$, X$^{\circledR}$", "‖x‖₂, x*, Aᵀ, f′, X®"),
        (r"\texttt{a\_b} CO\textsubscript{2} x\textsuperscript{a+1}, a \ie b", "a_b CO₂ xᵃ⁺¹, a i.e. b"),
        (r"360\deg, $p \land q$, $ T $, $ 77.5%$ up, $x_1 $", "360°, p ∧ q, T, $ 77.5%$ up, x₁"),
        (r"$ \alpha = 5% $ of $5 and $x$", "α = 5% of $5 and x"),
        (r"$ (0,1)$ and $ f(x) $, not $ (USD) or $ (EUR)", "(0,1) and f(x), not $ (USD) or $ (EUR)"),
        (r"$\varTheta \ne \emptyset$, \textless 2MB, {\S} 3, $\Re z \gets \neg p$", "Θ≠∅, < 2MB, § 3, ℜz ←¬p"),
        (r"$\hat{\mathbf{x}}$, $\mathring{a}$, $\mathbb{1}_A$, $\mathscr{F}$, $\Bbb R$", "x̂, å, 𝟙_A, ℱ, ℝ"),
        (r"$\R^n$, $\bbR$, $\cO(n)$, $\bW_q$, ${\cal L}$", "ℝⁿ, ℝ, 𝒪(n), W_q, ℒ"),
        (r"$x^N$, $f''(x)$, $x'$, $x^{\beta}$", "xᴺ, f′′(x), x′, xᵝ"),
        (r"$a \stackrel{d}{=} b$, $\underset{x}{\min} f$, $a \xrightarrow{p} b$", "a =ᵈ b, minₓ f, a →ᵖ b"),
        (r"$\left.x\right|_0$, ${a \over b+1}$, $\lbrace 1 \rbrace$", "x|₀, a/(b+1), {1 }"),
        (r"\begin{align} \nonumber x_i = 1 \end{align}", "xᵢ = 1"),
        (r"\ce{H2SO4} and \ce{Ca^2+}, \SI{5}{\percent}", "H₂SO₄ and Ca²⁺, 5 %"),
        (r"\alpha and \beta \leq x, stra\ss e", "α and β ≤ x, straße"),
        (r"C$\rightarrow$Y, \rightarrow$Y$, Pr$\epsilon$mpt", "C→Y, →Y, Prϵmpt"),
        (r"\etc. and \etc, \wrt x", "etc. and etc., w.r.t. x"),
        (r"X^{2}-Gaussian, AP_{50}, pi_{0.5}, O(n^{1+o(1)})", "X²-Gaussian, AP₅₀, pi_(0.5), O(n^(1+o(1)))"),
        (r"mathcal{O}(T^{-1/3}), texttt{D}ual, 7{times}, 360^{circ}", "𝒪(T^(-1/3)), Dual, 7×, 360°"),
        (r"at https://example.org/a_b{our page}, https://example.org/c{}", "at our page, https://example.org/c"),
        (r"SALAD}(a method), pro{A}ctive {l}earning, 5{,}000", "SALAD(a method), proActive learning, 5,000"),
        (r"GPT-{2,3.5} and {Austin, Dallas} by 5\%", "GPT-{2,3.5} and {Austin, Dallas} by 5%"),
        (r"breaks such as \n\n and 5\%", r"breaks such as \n\n and 5%"),
        ("''free lunch'', \"curse'', ''wait\", ``code``, 6'' wide", "“free lunch”, “curse”, “wait”, “code”, 6'' wide"),
        (r"\textcolor[rgb]{1,0,0}{red} \colorbox{red}{x} \raisebox{1pt}{y}\phantom{z}", "red x y"),
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
        "file_name, A&B, C#, C++",
        "git commit --amend, i-- and a <--> b",
        "https://example.org/a--b/c---d and xn--bcher-kva.example",
        "| a |---|---| b |, -----",
        "it's `code` and '90s rock 'n' roll",
        "GPT-{1,2} and {a, b}, 1.5'' and 12''",
        "Ünïcödé — 论文",
    ],
)
def test_what_is_not_latex_stays(text: str) -> None:
    assert latex_to_text(text) == text
    assert latex_to_text(text + r" \%") == text + " %"


@given(
    st.text(alphabet=r"\${}_^~%&#'\"`[]()ab1 -", max_size=120)
    | st.lists(
        st.sampled_from(
            [r"\frac", r"\sqrt", r"\binom", r"\log", r"\tilde", r"\choose", r"\ie ", r"\href", *"${}[]_^ a1`'"]
        )
    ).map("".join)
)
def test_nothing_is_raised(text: str) -> None:
    latex_to_text(text)


@contextmanager
def no_hanging() -> Iterator[None]:
    """Ends what would take for ever; it says nothing about how fast the rest is."""

    def give_up(*_: object) -> None:
        pytest.fail("no end in sight")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
        "`a",
        "``it's ",
        "a--",
        r"$ \a ",
        r"\log",
        r"{\choose",
        r"\(\log_(",
        r"\sqrt[",
        r"\begin{align}",
        "_{",
        "x^{2}",
        "''a",
        '"a',
        "{a, ",
        "}",
        "$ (",
        r"\alpha ",
        "https://x{",
        "mathcal{",
        "a",
        ",",
        "a,",
        "{a,",
    ],
)
def test_many_of_anything_come_to_an_end(piece: str) -> None:
    with no_hanging():
        latex_to_text(piece * (19_000 // len(piece)))
        latex_to_text(r" \% {" + piece * (19_000 // len(piece)))


@pytest.mark.parametrize(
    "piece", [r"\log_(", r"\frac{a}{b}", r"\frac", r"\sqrt{", r"x_{", "^{a", r"{a\choose ", r"\log^2 ", "a ="]
)
def test_many_of_anything_in_mathematics_come_to_an_end(piece: str) -> None:
    with no_hanging():
        latex_to_text(f"${piece * (19_000 // len(piece))}$")


def test_deep_braces_come_back_unchanged() -> None:
    assert latex_to_text(r"\a" + "{" * 300) == r"\a" + "{" * 300


# What has no decomposition in Unicode, or none that is ASCII.
STROKES = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i", "ȷ": "j", "ß": "ss", "ħ": "h"}
    | {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
)  # fmt: skip
# Commands whose (first) argument is no text.
UNSHOWN = re.compile(
    r"\\(?:cite\w*|ref|[cC]ref|autoref|eqref|label|color|textcolor|hyperlink|href|begin|end|unicode)"
    r"\*?\s*(?:\[[^]]*\])*\{[^{}]*\}"
)


def folded(text: str) -> str:
    signs = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in signs if not unicodedata.combining(sign)).translate(STROKES)


def lost_words(source: str, text: str) -> list[str]:
    """Words and numbers outside of commands that stand in the source more often than in the text."""
    outside = re.sub(r"\\[A-Za-z]+", "\0", UNSHOWN.sub("\0", folded(source)))
    shown = folded(text)
    words = Counter(re.findall(r"[A-Za-z]{2,}|\d+", outside))
    return [word for word, count in words.items() if shown.count(word) < count]


@cache
def sayable() -> frozenset[str]:
    """Commands for which the table of an encoder, the other way round, knows a sign."""
    rules = [rule for name in ("defaults", "unicode-xml") for rule in get_builtin_conversion_rules(name)]
    written = "\n".join(latex for rule in rules for latex in rule.rule.values())
    return frozenset(re.findall(r"^(?:\\ensuremath\{)?\{?\\([A-Za-z]{2,})(?:\{\})?\}{0,2}$", written, re.MULTILINE))


def unsaid(source: str, text: str) -> list[str]:
    """Commands left, with or without their backslash, although Unicode has a sign for them."""
    outside = re.sub(r"\\[A-Za-z]+", "\0", source)
    names = {name for name in re.findall(r"\\([A-Za-z]+)", source) if name in sayable()}
    bare = [name for name in names if len(re.findall(rf"\b{name}\b", text)) > len(re.findall(rf"\b{name}\b", outside))]
    return bare + re.findall(r"\\['\"`^~=.A-Za-z]+", text)


def read_day(day: Path) -> list[tuple[str, str]]:
    """Every title and line of authors of a recorded day, as it came and as it reads."""
    with gzip.open(day) as file:
        feeds = json.load(file).values()
    sources = {entry.get(field, "") for feed in feeds for entry in feed["entries"] for field in ("title", "author")}
    return [(source, latex_to_text(source)) for source in sorted(sources)]


def days(real_data: Path) -> list[Path]:
    return sorted((real_data / "arxiv-rss" / "days").glob("*.json.gz"), key=lambda path: path.stat().st_size)


def check_day(day: Path) -> None:
    texts = read_day(day)

    assert len(texts) > 100
    assert [(source, words) for source, text in texts if (words := lost_words(source, text))] == []
    assert [(source, names) for source, text in texts if (names := unsaid(source, text))] == []


def test_a_real_day_says_what_unicode_can_say_and_loses_no_word(real_data: Path) -> None:
    check_day(days(real_data)[0])


@pytest.mark.soak
def test_all_real_days_say_what_unicode_can_say_and_lose_no_word(real_data: Path) -> None:
    for day in days(real_data):
        check_day(day)


@pytest.mark.soak
def test_real_abstracts_lose_no_word(real_data: Path) -> None:
    for day in days(real_data):
        with gzip.open(day) as file:
            feeds = json.load(file).values()
        texts = {entry["summary"] for feed in feeds for entry in feed["entries"]}
        lost = [(words, text) for text in texts if (words := lost_words(text, latex_to_text(text)))]

        assert len(lost) <= len(texts) / 500, lost


def test_real_abstracts_keep_no_traces_of_latex(real_data: Path) -> None:
    day = min((real_data / "arxiv-rss" / "days").glob("*.json.gz"), key=lambda path: path.stat().st_size)
    with gzip.open(day) as file:
        feeds = json.load(file).values()

    texts = [entry[field] for feed in feeds for entry in feed["entries"] for field in ("title", "summary")]
    # Amounts of money stay.
    traces = [number for number, text in enumerate(texts) if re.search(r"\\|\$(?! ?\d)|``", latex_to_text(text))]

    assert len(texts) > 100
    assert len(traces) <= len(texts) / 500
