"""The parsers on invented pages, and on what the world really sent."""

import gzip
import html
import importlib.util
import io
import json
import re
import sys
from contextlib import redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.collect.sources.arxiv import split_authors
from digest.errors import CollectError
from digest.model import Announcement, Entry, LinkKind, Signals
from digest.ports import Listing, Page, Source, Window
from tests.builders import NOW
from tests.collect.pages import feed, hf, hf_item, rss, rss_item

ARXIV = Arxiv(("cs.CL", "cs.CV"))
HF = HuggingFace()
BLOG = Feed("https://blog.example/feed", "blog")


def listing(source: Source, body: bytes, charset: str | None = None) -> Listing:
    return source.parse(Page("https://source.example/", body, "", charset))


def only(source: Source, body: bytes) -> Entry:
    read = listing(source, body)
    assert read.problems == ()
    [entry] = read.entries
    return entry


# arXiv


def test_arxiv_asks_once_for_all_categories() -> None:
    assert ARXIV.name == "arxiv:cs.CL+cs.CV"
    assert ARXIV.first_urls(Window(NOW, NOW)) == ("https://rss.arxiv.org/rss/cs.CL+cs.CV",)
    mirror = Arxiv(("cs.*", "math.CO"), url="https://mirror.example/rss/", name="mine")
    assert mirror.first_urls(Window(NOW, NOW)) == ("https://mirror.example/rss/cs+math.CO",)
    assert mirror.name == "arxiv:mine"


def test_an_arxiv_item_is_read_whole() -> None:
    item = rss_item(
        title=r"Poincar\'e's $\mathcal{O}(n)$ <b> & more",
        abstract="We invent 50\\% if a<b and c>d &amp; so.\nCode: https://github.com/ada/invented.",
        authors=r"Ada Ex\'ample (Uni, City), Ben Sample, Jr., Cid (X (Y, Z)) Case,  ",
    )

    entry = only(ARXIV, rss(item))

    assert entry.key == "arxiv:2611.00001"
    assert entry.title == "Poincaré's 𝒪(n) <b> & more"
    assert entry.abstract == "We invent 50% if a<b and c>d &amp; so. Code: https://github.com/ada/invented."
    assert entry.authors == ("Ada Exámple", "Ben Sample, Jr.", "Cid Case")
    assert entry.categories == ("cs.CL", "cs.LG")
    assert [(link.kind, link.url) for link in entry.links] == [
        (LinkKind.ABSTRACT, "https://arxiv.org/abs/2611.00001"),
        (LinkKind.PDF, "https://arxiv.org/pdf/2611.00001"),
        (LinkKind.CODE, "https://github.com/ada/invented"),
    ]
    assert entry.published == datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert entry.announcement is Announcement.NEW


@pytest.mark.parametrize("kind", list(Announcement))
def test_announcements_are_told_apart(kind: Announcement) -> None:
    assert only(ARXIV, rss(rss_item(kind=kind))).announcement is kind


def test_an_unknown_announcement_is_news() -> None:
    assert only(ARXIV, rss(rss_item(kind="revived"))).announcement is Announcement.NEW


def test_an_old_id_is_read() -> None:
    assert only(ARXIV, rss(rss_item(arxiv_id="astro-ph/0601001"))).key == "arxiv:astro-ph/0601001"


def test_an_empty_weekend_is_no_error() -> None:
    assert listing(ARXIV, rss()) == Listing()


def test_a_wrong_category_is_an_error() -> None:
    with pytest.raises(CollectError, match="refused the query: 'Feed error for query: xx'"):
        listing(ARXIV, rss(title="Feed error for query: xx"))


def test_items_without_id_or_title_are_skipped_by_name() -> None:
    read = listing(ARXIV, rss(rss_item(1, arxiv_id="nonsense"), rss_item(2, title=" \n"), rss_item(3)))

    assert [entry.key for entry in read.entries] == ["arxiv:2611.00003"]
    assert read.problems == (
        "skipped 'An Invented Paper': no arXiv id in 'oai:arXiv.org:nonsensev1'",
        "skipped arxiv:2611.00002: it has no title",
    )


def test_untrusted_fields_are_capped() -> None:
    authors = ", ".join(f"Author {number}x" for number in range(6_000))

    entry = only(ARXIV, rss(rss_item(title="t " * 10_000, abstract="a " * 100_000, authors=authors)))

    assert (len(entry.title), len(entry.abstract), len(entry.authors)) <= (500, 20_000, 5_000)
    assert entry.title.endswith("…")


@pytest.mark.parametrize(
    ("creator", "names"),
    [
        ("Ada Example", ("Ada Example",)),
        ("A, B and C (Uni (Dept, X), City), D", ("A", "B and C", "D")),
        ("Ada (Uni, City, Ben", ("Ada Uni", "City", "Ben")),
        ("The X Collaboration, :, Ada, et al.", ("The X Collaboration", "Ada")),
        ("Ada Example III, Ben, PhD, Cid, Sr.", ("Ada Example III", "Ben, PhD", "Cid, Sr.")),
        ('<a href="http://x/">Ada</a>, <a href="http://y/">Ben</a> (Z)', ("Ada", "Ben")),
        (" , ,", ()),
    ],
)
def test_authors_are_split(creator: str, names: tuple[str, ...]) -> None:
    assert split_authors(creator) == names


# Hugging Face


def test_hugging_face_is_asked_for_every_day_of_the_window_and_the_one_before() -> None:
    urls = HF.first_urls(Window(NOW - timedelta(days=1), NOW))

    assert [url.partition("?")[2] for url in urls] == [f"date=2026-11-{day}&limit=100" for day in (18, 19, 20)]
    assert len(HF.first_urls(Window(NOW - timedelta(days=99), NOW))) == 8


def test_a_hugging_face_item_is_read_whole() -> None:
    entry = only(HF, hf(hf_item()))

    assert (entry.key, entry.title, entry.abstract) == ("arxiv:2611.00001", "An Invented Paper", "We invent. Twice.")
    assert entry.authors == ("Ada Example",)
    assert entry.published == datetime(2026, 11, 19, 18, tzinfo=UTC)
    assert entry.signals == Signals(upvotes=12, comments=2, stars=3)
    assert {link.kind: link.url for link in entry.links} == {
        LinkKind.ABSTRACT: "https://arxiv.org/abs/2611.00001",
        LinkKind.PDF: "https://arxiv.org/pdf/2611.00001",
        LinkKind.CODE: "https://github.com/ada/invented",
        LinkKind.PROJECT: "https://invented.example/",
        LinkKind.DISCUSSION: "https://huggingface.co/papers/2611.00001",
    }


def test_a_bare_hugging_face_item_is_enough() -> None:
    entry = only(HF, hf({"paper": {"id": "2611.00001", "title": "T"}}))

    assert (entry.signals, entry.published, entry.authors) == (Signals(), None, ())


def test_malformed_items_are_skipped_by_name() -> None:
    read = listing(
        HF,
        hf(
            "{'paper': {}}",
            None,
            {},
            hf_item(2, title=None),
            hf_item(3, id=7),
            hf_item(4, id="x"),
            hf_item(5, title=""),
            hf_item(6),
        ),
    )

    assert [entry.key for entry in read.entries] == ["arxiv:2611.00006"]
    assert read.problems == (
        "skipped item 1: an object was expected, not '{'paper': {}}'",
        "skipped item 2: an object was expected, not 'None'",
        "skipped item 3: paper: field required",
        "skipped '2611.00002': paper.title: input should be a valid string",
        "skipped 'An Invented Paper': paper.id: input should be a valid string",
        "skipped 'x': 'x' is not an arXiv id",
        "skipped '2611.00005': it has no title",
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1" * 5_000, "1e999", '"many"', "true", "null", "[]"])
def test_odd_numbers_are_unknown(value: str) -> None:
    body = hf(hf_item(upvotes="ODD")).replace(b'"ODD"', value.encode())

    assert only(HF, body).signals.upvotes is None


def test_decorations_of_the_wrong_kind_do_not_matter() -> None:
    item = hf_item(
        authors="Ada", summary=None, publishedAt="yesterday", githubRepo=["x"], projectPage="javascript:alert(1)"
    )

    entry = only(HF, hf(item))

    assert (entry.authors, entry.abstract, entry.published) == ((), "", None)
    assert LinkKind.PROJECT not in {link.kind for link in entry.links}


def test_surrogates_and_placeholder_dates_are_dropped() -> None:
    entry = only(HF, hf(hf_item(title="A\ud800B", publishedAt="9999-12-31T23:59:59Z")))

    assert (entry.title, entry.published) == ("AB", None)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error":"x"}', b"[", b"\xff\xfe[", b"[" * 100_000, b"<html>"])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(CollectError):
        listing(HF, body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda some: st.lists(some, max_size=3)
    )
)
def test_any_json_list_is_read_or_named(odd: object) -> None:
    item = {"paper": {"id": "2611.00001", "title": odd, "authors": odd, "upvotes": odd}, "numComments": odd}

    read = listing(HF, hf(item, odd))

    assert len(read.entries) + len(read.problems) == 2


# any feed


def item(inner: str, title: str = "A post") -> str:
    return f"<item><title>{title}</title>{inner}</item>"


@pytest.mark.parametrize(
    ("inner", "key"),
    [
        ("<link>https://www.blog.example/a/?utm_source=rss</link>", "url:https://blog.example/a"),
        ("<link>https://arxiv.org/abs/2611.00001v2</link>", "arxiv:2611.00001"),
        ("<link>https://x.example/</link><guid>oai:arXiv.org:2611.00001</guid>", "arxiv:2611.00001"),
        ("<link>https://doi.org/10.1000/ABC</link>", "doi:10.1000/abc"),
        ("<link>https://doi.org/10.48550/arXiv.2611.00001</link>", "arxiv:2611.00001"),
        (
            '<prism:doi xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/">10.1000/x</prism:doi>',
            "doi:10.1000/x",
        ),
        ('<dc:identifier xmlns:dc="http://purl.org/dc/elements/1.1/">doi:10.1000/x</dc:identifier>', "doi:10.1000/x"),
        ('<guid isPermaLink="false">post 7</guid>', "guid:blog:post 7"),
        ('<link>javascript:alert(1)</link><guid isPermaLink="false">7</guid>', "guid:blog:7"),
    ],
)
def test_a_feeds_item_is_known_by_the_best_id_it_states(inner: str, key: str) -> None:
    assert only(BLOG, feed(item(inner))).key == key


def test_html_summaries_become_text_and_scripts_vanish() -> None:
    summary = "&lt;p&gt;One &amp;amp; only.&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;p&gt;Two&lt;/p&gt;"

    entry = only(BLOG, feed(item(f"<link>https://x.example/</link><description>{summary}</description>")))

    assert entry.abstract == "One & only. Two"
    assert entry.links[0].url == "https://x.example/"


@pytest.mark.parametrize(
    ("summary", "abstract"),
    [
        ("<h3>Abstract</h3><p>Microphones are small.</p>", "Microphones are small."),
        ("<p><b>Abstract</b></p>\n<p>microphones are small.</p>", "microphones are small."),
        ("<p><strong>Abstract: </strong>Microphones</p>", "Microphones"),
        ("<div>ABSTRACT&nbsp;<br/>Microphones</div>", "Microphones"),
        ("Abstract: Microphones", "Microphones"),
        ("Abstract\nMicrophones", "Microphones"),
        ("<h2>Abstract</h2>", ""),
        ("Abstract interpretation is old.", "Abstract interpretation is old."),
        ("<p>Abstract\n  interpretation is old.</p>", "Abstract interpretation is old."),
        ("<p><i>Abstract</i> machines: a survey.</p>", "Abstract machines: a survey."),
        ("<h3>Abstract machines</h3><p>Abstract: no</p>", "Abstract machines Abstract: no"),
        ("<p>Abstraction</p><p>is hard.</p>", "Abstraction is hard."),
    ],
)
def test_the_heading_abstract_is_not_part_of_the_abstract(summary: str, abstract: str) -> None:
    body = feed(item(f"<link>https://x.example/</link><description>{html.escape(summary)}</description>"))

    assert only(BLOG, body).abstract == abstract


def test_text_summaries_of_atom_stay_text() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><title>T</title><id>urn:1</id>
    <link href="https://x.example/"/><author><name>Ada</name></author><updated>2026-11-20T05:00:00+01:00</updated>
    <summary type="text">if a &lt;b and c&gt; d</summary></entry></feed>"""

    entry = only(BLOG, body)

    assert (entry.abstract, entry.authors) == ("if a <b and c> d", ("Ada",))
    assert entry.published == datetime(2026, 11, 20, 4, tzinfo=UTC)


def test_items_that_cannot_be_named_are_skipped_by_name() -> None:
    read = listing(BLOG, feed(item("<description>x</description>"), item("<link>https://x.example/</link>", title="")))

    assert read.entries == ()
    assert read.problems == (
        "skipped 'A post': it has neither a usable link nor an id",
        "skipped item 2 ('https://x.example/'): it has no title",
    )


@pytest.mark.parametrize("when", ["yesterday", "Fri, 31 Dec 9999 23:59:59 GMT", "0001-01-01", ""])
def test_impossible_dates_are_unknown(when: str) -> None:
    assert only(BLOG, feed(item(f"<link>https://x.example/</link><pubDate>{when}</pubDate>"))).published is None


def test_a_feed_that_breaks_off_loses_its_half_item() -> None:
    body = rss(rss_item(1), rss_item(2))

    for end in range(body.index(b"2611.00002"), len(body) - len(b"  </channel>\n</rss>"), 97):
        read = listing(ARXIV, body[:end])
        assert [entry.key for entry in read.entries] == ["arxiv:2611.00001"]
        assert "broke off" in read.problems[0]


def test_a_sloppy_but_whole_feed_is_good() -> None:
    body = feed(item("<link>https://x.example/?a=1&b=2</link><description>caf&eacute; &nbsp;</description>"))

    assert only(BLOG, body).abstract == "café"


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><rss version="2.0"><channel/></rss>',
        b'<!DOCTYPE x SYSTEM "http://x/" [<!ENTITY % a SYSTEM "file:///etc/passwd">]><rss version="2.0"/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><rss version="2.0"/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x []><rss version="2.0"/>',
    ],
)
def test_declared_entities_are_refused(body: bytes) -> None:
    with pytest.raises(CollectError, match="entities or an unsafe encoding"):
        listing(BLOG, body)


def test_the_doctype_of_old_rss_is_harmless() -> None:
    doctype = b'<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss.dtd">'

    assert listing(BLOG, doctype + feed(item("<link>https://x.example/</link>"))).entries


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings_are_understood(charset: str) -> None:
    body = (
        f'<?xml version="1.0" encoding="{charset}"?>'
        + feed(item("<link>https://x.example/</link>", "Café")).decode()[21:]
    )

    assert only(BLOG, body.encode(charset)).title == "Café"


@given(st.binary(max_size=300))
def test_garbage_is_a_collect_error_or_nothing(body: bytes) -> None:
    with suppress(CollectError):
        assert all(entry.key and entry.title for entry in listing(BLOG, body).entries)


# what the world really sent


def rebuilt(real_data: Path, day: Path, number: int) -> bytes:
    """Runs the data set's own rebuilder."""
    spec = importlib.util.spec_from_file_location("rebuild_rss", real_data / "arxiv-rss" / "rebuild_rss.py")
    assert spec is not None
    assert spec.loader is not None
    argv, out = sys.argv, io.StringIO()
    sys.argv = ["rebuild_rss.py", str(day), str(number)]
    try:
        with redirect_stdout(out):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    finally:
        sys.argv = argv
    return out.getvalue().encode()


def check_arxiv_day(real_data: Path, day: Path) -> None:
    with gzip.open(day) as file:
        recorded = json.load(file)
    for number, url in enumerate(recorded):
        read = listing(ARXIV, rebuilt(real_data, day, number))

        assert read.problems == ()
        assert len(read.entries) == len(recorded[url]["entries"])
        keys = [entry.key for entry in read.entries]
        assert len(set(keys)) == len(keys)
        for entry in read.entries:
            assert not entry.abstract.startswith("arXiv:")
            assert "Announce Type" not in entry.abstract
            assert entry.abstract
            assert entry.authors
            assert not [name for name in entry.authors if re.search(r"""\\['"`^~=.vcukHlLoOi]""", name)], entry.authors
            assert entry.published is not None


def arxiv_days(real_data: Path) -> list[Path]:
    return sorted((real_data / "arxiv-rss" / "days").glob("*.json.gz"))


def test_a_real_arxiv_day(real_data: Path) -> None:
    check_arxiv_day(real_data, min(arxiv_days(real_data), key=lambda day: day.stat().st_size))


@pytest.mark.soak
def test_all_real_arxiv_days(real_data: Path) -> None:
    for day in arxiv_days(real_data):
        check_arxiv_day(real_data, day)


def check_hf_day(day: Path) -> tuple[int, int]:
    with gzip.open(day) as file:
        body = file.read()
    items = json.loads(body)
    if not isinstance(items, list):
        with pytest.raises(CollectError, match="a JSON list was expected"):
            listing(HF, body)
        return 0, 1
    read = listing(HF, body)
    malformed = [item for item in items if not isinstance(item, dict)]
    assert len(read.entries) == len(items) - len(malformed)
    assert len(read.problems) == len(malformed)
    assert all("an object was expected" in problem for problem in read.problems)
    return len(read.entries), len(read.problems)


def hf_days(real_data: Path) -> list[Path]:
    return sorted((real_data / "hf-daily" / "raw").glob("*.json.gz"))


def test_some_real_hugging_face_days(real_data: Path) -> None:
    days = hf_days(real_data)
    malformed = [day for day in days if "2024-12-11" <= day.name <= "2025-01-10"]

    counts = [check_hf_day(day) for day in {*days[::40], *malformed}]

    assert sum(problems for _, problems in counts) > 0


@pytest.mark.soak
def test_all_real_hugging_face_days(real_data: Path) -> None:
    for day in hf_days(real_data):
        check_hf_day(day)


def test_real_samples_of_arxiv(real_data: Path) -> None:
    paths = sorted((real_data / "samples").glob("arxiv_rss_*.xml"))
    assert paths
    for path in paths:
        read = listing(ARXIV, path.read_bytes())

        assert read.problems == ()
        assert len(read.entries) == len(re.findall(rb"<item[ >]", path.read_bytes()))


def test_real_samples_of_feeds(real_data: Path) -> None:
    paths = sorted((real_data / "samples").glob("rss*.xml"))
    assert paths
    for path in paths:
        read = listing(BLOG, path.read_bytes())

        assert read.problems == ()
        assert len(read.entries) == len(re.findall(rb"<item[ >]", path.read_bytes()))
        assert all(entry.title and entry.links and "<p" not in entry.abstract for entry in read.entries)


def test_a_feed_without_a_name_is_called_by_its_address_without_what_may_be_secret() -> None:
    assert Feed("https://user:pass@example.org/rss?a=b&token=hush").name == "feed:example.org/rss?a=b&token=…"


@pytest.mark.parametrize("body", [b"<!---->" * 5_000 + b"<rss/>", b"<!--" * 5_000, b"<!-- -->  " * 5_000 + b"<html>"])
def test_a_page_of_comments_is_judged_at_once(body: bytes) -> None:
    """It took time exponential in the number of comments, with every other thread locked out."""
    with suppress(CollectError):
        Feed("https://example.org/rss", "blog").parse(Page("https://example.org/rss", body, "text/xml"))
