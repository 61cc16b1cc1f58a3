import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.render import words
from digest.text.clean import fit


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        pytest.param("A\r\nBcc: x", "A Bcc: x", id="line ends"),
        pytest.param("a\u2028b\u0085c\u2029d", "a b c d", id="Unicode line ends"),
        pytest.param("a\x00b\x9bc\x1b[0m", "abc[0m", id="NUL, C1 and escape"),
        pytest.param("safe\u202egnp.exe\u2066", "safegnp.exe", id="bidi controls"),
        pytest.param("lone \ud800 surrogate", "lone surrogate", id="surrogate"),
        pytest.param("Erdo\u030bs", "Erdős", id="composed"),
        pytest.param("👩\u200d💻 works", "👩\u200d💻 works", id="joined emoji stay whole"),
    ],
)
def test_plain_text_is_one_safe_line(dirty: str, clean: str) -> None:
    assert words.plain(dirty) == clean


def test_a_megabyte_is_cut() -> None:
    assert len(words.plain("word " * 200_000)) <= 300


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        pytest.param("short", 10, "short", id="fits"),
        pytest.param("one two three four", 12, "one two…", id="between words"),
        pytest.param("one two, three four", 12, "one two…", id="no comma before the ellipsis"),
        pytest.param("对比学习的虚构综述", 5, "对比学习…", id="script without spaces"),
        pytest.param("abce\u0301fgh", 5, "abc…", id="accents stay with their letter"),
    ],
)
def test_fit(text: str, width: int, fitted: str) -> None:
    assert fit(text, width) == fitted


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        pytest.param("One. Two.", 20, "One. Two.", id="short text stays whole"),
        pytest.param("First one here. Second one is far too long.", 22, "First one here. …", id="at a sentence end"),
        pytest.param("By Sample et al. We go on and on for ever and ever.", 22, "By Sample et al. We…", id="et al."),
        pytest.param("We use e.g. Transformers here and also elsewhere.", 20, "We use e.g.…", id="e.g."),
        pytest.param("As shown in Fig. 3 there is nothing at all to see.", 22, "As shown in Fig. 3…", id="Fig."),
        pytest.param("It gains 3.5 points. And then it loses them all.", 24, "It gains 3.5 points. …", id="decimals"),
        pytest.param("By J. Example and many of his oldest friends.", 14, "By J. Example…", id="initials"),
        pytest.param("(It works!) Because we wanted it to work so much.", 16, "(It works!) …", id="closing bracket"),
        pytest.param("我们提出鹊桥。每种语言包含一万张由母语者描述的图片", 10, "我们提出鹊桥。 …", id="Chinese"),
        pytest.param("anything", 0, "", id="nothing wanted"),
    ],
)
def test_shorten_ends_with_a_sentence(text: str, limit: int, short: str) -> None:
    assert words.shorten(text, limit) == short


def test_wrap_counts_wide_characters_twice() -> None:
    lines = words.wrap("虚构的基准" * 20, width=20).split("\n")

    assert [words.columns(line) for line in lines] == [20] * 10


def test_wrap_keeps_closing_punctuation_with_what_it_closes() -> None:
    assert words.wrap("一二三四五。六", width=10).split("\n") == ["一二三四", "五。六"]


def test_wrap_never_breaks_an_address() -> None:
    url = "https://example.org/" + "a" * 100

    assert words.wrap(f"see {url} for more", width=30).split("\n") == ["see", url, "for more"]


def test_wrap_indents_and_hangs() -> None:
    assert words.wrap("one two three", width=9, indent="- ", hang="  ") == "- one two\n  three"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("one two\u00a0three", ["one", "two three"], id="kept together"),
        pytest.param("«\u00a0un\u202fdeux\u00a0»", ["« un deux »"], id="narrow ones too"),
        pytest.param("one\u00a0two\u00a0three", ["one two", "three"], id="too long for a line"),
        pytest.param("once 基准\u00a0+3", ["once 基", "准 +3"], id="script without spaces"),
        pytest.param("one \u00a0 two", ["one two"], id="nothing to hold"),
    ],
)
def test_wrap_does_not_part_what_no_break_spaces_hold(text: str, lines: list[str]) -> None:
    assert words.wrap(text, width=11).split("\n") == lines


@given(st.text(), st.integers(10, 80))
def test_wrap_loses_nothing_but_white_space(text: str, width: int) -> None:
    assert "".join(words.wrap(text, width).split()) == "".join(text.split())


@given(st.text(), st.integers(2, 400))
def test_fit_and_shorten_keep_their_limits(text: str, limit: int) -> None:
    assert len(fit(text, limit)) <= limit
    assert len(words.shorten(text, limit)) <= max(limit * 11 // 10, limit + 2)


@pytest.mark.parametrize(
    ("text", "found", "hits"),
    [
        pytest.param("Clip and clip", ["Clip"], ["Clip", "clip"], id="any case"),
        pytest.param("IT and it, SAMs, Sam", ["IT", "SAMs"], ["IT", "SAMs"], id="acronyms in their case"),
        pytest.param("eclipse", ["clip"], [], id="whole words only"),
        pytest.param("the low  resource case", ["low resource"], ["low  resource"], id="phrase"),
        pytest.param("虚构基准。", ["基准"], ["基准"], id="script without spaces"),
        pytest.param("C++ (fast)", ["C++", "(fast)"], ["C++", "(fast)"], id="regex characters"),
        pytest.param("large language models", ["language", "language models"], ["language models"], id="longest first"),
        pytest.param("nothing", [""], [], id="empty word"),
    ],
)
def test_marked_parts_the_text(text: str, found: list[str], hits: list[str]) -> None:
    runs = words.marked(text, found)

    assert "".join(run.text for run in runs) == text
    assert [run.text for run in runs if run.hit] == hits
