"""What all ways to arXiv's papers share: ids with versions, authors in one string, categories with two names, XML."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from digest.collect.sources.page import entry, link, quoted, refuse_html
from digest.errors import CollectError
from digest.model import Announcement, Entry, LinkKind
from digest.ports import Page
from digest.rank.followups import says_withdrawn
from digest.text.clean import clean_html, clean_text
from digest.text.identity import arxiv_key, doi_key
from digest.text.links import find_links
from digest.text.venue import find_venue

_VERSION = re.compile(r"v(\d{1,3})\Z")
_SUFFIXES = re.compile(r"(?:Jr|Sr|II|III|IV|Ph\.?\s?D|M\.?\s?D|Esq)\.?", re.IGNORECASE)
_MAX_CREATOR_CHARS = 400_000
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)

# Two names for one subject, of which either may be a paper's first: https://arxiv.org/category_taxonomy
_TWINS = (
    ("cs.IT", "math.IT"), ("econ.GN", "q-fin.EC"), ("eess.SY", "cs.SY"), ("math-ph", "math.MP"), ("math.NA", "cs.NA"),
    ("math.ST", "stat.TH"),
)  # fmt: skip
_TWIN = {one: other for pair in _TWINS for one, other in (pair, pair[::-1])}


def paper(
    arxiv_id: str,
    *,
    title: str,
    abstract: str,
    authors: str,
    categories: Sequence[str],
    announcement: Announcement,
    published: datetime | None,
    version: int | None = None,
    comment: str = "",
    doi: str = "",
) -> Entry | str:
    """Build an entry from what arXiv says of a paper.

    Args:
        arxiv_id: In any wrapping that `arxiv_key` knows; its version counts if ``version`` is not given.
        title: As the following texts: with TeX, without HTML.
        abstract: See ``title``.
        authors: In one string, see `split_authors`.
        categories: The primary one first.
        announcement: How it is listed.
        published: When it was announced.
        version: Of the text, from 1.
        comment: Of the authors; often names a venue, or where the code is.
        doi: One or more, with blanks between them.

    Returns:
        The entry, or why there is none.
    """
    key = arxiv_key(arxiv_id)
    if key is None:
        return f"skipped {quoted(title or 'an item')}: no arXiv id in {quoted(arxiv_id)}"
    if not clean_text(title):
        return f"skipped {key}: it has no title"
    bare = key.removeprefix("arxiv:")
    stated = _VERSION.search(arxiv_id.strip())
    return entry(
        key=key,
        title=title,
        # A withdrawn paper keeps its abstract; only the comment says so.
        abstract=f"{comment.strip().rstrip('.')}. {abstract}" if says_withdrawn(comment) else abstract,
        authors=split_authors(authors),
        categories=categories,
        links=(
            link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{bare}"),
            link(LinkKind.PDF, f"https://arxiv.org/pdf/{bare}"),
            *find_links(f"{abstract}\n{comment}"),
        ),
        published=published,
        announcement=announcement,
        version=version or (int(stated[1]) if stated else None),
        ids=(doi_key(each) for each in doi.split()),
        venue=find_venue(comment),
    )


def asked_category(category: str, asked: Collection[str]) -> str | None:
    """The name by which this category is among those that are asked for, if it is.

    A whole archive is asked for as ``cs.*``; ``eess.SY`` is meant by ``cs.SY`` as well.
    """
    for name in (category, _TWIN.get(category, "")):
        if name and (name in asked or f"{name.partition('.')[0]}.*" in asked):
            return name
    return None


def text_in(item: Any, name: str) -> str:
    """A text field of feedparser's item or feed; empty for what is missing, or is no text where the feed is broken."""
    value = item.get(name) if hasattr(item, "get") else None
    return value if isinstance(value, str) else ""


def texts_in(item: Any, name: str, part: str) -> list[str]:
    """One part of each of feedparser's parts of a name: the ``term`` of all ``tags``."""
    return [text_in(each, part) for each in item.get(name) or ()]


def read_xml(page: Page, expected: str) -> ET.Element:
    """Parse XML that declares no types and no entities, so that there is nothing to expand and nothing to fetch.

    Raises:
        SuspiciousError: The page is HTML.
        CollectError: It is no XML, or not to its end, or it has a ``DOCTYPE``.
    """
    refuse_html(page, expected)
    # UTF-16 hides ASCII behind NUL bytes.
    if _DOCTYPE.search(page.body.replace(b"\0", b"")):
        raise CollectError("the XML has a DOCTYPE, which may declare entities")
    try:
        return ET.fromstring(page.body)  # noqa: S314  what makes it unsafe was refused
    except (ET.ParseError, ValueError, LookupError) as exc:
        raise CollectError(f"malformed XML where {expected} was expected: {clean_text(str(exc))}") from exc


def split_authors(creator: str) -> tuple[str, ...]:
    """Split arXiv's one string of authors at its commas and leave out affiliations.

    ``Ada Example (Uni, City), Ben Sample, Jr.`` → ``Ada Example``, ``Ben Sample, Jr.``. Brackets that do not match
    are read as if they were not there. The names still hold TeX.
    """
    creator = creator[:_MAX_CREATOR_CHARS]
    if "<" in creator:
        creator = clean_html(creator)
    names: list[str] = []
    for part in _outside_brackets(creator).split(","):
        # "A. Author, and B. Author" and "P. -W. Lo" are typed by people.
        name = re.sub(r"^and | and$", "", " ".join(part.split())).replace(". -", ".-")
        if names and _SUFFIXES.fullmatch(name):
            names[-1] += f", {name}"
        # A collaboration is written "The X Collaboration, :, A. Author".
        elif any(sign.isalpha() for sign in name) and name.lower().rstrip(".") != "et al":
            names.append(name)
    return tuple(names)


def _outside_brackets(text: str) -> str:
    kept: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return re.sub(r"[()]", " ", text) if depth else " ".join(kept)
