"""Whether the HTML of a mail is shown whole by clients that cut long ones."""

from collections.abc import Iterator
from typing import Any, Final

from lxml.etree import tostring

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources
from digest.render.compose import HTML_BYTES

STYLE_BYTES: Final = 16_384
"""Gmail ignores a style element that is longer, and those after it."""


def check_size(page: Page, html_bytes: int, sources: Sources) -> Iterator[Finding]:
    """Size as it is sent, of the whole and of the style sheets.

    Source:
        https://www.caniemail.com/features/html-style/ for the style elements, read 2026-11-22.
    """
    style = sum(len((each.text or "").encode()) for each in page.tree.iter("style"))
    if html_bytes > HTML_BYTES:
        element, weight = _heaviest(page)
        yield Finding(
            rule="size",
            severity=Severity.ERROR,
            message=f"the HTML is {html_bytes:,} bytes, of which clients show {HTML_BYTES:,}: {style:,} are style"
            f" sheets, {weight:,} one <{element.tag}>",
            hint="rules that only please belong into an @media rule, which is not repeated on each element",
            place=sources.find_element(element),
        )
    if style > STYLE_BYTES:
        yield Finding(
            rule="size",
            severity=Severity.ERROR,
            message=f"the style sheets are {style:,} bytes; Gmail reads {STYLE_BYTES:,}",
            hint="leave out rules that nothing uses",
            place=sources.find_text("<mj-style"),
        )


def _heaviest(page: Page) -> tuple[Any, int]:
    """The smallest element that holds more than half of the mail, and its bytes."""
    element = page.tree.find("body")
    half = len(tostring(element)) // 2
    while heavy := [each for each in element if len(tostring(each, with_tail=False)) > half]:
        element = heavy[0]
    return element, len(tostring(element, with_tail=False))
