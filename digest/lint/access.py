"""Whether people who hear a mail, or read it with their own settings, get all of it.

Source:
    WCAG 2.2, https://www.w3.org/TR/WCAG22/, and the rules of axe-core 4, https://dequeuniversity.com/rules/axe/,
    both read 2026-11-22.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_HEADING = re.compile(r"h([1-6])")
_SAYS_NOTHING: Final = frozenset(
    {"here", "click here", "link", "more", "read more", "this", "this link", "hier", "ici"}
)
_LANDMARKS: Final = frozenset({"main", "header", "footer", "nav", "aside"})
_LANDMARK_ROLES: Final = frozenset(
    {"main", "banner", "contentinfo", "navigation", "complementary", "region", "search", "form"}
)


def check_access(page: Page, sources: Sources) -> Iterator[Finding]:
    """Language, direction, title, headings, tables, images, links and landmarks."""
    for check in (_document, _headings, _tables, _images, _link_texts, _landmarks, _identities):
        yield from check(page, sources)


def link_text(link: Any) -> str:
    """What a screen reader says of it."""
    said = link.get("aria-label") or " ".join(
        (link.text_content(), *(image.get("alt", "") for image in link.iter("img")))
    )
    return " ".join(said.split())


def _finding(rule: str, element: Any, sources: Sources, message: str, hint: str) -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, message=message, hint=hint, place=sources.find_element(element))


def _document(page: Page, sources: Sources) -> Iterator[Finding]:
    root = page.tree
    language, direction = root.get("lang", ""), root.get("dir", "")
    if not _LANGUAGE.fullmatch(language):
        message = f"the language of the document is '{language}'"
        yield _finding("lang", root, sources, message, 'write lang="{{ mail.language }}" in <mjml>')
    if direction not in ("ltr", "rtl"):
        message = f"the direction of the document is '{direction}'"
        yield _finding("dir", root, sources, message, 'write dir="{{ mail.dir }}" in <mjml>')
    if not (root.findtext("head/title") or "").strip():
        yield _finding(
            "title", root, sources, "the document has no title", "write <mj-title>{{ mail.title }}</mj-title>"
        )
    for element in page.elements:
        if element.get("lang") == "":
            yield _finding(
                "lang", element, sources, f"lang of <{element.tag}> is empty", "name a language, or leave it out"
            )


def _headings(page: Page, sources: Sources) -> Iterator[Finding]:
    headings = [(int(match[1]), each) for each in page.elements if (match := _HEADING.fullmatch(str(each.tag)))]
    tops = [each for level, each in headings if level == 1]
    if len(tops) != 1:
        yield _finding(
            "headings",
            tops[1] if tops else page.tree.find("body"),
            sources,
            f"there are {len(tops)} headings of the first level",
            "one <h1> says what the mail is",
        )
    before = 0
    for level, each in headings:
        if level > before + 1 and before:
            message = f"<h{level}> follows <h{before}>: '{' '.join(each.text_content().split())[:40]}'"
            yield _finding("headings", each, sources, message, "go down one level at a time: h1, h2, h3")
        if not each.text_content().strip():
            yield _finding(
                "headings", each, sources, f"<h{level}> is empty", "leave it out where there is nothing to say"
            )
        before = level


def _tables(page: Page, sources: Sources) -> Iterator[Finding]:
    for table in page.elements:
        if table.tag != "table" or table.get("role") in ("presentation", "none"):
            continue
        if next(table.iter("th"), None) is None:
            yield _finding(
                "tables",
                table,
                sources,
                'a table has neither headings nor role="presentation"',
                'one that only places things says role="presentation"; one with data has <th scope=…>',
            )


def _images(page: Page, sources: Sources) -> Iterator[Finding]:
    for image in page.elements:
        if image.tag == "img" and image.get("alt") is None:
            message = f"the image '{image.get('src', '')[:60]}' has no alt"
            yield _finding("images", image, sources, message, 'say what it shows, or alt="" for an ornament')


def _link_texts(page: Page, sources: Sources) -> Iterator[Finding]:
    """Links are read out with the heading that they stand under, so the same words may return under the next one."""
    hidden = page.hidden
    targets: dict[str, str] = {}
    for element in page.elements:
        if _HEADING.fullmatch(str(element.tag)):
            targets = {}
        if element.tag != "a" or element.get("href") is None or element in hidden:
            continue
        said, href = link_text(element), element.get("href", "")
        if not said:
            message = f"the link to '{href[:60]}' has no text"
            yield _finding(
                "link-text", element, sources, message, "put words in it, or aria-label, or alt on its image"
            )
        elif said.lower().strip(" .…›»→") in _SAYS_NOTHING:
            message = f"the link text '{said}' does not say where it leads"
            yield _finding("link-text", element, sources, message, "name what is there; links are often read out alone")
        elif targets.setdefault(said.lower(), href) != href:
            message = f"'{said[:40]}' leads to '{href[:60]}' here and elsewhere before, under the same heading"
            yield _finding("link-text", element, sources, message, "give each words or an aria-label of its own")


def _landmarks(page: Page, sources: Sources) -> Iterator[Finding]:
    mains = [each for each in page.elements if each.tag == "main" or each.get("role") == "main"]
    if len(mains) != 1:
        yield _finding(
            "landmarks",
            mains[1] if mains else page.tree.find("body"),
            sources,
            f"there are {len(mains)} main landmarks",
            'put what the mail says into one <main> or role="main"',
        )
    named = [(each, each.get("aria-label")) for each in page.elements if each.get("aria-label")]
    for element, text in (*page.texts(), *named):
        around = (element, *element.iterancestors())
        if mains and element not in page.hidden and not any(map(_is_landmark, around)):
            message = f"'{text[:40]}' stands outside of all landmarks"
            yield _finding("landmarks", element, sources, message, "put it into the main, header or footer landmark")


def _is_landmark(element: Any) -> bool:
    return element.tag in _LANDMARKS or element.get("role") in _LANDMARK_ROLES


def _identities(page: Page, sources: Sources) -> Iterator[Finding]:
    known: set[str] = set()
    for element in page.elements:
        name = element.get("id")
        if name is not None and name in known:
            yield _finding(
                "ids", element, sources, f"the id '{name}' is used twice", "an id is of one element; use a class"
            )
        known |= {name} if name is not None else set()
