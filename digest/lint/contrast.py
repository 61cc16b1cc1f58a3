"""Whether every text of a mail can be read on what is behind it, in light and dark.

Source:
    WCAG 2.2, success criterion 1.4.3, https://www.w3.org/TR/WCAG22/, read 2026-11-22.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from tinycss2.color4 import parse_color

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources
from digest.render.theme import READABLE, contrast

_LEAST_LARGE: Final = 3.0
_LARGE_PX: Final = 24.0
_LARGE_BOLD_PX: Final = 18.66


class _Scheme(NamedTuple):
    name: str
    dark: bool
    sheets: bool
    ink: str
    page: str
    link: str


# What browsers do by themselves: https://html.spec.whatwg.org/multipage/rendering.html and Chromium's dark colours.
_SCHEMES: Final = (
    _Scheme("light", dark=False, sheets=True, ink="#000000", page="#ffffff", link="#0000ee"),
    _Scheme("light, in clients without style sheets", False, False, "#000000", "#ffffff", "#0000ee"),
    _Scheme("dark", dark=True, sheets=True, ink="#ffffff", page="#121212", link="#9e9eff"),
)


def check_contrast(page: Page, sources: Sources) -> Iterator[Finding]:
    """Texts with less than 4.5 to 1, or 3 to 1 where they are large; each pair of colours once."""
    hidden = page.hidden
    known: set[tuple[str, ...]] = set()
    for scheme in _SCHEMES:
        styles = page.computed(dark=scheme.dark, sheets=scheme.sheets)
        for element, text in page.texts():
            if element in hidden:
                continue
            ink, ground = _colours(element, styles, scheme)
            ratio = contrast(hex_colour(ink), hex_colour(ground))
            least = _LEAST_LARGE if _is_large(element, styles) else READABLE
            key = (ink, ground, str(element.tag), element.get("class", ""))
            if ratio < least and (*key, scheme.name[:5]) not in known:
                known.add((*key, scheme.name[:5]))
                yield Finding(
                    rule="contrast",
                    severity=Severity.ERROR,
                    message=f"'{text[:40]}' is {ink} on {ground} in {scheme.name}: {ratio:.2f} to 1",
                    hint=f"at least {least:g} to 1 can be read by nearly everyone; make the text darker or lighter",
                    place=sources.find_element(element),
                )


def hex_colour(colour: str) -> str:
    """A colour, however CSS writes it, as ``#rrggbb``; without what shines through."""
    parsed = parse_color(colour)
    if parsed is None or parsed == "currentcolor":
        raise ValueError(f"not a colour: {colour!r}")
    return "#" + "".join(f"{min(max(round(255 * part), 0), 255):02x}" for part in parsed.to("srgb")[:3])


def _colours(element: Any, styles: Mapping[Any, Mapping[str, str]], scheme: _Scheme) -> tuple[str, str]:
    in_link = any(each.tag == "a" for each in (element, *element.iterancestors("a")))
    ink = styles[element].get("color", "")
    grounds = (
        styles[each].get("background-color", "") for each in (element, *element.iterancestors()) if each in styles
    )
    return (
        ink if _alpha(ink) else scheme.link if in_link else scheme.ink,
        next((each for each in grounds if _alpha(each)), scheme.page),
    )


def _is_large(element: Any, styles: Mapping[Any, Mapping[str, str]]) -> bool:
    bold = any(each.tag in ("b", "strong", "h1", "h2", "h3") for each in (element, *element.iterancestors()))
    weight = styles[element].get("font-weight", "bold" if bold else "normal")
    size = styles[element].get("font-size", "").removesuffix("px")
    px = float(size) if size.replace(".", "", 1).isdigit() else 0.0
    return px >= (_LARGE_BOLD_PX if weight in ("bold", "bolder", "700", "800", "900") else _LARGE_PX)


def _alpha(colour: str) -> float:
    parsed = parse_color(colour) if colour else None
    return float(parsed.alpha) if parsed is not None and parsed != "currentcolor" else 0.0
