"""MJML and CSS are worked out while the Jinja tags are out of the way.

MJML and the CSS inliner would tear the tags apart, so each is a plain word while they work, and so is the beginning and
the end of each part, as all parts go through them together with the layout:

    <a href="{{ paper.url }}">   →   <a href="QZ0007ZQ">   →   <a style="…" href="{{ paper.url }}">
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from digest.errors import RenderError
from digest.render.source import Document, Place, Tag

_MJML_RESET = '<style type="text/css">\n#outlook a'


class PartSource(NamedTuple):
    """A part as Jinja source, after MJML."""

    text: str
    lines: tuple[tuple[int, Place], ...]
    """Where a line of it came from: line and place, ascending."""


def inline_css(html: str) -> str:
    """Copy the rules of ``<style>`` to the elements they mean, for clients that drop ``<style>``.

    MJML's own reset stays where it is: repeated on every cell it would weigh more than the papers.
    """
    # premailer takes a third of a second to import.
    from premailer import Premailer

    inliner = Premailer(
        html.replace(_MJML_RESET, _MJML_RESET.replace(">", ' data-premailer="ignore">', 1), 1),
        keep_style_tags=True,
        # Or it strips the !important that dark and narrow rules need to win over inlined ones.
        strip_important=False,
        disable_validation=True,
        # MJML wrote those that Outlook needs.
        disable_basic_attributes=["align", "valign", "bgcolor", "width"],
        allow_network=False,
        cssutils_logging_level=logging.CRITICAL,
    )
    return "<!doctype html>\n" + str(inliner.transform())


def run_mjml(mjml: str) -> str:
    """Compile a whole MJML document.

    Raises:
        ValueError: It is not well-formed.
    """
    from mjml import mjml2html

    # No fonts: for its default font MJML adds a style sheet of Google's, which readers' clients would fetch.
    html = mjml2html(mjml, fonts={})
    # Checkers take the label of MJML's own wrapper for content outside of every landmark; the title says the same.
    return re.sub(r'<div aria-label="[^"]*" (?=aria-roledescription)', "<div ", html, count=1)


def convert_mjml(document: Document) -> str:
    """Compile the document, its tags being words, and inline its CSS.

    Raises:
        RenderError: It is not well-formed, or asks for what is not available in mail.
    """
    where = str(document.place(1))
    try:
        html = run_mjml(document.text)
    except ValueError as exc:
        place, reason = _broken_place(document, exc)
        raise RenderError(f"not well-formed MJML: {reason}", where=str(place)) from exc
    unknown = re.search(r"<(mj-[\w-]+)", html)
    if unknown:
        at = document.text.find(unknown[0])
        raise RenderError(
            f"unknown element '{unknown[1]}'",
            where=str(document.place(document.text.count("\n", 0, max(at, 0)) + 1)),
            hint="MJML left it in the mail as it is, so no client would show it; see https://documentation.mjml.io",
        )
    remote = re.search(r"@import|<link\b|<script\b", html, re.IGNORECASE)
    if remote:
        raise RenderError(
            f"'{remote[0].lower()}' is not available in mail",
            where=where,
            hint="clients drop it or tell a stranger who reads; write rules in mj-style and use system fonts",
        )
    try:
        return inline_css(html)
    except Exception as exc:
        raise RenderError(f"CSS cannot be inlined: {first_line(exc)}", where=where) from exc


def _broken_place(document: Document, exc: ValueError) -> tuple[Place, str]:
    """Where the markup is broken; mjml-python does not say, an XML parser does."""
    for where, text in document.alone:
        if broken := _not_well_formed(f"<x>{text}</x>"):
            return Place(where, broken[0]), broken[1]
    if broken := _not_well_formed(document.text):
        return document.place(broken[0]), broken[1]
    return document.place(1), str(exc)


def _not_well_formed(text: str) -> tuple[int, str] | None:
    # HTML's named entities are fine in MJML and unknown to XML.
    without = re.sub(r"&(\w+);", lambda match: " " * len(match[0]), text)
    try:
        expat.ParserCreate().Parse(without.encode(), True)
    except expat.ExpatError as error:
        return error.lineno, expat.ErrorString(error.code)
    return None


@dataclass(slots=True)
class _Open:
    """A part whose end was not met yet."""

    name: str
    lines: list[tuple[int, Place]]
    out: list[str] = field(default_factory=list)
    line: int = 1

    def write(self, text: str) -> None:
        self.out.append(text)
        self.line += text.count("\n")

    def close(self) -> PartSource:
        return PartSource("".join(self.out), tuple(self.lines))


def put_tags_back(html: str, document: Document, root: str) -> dict[str, PartSource]:
    """Restore the tags, remember the line of each, and take the parts out of one another.

    Args:
        html: What became of the document.
        document: Has the tags.
        root: What the outermost part is called.

    Raises:
        RenderError: MJML or the inliner lost a tag, or moved or copied a block's.
    """
    by_word = {tag.word: tag for tag in document.tags}
    words = re.compile("|".join(map(re.escape, by_word)) or r"(?!)")
    _check_tags(document.tags, [by_word[word] for word in words.findall(html)])
    done: dict[str, PartSource] = {}
    parts = [_Open(root, [(1, document.place(1))])]
    end = 0
    for match in words.finditer(html):
        tag = by_word[match[0]]
        parts[-1].write(html[end : match.start()])
        end = match.end()
        if tag.begins:
            parts.append(_Open(tag.begins, [(1, tag.place)]))
        elif tag.ends:
            done[tag.ends] = parts.pop().close()
        else:
            # A line end within the tag shows nowhere, and gives each tag a line of its own for error messages.
            text = re.sub(r"^(\{[{%][-+]?)(?!\s*raw\b)", r"\1\n", tag.text)
            parts[-1].lines.append((parts[-1].line + (text != tag.text), tag.place))
            parts[-1].write(text)
    parts[-1].write(html[end:])
    done[root] = parts[-1].close()
    return done


def _check_tags(tags: Sequence[Tag], found: Sequence[Tag]) -> None:
    there = set(found)
    for tag in tags:
        # A comment may go: it says nothing to anyone.
        if tag not in there and not tag.text.startswith("{#"):
            _refuse(tag, "was lost")
    blocks = [tag for tag in tags if tag.is_block]
    in_html = [tag for tag in found if tag.is_block]
    for expected, actual in zip(blocks, in_html, strict=False):
        if expected is not actual:
            _refuse(actual, "was moved or copied")
    for extra in in_html[len(blocks) :]:
        _refuse(extra, "was copied")


def _refuse(tag: Tag, what: str) -> NoReturn:
    name = (
        f"the part '{tag.begins or tag.ends}'" if tag.begins or tag.ends else f"the tag '{' '.join(tag.text.split())}'"
    )
    raise RenderError(
        f"{name} {what} when MJML was compiled",
        where=str(tag.place),
        hint="MJML reads widths and booleans itself: keep tags to text, href, src, alt, css-class and colours",
    )


def first_line(exc: BaseException) -> str:
    """What it says, on one line."""
    return (str(exc).splitlines() or [""])[0] or type(exc).__name__
