"""Whether the links of a mail can work; nothing is fetched."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from digest.lint.finding import Finding, Severity
from digest.lint.page import Page
from digest.lint.sources import Sources

_GOOD: Final = frozenset({"https", "http", "mailto"})


def check_links(page: Page, sources: Sources) -> Iterator[Finding]:
    """Addresses that are missing, of a kind that clients block, broken, or repeated right after another."""
    links = [each for each in page.elements if each.tag == "a"]
    targets = {each.get("id") for each in page.elements} | {each.get("name") for each in links}
    for link in links:
        if problem := _problem(link.get("href"), targets):
            yield Finding(
                rule="links",
                severity=Severity.ERROR,
                message=problem,
                hint="links of a mail begin with https:// or mailto:; leave out the element where there is no address",
                place=sources.find_element(link),
            )
    for before, link in pairwise(links):
        href = link.get("href")
        if href and href == before.get("href") and before.getparent() is link.getparent():
            yield Finding(
                rule="links",
                severity=Severity.WARNING,
                message=f"two links to '{href[:60]}' stand side by side",
                hint="make one of them, or who listens hears it twice",
                place=sources.find_element(link),
            )
    for image in page.elements:
        source = image.get("src", "")
        if image.tag == "img" and not source.lower().startswith("cid:"):
            yield Finding(
                rule="links",
                severity=Severity.ERROR,
                message=f"the image '{source[:60]}' is not sent along",
                hint="clients block what must be fetched, and fetching tells who reads; use the logo of a theme",
                place=sources.find_element(image),
            )


def _problem(href: str | None, targets: set[str | None]) -> str:
    if not (href or "").strip():
        return "a link has no address"
    assert href is not None
    if href.startswith("#"):
        return "" if href[1:] in targets else f"'{href}' leads to no place in the mail"
    try:
        parts = urlsplit(href)
        scheme, there = parts.scheme, parts.hostname or parts.path if parts.scheme == "mailto" else parts.hostname
    except ValueError:
        return f"'{href[:60]}' is no address"
    if scheme not in _GOOD:
        return f"the link '{href[:60]}' begins with '{scheme}:'" if scheme else f"the link '{href[:60]}' has no scheme"
    return "" if there and not any(char.isspace() for char in href) else f"'{href[:60]}' is no address"
