"""PubMed: what was indexed for a query, in two steps, a search for ids and the records themselves.

The search answers in JSON, shortened; the lists of errors and warnings may be missing::

    {"esearchresult": {"count": "431", "retmax": "2000", "idlist": ["42000001", "42000002"],
                       "errorlist": {"phrasesnotfound": ["inventoin"], "fieldsnotfound": []},
                       "warninglist": {"quotedphrasesnotfound": [], "outputmessages": ["No items found."]}}}

The records come in XML, up to 200 at a time, shortened::

    <!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.nlm.nih.gov/…">
    <PubmedArticleSet><PubmedArticle>
      <MedlineCitation><PMID Version="1">42000001</PMID><Article>
        <Journal><JournalIssue><PubDate><Year>2026</Year><Month>Nov</Month></PubDate></JournalIssue>
          <Title>Journal of invention</Title></Journal>
        <ArticleTitle>An <i>invented</i> paper.</ArticleTitle>
        <Abstract><AbstractText Label="METHODS">We invent.</AbstractText></Abstract>
        <AuthorList><Author><LastName>Example</LastName><ForeName>Ada B</ForeName></Author>
          <Author><CollectiveName>The Inventors</CollectiveName></Author></AuthorList>
        <ArticleDate><Year>2026</Year><Month>11</Month><Day>19</Day></ArticleDate>
      </Article></MedlineCitation>
      <PubmedData><ArticleIdList><ArticleId IdType="doi">10.1000/invented</ArticleId></ArticleIdList></PubmedData>
    </PubmedArticle></PubmedArticleSet>

Source: https://www.ncbi.nlm.nih.gov/books/NBK25499/ and recorded answers of 2018 to 2026 (read 2026-11-22).
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import ClassVar
from urllib.parse import urlencode
from xml.parsers import expat

from pydantic import BaseModel

from digest.collect.sources.json_page import (
    Count,
    Texts,
    address_in,
    day_of,
    dict_of,
    earliest,
    query_of,
    read_json,
    text_of,
)
from digest.collect.sources.page import entry, link, quoted, refuse_html
from digest.errors import CollectError, ThrottledError
from digest.model import Entry, LinkKind, PaperKey
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_text, fit
from digest.text.identity import doi_key, pmid_key
from digest.text.links import find_links

_EUTILS = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
# Records are indexed for up to two days after the date that they bear.
_OVERLAP = timedelta(days=2)
_OLDEST = timedelta(days=60)
_MAX_IDS = 2_000
_CHUNK = 200  # the most they take in an address
_NOTHING = "No items found."
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PLACE = re.compile(r" \([^()]*\)$")
_DATE = re.compile(r"(?P<year>\d{4})(?:\s+(?P<month>[A-Za-z]{3,9}|\d{1,2}))?(?:\s+(?P<day>\d{1,2}))?")


class _Lists(BaseModel):
    """What PubMed did not understand."""

    phrasesnotfound: Texts = []
    fieldsnotfound: Texts = []
    quotedphrasesnotfound: Texts = []
    phrasesignored: Texts = []
    outputmessages: Texts = []


class _SearchJson(BaseModel):
    count: Count = None
    idlist: Texts = []


@dataclass(frozen=True)
class Pubmed(Source):
    """What PubMed indexes for one query."""

    query: str
    """As one types it into PubMed: ``asthma[tiab] AND machine learning[mh]``."""
    url: str | None = None
    """Stands in for ``https://eutils.ncbi.nlm.nih.gov/entrez/eutils``."""
    key: str | None = field(default=None, repr=False)
    """A free key raises the limit from 3 to 10 requests a second."""
    contact: str = ""
    """Told to PubMed if it is an e-mail address."""
    allow_private: bool = False
    name: str = ""
    """``pubmed:`` and the query unless given."""
    reach: ClassVar[timedelta | None] = _OLDEST

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"pubmed:{fit(clean_text(self.query), 60)}")

    def asks(self, window: Window) -> Sequence[Ask]:
        """One search for what was indexed in the window and the two days before it, at most 60 days in all.

        Not for what was published then: that date may be months away from the day on which PubMed has it.
        """
        since = window.start(_OVERLAP, _OLDEST)
        dates = {"mindate": f"{since.astimezone(UTC):%Y/%m/%d}", "maxdate": f"{window.until.astimezone(UTC):%Y/%m/%d}"}
        query = {"term": self.query, "datetype": "edat"} | dates | {"retmax": str(_MAX_IDS), "retmode": "json"}
        return (self._ask("esearch", query),)

    def parse(self, page: Page) -> Listing:
        """Read ids, or records; see `Source.parse`."""
        return self._records(page) if "/efetch.fcgi?" in page.url else self._ids(page)

    def _ask(self, tool: str, query: dict[str, str], rest: Sequence[str] = ()) -> Ask:
        """A request to one of the tools.

        Args:
            tool: Its name.
            query: Its parameters.
            rest: Ids to be asked for afterwards, remembered where servers never see them.
        """
        about_us = {"tool": "paperround", "email": address_in(self.contact), "api_key": self.key}
        query = {"db": "pubmed"} | query | {name: value for name, value in about_us.items() if value}
        later = f"#{','.join(rest)}" if rest else ""
        return Ask(f"{(self.url or _EUTILS).rstrip('/')}/{tool}.fcgi?{urlencode(query, safe=',/')}{later}")

    def _fetch(self, ids: Sequence[str]) -> Ask | None:
        query = {"id": ",".join(ids[:_CHUNK]), "retmode": "xml"}
        return self._ask("efetch", query, ids[_CHUNK:]) if ids else None

    def _ids(self, page: Page) -> Listing:
        answer = read_json(page, dict)
        _refuse(text_of(answer.get("error")))
        result = answer.get("esearchresult")
        if not isinstance(result, dict):
            raise CollectError("PubMed's search answered without a result")
        _refuse(text_of(result.get("ERROR")))
        search = _SearchJson.model_validate(result)
        ids = list(dict.fromkeys(text for text in search.idlist if _is_id(text)))[:_MAX_IDS]
        problems = [*_not_understood(result)]
        expected = min(search.count or 0, _MAX_IDS)
        if search.count and search.count > _MAX_IDS:
            problems.append(f"{search.count:,} records match, of which {len(ids):,} are read: the query is too wide")
        doubt = f"it states {search.count:,} records and lists {len(ids):,}" if len(ids) < expected else ""
        return Listing(problems=tuple(problems), doubt=doubt, next=self._fetch(ids))

    def _records(self, page: Page) -> Listing:
        refuse_html(page, "XML")
        if page.body.lstrip()[:1] == b"{":
            _refuse(text_of(read_json(page, dict).get("error")) or "no reason given")
        root = _tree(page.body)
        if root.tag != "PubmedArticleSet":
            _refuse(_plain(root.find("ERROR")) or f"<{root.tag}> where records were expected")
        entries: list[Entry] = []
        problems: list[str] = []
        given: set[str] = set()
        for number, record in enumerate(root, 1):
            if record.tag not in ("PubmedArticle", "PubmedBookArticle"):
                continue
            pmid = _plain(record.find("MedlineCitation/PMID")) or _plain(record.find("BookDocument/PMID"))
            given.add(pmid)
            read = _read(record, pmid)
            if isinstance(read, Entry):
                entries.append(read)
            else:
                problems.append(f"skipped {f'PMID {pmid}' if _is_id(pmid) else f'record {number}'}: {read}")
        asked = query_of(page.url).get("id", "").split(",")
        if missing := [pmid for pmid in asked if pmid and pmid not in given]:
            named = fit(", ".join(missing), 80)
            problems.append(f"PubMed does not give what it lists: {named}")
        rest = [pmid for pmid in page.url.partition("#")[2].split(",") if _is_id(pmid)]
        return Listing(entries=tuple(entries), problems=tuple(problems), next=self._fetch(rest))


def _refuse(error: str) -> None:
    if "rate limit" in error.lower() or "too many requests" in error.lower():
        raise ThrottledError(f"PubMed: {quoted(error)}")
    if error:
        raise CollectError(f"PubMed refused: {quoted(error)}")


def _not_understood(result: dict[str, object]) -> Iterator[str]:
    """PubMed leaves out what it does not know and searches for the rest, which may be everything."""
    for kind in ("errorlist", "warninglist"):
        lists = _Lists.model_validate(dict_of(result.get(kind)))
        for what, texts in (
            ("does not know the phrase", lists.phrasesnotfound),
            ("does not know the field", lists.fieldsnotfound),
            ("does not know the quoted phrase", lists.quotedphrasesnotfound),
            ("left out", lists.phrasesignored),
            ("says", [text for text in lists.outputmessages if text != _NOTHING]),
        ):
            yield from (f"PubMed {what} {quoted(text)}" for text in islice(texts, 10))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _tree(body: bytes) -> ET.Element:
    """Parse XML whose DOCTYPE may name a definition, which is never read, but must not hold one.

    Raises:
        CollectError: It is broken, or it declares entities.
    """
    builder, parser = ET.TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_internal
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as exc:
        raise CollectError(f"broken XML ({quoted(str(exc))[1:-1]})") from exc


def _refuse_internal(_name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
    if has_internal_subset:
        raise CollectError("the XML declares entities")


def _read(record: ET.Element, pmid: str) -> Entry | str:
    """An entry, or why there is none."""
    if not _is_id(pmid) or not (key := pmid_key(f"pmid:{pmid}")):
        return "it has no PMID"
    article = record.find("MedlineCitation/Article")
    if article is None:
        article = record.find("BookDocument")
    if article is None:
        return "it has no article"
    title = _title(article)
    if not title:
        return "it has no title"
    doi, abstract = _doi(record, article), _abstract(article)
    address = f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"
    return entry(
        key=doi or key,
        title=title,
        abstract=abstract,
        authors=map(_person, article.iterfind("AuthorList/Author")),
        links=(link(LinkKind.ABSTRACT, address), *find_links(abstract)),
        published=_published(record, article),
        ids=(key,),
        venue=_venue(article),
    )


def _plain(element: ET.Element | None) -> str:
    return clean_text("".join(element.itertext())) if element is not None else ""


def _title(article: ET.Element) -> str:
    titles = (_plain(article.find(path)) for path in ("ArticleTitle", "VernacularTitle", "Book/BookTitle"))
    title = next((title for title in titles if title and title != "[Not Available]."), "").removesuffix(".")
    # A title in brackets is PubMed's translation.
    return title[1:-1].removesuffix(".") if title.startswith("[") and title.endswith("]") else title


def _venue(article: ET.Element) -> str:
    """The journal, without the place in brackets and the subtitle that tell it from its namesakes."""
    title = _plain(article.find("Journal/Title")) or _plain(article.find("Book/BookTitle"))
    return _PLACE.sub("", title).partition(" : ")[0]


def _abstract(article: ET.Element) -> str:
    parts = []
    for part in article.iterfind("Abstract/AbstractText"):
        label, text = clean_text(part.get("Label", "")), _plain(part)
        parts.append(f"{label}: {text}" if label and label != "UNLABELLED" and text else text)
    return " ".join(filter(None, parts))


def _person(author: ET.Element) -> str:
    given = _plain(author.find("ForeName")) or _plain(author.find("Initials"))
    person = [given, _plain(author.find("LastName")), _plain(author.find("Suffix"))]
    return _plain(author.find("CollectiveName")) or " ".join(filter(None, person))


def _doi(record: ET.Element, article: ET.Element) -> PaperKey | None:
    # Not any ArticleId: references have theirs.
    stated = [*record.iterfind("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")]
    stated += record.iterfind("BookDocument/ArticleIdList/ArticleId[@IdType='doi']")
    stated += (at for at in article.iterfind("ELocationID[@EIdType='doi']") if at.get("ValidYN") != "N")
    return next(filter(None, (doi_key(_plain(element)) for element in stated)), None)


def _published(record: ET.Element, article: ET.Element) -> datetime | None:
    """The first whole date of its appearance, in print, online or in PubMed; else what there is of the printed one."""
    printed = article.find("Journal/JournalIssue/PubDate")
    if printed is None:
        printed = article.find("Book/PubDate")
    dates = [printed, *article.iterfind("ArticleDate"), *article.iterfind("ContributionDate")]
    dates += record.iterfind("PubmedData/History/PubMedPubDate[@PubStatus='entrez']")
    dates += record.iterfind("PubmedBookData/History/PubMedPubDate[@PubStatus='entrez']")
    whole = earliest(*(_day(parts) for parts in map(_parts, dates) if len(parts) == 3))
    return whole or _day(_parts(printed))


def _parts(date: ET.Element | None) -> tuple[str, ...]:
    """Year, month and day as far as they are stated: ``2026 Nov``, ``2000 Spring``, ``1998 Dec-1999 Jan``."""
    if date is None:
        return ()
    named = (_plain(date.find(name)) for name in ("Year", "Month", "Day"))
    match = _DATE.match(_plain(date.find("MedlineDate")) or " ".join(filter(None, named)))
    if not match:
        return ()
    name = (match["month"] or "")[:3].lower()
    month = str(_MONTHS.index(name) + 1) if name in _MONTHS else match["month"]
    return tuple(takewhile(bool, (match["year"], month, match["day"])))


def _day(parts: Sequence[str]) -> datetime | None:
    """The day; of a season, or another word in the month's place, the year counts."""
    return day_of(*parts) or day_of(parts[0]) if parts else None
