import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.export.feeds import write_atom, write_json_feed
from digest.model import Edition, Link, LinkKind
from digest.render.view import safe_title
from digest.render.words import plain
from tests.builders import NOW, a_match, a_paper, a_subscriber
from tests.export.archives import FOLDERS, FRIDAY, an_archive

ATOM = "{http://www.w3.org/2005/Atom}"


def test_an_entry_is_a_paper() -> None:
    archive = an_archive(a_paper(published=NOW - timedelta(days=2)), base_url="https://example.org/a/")

    feed = feedparser.parse(write_atom(archive, FOLDERS))

    assert not feed.bozo
    assert (feed.feed.title, feed.feed.id) == ("Example papers", "https://example.org/a/")
    assert [(link.rel, link.href) for link in feed.feed.links] == [
        ("alternate", "https://example.org/a/"),
        ("self", "https://example.org/a/atom.xml"),
    ]
    (entry,) = feed.entries
    assert entry.title == "Invented Paper 1"
    assert entry.link == "https://arxiv.org/abs/2611.00001"
    assert [author.name for author in entry.authors] == ["Ada Example", "Ben Sample"]
    assert [tag.term for tag in entry.tags] == ["cs.CL"]
    assert entry.content[0].value == "We invent a paper. It has two sentences."
    # When it was announced, and the day on which it was published here.
    assert (entry.published, entry.updated) == ("2026-11-18T07:30:00Z", "2026-11-20T00:00:00Z")
    assert feed.feed.updated == entry.updated


def test_both_feeds_say_the_same() -> None:
    archive = an_archive(a_paper(1), a_paper(2, abstract="", links=(), authors=(), categories=()))

    atom = feedparser.parse(write_atom(archive, FOLDERS))
    items = json.loads(write_json_feed(archive))["items"]

    assert [entry.id for entry in atom.entries] == [item["id"] for item in items]
    assert [entry.title for entry in atom.entries] == [item["title"] for item in items]
    # A feed reader shows nothing where there is no text at all.
    assert items[1]["content_text"] == "Invented Paper 2"
    assert "url" not in items[1]


def test_a_paper_keeps_its_id_and_is_named_once() -> None:
    older = Edition(subscriber=a_subscriber(), date=FRIDAY - timedelta(days=1), rest=(a_paper(1), a_paper(3)))
    newer = Edition(subscriber=a_subscriber(), date=FRIDAY, matched=(a_match(a_paper(1)), a_match(a_paper(2))))

    before = json.loads(write_json_feed(an_archive(editions=(older,))))
    after = json.loads(write_json_feed(an_archive(editions=(newer, older))))

    assert [item["title"][-1] for item in after["items"]] == ["2", "1", "3"]
    assert after["items"][1:] == before["items"]


def test_only_the_newest_are_in_it() -> None:
    feed = json.loads(write_json_feed(an_archive(*map(a_paper, range(1, 600)))))

    assert [item["title"] for item in feed["items"]] == [f"Invented Paper {number}" for number in range(1, 501)]


def test_an_empty_feed_is_valid() -> None:
    feed = feedparser.parse(write_atom(an_archive(editions=()), FOLDERS))

    assert not feed.bozo
    assert (feed.entries, feed.feed.title) == ([], "Example papers")
    assert json.loads(write_json_feed(an_archive(editions=())))["items"] == []


EVIL = st.text(max_size=60) | st.sampled_from(
    ["</title>", "]]>", "<![CDATA[", "&lt;b&gt;", "\0\x0b\ud800\ufffe", "{{ 7*7 }}"]
)


@settings(max_examples=50)
@given(EVIL, EVIL, EVIL)
def test_nothing_in_a_paper_is_markup(title: str, abstract: str, name: str) -> None:
    link = Link(LinkKind.CODE, "javascript:alert(1)")
    paper = a_paper(title=title, abstract=abstract, authors=(name, "Ada"), categories=(title,))
    archive = an_archive(replace(paper, links=(*paper.links, link)), title=name)

    root = ET.fromstring(write_atom(archive, FOLDERS))
    item: dict[str, Any] = json.loads(write_json_feed(archive).encode())["items"][0]

    entry = root.find(f"{ATOM}entry")
    assert entry is not None
    text = plain(abstract, 20_000) or safe_title(title)
    assert (entry.findtext(f"{ATOM}title"), entry.findtext(f"{ATOM}content")) == (safe_title(title), text)
    assert (item["title"], item["content_text"]) == (safe_title(title), text)
    assert root.findtext(f"{ATOM}title") == (plain(name) or "Paperround")
    assert {link.get("href") for link in entry.iter(f"{ATOM}link")} == {each.url for each in paper.links}
