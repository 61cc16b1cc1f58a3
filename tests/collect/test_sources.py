"""The parsers on invented pages, and on what the world really sent."""

import html
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.sources import Feed
from digest.errors import CollectError
from digest.model import Entry
from digest.ports import Listing, Page, Source
from tests.collect.pages import feed

BLOG = Feed("https://blog.example/feed", "blog")


def listing(source: Source, body: bytes, charset: str | None = None) -> Listing:
    return source.parse(Page("https://source.example/", body, charset))


def only(source: Source, body: bytes) -> Entry:
    read = listing(source, body)
    assert read.problems == ()
    [entry] = read.entries
    return entry


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
        Feed("https://example.org/rss", "blog").parse(Page("https://example.org/rss", body))
