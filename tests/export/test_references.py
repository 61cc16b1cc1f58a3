import re
from pathlib import Path

import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from bibtexparser.library import Library
from hypothesis import given, settings
from hypothesis import strategies as st
from pylatexenc.latex2text import LatexNodes2Text

from digest.config.library import read_library
from digest.export.references import name_papers, split_name, write_bibtex, write_ris
from digest.model import Paper, PaperKey
from digest.render.view import safe_title
from digest.render.words import plain
from tests.builders import a_paper

DOI = PaperKey("doi:10.1000/a_b#c%d&e(1)<2>")
PAPERS = (
    a_paper(1, title="On CLIP: 100% of A&B, $5 and #1", authors=("Ludwig van Beethoven", "王小明", "Erdős Pál")),
    a_paper(2, ids=(DOI,), venue="Nature", categories=("math.NT", "cs.CL")),
    a_paper(3, key=PaperKey("doi:10.1000/xyz"), links=(), authors=(), abstract="", categories=()),
    a_paper(4, key=PaperKey("arxiv:hep-th/9901001"), venue="ICML 2026 (oral)", categories=("hep-th",)),
)


def bibtex(*papers: Paper) -> str:
    return write_bibtex(papers, name_papers(papers))


def parsed(text: str) -> Library:
    library = parse_string(text)
    assert not library.failed_blocks
    return library


def only_entry(paper: Paper) -> dict[str, str]:
    (entry,) = parsed(bibtex(paper)).entries
    return {"type": entry.entry_type, "key": entry.key} | {field.key: str(field.value) for field in entry.fields}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ada Lovelace", ("Lovelace", "Ada", "")),
        ("Ludwig van Beethoven", ("van Beethoven", "Ludwig", "")),
        ("van Beethoven, Ludwig", ("van Beethoven", "Ludwig", "")),
        ("Maria de la Cruz", ("de la Cruz", "Maria", "")),
        ("J.-P. Serre", ("Serre", "J.-P.", "")),
        ("Martin Luther King Jr.", ("King", "Martin Luther", "Jr.")),
        ("Smith, Jr., John", ("Smith", "John", "Jr.")),
        ("Plato", ("Plato", "", "")),
        ("王小明", ("王小明", "", "")),
        ("Wei Zhang (张伟)", ("Zhang", "Wei", "")),
        ("ATLAS Collaboration", ("ATLAS Collaboration", "", "")),
        ("The Qwen Team", ("The Qwen Team", "", "")),
        ("Institute of Things and Stuff", ("Institute of Things and Stuff", "", "")),
    ],
)
def test_a_name_is_split_where_the_family_begins(name: str, parts: tuple[str, str, str]) -> None:
    assert split_name(name) == parts


def test_a_suffix_stands_where_each_format_wants_it() -> None:
    paper = a_paper(authors=("Martin Luther King Jr.",))

    assert only_entry(paper)["author"] == "King, Jr., Martin Luther"
    assert rispy.loads(write_ris([paper]))[0]["authors"] == ["King, Martin Luther, Jr."]


def test_an_arxiv_paper_in_bibtex() -> None:
    entry = only_entry(a_paper(1, title="On CLIP and a_b", authors=("Ada van Example", "The X Team", "Plato")))

    assert entry == {
        "type": "misc",
        "key": "vanexample2026clip",
        "author": "van Example, Ada and {The X Team} and Plato",
        "title": r"On {CLIP} and a\_b",
        "year": "2026",
        "eprint": "2611.00001",
        "archivePrefix": "arXiv",
        "primaryClass": "cs.CL",
        "url": "https://arxiv.org/abs/2611.00001",
        "keywords": "cs.CL",
        "abstract": "We invent a paper. It has two sentences.",
    }


@pytest.mark.parametrize(
    ("venue", "bibtex_type", "field", "ris_type"),
    [
        ("", "misc", None, "UNPB"),
        ("Nature Communications", "article", "journal", "JOUR"),
        ("IEEE Transactions on Examples", "article", "journal", "JOUR"),
        ("International Conference on Computer Science", "inproceedings", "booktitle", "CPAPER"),
        ("NeurIPS 2026", "inproceedings", "booktitle", "CPAPER"),
        ("Algorithmica", "misc", "howpublished", "GEN"),
    ],
)
def test_the_venue_says_what_it_is(venue: str, bibtex_type: str, field: str | None, ris_type: str) -> None:
    paper = a_paper(venue=venue)

    entry = only_entry(paper)

    assert entry["type"] == bibtex_type
    assert entry.get(field or "journal") == (venue or None)
    (reference,) = rispy.loads(write_ris([paper]))
    assert reference["type_of_reference"] == ris_type
    assert reference.get("secondary_title", "") == venue


def test_a_venue_that_came_with_a_doi_is_a_journal_and_how_it_was_presented_is_no_part_of_it() -> None:
    published = a_paper(venue="Algorithmica", origins=(("venue", "crossref"), ("doi", "crossref")))

    assert only_entry(published)["journal"] == "Algorithmica"
    assert only_entry(PAPERS[3])["booktitle"] == "ICML 2026"


def test_keys_are_unique_and_those_of_earlier_papers_stay() -> None:
    papers = [a_paper(number, title="The Same Title") for number in (1, 2, 3)]

    assert [*name_papers([*papers, papers[0]]).values()] == [
        "example2026same",
        "example2026same-2",
        "example2026same-3",
    ]
    assert name_papers(papers[:2]).items() < name_papers(papers).items()
    assert name_papers([a_paper(authors=("王小明",), title="虚构")]) == {a_paper().key: "anonymous2026"}


@pytest.mark.parametrize("ending", [".bib", ".ris"])
def test_a_library_of_ours_reads_them_back(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"papers{ending}"
    file.write_text(bibtex(*PAPERS) if ending == ".bib" else write_ris(PAPERS), encoding="utf-8")

    library = read_library(file)

    assert library.complaints == ()
    assert [(each.title, each.abstract) for each in library.examples] == [
        (paper.title, paper.abstract) for paper in PAPERS
    ]
    assert [each.keys[0] for each in library.examples] == [
        PAPERS[0].key,
        *([PAPERS[1].key] if ending == ".bib" else [DOI]),
        PAPERS[2].key,
        PAPERS[3].key,
    ]


def test_authors_survive_both_formats() -> None:
    references = rispy.loads(write_ris(PAPERS[:2]))

    assert references[0]["authors"] == ["van Beethoven, Ludwig", "王小明", "Pál, Erdős"]
    assert only_entry(PAPERS[0])["author"] == "van Beethoven, Ludwig and 王小明 and Pál, Erdős"
    assert [reference["doi"] for reference in references] == ["10.48550/arXiv.2611.00001", DOI.removeprefix("doi:")]


def test_a_title_of_a_megabyte_is_cut() -> None:
    paper = a_paper(title="x" * 1_000_000, abstract="y" * 1_000_000, authors=("z" * 1_000_000,))

    assert len(bibtex(paper)) < 25_000
    assert len(write_ris([paper])) < 25_000


EVIL = st.text(max_size=60) | st.sampled_from(
    ["}", "{", "\\", "@misc{x,", "}\n@misc{x,", "ER  - ", "a\nER  - \nTY  - JOUR", "%", "\0", "\u202egnp.exe", "$x$"]
)


@settings(max_examples=50)
@given(title=EVIL, abstract=EVIL, author=EVIL, venue=EVIL, category=EVIL, doi=EVIL)
def test_nothing_in_a_paper_makes_another_entry(
    title: str, abstract: str, author: str, venue: str, category: str, doi: str
) -> None:
    paper = a_paper(
        title=title,
        abstract=abstract,
        authors=(author, "Ada Example"),
        venue=venue,
        categories=(category,),
        ids=(PaperKey(f"doi:{doi}"),),
    )

    text = bibtex(paper, a_paper(2))

    entries = parsed(text).entries
    assert [entry.fields_dict["eprint"].value for entry in entries] == ["2611.00001", "2611.00002"]
    # BibTeX itself counts every brace, also behind a backslash.
    assert text.count("{") == text.count("}")
    depths = [text[:at].count("{") - text[:at].count("}") for at in range(len(text))]
    assert min(depths) == 0
    references = rispy.loads(write_ris([paper, a_paper(2)]))
    assert [reference["title"] for reference in references] == [safe_title(title), "Invented Paper 2"]
    assert references[0].get("abstract", "") == plain(abstract, 20_000)


@settings(max_examples=50)
@given(st.text(alphabet="abcAB {}\\&%$#_^~é漢<>/.", max_size=40))
def test_tex_reads_the_title_that_was_written(title: str) -> None:
    written = only_entry(a_paper(title=title))["title"]

    # pylatexenc does not know these two.
    known = written.replace(r"\textbraceleft{}", r"\{").replace(r"\textbraceright{}", r"\}")
    read = LatexNodes2Text(keep_comments=True).latex_to_text(known).replace("ˆ", "^").replace("˜", "~")

    assert re.sub(r"\s", "", read) == re.sub(r"\s", "", safe_title(title))
