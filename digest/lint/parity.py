"""Whether both parts of a mail, HTML and plain text, say the same papers in the same order."""

import re
from collections.abc import Iterator
from typing import Any, Final

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources

_URL: Final = re.compile(r"https?://[^\s<>]+")
_HEADINGS: Final = frozenset({"h2", "h3", "h4"})


def check_parity(page: Page, text: str, sources: Sources, *, whole: bool) -> Iterator[Finding]:
    """Titles that the plain text lacks or has elsewhere, and addresses in it that the HTML does not link.

    A title is the text of a link in a heading or in an item of a list.

    Args:
        page: The HTML.
        text: The plain text.
        sources: Of the template.
        whole: Whether the HTML had room for everything. Otherwise the plain text has more, and in another order, as
            what has no room in the HTML is named later or not at all.
    """
    squeezed = _squeezed(text)
    at = 0
    for link in page.elements:
        title = _squeezed(link.text_content()) if link.tag == "a" and _names_paper(link) else ""
        if not title:
            continue
        there = squeezed.find(title, at if whole else 0)
        if there >= 0:
            at = there
            continue
        shown = " ".join(link.text_content().split())[:60]
        known = "stands elsewhere in" if title in squeezed else "is missing from"
        yield Finding(
            rule="parity",
            severity=Severity.ERROR,
            message=f"'{shown}' {known} the plain text",
            hint="both parts show the same papers in the same order: fill the same holes in both layouts",
            place=sources.find_element(link),
        )
    linked = {each.get("href") for each in page.elements if each.tag == "a"}
    for url in dict.fromkeys(each.rstrip(".,;:)") for each in _URL.findall(text)) if whole else ():
        if url not in linked:
            yield Finding(
                rule="parity",
                severity=Severity.ERROR,
                message=f"the plain text leads to '{url[:60]}', which the HTML does not link",
                hint="whoever reads the HTML part should get there, too",
                place=sources.find_file("layout.txt.j2"),
            )


def _names_paper(link: Any) -> bool:
    around = link.getparent()
    return around is not None and (around.tag in _HEADINGS or around.tag == "li")


def _squeezed(text: str) -> str:
    """Without white space: text is wrapped, and languages without spaces are wrapped anywhere."""
    return "".join(text.split()).casefold()
