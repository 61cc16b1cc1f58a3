"""Reads the file of a theme: colours, fonts, a logo beside it, a few words; everything wrong is told with its line."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from digest.config.checks import check_line
from digest.config.faults import Faults
from digest.config.problems import ComplaintError, ConfigProblems, shown
from digest.config.yaml_lines import read_yaml
from digest.errors import ConfigError

EXAMPLE = "templates/themes/paper.yaml"
MAX_LOGO_BYTES = 100_000

_COLOUR = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_FAMILY = re.compile(r"'[\w .-]+'|-?[^\W\d][\w-]*(?: [\w-]+)*")
_FONT_SIGNS = re.compile(r"[\w ,.'-]*")
# Every frame begins so but those that hold tables: DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_WIDEST_LOGO = 320
"""Phones show so many pixels beside each other."""
_TALLEST_LOGO = 200
"""Below it, the mail has to begin on the first screen."""
_SLIMMEST = 4
"""No logo is more than so many times as tall as it is wide."""


def _check_colour(value: object) -> object:
    if value is None:
        raise ComplaintError("the colour is empty", 'after a blank, "#" starts a comment: put it in quotes: "#1d4f8f"')
    if not isinstance(value, str) or not _COLOUR.fullmatch(value.strip()):
        digits = re.fullmatch(r"[0-9a-f]{6}|[0-9a-f]{3}", str(value), re.IGNORECASE)
        raise ComplaintError(
            f"{shown(value)} is not a colour", f'write "#{digits[0]}"' if digits else 'write as in "#1d4f8f", in quotes'
        )
    colour = value.strip().lower()
    return colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])


def _check_font(text: str) -> str:
    text = " ".join(text.split())
    if not _FONT_SIGNS.fullmatch(text):
        strange = next(sign for sign in text if not _FONT_SIGNS.fullmatch(sign))
        raise ComplaintError(
            f"a font cannot hold {shown(strange)}: {shown(text)}",
            "name families with commas between them, those of several words in single quotes: 'Segoe UI', sans-serif",
        )
    for family in text.split(","):
        if not _FAMILY.fullmatch(family.strip()):
            problem = f"{shown(family.strip())} is not the name of a font" if family.strip() else "a font has no name"
            raise ComplaintError(problem, "write as in 'Segoe UI', Roboto, sans-serif")
    if len(text) > 200:
        raise ComplaintError(f"the fonts {shown(text)} take more than 200 characters", "name fewer: each mail has them")
    return text


def _check_words(text: str, limit: int = 300) -> str:
    text = check_line(text)
    if set(text) & set("{}"):
        # It becomes part of the template, where they begin something else.
        raise ComplaintError(f"{shown(text)} holds '{{' or '}}'", "leave them out: it is plain text, not a template")
    if len(text) > limit:
        raise ComplaintError(f"{shown(text)} is longer than {limit} characters", "write less: it stands in every mail")
    return text


def _check_logo(text: str) -> str:
    if not re.fullmatch(r"[^/\\:\x00-\x1f]+", text) or text.startswith("."):
        raise ComplaintError(f"{shown(text)} is not the name of a file", "put the logo beside the theme: logo.png")
    return text


_Colour = Annotated[str, BeforeValidator(_check_colour)]
_Font = Annotated[str, AfterValidator(_check_font)]
_Words = Annotated[str, AfterValidator(_check_words)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PaletteEntry(_Keys):
    """Colours; see `digest.render.theme.Palette`."""

    page: _Colour = ""
    sheet: _Colour = ""
    ink: _Colour = ""
    heading: _Colour = ""
    muted: _Colour = ""
    accent: _Colour = ""
    link: _Colour = ""
    rule: _Colour = ""
    mark: _Colour = ""


class ThemeEntry(_Keys):
    """What a theme may say; see `digest.render.theme.Theme`."""

    brand: Annotated[str, AfterValidator(partial(_check_words, limit=60))] = ""
    font: _Font = ""
    small_font: _Font = ""
    light: PaletteEntry = PaletteEntry()
    dark: PaletteEntry = PaletteEntry()
    logo: Annotated[str, AfterValidator(_check_logo)] = ""
    logo_width: Annotated[int, Field(ge=16, le=_WIDEST_LOGO)] = 0
    postal: _Words = ""
    footer: _Words = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and how large it is shown, in CSS pixels."""

    content: bytes
    subtype: str
    """``png``, ``jpeg`` or ``gif``."""
    width: int
    height: int


def read_theme(path: Path) -> tuple[dict[str, Any], Picture | None]:
    """The values that a theme gives, checked, without ``logo`` and ``logo_width``; and its logo, if it has one.

    Raises:
        ConfigError: The file cannot be read, or, as `ConfigProblems`, something in it is wrong.
    """
    document = read_yaml(path, example=EXAMPLE)
    faults = Faults(document)
    raw = {} if document.value is None else document.value
    entry = picture = None
    if not isinstance(raw, dict):
        faults.add((), f"a theme must hold keys and values, got {shown(raw)}", "write as in brand: Our papers")
    else:
        entry = faults.check(ThemeEntry, raw, ())
    if entry and entry.logo:
        try:
            picture = _read_picture(path.parent / entry.logo, entry.logo_width)
        except ComplaintError as exc:
            faults.add(("logo",), exc.problem, exc.hint)
    elif entry and entry.logo_width:
        faults.add(("logo_width",), "'logo_width' is given, but no logo", "add logo: logo.png, or delete it")
    wrong = faults.in_order()
    if entry is None or wrong:
        raise ConfigProblems([ConfigError(each.problem, where=f"{path}:{each.line}", hint=each.hint) for each in wrong])
    return entry.model_dump(exclude_unset=True, exclude={"logo", "logo_width"}), picture


def _read_picture(path: Path, width: int) -> Picture:
    try:
        size = path.stat().st_size
        if size > MAX_LOGO_BYTES:
            raise ComplaintError(
                f"the logo {shown(path.name)} has {size:,} bytes, more than {MAX_LOGO_BYTES:,}",
                "make it smaller: it is sent with every mail",
            )
        content = path.read_bytes()
    except OSError as exc:
        raise ComplaintError(
            f"the logo {shown(path.name)} cannot be read: {exc.strerror}", f"it belongs into {path.parent}"
        ) from exc
    measured = _measure(content)
    if measured is None:
        raise ComplaintError(f"the logo {shown(path.name)} is not a picture", "use a PNG, JPEG or GIF file")
    subtype, own_width, own_height = measured
    width = width or min(own_width, _WIDEST_LOGO)
    height = max(round(own_height * width / own_width), 1)
    tallest = min(_TALLEST_LOGO, _SLIMMEST * width)
    if height > tallest:
        can_fit = own_height <= _SLIMMEST * own_width
        raise ComplaintError(
            f"the logo {shown(path.name)} would be {height:,} pixels tall, more than {tallest}",
            f"write logo_width: {_TALLEST_LOGO * own_width // own_height}" if can_fit else "crop it",
        )
    return Picture(content, subtype, width, height)


def _measure(content: bytes) -> tuple[str, int, int] | None:
    """Kind, width and height of a picture, as its header says; ``None`` for anything else.

    Source:
        PNG 3rd edition section 11.2.1, GIF89a section 18, ITU-T T.81 annex B, read 2026-11-22.
    """
    measured = None
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        measured = "png", content[16:20], content[20:24]
    elif content.startswith((b"GIF87a", b"GIF89a")):
        measured = "gif", content[7:5:-1], content[9:7:-1]
    elif content.startswith(b"\xff\xd8\xff"):
        at = 2
        while at + 9 <= len(content) and content[at] == 0xFF:
            kind = content[at + 1]
            if kind in _JPEG_FRAMES:
                measured = "jpeg", content[at + 7 : at + 9], content[at + 5 : at + 7]
                break
            # A marker that stands alone, a byte that fills, or a segment that says how long it is.
            at += 2 if kind in _JPEG_ALONE else 1 if kind == 0xFF else 2 + int.from_bytes(content[at + 2 : at + 4])
    if measured is None:
        return None
    kind_name, width, height = measured[0], int.from_bytes(measured[1]), int.from_bytes(measured[2])
    return (kind_name, width, height) if width and height else None
