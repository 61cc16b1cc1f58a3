"""How a mail looks: colours, fonts, logo, postal address and footer, in a handful of variables."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

READABLE: Final = 4.5
"""The least contrast of text to what is behind it (WCAG 2.2, success criterion 1.4.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours as ``#rrggbb``; text is readable on ``page`` and ``sheet``: a contrast of at least 4.5 to 1."""

    page: str
    """Behind everything."""
    sheet: str
    """Behind the text."""
    ink: str
    """Of running text."""
    heading: str
    """Of titles and headings."""
    muted: str
    """Of small print."""
    accent: str
    """Of the brand, numbers and section headings."""
    link: str
    rule: str
    """Of thin lines; the only colour without text in it."""
    mark: str
    """Behind matched words, under ``ink`` and ``heading``."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is sent along, never fetched."""

    content: bytes = field(repr=False)
    subtype: str
    """``png``, ``jpeg`` or ``gif``."""
    width: int
    """In CSS pixels, as it is shown."""
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What a file ``themes/NAME.yaml`` says; what it leaves out is as here."""

    name: str = "paper"
    brand: str = "Paperround"
    """Whose mail it is: stands at the top and in the title."""
    font: str = "Georgia, 'Noto Serif', serif"
    """Of titles and abstracts."""
    small_font: str = "-apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
    """Of everything small."""
    light: Palette = Palette(
        page="#f3f0ea",
        sheet="#fdfcf9",
        ink="#2b2a27",
        heading="#22211e",
        muted="#625d53",
        accent="#7d5f18",
        link="#1d4f8f",
        rule="#ddd6c9",
        mark="#f7ecc6",
    )
    dark: Palette = Palette(
        page="#151619",
        sheet="#1d1e22",
        ink="#d6d2c9",
        heading="#efebe2",
        muted="#aaa59a",
        accent="#d9bb6f",
        link="#93bdf2",
        rule="#3b3c42",
        mark="#423a1f",
    )
    logo: Logo | None = None
    postal: str = ""
    """The sender's postal address, which some laws ask for; in the footer."""
    footer: str = ""
    """A sentence of the operator's own; in the footer."""


def contrast(one: str, other: str) -> float:
    """From 1.0, the same, to 21.0, black on white; whichever comes first.

    Source:
        WCAG 2.2, "contrast ratio" and "relative luminance", read 2026-11-22.

    Args:
        one: A colour as ``#rrggbb``.
        other: Another.
    """
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def hard_to_read(theme: Theme) -> Iterator[str]:
    """A line for each colour of text that is too near to what it may stand on: ``light: link #… on page #…: 3.1:1``."""
    for scheme, palette in (("light", theme.light), ("dark", theme.dark)):
        for text in ("ink", "heading", "muted", "accent", "link"):
            for behind in ("page", "sheet", "mark"):
                colour, ground = getattr(palette, text), getattr(palette, behind)
                ratio = contrast(colour, ground)
                if ratio < READABLE:
                    # Rounded down: 4.49 is not enough, and must not be told as 4.5.
                    yield f"{scheme}: {text} {colour} on {behind} {ground}: {int(ratio * 100) / 100}:1"


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
