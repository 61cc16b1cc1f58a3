"""A reader's editions as files: sent, published, and nothing of the reader in them."""

import re
from datetime import datetime
from typing import Any

import feedparser
import pytest

from digest.cli.export import export
from digest.errors import ConfigError
from digest.export.formats import Format
from tests.cli.home import SATURDAY, Home, arxiv, reader
from tests.collect.evil_http import EvilHttp


def test_what_was_sent_is_published(readers: Home) -> None:
    assert readers.run("--to-folder", "out").code == 0

    done = readers.digest("export", "Ada", "--to", "public", "--title", "Our papers")

    assert done.code == 0
    assert done.out == "1 edition with 2 papers: 7 files of 7 written\n  public/index.html\n"
    public = readers.folder / "public"
    assert "Invented Paper 2" in (public / "2026-11-20.html").read_text()
    texts = {path.name: path.read_text() for path in public.iterdir()}
    for text in texts.values():
        assert not re.search(r"(?<!Example, )\bAda\b(?! Example)|Inventions", text)
    stream = readers.digest("export", "Ada", "--to", "-", "--format", "atom", "--base-url", "https://example.org/a")
    assert [entry.title for entry in feedparser.parse(stream.out).entries] == ["Invented Paper 1", "Invented Paper 2"]
    assert "https://example.org/a/atom.xml" in stream.out


def test_what_nobody_is_sent_is_published_too(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), sources=[arxiv(http)])
    assert home.digest("collect", now="2026-11-20T06:00").code == 0

    first = home.digest("export", "Ada", "--to", "public", "--next", now="2026-11-20T08:00")
    next_day = home.digest("export", "Ada", "--to", "public", "--next", now=SATURDAY)

    assert first.out.startswith("1 edition with 2 papers")
    # Nothing new is no page, and the week before is not published again.
    assert next_day.out.startswith("no editions with no papers")
    index = (home.folder / "public" / "index.html").read_text()
    assert re.findall(r'href="([\d-]+)\.html"', index) == ["2026-11-20"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "-"}, "--to -: stdout takes one file"),
        (
            {"to": "x", "since": datetime(2026, 11, 20), "until": datetime(2026, 11, 19)},
            "--from: 2026-11-20 is after 2026-11-19",
        ),
        ({"to": "-", "formats": [Format.SITE]}, "--to -: stdout takes one file"),
        ({"to": "x", "base_url": "ftp://x"}, "--base-url: 'ftp://x' is not the address of a folder on the web"),
        ({"to": "x", "base_url": "https://x.org/?a"}, "--base-url: 'https://x.org/?a' is not the address"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        export("Ada", **options)

    assert said in str(caught.value)
