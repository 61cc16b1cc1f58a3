"""Reads a reader's library: BibTeX, RIS, CSL JSON, Zotero's database, or a list of ids.

What counts is title, abstract and identities::

    @article{key, title = {…}, abstract = {…}, doi = {10.1000/x}, eprint = {2401.01234}}    .bib
    TI  - … / AB  - … / DO  - 10.1000/x / ER  -                                             .ris
    [{"title": "…", "abstract": "…", "DOI": "10.1000/x", "URL": "…"}]                       .json
    2401.01234  # one id, DOI or address a line                                             .txt
"""

import json
import logging
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from digest.config.problems import ComplaintError, shown
from digest.model import Example, PaperKey
from digest.text.clean import clean_html, clean_text
from digest.text.identity import arxiv_key, doi_key, parse_key, pmid_key
from digest.text.latex import latex_to_text

_MAX_BYTES = 20 * 1024 * 1024
_MAX_ENTRIES = 20_000
_MAX_CHARS = 20_000
"""Of one title or abstract."""
_ARXIV_IN_EXTRA = re.compile(r"arxiv:\s*(\S+)", re.IGNORECASE)
_RIS_LINE = re.compile(r"([A-Z][A-Z0-9])  -(?: (.*))?")
_BRACES = re.compile(r"(?<!\\)[{}]")

Found = tuple[str, Example | str]
"""Where an entry stands, and what it is; or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Library:
    """The works of a library."""

    examples: tuple[Example, ...]
    complaints: tuple[str, ...]
    """A line for each entry that cannot be used: where it stands, and what is wrong."""


def read_library(path: Path) -> Library:
    """Read a library of at most 20 MB and 20,000 entries; Zotero's database may be larger.

    Args:
        path: The ending says what it is: ``.bib``, ``.ris``, ``.json``, ``.txt``, ``.sqlite``.

    Raises:
        ComplaintError: Nothing of it can be read.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ComplaintError(
            f"{shown(path, 500)} is no library",
            f"name a file that ends in {', '.join(_READERS)}, or an arXiv id or DOI",
        )
    try:
        if not path.is_file():
            raise ComplaintError(
                f"there is no file {shown(path, 500)}", "the path starts at the folder of the subscribers file"
            )
        found = list(islice(read(path), _MAX_ENTRIES + 1))
    except OSError as exc:
        raise ComplaintError(f"{shown(path, 500)} cannot be read: {exc.strerror}", "check its permissions") from exc
    complaints = [f"{path.name}{where}: {entry}" for where, entry in found[:_MAX_ENTRIES] if isinstance(entry, str)]
    if len(found) > _MAX_ENTRIES:
        complaints.append(f"{path.name}: more than {_MAX_ENTRIES:,} entries, the others are left out")
    examples = dict.fromkeys(entry for _, entry in found[:_MAX_ENTRIES] if isinstance(entry, Example))
    return Library(tuple(examples), tuple(complaints))


def _text_of(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise ComplaintError(f"{shown(path, 500)} has more than 20 MB", "export only the collection that matters")
    data = path.read_bytes()
    try:
        # Programs for Windows write a mark first.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _example(title: object, abstract: object, *ids: PaperKey | None) -> Example | str:
    """An entry, if it has a title, an abstract or an identity."""
    texts = [text[:_MAX_CHARS] if isinstance(text, str) else "" for text in (title, abstract)]
    keys = tuple(dict.fromkeys(key for key in ids if key))
    if not any(texts) and not keys:
        return "has neither title nor id"
    return Example(title=texts[0], abstract=texts[1], keys=keys)


def _read_bibtex(path: Path) -> Iterator[Found]:
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import DuplicateBlockKeyBlock, Entry, ParsingFailedBlock

    # It logs what it cannot read; we tell it ourselves.
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    parsed = parse_string(_text_of(path))
    for block in parsed.blocks:
        where = f":{(block.start_line or 0) + 1}"
        # One entry twice under one key is two entries.
        entry = block.ignore_error_block if isinstance(block, DuplicateBlockKeyBlock) else block
        if isinstance(entry, Entry):
            fields = {field.key.lower(): str(field.value) for field in entry.fields}
            yield where, _bibtex_example(fields)
        elif isinstance(block, ParsingFailedBlock):
            # Without the @, which would make it an address.
            start = shown((block.raw or "").partition("\n")[0].lstrip("@"))
            yield where, f"{start} cannot be read: a brace, a quote or a comma is missing"


def _bibtex_example(fields: Mapping[str, str]) -> Example | str:
    prefix = fields.get("archiveprefix", fields.get("eprinttype", "arxiv")).lower()
    eprint = _plain(fields.get("eprint", ""))
    return _example(
        _plain_tex(fields.get("title", "")),
        _plain_tex(fields.get("abstract", "")),
        arxiv_key(eprint) if prefix == "arxiv" else pmid_key(f"pmid:{eprint}") if prefix == "pubmed" else None,
        doi_key(_plain(fields.get("doi", ""))),
        pmid_key(f"pmid:{_plain(fields.get('pmid', ''))}"),
        _key_of_url(_plain(fields.get("url", ""))),
    )


def _plain_tex(value: str) -> str:
    """Braces that only keep capitals are gone, TeX is text."""
    return clean_text(_BRACES.sub("", latex_to_text(value[:_MAX_CHARS])))


def _plain(value: str) -> str:
    return value.strip().replace("\\", "").strip("{}")


def _key_of_url(url: str) -> PaperKey | None:
    """What an address names; of any other page it says nothing that a paper would be known by."""
    return arxiv_key(url) or doi_key(url) or pmid_key(url)


def _read_ris(path: Path) -> Iterator[Found]:
    fields: defaultdict[str, list[str]] = defaultdict(list)
    first, tag = 0, ""
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        match = _RIS_LINE.fullmatch(line.strip("\ufeff").rstrip())
        if match is None:
            # Some programs break long texts.
            if tag and line.strip():
                fields[tag].append(line.strip())
        elif match[1] == "ER":
            yield f":{first}", _ris_example(fields)
            fields, tag = defaultdict(list), ""
        else:
            tag = match[1]
            first = first if fields else number
            # Of authors and addresses there are many.
            fields[tag].append(match[2] or "")
    if fields:
        yield f":{first}", "the last entry has no end ('ER  -')"


def _ris_example(fields: Mapping[str, Sequence[str]]) -> Example | str:
    def said(*tags: str) -> str:
        return next((text for tag in tags if (text := " ".join(fields.get(tag, ())).strip())), "")

    urls = [url for tag in ("UR", "L1", "L2") for url in said(tag).split()]
    return _example(
        clean_text(said("TI", "T1")),
        clean_text(said("AB", "N2")),
        doi_key(said("DO")),
        *map(_key_of_url, urls),
    )


def _read_csl(path: Path) -> Iterator[Found]:
    try:
        entries = json.loads(_text_of(path))
    except (ValueError, RecursionError) as exc:
        raise ComplaintError(f"{shown(path, 500)} is no JSON: {exc}", "export it again as CSL JSON") from exc
    if isinstance(entries, dict):
        entries = entries.get("items")
    if not isinstance(entries, list):
        raise ComplaintError(f"{shown(path, 500)} holds no list of entries", "export it again as CSL JSON")
    for number, entry in enumerate(entries, 1):
        where = f" entry {number}"
        yield where, _csl_example(entry) if isinstance(entry, dict) else f"{shown(entry)} is no entry"


def _csl_example(entry: Mapping[str, Any]) -> Example | str:
    def field(name: str) -> str:
        value = entry.get(name)
        return value[:_MAX_CHARS] if isinstance(value, str) else ""

    return _example(
        clean_html(field("title")),
        clean_html(field("abstract")),
        *_keys_of(field("DOI"), field("URL"), field("note"), field("number")),
        pmid_key(f"pmid:{field('PMID')}"),
    )


def _keys_of(doi: str, url: str, extra: str, number: str) -> Iterator[PaperKey | None]:
    """Identities as Zotero keeps them: the arXiv id stands in "Extra", or as ``arXiv:…`` in the report number."""
    yield doi_key(doi)
    yield _key_of_url(url)
    yield from map(arxiv_key, _ARXIV_IN_EXTRA.findall(f"{extra}\n{number}"))


_ZOTERO = """
SELECT items.itemID, fields.fieldName, itemDataValues.value
FROM items JOIN itemData USING (itemID) JOIN fields USING (fieldID) JOIN itemDataValues USING (valueID)
JOIN itemTypes USING (itemTypeID)
WHERE fields.fieldName IN ('title', 'abstractNote', 'DOI', 'url', 'extra', 'archiveID', 'number')
AND itemTypes.typeName NOT IN ('attachment', 'note', 'annotation')
AND items.itemID NOT IN (SELECT itemID FROM deletedItems)
ORDER BY items.itemID
"""


def _read_zotero(path: Path) -> Iterator[Found]:
    # Zotero locks its database as long as it runs; immutable reads it all the same, as it was last written.
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    fields: dict[str, str] = {}
    last: int | None = None
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            for item, name, value in database.execute(_ZOTERO):
                if item != last and fields:
                    yield f" item {last}", _zotero_example(fields)
                    fields = {}
                last = item
                fields[name] = str(value)[:_MAX_CHARS]
    except sqlite3.Error as exc:
        raise ComplaintError(f"{shown(path, 500)} is no library of Zotero: {exc}", "name its zotero.sqlite") from exc
    if fields:
        yield f" item {last}", _zotero_example(fields)


def _zotero_example(fields: Mapping[str, str]) -> Example | str:
    number = f"{fields.get('number', '')}\n{fields.get('archiveID', '')}"
    keys = _keys_of(fields.get("DOI", ""), fields.get("url", ""), fields.get("extra", ""), number)
    return _example(clean_html(fields.get("title", "")), clean_html(fields.get("abstractNote", "")), *keys)


def _read_list(path: Path) -> Iterator[Found]:
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        # An address may hold a # of its own.
        text = "" if line.lstrip().startswith("#") else re.split(r"\s#", line, maxsplit=1)[0].strip()
        if text:
            key = parse_key(text)
            yield f":{number}", Example(keys=(key,)) if key else f"{shown(text)} is no arXiv id, DOI or address"


_READERS: Mapping[str, Callable[[Path], Iterator[Found]]] = {
    ".bib": _read_bibtex,
    ".ris": _read_ris,
    ".json": _read_csl,
    ".txt": _read_list,
    ".sqlite": _read_zotero,
}
