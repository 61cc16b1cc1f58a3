"""What styles come to, against what the standards say."""

import pytest

from digest.lint.contrast import hex_colour
from digest.lint.page import Page


@pytest.mark.parametrize(
    ("colour", "written"),
    [
        ("white", "#ffffff"),
        ("#fff", "#ffffff"),
        ("rgb(29, 79, 143)", "#1d4f8f"),
        ("rgba(29, 79, 143, 0.5)", "#1d4f8f"),
        ("hsl(0, 100%, 50%)", "#ff0000"),
        ("color(srgb 2 -1 0)", "#ff0000"),
    ],
)
def test_a_colour_is_read_however_css_writes_it(colour: str, written: str) -> None:
    assert hex_colour(colour) == written


@pytest.mark.parametrize(
    ("sheet", "attributes", "light", "dark"),
    [
        pytest.param("p { color: red }", "", "red", "red", id="sheet"),
        pytest.param("p { color: red }", 'style="color: blue"', "blue", "blue", id="inline wins"),
        pytest.param("p { color: red !important }", 'style="color: blue"', "red", "red", id="important wins"),
        pytest.param("p.x { color: red } p { color: blue }", 'class="x"', "red", "red", id="specificity"),
        pytest.param("p { color: red } p { color: blue }", "", "blue", "blue", id="order"),
        pytest.param("div { color: red }", "", "red", "red", id="inherited"),
        pytest.param("div { color: red } p { color: inherit }", "", "red", "red", id="told to inherit"),
        pytest.param("p { color: red } @media print { p { color: blue } }", "", "red", "red", id="print"),
        pytest.param("p { color: red } @media (max-width: 9px) { p { color: blue } }", "", "red", "red", id="narrow"),
        pytest.param(
            "p { color: red } @media (prefers-color-scheme: dark) { p { color: blue } }", "", "red", "blue", id="dark"
        ),
        pytest.param(
            "@media (prefers-color-scheme: dark) { p { color: blue } }",
            'style="color: red"',
            "red",
            "red",
            id="too weak",
        ),
        pytest.param(
            "p:hover { color: blue } p::before { color: blue } p { color: red }", "", "red", "red", id="hover"
        ),
        pytest.param("p:::! { color: blue } p { color: red }", "", "red", "red", id="nonsense"),
    ],
)
def test_colours_come_as_in_a_browser(sheet: str, attributes: str, light: str, dark: str) -> None:
    page = Page(f"<!doctype html><style>{sheet}</style><body><div><p {attributes}>Text</p></div></body>")
    paragraph = page.tree.find(".//p")

    assert page.computed(dark=False)[paragraph]["color"] == light
    assert page.computed(dark=True)[paragraph]["color"] == dark


def test_without_style_sheets_only_what_is_inline_counts() -> None:
    page = Page('<!doctype html><style>p { color: red !important }</style><p style="color: blue">Text</p>')

    assert page.computed(dark=False, sheets=False)[page.tree.find(".//p")]["color"] == "blue"


@pytest.mark.parametrize(
    ("declared", "size", "weight"),
    [
        ("700 30px/1.25 serif", "30px", "700"),
        ("italic 18px/1.4 'A 9px'", "18px", "normal"),
        ("bold 2em x", None, "bold"),
    ],
)
def test_the_shorthand_of_fonts_is_taken_apart(declared: str, size: str | None, weight: str) -> None:
    page = Page(f'<!doctype html><p style="font: {declared}">Text</p>')

    style = page.computed(dark=False)[page.tree.find(".//p")]

    assert (style.get("font-size"), style["font-weight"]) == (size, weight)


@pytest.mark.parametrize("style", ["display: none", "visibility: hidden", "opacity: 0"])
def test_what_nobody_sees_is_known(style: str) -> None:
    page = Page(f'<!doctype html><div style="{style}"><p>Hidden</p></div><p>Seen</p>')

    assert [each.text for each in page.elements if each.tag == "p" and each not in page.hidden] == ["Seen"]
