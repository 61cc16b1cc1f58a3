"""Every link of a mail with its text, and what is odd about it."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = ("https", "mailto")


@dataclass(frozen=True, slots=True)
class LinkShown:
    """One address of a mail."""

    url: str
    texts: tuple[str, ...]
    """What it is called, each once; pictures by their alternative text."""
    times: int
    """How often it stands there."""
    notes: tuple[str, ...]
    """What is odd about it, if anything."""


def list_links(html: str) -> tuple[LinkShown, ...]:
    """The addresses in their order, each once."""
    collector = _Collector()
    collector.feed(html)
    collector.close()
    times = Counter(url for url, _ in collector.links)
    texts: dict[str, dict[str, None]] = defaultdict(dict)
    for url, text in collector.links:
        texts[url][text] = None
    return tuple(LinkShown(url, tuple(texts[url]), times[url], tuple(_notes(url, tuple(texts[url])))) for url in times)


def _notes(url: str, texts: tuple[str, ...]) -> list[str]:
    notes = []
    try:
        parts = urlsplit(url)
    except ValueError:
        return ["cannot be read"]
    if parts.scheme not in _SCHEMES:
        notes.append(f"scheme '{parts.scheme}'" if parts.scheme else "no scheme: leads nowhere from a mail")
    elif parts.scheme == "https" and not parts.hostname:
        notes.append("no host")
    if not all(texts):
        notes.append("no text")
    return notes


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._url: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and "href" in values:
            self._end()
            self._url = values["href"] or ""
        elif tag == "img" and self._url is not None:
            self._text.append(values.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end()

    def handle_data(self, data: str) -> None:
        if self._url is not None:
            self._text.append(data)

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        if self._url is not None:
            self.links.append((self._url, " ".join("".join(self._text).split())))
        self._url, self._text = None, []
