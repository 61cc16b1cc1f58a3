"""arXiv and Hugging Face as they were on the recorded days, over loopback HTTP, in simulated time, and with faults.

The recorded announcement of a day is on arXiv's listing pages from 20:00 in New York of the evening before, in OAI-PMH
and in the query API from 22:30, and in the feed from midnight, for one day. What the records lack is made up: a few
invented papers for weekdays that were not recorded; the categories of papers, which agree with how each was announced;
and when they were submitted, which follows from their numbers, but moderators hold one in a hundred for up to 24 days.
Hugging Face's lists grow through the day.
"""

import gzip
import hashlib
import json
import re
import socket
import struct
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from enum import StrEnum
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
FEEDS = (("cs.CL", "cs.CV", "cs.MM", "cs.LG", "cs.SI"), ("cs.SD", "eess.AS"))
"""The categories of the two recorded feeds."""
_ELSEWHERE = ("math.OC", "stat.ML", "q-bio.NC")
# Without an announcement on the evening of Juneteenth, there was no batch on the day after.
_CLOSED = frozenset({date(2025, 6, 20)})
_OAI_PAGE = 1_000
_DAY = timedelta(days=1)


class Fault(StrEnum):
    """What can be wrong with an answer."""

    LATE = "the batch before"
    STALE = "the batch before, dated today"
    STALE_CATEGORY = "the batch before of one category"
    EMPTY = "no entries"
    FORBIDDEN = "403"
    NOT_ACCEPTABLE = "406"
    TOO_MANY = "429, come back in an hour"
    UNAVAILABLE = "503"
    RATE = "'Rate exceeded.' with 200"
    TRUNCATED = "half a body"
    CUT = "half a document, as if it were whole"
    HTML = "a maintenance page"
    RESET = "connection reset"
    REFUSED = "connection refused"

    @property
    def is_old_news(self) -> bool:
        """Whether the answer is well formed, and only shows that something is wrong to who misses a batch."""
        return self in (Fault.LATE, Fault.STALE, Fault.STALE_CATEGORY, Fault.EMPTY)


class Way(StrEnum):
    """The parts of the mirror, by the start of their path."""

    FEED = "/rss/"
    LISTING = "/list/"
    OAI = "/oai"
    API = "/api/query"
    HUGGINGFACE = "/api/daily_papers"


ARXIV = frozenset(Way) - {Way.HUGGINGFACE}
HOSTS = {
    Way.FEED: "rss.arxiv.org",
    Way.LISTING: "arxiv.org",
    Way.OAI: "oaipmh.arxiv.org",
    Way.API: "export.arxiv.org",
    Way.HUGGINGFACE: "huggingface.co",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of some ways, for some time."""

    fault: Fault
    ways: frozenset[Way]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One paper in one batch."""

    id: str
    version: int
    title: str
    abstract: str
    authors: str
    kinds: tuple[str | None, ...]
    """How each of `FEEDS` announced it, if it did."""
    day: date
    categories: tuple[str, ...]
    """After it, primary first."""
    added: frozenset[str]
    """The categories on whose pages it is new or cross-listed; none if it is replaced."""
    submitted: tuple[datetime, ...]
    """When each version was."""


def recorded_days(data: Path) -> list[date]:
    return sorted(date.fromisoformat(path.name[:10]) for path in (data / "arxiv-rss" / "days").glob("*.json.gz"))


class Archive:
    """What was announced from one day to another, both included, by day."""

    def __init__(self, data: Path, first: date, last: date) -> None:
        self.recorded = frozenset(day for day in recorded_days(data) if first <= day <= last)
        span = [first + number * _DAY for number in range((last - first).days + 1)]
        self.days = [day for day in span if day.weekday() < 5 and day not in _CLOSED]
        raw = {day: _recorded(data, day) if day in self.recorded else _invented(day) for day in self.days}
        self._submitted = _Submissions(raw)
        self.batches = self._add_categories(raw)
        self.touched = frozenset(event.id for day in self.days for event in _touched(day))
        """Older papers of which only a comment changed: in OAI-PMH, but never announced."""

    @cached_property
    def histories(self) -> dict[str, list[Event]]:
        """All that happened to each paper, in order."""
        histories: defaultdict[str, list[Event]] = defaultdict(list)
        for day in self.days:
            for event in (*self.batches[day], *_touched(day)):
                histories[event.id].append(event)
        return histories

    def before(self, day: date) -> date:
        """The batch before."""
        return self.days[max(0, self.days.index(day) - 1)]

    def _add_categories(self, raw: dict[date, dict[str, "_Raw"]]) -> dict[date, list[Event]]:
        home: dict[str, str] = {}
        for papers in raw.values():
            for paper_id, paper in papers.items():
                for feed, kind in enumerate(paper.kinds):
                    if kind in ("new", "replace"):
                        home.setdefault(paper_id, _pick(FEEDS[feed], paper_id))
        current: dict[str, tuple[str, ...]] = {}
        batches: dict[date, list[Event]] = {}
        for day, papers in raw.items():
            batches[day] = []
            for paper_id, paper in papers.items():
                known = current.get(paper_id, (home.get(paper_id) or _pick(_ELSEWHERE, paper_id),))
                categories = known
                for feed, kind in enumerate(paper.kinds):
                    left = [each for each in FEEDS[feed] if each not in categories]
                    if left and (kind == "cross" or (kind == "replace-cross" and len(left) == len(FEEDS[feed]))):
                        categories = (*categories, _pick(left, paper_id))
                is_first = "new" in paper.kinds
                added = categories if is_first else categories[len(known) :] if "cross" in paper.kinds else ()
                current[paper_id] = categories
                submitted = self._submitted.of(paper_id, paper.version, day, is_replaced=not added)
                batches[day].append(Event(paper_id, *paper, day, categories, frozenset(added), submitted))
        return batches


class _Raw(tuple[int, str, str, str, tuple[str | None, ...]]):
    """Version, title, abstract, authors and kinds of a paper on one day."""

    __slots__ = ()

    @property
    def version(self) -> int:
        return self[0]

    @property
    def kinds(self) -> tuple[str | None, ...]:
        return self[4]


def _recorded(data: Path, day: date) -> dict[str, _Raw]:
    feeds = json.loads(gzip.decompress((data / "arxiv-rss" / "days" / f"{day}.json.gz").read_bytes()))
    papers: dict[str, _Raw] = {}
    for number, feed in enumerate(feeds.values()):
        for item in feed["entries"]:
            found = re.fullmatch(r"oai:arXiv\.org:(\S+)v(\d+)", item["id"])
            summary = re.fullmatch(r"\S+ Announce Type: (\S+) \nAbstract: (.*)", item["summary"], re.DOTALL)
            assert found, item["id"]
            assert summary, item["summary"]
            kinds = list(papers[found[1]].kinds if found[1] in papers else [None] * len(FEEDS))
            kinds[number] = summary[1]
            texts = (int(found[2]), item["title"], summary[2], item["author"])
            papers[found[1]] = _Raw((*texts, tuple(kinds)))
    return papers


def _invented(day: date) -> dict[str, _Raw]:
    """Eight new papers and four cross-lists for each feed."""
    papers = {}
    for number in range(24):
        kind = "cross" if number % 3 == 0 else "new"
        kinds = (kind, None) if number < 12 else (None, kind)
        texts = (
            1,
            f"Invented Paper {number} of {day}",
            f"We invent {number} of {day}.",
            f"Ada{number} Example{day:%j}",
        )
        papers[f"{day:%y%m}.9{day:%d}{number:02}"] = _Raw((*texts, kinds))
    return papers


@cache
def _touched(day: date) -> tuple[Event, ...]:
    """Older papers that get a comment on this day: first and later versions, of an own and of another primary."""
    submitted = datetime(2023, 2, 3, 4, 5, tzinfo=UTC)
    return tuple(
        Event(
            f"23{1 + number:02}.{day:%m%d}{number}",
            version,
            f"An Older Invented Paper {number} of {day}",
            "We invented.",
            f"Ben{number} Sample{day:%j}",
            (None, None),
            day,
            (primary, "cs.CL", "cs.SD"),
            frozenset(),
            tuple(submitted + number * _DAY for number in range(version)),
        )
        for number, (version, primary) in enumerate([(1, "cs.LG"), (3, "cs.LG"), (1, "math.OC"), (2, "math.OC")])
    )


class _Submissions:
    """When papers were submitted: arXiv numbers them in that order, months following each other without a gap."""

    def __init__(self, raw: dict[date, dict[str, _Raw]]) -> None:
        self._marks: list[tuple[int, datetime]] = []
        for day, papers in raw.items():
            numbers = sorted(
                _number(each) for each, paper in papers.items() if "new" in paper.kinds and not _is_invented(each)
            )
            if numbers:
                self._marks.append((numbers[len(numbers) // 2], _middle(day)))

    def of(self, paper_id: str, version: int, day: date, *, is_replaced: bool) -> tuple[datetime, ...]:
        last = _freeze(day) - timedelta(hours=2, minutes=_hash(paper_id) % 600)
        first = _middle(day) if _is_invented(paper_id) else min(self._first(paper_id), last)
        if _hash(paper_id) % 100 == 0:  # by moderators
            first -= timedelta(days=_hash(paper_id) // 100 % 25)
        if not is_replaced:  # a newer version was announced well before it was cross-listed
            last = first + (last - first) / 2
        return tuple(first + (last - first) * (number / max(1, version - 1)) for number in range(version))

    def _first(self, paper_id: str) -> datetime:
        if not re.fullmatch(r"\d{4}\.\d{5}", paper_id):
            return datetime(2005, 5, 5, tzinfo=UTC)
        number = _number(paper_id)
        at = bisect_right(self._marks, number, key=lambda mark: mark[0])
        if at == len(self._marks):
            return self._marks[-1][1]
        if at == 0:
            low, end = self._marks[0]
            return end - timedelta(days=(low - number) / 1_000)
        (low, start), (high, end) = self._marks[at - 1 : at + 1]
        return start + (end - start) * ((number - low) / (high - low))


def _is_invented(paper_id: str) -> bool:
    return paper_id[5:6] == "9"


def _number(paper_id: str) -> int:
    year, month, number = int(paper_id[:2]), int(paper_id[2:4]), int(paper_id[5:10])
    return (year * 12 + month) * 25_000 + number


def _freeze(day: date) -> datetime:
    """Up to when papers are submitted that the batch of this day announces."""
    return new_york(day - (3 if day.weekday() == 0 else 1) * _DAY, 14)


def _middle(day: date) -> datetime:
    return _freeze(day) - timedelta(days=1.5 if day.weekday() == 1 else 0.5)


def new_york(day: date, hour: float) -> datetime:
    return (datetime.combine(day, time(0), NEW_YORK) + timedelta(hours=hour)).astimezone(UTC)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _pick(names: Sequence[str], paper_id: str) -> str:
    return names[_hash(paper_id) % len(names)]


@dataclass
class Mirror:
    """Answers as arXiv and Hugging Face would at the time of `now`."""

    archive: Archive
    data: Path
    now: datetime
    troubles: list[Trouble] = field(default_factory=list)
    served: list[tuple[str, Fault | None]] = field(default_factory=list)
    """Path and fault of each answer; the test empties it."""
    port: int = 0

    def url(self, way: Way) -> str:
        """What stands in for the real address: the same host, but in clear and at this port."""
        return f"http://{HOSTS[way]}:{self.port}{way.rstrip('/')}"

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Everything is here; what refuses connections is where nobody listens."""
        way = next(way for way, name in HOSTS.items() if name == host)
        if self.fault(way) is Fault.REFUSED:
            self.served.append((way, Fault.REFUSED))
            return ["::1"]
        return ["127.0.0.1"]

    def fault(self, way: Way) -> Fault | None:
        return next(
            (each.fault for each in self.troubles if way in each.ways and each.since <= self.now < each.until), None
        )

    def shown(self) -> date | None:
        """The batch in the feed."""
        day = self.now.astimezone(NEW_YORK).date()
        return day if day in self.archive.batches else None

    def listed(self) -> date:
        """The batch on the listing pages."""
        return max((day for day in self.archive.days if new_york(day, -4) <= self.now), default=self.archive.days[0])

    def answer(self, path: str, fault: Fault | None) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        match next(way for way in Way if url.path.startswith(way)):
            case Way.FEED:
                return 200, "application/rss+xml", self._feed(url.path.rpartition("/")[2], fault)
            case Way.LISTING:
                return 200, "text/html; charset=utf-8", self._listing(url.path.split("/")[2], fault)
            case Way.OAI:
                return 200, "text/xml; charset=utf-8", self._oai(query)
            case Way.API:
                return 200, "application/atom+xml; charset=utf-8", self._api(query)
            case Way.HUGGINGFACE:
                body = self._huggingface(parse_qs(url.query)["date"][0])
                return (200, "application/json", body) if body is not None else (404, "application/json", b"{}")

    def _feed(self, subjects: str, fault: Fault | None) -> bytes:
        feed = FEEDS.index(tuple(subjects.split("+")))
        day = self.shown()
        today = self.now.astimezone(NEW_YORK).date()
        built = today
        items = [event for event in self.archive.batches[day] if event.kinds[feed]] if day else []
        if day and fault in (Fault.LATE, Fault.STALE, Fault.STALE_CATEGORY):
            before = self.archive.before(day)
            old = [event for event in self.archive.batches[before] if event.kinds[feed]]
            if fault is Fault.STALE_CATEGORY:
                category = FEEDS[feed][0]
                items = [event for event in items if not _is_new_in(event, feed, category)]
                old = [event for event in old if _is_new_in(event, feed, category)]
                items = [*old, *items]
            else:
                items = old
                built = before if fault is Fault.LATE else today
        elif fault is Fault.EMPTY:
            items = []
        return rss(subjects, built, items, feed)

    def _listing(self, category: str, fault: Fault | None) -> bytes:
        day = self.listed()
        batch = self.archive.before(day) if fault in (Fault.LATE, Fault.STALE) else day
        events = [] if fault is Fault.EMPTY else self.archive.batches[batch]
        return listing(category, batch if fault is Fault.LATE else day, events)

    def _records(self) -> Iterator[Event]:
        """The state of each paper, oldest change first."""
        for history in self.archive.histories.values():
            events = [event for event in history if new_york(event.day, -1.5) <= self.now]
            if events:
                yield events[-1]

    def _oai(self, query: dict[str, str]) -> bytes:
        if token := query.get("resumptionToken"):
            query = dict(parse_qsl(token))
        wanted = query["set"].split(":")
        since, skip = date.fromisoformat(query["from"]), int(query.get("skip", "0"))
        records = sorted(
            (
                event
                for event in self._records()
                if event.day >= since and any(_set(each)[: len(wanted)] == wanted for each in event.categories)
            ),
            key=lambda event: (event.day, event.id),
        )
        more = skip + _OAI_PAGE < len(records)
        return oai(records[skip:][:_OAI_PAGE], urlencode({**query, "skip": skip + _OAI_PAGE}) if more else "")

    def _api(self, query: dict[str, str]) -> bytes:
        wanted = set(re.findall(r"cat:([\w.-]+)", query["search_query"]))
        between = re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]", query["search_query"])
        assert between
        since, until = (datetime.strptime(each, "%Y%m%d%H%M").replace(tzinfo=UTC) for each in between.groups())
        found = sorted(
            (event.submitted[0], event.id, event)
            for event in self._records()
            if wanted & set(event.categories) and since <= event.submitted[0] <= until
        )
        start, most = int(query["start"]), int(query["max_results"])
        return atom([event for *_, event in found[start:][:most]], len(found), start)

    def _huggingface(self, day: str) -> bytes | None:
        path = self.data / "hf-daily" / "raw" / f"{day}.json.gz"
        opened = datetime.fromisoformat(f"{day}T00:00+00:00")
        if not path.exists() or self.now < opened:
            return None
        items = json.loads(gzip.decompress(path.read_bytes()))
        part = min(1.0, (self.now - opened) / _DAY + 0.1)
        return json.dumps(items[: round(len(items) * part)]).encode()


def _is_new_in(event: Event, feed: int, category: str) -> bool:
    return event.kinds[feed] == "new" and event.categories[0] == category


def rss(subjects: str, built: date, events: Iterable[Event], feed: int) -> bytes:
    """The feed as https://rss.arxiv.org/rss/ writes it: pure ASCII."""
    title = f"{', '.join(subjects.split('+'))} updates on arXiv.org"
    head = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        f'version="2.0">\n  <channel>\n    <title>{title}</title>\n'
        f"    <link>http://rss.arxiv.org/rss/{subjects}</link>\n    <description>{title}</description>\n"
        "    <docs>http://www.rssboard.org/rss-specification</docs>\n    <language>en-us</language>\n"
        f"    <lastBuildDate>{format_datetime(new_york(built, 0.2))}</lastBuildDate>\n"
        "    <managingEditor>rss-help@arxiv.org</managingEditor>\n"
        f"    <pubDate>{format_datetime(new_york(built, 0).astimezone(NEW_YORK))}</pubDate>\n"
        "    <skipDays>\n      <day>Sunday</day>\n      <day>Saturday</day>\n    </skipDays>\n"
    )
    parts = [head]
    for event in events:
        kind = event.kinds[feed]
        categories = "".join(f"      <category>{each}</category>\n" for each in event.categories)
        summary = f"arXiv:{event.id}v{event.version} Announce Type: {kind} \nAbstract: {event.abstract}"
        parts.append(
            f"    <item>\n      <title>{escape(event.title)}</title>\n"
            f"      <link>https://arxiv.org/abs/{event.id}</link>\n"
            f"      <description>{escape(summary)}</description>\n"
            f'      <guid isPermaLink="false">oai:arXiv.org:{event.id}v{event.version}</guid>\n{categories}'
            f"      <pubDate>{format_datetime(new_york(event.day, 0).astimezone(NEW_YORK))}</pubDate>\n"
            f"      <arxiv:announce_type>{kind}</arxiv:announce_type>\n"
            f"      <dc:creator>{escape(event.authors)}</dc:creator>\n    </item>\n"
        )
    parts.append("  </channel>\n</rss>\n")
    return "".join(parts).encode("ascii", "xmlcharrefreplace")


def listing(category: str, day: date, events: Iterable[Event]) -> bytes:
    """The page https://arxiv.org/list/CATEGORY/new."""
    sections: dict[str, list[Event]] = {"New": [], "Cross": [], "Replacement": []}
    for event in events:
        if category in event.added:
            sections["New" if category == event.categories[0] else "Cross"].append(event)
        elif category in event.categories and not event.added:
            sections["Replacement"].append(event)
    total = sum(map(len, sections.values()))
    head = (
        f"<!DOCTYPE html>\n<html lang=\"en\"><head><title>{category}</title></head><body><div id='dlpage'>\n"
        f"<h3>Showing new listings for {day:%A, %-d %B %Y}</h3>\n<div class='paging'>Total of {total} entries </div>\n"
    )
    parts = [head]
    if not total:
        parts.append("<p>No updates today.</p>")
    for name, section in sections.items():
        if not section:
            continue
        shown = f"showing {len(section)} of {len(section)} entries"
        parts.append(f"<dl id='articles'>\n<h3>{name} submissions ({shown})</h3>\n")
        for number, event in enumerate(section, 1):
            first, *others = (f"A Subject ({each})" for each in event.categories)
            subjects = "; ".join([f'<span class="primary-subject">{first}</span>', *others])
            authors = ", ".join(f'<a href="/a">{escape(name)}</a>' for name in _names(event.authors))
            note = f" (cross-list from {event.categories[0]})" if name == "Cross" else ""
            parts.append(
                f"<dt>\n<a name='item{number}'>[{number}]</a>\n"
                f'<a href ="/abs/{event.id}" title="Abstract" id="{event.id}"> arXiv:{event.id} </a>{note}\n'
                f'[<a href="/pdf/{event.id}" title="Download PDF" id="pdf-{event.id}">pdf</a>]\n</dt>\n'
                "<dd>\n<div class='meta'>\n<div class='list-title mathjax'><span class='descriptor'>Title:</span> "
                f"{escape(event.title)} </div>\n<div class='list-authors'>{authors}</div>\n"
                f"<div class='list-subjects'><span class='descriptor'>Subjects:</span> {subjects} </div>\n"
                f"<p class='mathjax'> {escape(event.abstract)} </p>\n</div>\n</dd>\n"
            )
        parts.append("</dl>\n")
    parts.append("</div></body></html>\n")
    return "".join(parts).encode()


def _names(authors: str) -> list[str]:
    return [name for name in re.split(r"\s*,\s*", re.sub(r"\s*\([^()]*\)", "", authors)) if name]


def oai(records: Sequence[Event], token: str) -> bytes:
    """An answer of https://oaipmh.arxiv.org/oai in the format arXivRaw."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">\n'
        '<request verb="ListRecords" metadataPrefix="arXivRaw">https://oaipmh.arxiv.org/oai</request>\n'
    )
    parts = [head]
    if not records:
        return f"{head}<error code='noRecordsMatch'>No records match</error>\n</OAI-PMH>\n".encode()
    parts.append("<ListRecords>\n")
    for event in records:
        sets = "".join(f"<setSpec>{':'.join(_set(each))}</setSpec>" for each in event.categories)
        versions = "".join(
            f'<version version="v{number}"><date>{format_datetime(when, usegmt=True)}</date><size>10kb</size></version>'
            for number, when in enumerate(event.submitted, 1)
        )
        parts.append(
            f"<record><header><identifier>oai:arXiv.org:{event.id}</identifier><datestamp>{event.day}</datestamp>{sets}"
            f'</header><metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{event.id}</id>'
            f"<submitter>A Submitter</submitter>{versions}<title>{escape(event.title)}</title>"
            f"<authors>{escape(event.authors)}</authors><categories>{' '.join(event.categories)}</categories>"
            f"<abstract>  {escape(event.abstract)}\n</abstract></arXivRaw></metadata></record>\n"
        )
    if token:
        parts.append(f"<resumptionToken>{escape(token)}</resumptionToken>\n")
    parts.append("</ListRecords>\n</OAI-PMH>\n")
    return "".join(parts).encode()


def _set(category: str) -> list[str]:
    archive, _, subject = category.partition(".")
    return [archive, archive, subject]


def atom(events: Sequence[Event], total: int, start: int) -> bytes:
    """An answer of https://export.arxiv.org/api/query."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">\n'
        f"<opensearch:totalResults>{total}</opensearch:totalResults><opensearch:startIndex>{start}"
        "</opensearch:startIndex>\n"
    )
    parts = [head]
    for event in events:
        authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in _names(event.authors))
        terms = "".join(
            f'<category term="{each}" scheme="http://arxiv.org/schemas/atom"/>' for each in event.categories
        )
        parts.append(
            f"<entry><id>http://arxiv.org/abs/{event.id}v{event.version}</id><title>{escape(event.title)}</title>"
            f"<published>{event.submitted[0]:%Y-%m-%dT%H:%M:%SZ}</published><summary>{escape(event.abstract)}</summary>"
            f'{terms}<arxiv:primary_category term="{event.categories[0]}"/>{authors}</entry>\n'
        )
    return ("".join(parts) + "</feed>\n").encode()


_HTML = b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body>Back soon.</body></html>"
_STATUS = {
    Fault.FORBIDDEN: 403,
    Fault.NOT_ACCEPTABLE: 406,
    Fault.TOO_MANY: 429,
    Fault.UNAVAILABLE: 503,
}


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        way = next(way for way in Way if self.path.startswith(way))
        fault = self.mirror.fault(way)
        self.mirror.served.append((self.path, fault))
        if fault is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif status := fault and _STATUS.get(fault):
            headers = {"Retry-After": "3600"} if fault is Fault.TOO_MANY else {}
            self._send(status, "text/html", b"<html><title>No</title></html>", headers)
        elif fault is Fault.RATE:
            self._send(200, "text/plain", b"Rate exceeded.")
        elif fault is Fault.HTML:
            self._send(200, "text/html", _HTML)
        else:
            self._answer(*self.mirror.answer(self.path, fault), fault)

    def _answer(self, status: int, kind: str, body: bytes, fault: Fault | None) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if fault is Fault.CUT:
            body = body[: len(body) // 2]
        elif status == 200 and self.headers["If-None-Match"] == etag:
            status, body = 304, b""
        self._send(status, kind, body, {"ETag": etag}, is_half=fault is Fault.TRUNCATED)

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None, *, is_half: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if is_half else body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output to the point."""


@contextmanager
def mirroring(mirror: Mirror) -> Iterator[Mirror]:
    """Serve it on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"mirror": mirror}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror.port = server.server_port
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
