import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.config.library import Library, read_library
from digest.config.problems import ComplaintError
from digest.model import Example, PaperKey

Read = Callable[[str, str | bytes], Library]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(name: str, data: str | bytes) -> Library:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_library(path)

    return write_and_read


def keys(*texts: str) -> tuple[PaperKey, ...]:
    return tuple(map(PaperKey, texts))


def test_bibtex_loses_its_braces_and_accents(read: Read) -> None:
    library = read(
        "mine.bib",
        r"""@string{j = "A Journal"}
@comment{not an entry}
@article{one, title = {{GRIP}: M{\"u}ller's {\em invented} $\alpha$ grasps}, journal = j,
  abstract = {It has
  two lines.}, doi = {10.1000/ABC\_d}, eprint = {2401.01234v2}, archivePrefix = {arXiv}}
@misc{two, title = "Quoted {T}itle", url = {https://arxiv.org/abs/2402.00001}}
@article{three, title = {From PubMed}, pmid = {123}}
""",
    )

    assert library.complaints == ()
    assert library.examples == (
        Example(
            title="GRIP: Müller's invented α grasps",
            abstract="It has two lines.",
            keys=keys("arxiv:2401.01234", "doi:10.1000/abc_d"),
        ),
        Example(title="Quoted Title", keys=keys("arxiv:2402.00001")),
        Example(title="From PubMed", keys=keys("pmid:123")),
    )


def test_a_bad_entry_of_bibtex_is_told_with_its_line_and_the_rest_counts(read: Read) -> None:
    library = read(
        "mine.bib",
        "@article{a, title = {First}}\n@article{b, title = {never closed\n"
        "@article{c, title = {Third}}\n@article{d, x = {1}}\n"
        "@article{a, title = {Again}}\n",
    )

    assert [example.title for example in library.examples] == ["First", "Third", "Again"]
    assert library.complaints == (
        "mine.bib:2: 'article{b, title = {never closed' cannot be read: a brace, a quote or a comma is missing",
        "mine.bib:4: has neither title nor id",
    )


def test_ris(read: Read) -> None:
    library = read(
        "mine.ris",
        "\ufeffTY  - JOUR\r\nTI  - A title\r\nAB  - It is long,\r\nand goes on.\r\n"
        "AU  - Example, Ada\r\nAU  - Sample, Ben\r\n"
        "DO  - https://doi.org/10.1000/X\r\nUR  - https://arxiv.org/abs/2401.01234v1\r\nER  - \r\n\r\n"
        "TY  - JOUR\r\nT1  - Older tags\r\nN2  - Abstract\r\nER  -\r\n"
        "TY  - JOUR\r\nAU  - Nobody\r\nER  - \r\nTY  - JOUR\r\nTI  - Cut off\r\n",
    )

    assert library.examples == (
        Example(title="A title", abstract="It is long, and goes on.", keys=keys("doi:10.1000/x", "arxiv:2401.01234")),
        Example(title="Older tags", abstract="Abstract"),
    )
    assert library.complaints == (
        "mine.ris:15: has neither title nor id",
        "mine.ris:18: the last entry has no end ('ER  -')",
    )


def test_csl_json(read: Read) -> None:
    entries = [
        {"title": "A <i>title</i>", "abstract": "<p>Text</p>", "DOI": "10.1000/x", "note": "arXiv:2401.01234 [cs]"},
        {"title": 7, "DOI": None},
        "text",
        {"number": "arXiv:2402.00001", "PMID": "99"},
    ]

    library = read("mine.json", json.dumps(entries))

    assert library.examples == (
        Example(title="A title", abstract="Text", keys=keys("doi:10.1000/x", "arxiv:2401.01234")),
        Example(keys=keys("arxiv:2402.00001", "pmid:99")),
    )
    assert library.complaints == (
        "mine.json entry 2: has neither title nor id",
        "mine.json entry 3: 'text' is no entry",
    )
    assert read("wrapped.json", json.dumps({"items": entries})).examples == library.examples


def test_a_list_of_ids(read: Read) -> None:
    library = read(
        "ids.txt",
        "# mine\n2401.01234v2 # the first\n\nhttps://doi.org/10.1000/x\nnonsense\nhttps://example.org/p#2\n2401.01234\n",
    )

    assert library.examples == (
        Example(keys=keys("arxiv:2401.01234")),
        Example(keys=keys("doi:10.1000/x")),
        Example(keys=keys("url:https://example.org/p")),
    )
    assert library.complaints == ("ids.txt:5: 'nonsense' is no arXiv id, DOI or address",)


def a_zotero(path: Path) -> sqlite3.Connection:
    """The tables of Zotero 7 that matter, with three items, one of them in the bin, and an attachment."""
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE itemTypes (itemTypeID INTEGER PRIMARY KEY, typeName TEXT);
        CREATE TABLE items (itemID INTEGER PRIMARY KEY, itemTypeID INT);
        CREATE TABLE fields (fieldID INTEGER PRIMARY KEY, fieldName TEXT);
        CREATE TABLE itemDataValues (valueID INTEGER PRIMARY KEY, value UNIQUE);
        CREATE TABLE itemData (itemID INT, fieldID INT, valueID INT, PRIMARY KEY (itemID, fieldID));
        CREATE TABLE deletedItems (itemID INTEGER PRIMARY KEY);
        INSERT INTO itemTypes VALUES (1, 'journalArticle'), (2, 'attachment');
        INSERT INTO items VALUES (10, 1), (11, 1), (12, 1), (13, 2);
        INSERT INTO fields VALUES (1, 'title'), (2, 'abstractNote'), (3, 'DOI'), (4, 'extra'), (5, 'pages');
        INSERT INTO itemDataValues VALUES (1, 'Kept'), (2, 'Its abstract'), (3, '10.1000/X'), (4, 'Binned'),
            (5, 'arXiv:2401.01234 [cs]'), (6, 'PDF'), (7, '1-2');
        INSERT INTO itemData VALUES (10, 1, 1), (10, 2, 2), (10, 3, 3), (11, 1, 4), (12, 4, 5), (13, 1, 6), (12, 5, 7);
        INSERT INTO deletedItems VALUES (11);
        """
    )
    return database


def test_zoteros_database_is_read_while_zotero_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "my library?.sqlite"
    with closing(a_zotero(path)) as zotero:
        zotero.execute("PRAGMA locking_mode = EXCLUSIVE")
        zotero.execute("BEGIN EXCLUSIVE")
        before = path.read_bytes()

        library = read_library(path)

        assert path.read_bytes() == before
    assert library == Library(
        (
            Example(title="Kept", abstract="Its abstract", keys=keys("doi:10.1000/x")),
            Example(keys=keys("arxiv:2401.01234")),
        ),
        (),
    )


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        pytest.param("mine.docx", b"", "is no library", id="unknown ending"),
        pytest.param(
            "mine.sqlite", b"not a database at all, but long enough" * 9, "no library of Zotero", id="no database"
        ),
        pytest.param("mine.json", b"{", "is no JSON", id="no JSON"),
        pytest.param("deep.json", b"[" * 100_000, "is no JSON", id="nested without end"),
        pytest.param("mine.json", b'{"a": 1}', "holds no list", id="another JSON"),
        pytest.param("big.bib", b" " * (20 * 1024 * 1024 + 1), "more than 20 MB", id="too large"),
    ],
)
def test_what_cannot_be_read_at_all(read: Read, name: str, data: bytes, problem: str) -> None:
    with pytest.raises(ComplaintError, match=problem):
        read(name, data)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ComplaintError, match=r"there is no file '.*none\.bib'"):
        read_library(tmp_path / "none.bib")


def test_at_most_20_000_entries_count(read: Read) -> None:
    library = read("ids.txt", "\n".join(f"10.1000/{number}" for number in range(20_001)))

    assert len(library.examples) == 20_000
    assert library.complaints == ("ids.txt: more than 20,000 entries, the others are left out",)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from([".bib", ".ris", ".json", ".txt"]),
    st.lists(
        st.sampled_from(["@article{", "}", "{", '"', ",", "title", "=", "\n", "TI  - x", "ER  -", "[", "\\", "é", "$"])
    ),
)
def test_any_text_is_read_or_refused(read: Read, ending: str, parts: list[str]) -> None:
    try:
        library = read(f"any{ending}", "".join(parts))
    except ComplaintError:
        return
    assert all(example.title or example.abstract or example.keys for example in library.examples)
