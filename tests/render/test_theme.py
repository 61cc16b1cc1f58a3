"""Colours that can be read, in every shipped theme; and what WCAG says of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.looks import load_theme, template_folders, theme_files
from digest.render.theme import READABLE, Theme, contrast, hard_to_read

SHIPPED = template_folders(None)
COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        pytest.param("#000000", "#ffffff", 21.0, id="black on white"),
        pytest.param("#1d4f8f", "#1d4f8f", 1.0, id="the same"),
        # The two greys between which the line of 4.5 runs, as every checker has them.
        pytest.param("#767676", "#ffffff", 4.54, id="just enough"),
        pytest.param("#777777", "#ffffff", 4.48, id="just not enough"),
        pytest.param("#ff0000", "#ffffff", 4.00, id="red on white"),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


@given(COLOURS, COLOURS)
def test_contrast_has_no_direction_and_an_end(one: str, other: str) -> None:
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21


@pytest.mark.parametrize("name", theme_files(SHIPPED))
def test_every_shipped_theme_can_be_read(name: str) -> None:
    assert [*hard_to_read(load_theme(name, SHIPPED))] == []


def test_the_theme_paper_says_what_holds_without_it() -> None:
    assert load_theme("paper", SHIPPED) == Theme()


def test_what_is_hard_to_read_is_named_with_both_colours_and_the_ratio() -> None:
    theme = Theme()
    weak = replace(theme, dark=replace(theme.dark, link="#777777", page="#000000", sheet="#ffffff", mark="#000000"))

    lines = [line for line in hard_to_read(weak) if " link " in line]

    assert lines == ["dark: link #777777 on sheet #ffffff: 4.47:1"]
    assert contrast("#777777", "#ffffff") < READABLE
