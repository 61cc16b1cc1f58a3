"""Whether the HTML of a mail is well-formed, as html5lib reads it.

That finds what browsers and clients would have to guess: missing doctype, end tags that are missing, too many or
crossed, attributes that stand twice, unknown entities, elements in a table that do not belong there. It does not know
which element may stand in which; the Nu HTML checker does, which the project's own tests ask.
"""

import re
from collections.abc import Iterator
from typing import Final

import html5lib
from html5lib.constants import E as MESSAGES

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources
from digest.render.source import Place

_TAG: Final = re.compile(r"</?([a-zA-Z][\w-]*)([^<>]*)>([^<]*)")
_ATTRIBUTE: Final = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")


def check_markup(page: Page, sources: Sources) -> Iterator[Finding]:
    """What a strict parser complains of; each complaint about the same tag once."""
    parser = html5lib.HTMLParser()
    parser.parse(page.html)
    lines = page.html.splitlines(keepends=True)
    known: set[tuple[str, str]] = set()
    for (line, column), code, values in parser.errors:
        offset = sum(map(len, lines[: line - 1])) + column
        tags = list(_TAG.finditer(page.html, max(page.html.rfind("<", 0, offset) - 500, 0), offset + 200))
        tag = next((each for each in reversed(tags) if each.start() < offset), None)
        said = MESSAGES[code] % values
        if (said, tag[0] if tag else "") in known:
            continue
        known.add((said, tag[0] if tag else ""))
        yield Finding(
            rule="markup",
            severity=Severity.ERROR,
            message=f"{said.rstrip('.').lower()}{f', at {tag[0].split()[0][:40]}' if tag else ''}",
            hint="clients guess what was meant, each in its own way; close every element where it was opened",
            place=_place(tag, sources),
        )


def _place(tag: re.Match[str] | None, sources: Sources) -> Place:
    if tag is None:
        return sources.find_file("layout.mjml.j2")
    if tag[0].startswith("</"):
        return sources.find_text(f"</{tag[1]}>")
    attributes = {name.lower(): one or two for name, one, two in _ATTRIBUTE.findall(tag[2])}
    return sources.find_tag(tag[1].lower(), attributes, tag[3])
