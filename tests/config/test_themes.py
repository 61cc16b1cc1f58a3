"""Theme files: what is left out is as in the default theme, and what is wrong is told with its line."""

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.config.problems import ConfigProblems
from digest.errors import ConfigError
from digest.looks import load_theme, template_folders
from digest.paths import shipped
from digest.render.theme import Logo, Theme

Write = Callable[..., tuple[Path, ...]]


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\r" + header + zlib.crc32(header).to_bytes(4, "big")


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\x00\x00\x00;"


def jpeg(width: int, height: int) -> bytes:
    exif = b"\xff\xe1\x00\x08Exif\x00\x00" + b"\xff\xff"  # then a byte that fills
    frame = b"\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03" + 9 * b"\x11"
    return b"\xff\xd8" + exif + b"\xdb\x00\x43" + bytes(65) + frame + b"\xff\xda\x00\x02\xff\xd9"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "ours", **files: bytes) -> tuple[Path, ...]:
        folder = tmp_path / "mine" / "themes"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(dedent(text), encoding="utf-8")
        for file, content in files.items():
            (folder / file.replace("_", ".")).write_bytes(content)
        return template_folders(tmp_path / "mine")

    return write


def told(folders: tuple[Path, ...], name: str = "ours") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_theme(name, folders)
    problems = caught.value.problems if isinstance(caught.value, ConfigProblems) else (caught.value,)
    return [str(problem) for problem in problems]


def test_what_a_theme_says_holds_and_the_rest_is_as_without_it(write: Write) -> None:
    folders = write(
        """\
        brand: "Group & Friends <Physics>"
        font: "'Noto Serif', Georgia, serif"
        light: {link: "#ABC", page: "#f0f0f0"}
        dark:
          ink: "#FFFFFF"
        postal: |
          Example Library
          1 Example Street
        footer: Questions? Write to library@example.org.
        logo: logo.png
        """,
        logo_png=png(200, 50),
    )

    theme, paper = load_theme("ours", folders), Theme()

    assert (theme.name, theme.brand) == ("ours", "Group & Friends <Physics>")
    assert (theme.font, theme.small_font) == ("'Noto Serif', Georgia, serif", paper.small_font)
    assert (theme.light.link, theme.light.page, theme.light.ink) == ("#aabbcc", "#f0f0f0", paper.light.ink)
    assert (theme.dark.ink, theme.dark.link) == ("#ffffff", paper.dark.link)
    assert theme.postal == "Example Library 1 Example Street"
    assert theme.footer == "Questions? Write to library@example.org."
    assert theme.logo == Logo(png(200, 50), "png", 200, 50)


def test_an_empty_theme_is_the_default_under_its_name(write: Write) -> None:
    assert load_theme("ours", write("# nothing yet\n")).light == Theme().light


def test_a_theme_of_ones_own_comes_before_the_shipped_one(write: Write) -> None:
    folders = write("brand: Ours\n", name="ink")

    assert load_theme("ink", folders).brand == "Ours"
    assert load_theme("ink", folders).light == Theme().light
    assert load_theme("ink", folders[1:]).brand == "Paperround"


@pytest.mark.parametrize(
    ("content", "subtype"), [(png(640, 160), "png"), (gif(640, 160), "gif"), (jpeg(640, 160), "jpeg")]
)
@pytest.mark.parametrize(("asked", "shown"), [("", (320, 80)), ("logo_width: 100", (100, 25))])
def test_a_logo_is_shown_as_wide_as_asked_and_fits_a_phone(
    write: Write, content: bytes, subtype: str, asked: str, shown: tuple[int, int]
) -> None:
    logo = load_theme("ours", write(f"logo: logo.bin\n{asked}\n", logo_bin=content)).logo

    assert logo == Logo(content, subtype, *shown)


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        ("bradn: x", "unknown key 'bradn'", "did you mean 'brand'?"),
        ("light: {lnik: '#fff'}", "unknown key 'lnik'", "did you mean 'link'?"),
        ("light: '#ffffff'", "'light' must hold keys and values", "key: value"),
        ("light: {link: blue}", "'blue' is not a colour", '"#1d4f8f"'),
        ("light: {link: '#12345'}", "'#12345' is not a colour", ""),
        ("light: {link: 'red;}</style>'}", "is not a colour", ""),
        ("light: {link: 123456}", "'123456' is not a colour", 'write "#123456"'),
        ("light:\n  link: #1d4f8f", "the colour is empty", "starts a comment"),
        ("font: 'Arial; color: red'", "a font cannot hold ';'", "single quotes"),
        ("font: 'a}</style><b>'", "a font cannot hold '}'", ""),
        ("""font: '"Segoe UI", serif'""", "a font cannot hold '\"'", ""),
        ("font: 'url(https://x.example/f)'", "a font cannot hold '('", ""),
        ("font: '{{ 7 }}'", "a font cannot hold '{'", ""),
        ('font: "\'Segoe UI, serif"', "is not the name of a font", ""),
        ("font: 'Georgia,, serif'", "a font has no name", ""),
        ("font: ''", "a font has no name", ""),
        ("brand: 'a\u202eb'", "invisible character U+202E", "delete it"),
        (f"brand: {'x' * 61}", "longer than 60 characters", ""),
        ("brand: 7", "'brand' must be text", 'put it in quotes: "7"'),
        ("footer: ' '", "says nothing", ""),
        ("brand: 'a {{ 7*7 }}'", "'a {{ 7*7 }}' holds '{' or '}'", "plain text"),
        ("logo: ../../secret.png", "is not the name of a file", "beside the theme"),
        ("logo: /etc/passwd", "is not the name of a file", ""),
        ("logo: .", "is not the name of a file", ""),
        ("logo: missing.png", "the logo 'missing.png' cannot be read: No such file", "it belongs into"),
        ("logo: text.png", "the logo 'text.png' is not a picture", "PNG, JPEG or GIF"),
        ("logo: flat.png", "the logo 'flat.png' is not a picture", ""),
        ("logo: tall.png", "the logo 'tall.png' would be 320 pixels tall, more than 200", "write logo_width: 200"),
        ("logo: tall.png\nlogo_width: 201", "would be 201 pixels tall, more than 200", "write logo_width: 200"),
        ("logo: slim.png", "the logo 'slim.png' would be 100,000 pixels tall, more than 40", "crop it"),
        ("logo: slim.png\nlogo_width: 320", "would be 3,200,000 pixels tall, more than 200", "crop it"),
        ("logo: large.png", "has 100,001 bytes, more than 100,000", "smaller"),
        ("logo_width: 100", "no logo", "logo: logo.png"),
        ("logo: text.png\nlogo_width: 1000", "'logo_width' must be 320 or less", ""),
    ],
)
def test_a_mistake_is_told_with_its_line(write: Write, line: str, problem: str, hint: str) -> None:
    folders = write(
        f"# a theme\npostal: Example\n{line}\n",
        text_png=b"<svg/>",
        flat_png=png(0, 10),
        tall_png=png(320, 320),
        slim_png=png(10, 100_000),
        large_png=png(10, 10).ljust(100_001, b"\0"),
    )

    (one,) = told(folders)

    at = 4 if line.startswith(("light:\n", "logo: text.png\n")) else 3
    assert re.match(rf"\S+/mine/themes/ours\.yaml:{at}: ", one), one
    assert problem in one
    assert hint in one.partition("hint: ")[2]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(write: Write) -> None:
    lines = told(write("brnd: x\nlight: {link: blue}\nfont: a;b\n"))

    assert [re.findall(r"ours\.yaml:(\d)", line) for line in lines] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "a: [\n", "light:\n\tlink: x\n"])
def test_what_is_no_theme_at_all_is_told(write: Write, text: str) -> None:
    assert "ours.yaml:" in told(write(text))[0]


def test_an_unknown_theme_is_told_with_the_nearest(write: Write) -> None:
    (one,) = told(write(""), "papre")

    assert "unknown theme 'papre'" in one
    assert "did you mean 'paper'? known: ink, ours, paper, plain" in one


def test_a_theme_is_never_sought_outside_of_its_folder() -> None:
    (one,) = told((shipped("templates"),), "../themes/ink")

    assert "unknown theme '../themes/ink'" in one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(st.sampled_from("aZ7é -',.;:{}<>\"()\\/@&#\n") | st.characters(), max_size=20))
def test_no_font_holds_what_ends_a_rule_or_an_attribute(write: Write, text: str) -> None:
    folders = write(f"font: {json.dumps(text)}\n")

    try:
        font = load_theme("ours", folders).font
    except ConfigError:
        return

    assert not set(font) & set(';:{}<>"()\\/@&#!\n\r\t\0')
    assert font.count("'") % 2 == 0
