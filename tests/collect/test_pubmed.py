"""PubMed's two steps: a search for ids, then the records."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources.pubmed import Pubmed
from digest.errors import CollectError, SuspiciousError, ThrottledError
from digest.model import Entry
from digest.ports import Ask, Listing, Page, Window
from tests.builders import NOW

SOURCE = Pubmed("invention[tiab] AND science", key="hush", contact="ada@example.org")
SEARCH = SOURCE.asks(Window(since=NOW - timedelta(days=1), until=NOW))[0].url
FETCH = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/efetch.fcgi?db=pubmed"
DOCTYPE = (
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">'
)
DATE = "<PubDate><Year>2026</Year><Month>Nov</Month><Day>3</Day></PubDate>"
ABSTRACT = """<Abstract><AbstractText Label="METHODS">We <i>invent</i>.</AbstractText>
<AbstractText>Twice.</AbstractText></Abstract>"""
AUTHORS = """<AuthorList><Author><LastName>Example</LastName><ForeName>Ada B</ForeName><Initials>AB</Initials></Author>
<Author><LastName>Sample</LastName><Initials>B</Initials><Suffix>Jr</Suffix></Author>
<Author><CollectiveName>The Inventors</CollectiveName></Author></AuthorList>"""


def record(
    pmid: object = 1, *, title: str = "An <i>Invented</i> Paper.", article: str = "", data: str = "", date: str = DATE
) -> str:
    return f"""<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
<Journal><JournalIssue>{date}</JournalIssue><Title>Invention (Nowhere : 1997)</Title></Journal>
<ArticleTitle>{title}</ArticleTitle>{article}</Article></MedlineCitation><PubmedData>{data}</PubmedData></PubmedArticle>"""


def records(*items: str, doctype: str = DOCTYPE) -> bytes:
    return f'<?xml version="1.0" ?>{doctype}<PubmedArticleSet>{"".join(items)}</PubmedArticleSet>'.encode()


def fetched(body: bytes, url: str = FETCH) -> Listing:
    return SOURCE.parse(Page(url, body))


def only(body: bytes) -> Entry:
    listing = fetched(body)
    assert listing.problems == ()
    [entry] = listing.entries
    return entry


def found(**result: object) -> Listing:
    return SOURCE.parse(Page(SEARCH, json.dumps({"esearchresult": result}).encode()))


def query(ask: Ask | None) -> dict[str, str]:
    assert ask is not None
    return {name: values[0] for name, values in parse_qs(urlsplit(ask.url).query).items()}


# the search


def test_the_search_is_for_what_was_indexed_in_the_window_and_two_days_before() -> None:
    assert query(Ask(SEARCH)) == {
        "db": "pubmed",
        "term": "invention[tiab] AND science",
        "datetype": "edat",
        "mindate": "2026/11/17",
        "maxdate": "2026/11/20",
        "retmax": "2000",
        "retmode": "json",
        "tool": "paperround",
        "email": "ada@example.org",
        "api_key": "hush",
    }
    bare = query(Pubmed("x", contact="https://example.org/@ada").asks(Window(since=NOW, until=NOW))[0])
    assert not bare.keys() & {"email", "api_key"}


def test_the_key_is_not_shown() -> None:
    assert "hush" not in repr(SOURCE)
    assert SOURCE.name == "pubmed:invention[tiab] AND science"


def test_ids_are_fetched_two_hundred_at_a_time() -> None:
    ids = [str(number) for number in range(1, 451)]
    listing = found(count="450", idlist=ids)
    assert (listing.doubt, listing.problems) == ("", ())

    asked: list[str] = []
    sizes = []
    ask = listing.next
    while ask:
        chunk = query(ask)["id"].split(",")
        asked += chunk
        sizes.append(len(chunk))
        page = fetched(records(*map(record, chunk)), ask.url)
        assert (len(page.entries), page.problems) == (len(chunk), ())
        ask = page.next

    assert sizes == [200, 200, 50]
    assert asked == ids


def test_nothing_found_is_no_problem() -> None:
    assert found(count="0", idlist=[], warninglist={"outputmessages": ["No items found."]}) == Listing()


def test_fewer_ids_than_stated_are_doubted_and_too_many_named() -> None:
    assert found(count="3", idlist=["1", "2"]).doubt == "it states 3 records and lists 2"

    wide = found(count="42111", idlist=[str(number) for number in range(1, 2001)])
    assert wide.doubt == ""
    assert wide.problems == ("42,111 records match, of which 2,000 are read: the query is too wide",)


def test_what_pubmed_did_not_understand_is_a_problem() -> None:
    listing = found(
        count="1",
        idlist=["1"],
        errorlist={"phrasesnotfound": ["inventoin"], "fieldsnotfound": ["tib"]},
        warninglist={"quotedphrasesnotfound": ['"a b"'], "phrasesignored": ["the"], "outputmessages": ["Hm."]},
    )

    assert listing.next is not None
    assert listing.problems == (
        "PubMed does not know the phrase 'inventoin'",
        "PubMed does not know the field 'tib'",
        "PubMed does not know the quoted phrase '\"a b\"'",
        "PubMed left out 'the'",
        "PubMed says 'Hm.'",
    )


def test_errors_of_the_search() -> None:
    with pytest.raises(CollectError, match="refused: 'Search Backend failed'"):
        found(ERROR="Search Backend failed")
    with pytest.raises(ThrottledError, match="rate limit"):
        SOURCE.parse(Page(SEARCH, b'{"error":"API rate limit exceeded","count":"4"}'))
    with pytest.raises(SuspiciousError):
        SOURCE.parse(Page(SEARCH, b"<html><title>Blocked</title>"))
    with pytest.raises(CollectError):
        SOURCE.parse(Page(SEARCH, b"{}"))


def test_a_query_that_is_repeated_with_its_line_breaks_is_read() -> None:
    body = b'{"esearchresult":{"count":"1","idlist":["1"],"querytranslation":"a\n\tb"}}'

    assert SOURCE.parse(Page(SEARCH, body)).next is not None


# the records


def test_a_record_is_read_whole() -> None:
    ids = """<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.1000/other</ArticleId></ArticleIdList>
</Reference></ReferenceList><ArticleIdList><ArticleId IdType="pmc">PMC9</ArticleId>
<ArticleId IdType="doi">10.1000/AB</ArticleId></ArticleIdList>"""

    entry = only(records(record(42, article=ABSTRACT + AUTHORS, data=ids)))

    assert (entry.key, entry.ids) == ("doi:10.1000/ab", ("pmid:42",))
    assert (entry.title, entry.venue) == ("An Invented Paper", "Invention")
    assert entry.abstract == "METHODS: We invent. Twice."
    assert entry.authors == ("Ada B Example", "B Sample Jr", "The Inventors")
    assert entry.links[0].url == "https://pubmed.ncbi.nlm.nih.gov/42/"
    assert entry.published == datetime(2026, 11, 3, tzinfo=UTC)


def test_a_record_without_doi_is_known_by_its_number() -> None:
    assert only(records(record(42))).key == "pmid:42"
    invalid = '<ELocationID EIdType="doi" ValidYN="N">10.1000/x</ELocationID>'
    assert only(records(record(42, article=invalid))).key == "pmid:42"
    assert only(records(record(42, article=invalid.replace("N", "Y")))).key == "doi:10.1000/x"


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("[An invented paper].", "An invented paper"),
        ("[An invented paper.]", "An invented paper"),
        ("A &lt; B &amp; C?", "A < B & C?"),
        ("H<sub>2</sub>O", "H2O"),
        ("[Not Available].</ArticleTitle><VernacularTitle>Erfunden.</VernacularTitle><ArticleTitle>", "Erfunden"),
    ],
)
def test_titles(raw: str, title: str) -> None:
    assert only(records(record(title=raw))).title == title


@pytest.mark.parametrize(
    ("date", "article", "day"),
    [
        ("<Year>2026</Year><Month>11</Month><Day>3</Day>", "", (2026, 11, 3)),
        ("<Year>2026</Year><Month>Nov</Month>", "", (2026, 11, 1)),
        ("<Year>2026</Year>", "", (2026, 1, 1)),
        ("<Year>2026</Year><Season>Spring</Season>", "", (2026, 1, 1)),
        ("<MedlineDate>2000 Spring</MedlineDate>", "", (2000, 1, 1)),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "", (1998, 12, 1)),
        ("<MedlineDate>2000 Nov 23-30</MedlineDate>", "", (2000, 11, 23)),
        ("<Year>2026</Year><Month>Feb</Month><Day>31</Day>", "", (2026, 1, 1)),
        ("<Year>2027</Year><Month>Jan</Month>", "<Year>2026</Year><Month>11</Month><Day>19</Day>", (2026, 11, 19)),
        ("<Year>9999</Year>", "", None),
        ("<MedlineDate>soon</MedlineDate>", "", None),
        ("", "", None),
    ],
)
def test_odd_dates(date: str, article: str, day: tuple[int, int, int] | None) -> None:
    online = f"<ArticleDate>{article}</ArticleDate>" if article else ""

    entry = only(records(record(date=f"<PubDate>{date}</PubDate>", article=online)))

    assert entry.published == (datetime(*day, tzinfo=UTC) if day else None)


def test_a_printed_date_that_lies_ahead_gives_way_to_the_day_it_came_to_pubmed() -> None:
    entrez = "<Year>2026</Year><Month>11</Month><Day>18</Day><Hour>6</Hour>"
    history = f'<History><PubMedPubDate PubStatus="entrez">{entrez}</PubMedPubDate></History>'

    assert only(records(record(date=DATE.replace("2026", "2027"), data=history))).published == datetime(
        2026, 11, 18, tzinfo=UTC
    )


def test_a_chapter_of_a_book_is_read() -> None:
    chapter = f"""<PubmedBookArticle><BookDocument><PMID>7</PMID><Book><BookTitle>Inventions</BookTitle>
<PubDate><Year>2026</Year></PubDate></Book><ArticleTitle>A chapter</ArticleTitle>{AUTHORS}{ABSTRACT}</BookDocument>
</PubmedBookArticle>"""

    entry = only(records(chapter))

    assert (entry.key, entry.title, entry.venue, len(entry.authors)) == ("pmid:7", "A chapter", "Inventions", 3)


def test_bad_and_missing_records_are_named() -> None:
    url = f"{FETCH}&id=1,2,3,4"
    bare = "<PubmedArticle><MedlineCitation><PMID>3</PMID></MedlineCitation></PubmedArticle>"

    listing = fetched(records(record(1), record(2, title=" "), bare, record("x")), url)

    assert [entry.key for entry in listing.entries] == ["pmid:1"]
    assert listing.problems == (
        "skipped PMID 2: it has no title",
        "skipped PMID 3: it has no article",
        "skipped record 4: it has no PMID",
        "PubMed does not give what it lists: 4",
    )


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE PubmedArticleSet [<!ENTITY a "b">]>',
        '<!DOCTYPE PubmedArticleSet SYSTEM "http://127.0.0.1:1/x" [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
        "<!DOCTYPE PubmedArticleSet []>",
    ],
)
def test_declared_entities_are_refused(doctype: str) -> None:
    with pytest.raises(CollectError, match="declares entities"):
        fetched(records(record(), doctype=doctype))


def test_an_external_definition_is_not_read() -> None:
    entry = only(
        records(record(title="A &alpha; B"), doctype='<!DOCTYPE PubmedArticleSet SYSTEM "file:///etc/passwd">')
    )

    assert entry.title == "A B"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<eFetchResult><ERROR>Cannot retrieve</ERROR></eFetchResult>", "refused: 'Cannot retrieve'"),
        (b"<other/>", "<other> where records were expected"),
        (b'{"error":"API rate limit exceeded"}', "rate limit"),
        (b"{}", "no reason given"),
        (b"", "broken XML"),
        (records(record())[:-9], "broken XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "broken XML"),
        (b"<html>", "HTML page"),
    ],
)
def test_what_are_no_records_is_an_error(body: bytes, error: str) -> None:
    with pytest.raises(CollectError, match=error):
        fetched(body)


@given(st.binary(max_size=300), st.integers(0, 900))
def test_garbage_is_a_collect_error(garbage: bytes, at: int) -> None:
    whole = records(record(article=ABSTRACT + AUTHORS))
    for url in (SEARCH, FETCH):
        for body in (garbage, whole[:at] + garbage + whole[at + len(garbage) :]):
            with suppress(CollectError):
                assert all(entry.title for entry in SOURCE.parse(Page(url, body)).entries)


@given(st.text(max_size=40))
def test_any_text_may_stand_anywhere(text: str) -> None:
    inner = escape("".join(sign for sign in text if sign.isprintable()))

    listing = fetched(records(record(inner, title=inner, article=f"<AbstractText>{inner}</AbstractText>", date=inner)))

    assert len(listing.entries) + len(listing.problems) >= 1


# what the world really sent


def test_a_real_search(real_data: Path) -> None:
    listing = SOURCE.parse(Page(SEARCH, (real_data / "samples" / "pubmed_esearch.json").read_bytes()))

    assert len(query(listing.next)["id"].split(",")) == 5
    assert "42,111 records match" in listing.problems[-1]
    assert listing.doubt


def test_real_records(real_data: Path) -> None:
    paths = [real_data / "samples" / "pubmed_efetch.xml", *sorted((real_data / "samples").glob("entrez_pubmed*.xml"))]
    assert len(paths) > 5
    for path in paths:
        listing = fetched(path.read_bytes())

        assert listing.problems == ()
        assert len(listing.entries) == path.read_bytes().count(b"<PubmedArticle>")
        for entry in listing.entries:
            assert entry.authors
            assert entry.venue
            assert entry.published is not None
            assert entry.key.startswith("doi:") or path.name == "entrez_pubmed1.xml"
            assert entry.ids or entry.key.startswith("pmid:")
            assert not re.search("</?[a-z]", entry.title + entry.abstract)


def test_what_a_search_answers_is_no_record(real_data: Path) -> None:
    for path in (real_data / "samples").glob("entrez_esearch*.xml"):
        with pytest.raises(CollectError, match="eSearchResult"):
            fetched(path.read_bytes())
