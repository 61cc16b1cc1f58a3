"""The test feeds of other projects: thousands of odd ones, each of which gives entries or one error with a name."""

import ast
import random
import re
import tarfile
import time
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

import pytest

from digest.collect.sources import Feed
from digest.errors import CollectError
from digest.ports import Listing, Page
from digest.text.clean import clean_html, clean_text
from digest.text.links import check_url
from tests.collect.pages import feed

URL = "https://feed.example/dir/feed"
SOURCE = Feed(URL, "corpus")
ITEM = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s>]", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    name: str
    body: bytes
    charset: str | None


def files(real_data: Path, corpus: str) -> Iterator[File]:
    with tarfile.open(real_data / "feeds" / f"{corpus}.tar.gz") as tar:
        for member in tar:
            if member.isfile() and not member.name.endswith((".py", "LICENSE")):
                content = tar.extractfile(member)
                assert content
                body = content.read()
                yield File(member.name, body, stated_charset(body))


def stated_charset(body: bytes) -> str | None:
    """feedparser's files say in a comment which header they are to be served with."""
    header = re.search(rb"^Header:\s*Content-type:\s*(.*)$", body[:2000], re.IGNORECASE | re.MULTILINE)
    if not header:
        return None
    message = Message()
    message["content-type"] = header[1].decode("latin-1").strip()
    return message.get_content_charset()


def read(file: File) -> Listing | CollectError:
    """The only two things that may come of it."""
    started = time.monotonic()
    try:
        listing = SOURCE.parse(Page(URL, file.body, file.charset))
    except CollectError as exc:
        return exc
    finally:
        assert time.monotonic() - started < 5, file.name
    for entry in listing.entries:
        for text in (entry.title, entry.abstract, *entry.authors, *entry.categories, entry.key):
            assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in text), (file.name, text)
        assert entry.title, file.name
        assert all(check_url(link.url) == link.url for link in entry.links), file.name
        assert entry.published is None or entry.published.tzinfo is UTC, file.name
    assert all("\n" not in problem for problem in listing.problems), file.name
    return listing


@pytest.mark.parametrize(("corpus", "count"), [("feedparser", 2107), ("miniflux", 22), ("lemon24", 13)])
def test_every_file_gives_entries_or_says_what_is_missing(real_data: Path, corpus: str, count: int) -> None:
    found = list(files(real_data, corpus))

    for file in found:
        result = read(file)
        if isinstance(result, Listing) and ITEM.search(file.body.replace(b"\0", b"")):
            assert result.entries or result.problems, file.name

    assert len(found) == count


# What no feed of ours is: channel definitions of 1997, JSON, declared entities.
UNREADABLE = re.compile(r"/cdf/|\.json$|/rss_empty_document|/entity_in_doctype|/doctype_contains_entity_decl")


def test_no_feed_of_feedparser_is_refused_that_is_one(real_data: Path) -> None:
    refused = [file.name for file in files(real_data, "feedparser") if isinstance(read(file), CollectError)]

    assert [name for name in refused if not UNREADABLE.search(name)] == []


def mutations(file: File, seed: int) -> Iterator[File]:
    """Cut off, with bytes flipped, doubled, or served under another charset."""
    rng = random.Random(f"{file.name} {seed}")
    body = file.body
    cut = body[: rng.randrange(len(body) + 1)]
    noisy = bytearray(body)
    for _ in range(rng.randrange(1, 20)):
        noisy[rng.randrange(len(noisy))] = rng.choice(b"\0\x1b<>&\"'\xff\xc3]-!") if noisy else 0
    at = rng.randrange(len(body))
    charset = rng.choice(["utf-7", "utf-16", "unicode_escape", "idna", "cp037", "koi8-r", "x-none", "a\0b", "", "é"])
    for changed in (cut, bytes(noisy), body[:at] + body + body[at:], bytes(noisy).replace(b"utf-8", charset.encode())):
        yield File(file.name, changed, rng.choice([file.charset, charset]))


def spoilt(real_data: Path, step: int, seeds: int) -> int:
    done = 0
    for corpus in ("feedparser", "miniflux", "lemon24"):
        for file in list(files(real_data, corpus))[::step]:
            for seed in range(seeds):
                for changed in mutations(file, seed) if file.body else ():
                    read(changed)
                    done += 1
    return done


def test_spoilt_files_give_entries_or_an_error_with_a_name(real_data: Path) -> None:
    assert spoilt(real_data, step=10, seeds=1) > 500


@pytest.mark.soak
def test_all_files_spoilt_in_many_ways_give_entries_or_an_error_with_a_name(real_data: Path) -> None:
    assert spoilt(real_data, step=1, seeds=6) > 40_000


def expected(file: File) -> list[tuple[str, str]]:
    """Title and address of each item, as a strict parser reads them."""
    body = file.body
    if "no_encoding" in file.name:
        body = body.decode("latin-1").encode()
    found = []
    for item in ET.fromstring(body).iter():
        if item.tag.rpartition("}")[2] not in ("item", "entry"):
            continue
        children = {child.tag.rpartition("}")[2]: child for child in reversed(item)}
        link = children["link"].get("href") or children["link"].text or ""
        title = clean_text(clean_html(clean_html(children["title"].text or "")))
        if title:
            found.append((title, check_url(link) or ""))
    return found


def test_real_feeds_of_miniflux_give_what_a_strict_parser_reads(real_data: Path) -> None:
    found = [file for file in files(real_data, "miniflux") if "/parser/" in file.name]

    for file in found:
        listing = read(file)
        assert isinstance(listing, Listing), file.name
        read_now = [(clean_html(entry.title), entry.links[0].url) for entry in listing.entries]
        wanted = list({address: (title, address) for title, address in reversed(expected(file))}.values())
        assert len(read_now) == len(wanted), file.name
        assert sorted(address for _, address in read_now) == sorted(address for _, address in wanted), file.name
        same = len({title for title, _ in read_now} & {title for title, _ in wanted})
        # TeX and doubly escaped signs may be read in two ways.
        assert same >= 0.9 * len({title for title, _ in wanted}), file.name
        assert not any("\ufffd" in title for title, _ in read_now), file.name

    assert len(found) == 8


def oracle(tar: tarfile.TarFile, name: str) -> list[dict[str, object]]:
    """What the file beside it says of each entry: title, link, published."""
    content = tar.extractfile(name)
    assert content
    calls = [node for node in ast.walk(ast.parse(content.read())) if isinstance(node, ast.Call)]
    entries = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "EntryData"]
    return [{word.arg: literal(word.value) for word in call.keywords if word.arg} for call in entries]


def literal(node: ast.expr) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        base = "https://feed.example/dir/"
        return "".join(str(part.value) if isinstance(part, ast.Constant) else base for part in node.values)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "datetime.datetime":
        year, month, day, *rest = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        return datetime(*map(int, (year, month, day, *rest)), tzinfo=UTC)  # type: ignore[misc,arg-type]
    return None


@pytest.mark.parametrize("name", ["full.rss", "full.atom", "empty.rss", "empty.atom", "relative.rss", "relative.atom"])
def test_readers_feeds_give_what_its_own_tests_expect(real_data: Path, name: str) -> None:
    with tarfile.open(real_data / "feeds" / "lemon24.tar.gz") as tar:
        wanted = oracle(tar, f"lemon24/tests/data/{name}.py")
    [file] = [file for file in files(real_data, "lemon24") if file.name.endswith(f"/{name}")]

    listing = read(file)

    assert isinstance(listing, Listing)
    titled = [entry for entry in wanted if entry.get("title")]
    assert [entry.title for entry in listing.entries] == [entry["title"] for entry in titled]
    assert [entry.published for entry in listing.entries] == [
        entry.get("published") or entry.get("updated") for entry in titled
    ]
    assert [entry.links[0].url if entry.links else None for entry in listing.entries] == [
        check_url(str(entry.get("link"))) for entry in titled
    ]
    assert len(listing.problems) == len(wanted) - len(titled)


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ("<title>T</title><link>/a/1</link><guid>1</guid>", "https://feed.example/a/1"),
        ("<title>T</title><link>1.html</link><guid>1</guid>", "https://feed.example/dir/1.html"),
        ("<title>T</title><link>//b.example/1</link>", "https://b.example/1"),
        ("<title>T</title><guid>no-address-1</guid>", None),
    ],
    ids=["from the root", "beside the feed", "without a scheme", "an id is no address"],
)
def test_relative_addresses_lead_where_the_feed_is(item: str, url: str | None) -> None:
    [entry] = SOURCE.parse(Page(URL, feed(f"<item>{item}</item>"))).entries

    assert [link.url for link in entry.links] == ([url] if url else [])


def test_a_doi_beside_an_arxiv_id_is_another_identity_of_the_work() -> None:
    stated = '<prism:doi xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/">10.1000/XYZ</prism:doi>'

    [entry] = SOURCE.parse(
        Page(URL, feed(f"<item><title>T</title><link>https://arxiv.org/abs/2611.00001v2</link>{stated}</item>"))
    ).entries

    assert (entry.key, entry.ids) == ("arxiv:2611.00001", ("doi:10.1000/xyz",))


@pytest.mark.parametrize(
    ("stated", "days"),
    [
        ("<skipDays><day>Saturday</day><day> SUNDAY </day></skipDays>", {5, 6}),
        ("<skipdays>\n<day>Monday</day><day>Caturday</day></skipdays>", {0}),
        ("<item><title>T</title><skipDays><day>Monday</day></skipDays></item>", set()),
        ("", set()),
    ],
    ids=["weekend", "in small letters", "in an item", "none"],
)
def test_the_days_on_which_a_feed_rests_are_read(stated: str, days: set[int]) -> None:
    for encoding in ("utf-8", "utf-16", "utf-16-be", "utf-32"):
        listing = SOURCE.parse(Page(URL, feed(stated).decode().encode(encoding)))

        assert listing.skip_days == days
