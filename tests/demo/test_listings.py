import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.config.subscribers import load_subscribers
from digest.demo import sample_papers
from digest.demo.listings import load_papers
from digest.demo.server import serve_listings
from digest.match.topics import Reading, compile_topics
from digest.model import Announcement, Entry, LinkKind
from digest.paths import shipped
from digest.ports import Page, Source, Window
from digest.text.clean import clean_text
from digest.text.latex import latex_to_text
from tests.builders import NOW

INVENTED = load_papers()
IN_ARXIV = [paper for paper in INVENTED if not paper.journal]
IN_HUGGING_FACE = [paper for paper in INVENTED if paper.hf]
IN_JOURNAL = [paper for paper in INVENTED if paper.journal]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serve_listings(INVENTED, NOW) as base:
        yield base


def get(url: str, **headers: str) -> tuple[bytes, str, str]:
    with urlopen(Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})) as answer:
        return answer.read(), answer.headers.get_content_type(), answer.headers["ETag"]


def listed(source: Source) -> Sequence[Entry]:
    entries: list[Entry] = []
    for ask in source.asks(Window(since=NOW - timedelta(days=1), until=NOW)):
        body, _, _ = get(ask.url)
        listing = source.parse(Page(url=ask.url, body=body))
        assert listing.problems == ()
        entries += listing.entries
    return entries


def test_arxiv_listing_is_read_by_the_arxiv_source(base: str) -> None:
    entries = listed(Arxiv(("cs.*",), url=f"{base}/rss"))

    assert [entry.key for entry in entries] == [f"arxiv:{paper.arxiv_id}" for paper in IN_ARXIV]
    assert [entry.authors for entry in entries] == [tuple(paper.authors) for paper in IN_ARXIV]
    assert [entry.categories for entry in entries] == [tuple(paper.categories) for paper in IN_ARXIV]
    assert [entry.title for entry in entries] == [paper.title for paper in IN_ARXIV]
    assert [entry.abstract for entry in entries] == [clean_text(latex_to_text(paper.abstract)) for paper in IN_ARXIV]
    assert [str(entry.announcement) for entry in entries] == [paper.announce for paper in IN_ARXIV]
    assert {entry.announcement for entry in entries} == {
        Announcement.NEW,
        Announcement.CROSS,
        Announcement.REPLACE,
    }
    assert all(entry.published and timedelta(0) <= NOW - entry.published < timedelta(days=1) for entry in entries)


def test_arxiv_listing_is_pure_ascii_with_tex_accents(base: str) -> None:
    body, _, _ = get(f"{base}/rss/cs.CL+cs.CV")

    text = body.decode("ascii")

    assert r"J\"urgen A{\ss}mannsh\"auser" in text
    assert r"Bo\.zena Chrz\k{a}szczewska" in text


def test_arxiv_listing_holds_the_asked_categories_only(base: str) -> None:
    entries = listed(Arxiv(("cs.RO", "cs.IR"), url=f"{base}/rss"))

    assert entries
    assert all({"cs.RO", "cs.IR"} & set(entry.categories) for entry in entries)


def test_daily_papers_are_read_by_the_hugging_face_source(base: str) -> None:
    entries = listed(HuggingFace(url=f"{base}/api/daily_papers"))

    assert [entry.key for entry in entries] == [f"arxiv:{paper.arxiv_id}" for paper in IN_HUGGING_FACE]
    for entry, paper in zip(entries, IN_HUGGING_FACE, strict=True):
        assert paper.hf is not None
        assert entry.authors == tuple(paper.authors)
        assert entry.signals.upvotes == paper.hf["upvotes"]
        assert entry.signals.comments == paper.hf["comments"]
        assert entry.signals.stars == paper.hf.get("stars")


def test_other_days_have_no_daily_papers(base: str) -> None:
    body, _, _ = get(f"{base}/api/daily_papers?date=2026-11-19&limit=100")

    assert json.loads(body) == []


def test_journal_is_read_by_the_feed_source(base: str) -> None:
    entries = listed(Feed(f"{base}/journal.xml", "Journal"))

    assert [entry.key for entry in entries] == [f"doi:10.5555/paperround.{paper.number}" for paper in IN_JOURNAL]
    assert [entry.authors for entry in entries] == [tuple(paper.authors) for paper in IN_JOURNAL]
    assert all("<" not in entry.abstract and "follow(" not in entry.abstract for entry in entries)


def test_an_unchanged_listing_is_not_sent_again(base: str) -> None:
    _, _, etag = get(f"{base}/journal.xml")

    with pytest.raises(HTTPError) as caught:
        get(f"{base}/journal.xml", If_None_Match=etag)

    assert caught.value.code == 304
    caught.value.close()


def test_nothing_else_is_served(base: str) -> None:
    with pytest.raises(HTTPError) as caught:
        get(f"{base}/rss")

    assert caught.value.code == 404
    caught.value.close()


def test_papers_are_varied() -> None:
    assert len(INVENTED) == 28
    assert len({paper.number for paper in INVENTED}) == len({paper.title for paper in INVENTED}) == 28
    assert all(500 <= len(paper.abstract) <= 1400 for paper in INVENTED)
    assert max(len(paper.authors) for paper in INVENTED) == 40
    assert any("<" in paper.title and "&" in paper.title for paper in INVENTED)
    assert all(paper.number > 99_000 for paper in INVENTED), "an id that arXiv could give to a real paper"


def test_subscribers_of_the_example_get_some_papers_and_some_papers_nobody() -> None:
    example = shipped("subscribers.example.yaml")
    addresses = {f"{name}_EMAIL": "a@example.org" for name in ("VISION_GROUP", "READING_GROUP")}
    roster = load_subscribers(example, {**addresses, "NADIA_EMAIL": "b@example.org"})
    readings = [Reading(paper) for paper in sample_papers(NOW)]

    matched = [
        {each.paper.key for each in readings if any(topic.judge(each).wants for topic in compile_topics(subscriber))}
        for subscriber in roster.subscribers
    ]

    assert all(4 <= len(keys) < 10 for keys in matched)
    assert len(readings) - len(set().union(*matched)) >= 5
    survey = next(reading.paper for reading in readings if "Survey" in reading.paper.title)
    assert survey.key not in matched[0]


def test_sample_papers_are_merged_news() -> None:
    papers = sample_papers(NOW)

    replaced = [paper for paper in INVENTED if paper.announce == "replace"]
    assert len(papers) == len(INVENTED) - len(replaced)
    assert papers[0].sources == ("arxiv:cs.*", "huggingface:daily")
    assert papers[0].link(LinkKind.DISCUSSION) == "https://huggingface.co/papers/2611.99101"
    assert all(paper.first_seen == NOW and paper.published <= NOW for paper in papers)
