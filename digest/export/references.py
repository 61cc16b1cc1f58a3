r"""Papers for reference managers, as BibTeX and RIS.

One paper in both::

@misc{lovelace2026notes,                    TY  - UNPB
    author = {Lovelace, Ada},               TI  - Notes on {CLIP}
    title = {Notes on {CLIP}},              AU  - Lovelace, Ada
    year = {2026},                          PY  - 2026
    eprint = {2611.00001},                  …
    archivePrefix = {arXiv},                UR  - https://arxiv.org/abs/2611.00001
    primaryClass = {cs.CL},                 ER  -
    …
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import rispy
from bibtexparser.entrypoint import write_string
from bibtexparser.library import Library
from bibtexparser.middlewares.names import parse_single_name_into_parts
from bibtexparser.middlewares.parsestack import default_unparse_stack
from bibtexparser.model import Block, Entry, Field

from digest.match.names import SUFFIXES
from digest.model import Paper, PaperKey
from digest.render.view import safe_title, safe_url
from digest.render.words import plain
from digest.text.fold import NEVER_JOINED, fold

_MAX_ABSTRACT = 20_000
_MAX_NAME = 120
# TeX's own signs. Braces become words, as BibTeX counts them even behind a backslash.
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    | {sign: f"\\{sign}" for sign in "&%$#_"}
)
# What a style may not write small: CLIP, LLaVA.
_NAMED = re.compile(r"[^\W_]+[A-Z][^\W_]*")
_GROUP = re.compile(
    r"\b(?:collaborations?|consortium|team|group|project|initiative|committee|association|institute|society|university"
    r"|laborator(?:y|ies)|cent(?:er|re)|foundation|investigators|network)\b",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"(?<=\w)\s*[(（][^()（）]*[)）]$")
_PRESENTATION = re.compile(r"\s*\((?:oral|poster|spotlight|highlight)[^()]*\)$", re.IGNORECASE)
_JOURNAL = re.compile(
    r"\b(?:journal|transactions|trans\.|letters|lett\.|review|rev\.|annals|magazine|bulletin|nature|science|cell|lancet"
    r"|J\.|Phys\.|JMLR|TMLR|TPAMI|TACL|IJCV|PLOS)(?!\w)",
    re.IGNORECASE,
)
_MEETING = re.compile(
    r"\b(?:proceedings|proc\.|conference|conf\.|workshops?|symposium|congress|colloquium|meeting)(?!\w)", re.IGNORECASE
)
_ACRONYM_AND_YEAR = re.compile(r"\b[A-Z][A-Za-z]*[A-Z][A-Za-z]* ?(?:['’]|20)\d\d\b")


class _Kind(Enum):
    """What a reference is: the types that BibTeX and RIS have for it, and the BibTeX field of its venue."""

    ARTICLE = ("article", "JOUR", "journal")
    PROCEEDINGS = ("inproceedings", "CPAPER", "booktitle")
    # RIS has no word for a preprint; reference managers read and write this one.
    PREPRINT = ("misc", "UNPB", "howpublished")
    OTHER = ("misc", "GEN", "howpublished")


def write_bibtex(papers: Sequence[Paper], keys: Mapping[PaperKey, str]) -> str:
    """A BibTeX file of these papers, Unicode kept.

    Args:
        papers: In the order of the file.
        keys: See `name_papers`.
    """
    entries: list[Block] = [
        Entry(_kind(paper).value[0], keys[paper.key], [Field(name, text) for name, text in _bibtex(paper) if text])
        for paper in papers
    ]
    # In place: the entries are ours, and copying them takes longer than all the rest.
    return write_string(Library(entries), unparse_stack=default_unparse_stack(allow_inplace_modification=True))


def write_ris(papers: Sequence[Paper]) -> str:
    """A RIS file of these papers."""
    return str(rispy.dumps([_ris(paper) for paper in papers], implementation=_RisWriter))


def name_papers(papers: Sequence[Paper]) -> dict[PaperKey, str]:
    """Citation keys, each once: ``lovelace2026notes``, and ``lovelace2026notes-2`` for the next that would have it."""
    keys: dict[PaperKey, str] = {}
    taken: Counter[str] = Counter()
    for paper in papers:
        if paper.key not in keys:
            stem = _stem(paper)
            taken[stem] += 1
            keys[paper.key] = stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"
    return keys


class Name(NamedTuple):
    """A name in parts, each of which may be empty; a group of people is all family."""

    family: str
    given: str = ""
    suffix: str = ""


def split_name(name: str) -> Name:
    """``van Beethoven``, ``Ludwig`` and nothing behind.

    Where a family name begins follows BibTeX: at the first word in small letters, else with the last word.
    """
    name = _BRACKETS.sub("", plain(name, _MAX_NAME)).strip(" ,;")
    if is_group(name):
        return Name(name)
    words = name.split()
    if "," not in name and len(words) > 2 and fold(words[-1]).strip(".") in SUFFIXES:
        return split_name(" ".join(words[:-1]))._replace(suffix=words[-1])
    # Braces, ~ and backslashes mean something to BibTeX's rules, and nothing in a name.
    parts = parse_single_name_into_parts(re.sub(r"[{}~\\]", " ", name), strict=False)
    return Name(*(" ".join(words).strip(" ,;") for words in ((*parts.von, *parts.last), parts.first, parts.jr)))


def is_group(name: str) -> bool:
    """Whether this is no person: a collaboration, or several names in one."""
    return bool(_GROUP.search(name)) or name.count(",") > 2 or " and " in name.lower()


class _RisWriter(rispy.RisWriter):  # type: ignore[misc]  # untyped
    def set_header(self, count: int) -> str:  # noqa: ARG002
        """None: some programs take its number for a part of the first title."""
        return ""


def _bibtex(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "author", " and ".join(_bibtex_name(name) for name in _names(paper))
    yield "title", _NAMED.sub(r"{\g<0>}", safe_title(paper.title).translate(_TEX))
    yield "year", f"{paper.published.year}"
    yield _kind(paper).value[2], _venue(paper).translate(_TEX)
    if number := _id(paper, "arxiv"):
        yield "eprint", number
        yield "archivePrefix", "arXiv"
        yield "primaryClass", next((each for each in paper.categories if re.fullmatch(r"[a-z-]+(\.[\w-]+)?", each)), "")
    # These two are taken letter by letter.
    yield "doi", _doi(paper)
    yield "url", _url(paper).replace("{", "%7B").replace("}", "%7D")
    yield "keywords", ", ".join(plain(category, 80).replace(",", " ") for category in paper.categories).translate(_TEX)
    yield "abstract", plain(paper.abstract, _MAX_ABSTRACT).translate(_TEX)


def _bibtex_name(name: str) -> str:
    split = split_name(name)
    escaped = ", ".join(filter(None, (split.family, split.suffix, split.given))).translate(_TEX)
    return f"{{{escaped}}}" if is_group(name) else escaped


def _ris_name(name: str) -> str:
    """The suffix comes last here: ``Family, Given, Jr.``."""
    return ", ".join(filter(None, split_name(name)))


def _ris(paper: Paper) -> dict[str, str | list[str]]:
    kind = _kind(paper)
    number = _id(paper, "arxiv")
    fields: dict[str, str | list[str]] = {
        "type_of_reference": kind.value[1],
        "title": safe_title(paper.title),
        "authors": [_ris_name(name) for name in _names(paper)],
        "year": f"{paper.published.year}",
        "date": f"{paper.published:%Y/%m/%d}",
        "secondary_title": _venue(paper),
        # arXiv registers one for every paper: https://info.arxiv.org/help/doi.html, read 2026-11-22.
        "doi": _doi(paper) or (f"10.48550/arXiv.{number}" if number else ""),
        "urls": [url] if (url := _url(paper)) else [],
        "keywords": [plain(category, 80) for category in paper.categories],
        "abstract": plain(paper.abstract, _MAX_ABSTRACT),
    }
    return {name: value for name, value in fields.items() if value}


def _names(paper: Paper) -> list[str]:
    return [name for name in (plain(author, _MAX_NAME) for author in paper.authors) if any(map(str.isalnum, name))]


def _venue(paper: Paper) -> str:
    return _PRESENTATION.sub("", plain(paper.venue, 200))


def _kind(paper: Paper) -> _Kind:
    venue = _venue(paper)
    # In this order: of a conference on science, and of a journal that is called as a conference.
    if _MEETING.search(venue):
        return _Kind.PROCEEDINGS
    if venue and (_JOURNAL.search(venue) or "doi" in dict(paper.origins)):
        return _Kind.ARTICLE
    if _ACRONYM_AND_YEAR.search(venue):
        return _Kind.PROCEEDINGS
    return _Kind.OTHER if venue or not _id(paper, "arxiv") else _Kind.PREPRINT


def _id(paper: Paper, kind: str) -> str:
    """The first identity of this kind, without it."""
    found = (key.partition(":") for key in (paper.key, *paper.ids))
    return next((plain(given, 300) for of, _, given in found if of == kind), "")


def _doi(paper: Paper) -> str:
    doi = _id(paper, "doi")
    # No DOI in use has one of these; a file that cannot be read has.
    return "" if re.search(r"[{}\\\s]", doi) else doi


def _url(paper: Paper) -> str:
    return safe_url(paper.url) or ""


def _stem(paper: Paper) -> str:
    names = _names(paper)
    family = split_name(names[0]).family if names else ""
    words = [word for word in map(_ascii, plain(paper.title).split()) if len(word) > 2 and word not in NEVER_JOINED]
    return f"{_ascii(family) or 'anonymous'}{paper.published.year}{next(iter(words), '')}"[:60]


def _ascii(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", fold(text))
