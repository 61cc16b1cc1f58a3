"""Invented papers, and the listings that arXiv, Hugging Face and a journal would make of them."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

# Fixed, so that a later day brings no new papers; arXiv numbers no month as high as 99,000, so that no link leads to
# somebody's real paper.
_MONTH = "2611"
# Crossref keeps the prefix 10.5555 for examples.
_DOI = "10.5555/paperround"
_ARXIV_ZONE = ZoneInfo("America/New_York")

_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0307": ".", "\u0308": '"',
    "\u0306": "u", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
_LETTERS = {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "ı": "i"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InventedPaper:
    """One row of ``papers.json``."""

    number: int
    title: str
    abstract: str
    authors: Sequence[str]
    categories: Sequence[str]
    announce: str
    hf: Mapping[str, Any] | None = None
    """What Hugging Face says of it, under its own names; ``None`` if it is not listed there."""
    journal: bool = False
    """Listed by the journal alone."""

    @property
    def arxiv_id(self) -> str:
        """Without a version."""
        return f"{_MONTH}.{self.number}"


def load_papers() -> tuple[InventedPaper, ...]:
    """Every invented paper."""
    rows = json.loads(files("digest.demo").joinpath("papers.json").read_text(encoding="utf-8"))
    return tuple(InventedPaper(**row) for row in rows)


def arxiv_rss(papers: Iterable[InventedPaper], categories: Sequence[str], day: datetime) -> bytes:
    """The announcements of these categories as https://rss.arxiv.org/rss has them: pure ASCII, accents as TeX."""
    midnight = day.astimezone(_ARXIV_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    announced = format_datetime(midnight)
    query = "+".join(categories)
    items = "".join(
        _arxiv_item(paper, announced)
        for paper in papers
        if not paper.journal and any(_is_within(category, categories) for category in paper.categories)
    )
    return f"""\
<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" \
xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">
  <channel>
    <title>{escape(query)} updates on arXiv.org</title>
    <link>http://rss.arxiv.org/rss/{escape(query)}</link>
    <description>{escape(query)} updates on the arXiv.org e-print archive.</description>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <language>en-us</language>
    <lastBuildDate>{announced}</lastBuildDate>
    <managingEditor>rss-help@arxiv.org</managingEditor>
    <pubDate>{announced}</pubDate>
    <skipDays>
      <day>Sunday</day>
      <day>Saturday</day>
    </skipDays>
{items}  </channel>
</rss>
""".encode("ascii", "xmlcharrefreplace")


def _arxiv_item(paper: InventedPaper, announced: str) -> str:
    version = f"{paper.arxiv_id}v{2 if paper.announce.startswith('replace') else 1}"
    categories = "".join(f"      <category>{escape(category)}</category>\n" for category in paper.categories)
    return f"""\
    <item>
      <title>{escape(_tex(paper.title))}</title>
      <link>https://arxiv.org/abs/{paper.arxiv_id}</link>
      <description>arXiv:{version} Announce Type: {paper.announce}&#32;
Abstract: {escape(_tex(paper.abstract))}</description>
      <guid isPermaLink="false">oai:arXiv.org:{version}</guid>
{categories}      <pubDate>{announced}</pubDate>
      <arxiv:announce_type>{paper.announce}</arxiv:announce_type>
      <dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights>
      <dc:creator>{escape(_tex(", ".join(paper.authors)))}</dc:creator>
    </item>
"""


def _is_within(category: str, wanted: Sequence[str]) -> bool:
    return any(category == each or category.startswith(f"{each.removesuffix('.*')}.") for each in wanted)


def _tex(text: str) -> str:
    r"""Write letters with accents as arXiv does: ``René Ždárský`` becomes ``Ren\'e \v{Z}d\'arsk\'y``."""
    return "".join(map(_tex_letter, unicodedata.normalize("NFC", text)))


def _tex_letter(letter: str) -> str:
    if letter in _LETTERS:
        return f"{{\\{_LETTERS[letter]}}}"
    apart = unicodedata.normalize("NFD", letter)
    if len(apart) != 2 or apart[1] not in _ACCENTS:
        return letter
    base, accent = apart[0], _ACCENTS[apart[1]]
    return f"\\{accent}{{{base}}}" if accent.isalpha() else f"\\{accent}{base}"


def daily_papers(papers: Iterable[InventedPaper], day: date) -> bytes:
    """A day's list as https://huggingface.co/api/daily_papers has it."""
    at = f"{day.isoformat()}T00:00:00.000Z"
    return json.dumps([_daily_item(paper, paper.hf, at) for paper in papers if paper.hf]).encode()


def _daily_item(paper: InventedPaper, hf: Mapping[str, Any], at: str) -> dict[str, object]:
    fields = {name: hf[name] for name in ("upvotes", "githubRepo", "ai_summary") if name in hf}
    if "stars" in hf:
        fields["githubStars"] = hf["stars"]
    return {
        "paper": {
            "id": paper.arxiv_id,
            "authors": [
                {"_id": f"{paper.number:016x}{number:08x}", "name": name, "hidden": False}
                for number, name in enumerate(paper.authors)
            ],
            "publishedAt": at,
            "submittedOnDailyAt": at,
            "title": paper.title,
            "summary": paper.abstract,
            "discussionId": f"{paper.number:024x}",
            **fields,
        },
        "publishedAt": at,
        "title": paper.title,
        "summary": paper.abstract,
        "numComments": hf["comments"],
        "isAuthorParticipating": False,
    }


def journal_rss(papers: Iterable[InventedPaper], day: datetime) -> bytes:
    """A journal's feed in RSS 2.0, with DOIs and with HTML in its descriptions."""
    midnight = day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    items = "".join(_journal_item(paper, format_datetime(midnight)) for paper in papers if paper.journal)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">
  <channel>
    <title>Annals of Invented Biology</title>
    <link>https://journal.example.org/</link>
    <description>A journal that exists in this demonstration only.</description>
    <lastBuildDate>{format_datetime(midnight)}</lastBuildDate>
{items}  </channel>
</rss>
""".encode()


def _journal_item(paper: InventedPaper, published: str) -> str:
    first, _, rest = paper.abstract.partition(". ")
    page = (
        f"<div class='abstract'>\n<p><b>{escape(first)}.</b> {escape(rest)}</p>"
        "<p><a href='https://journal.example.org/join'><img src='https://journal.example.org/ad.gif' alt=''></a></p>"
        "<script>follow('the reader')</script></div>"
    )
    creators = "".join(f"      <dc:creator>{escape(author)}</dc:creator>\n" for author in paper.authors)
    return f"""\
    <item>
      <title>{escape(paper.title)}</title>
      <link>https://journal.example.org/articles/{paper.number}</link>
      <guid isPermaLink="false">{_DOI}.{paper.number}</guid>
      <dc:identifier>doi:{_DOI}.{paper.number}</dc:identifier>
      <pubDate>{published}</pubDate>
{creators}      <description>{escape(page)}</description>
    </item>
"""
