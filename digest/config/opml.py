"""Lists of feeds as feed readers export them.

An outline, of which folders may hold any number::

    <outline type="rss" text="Example journal" xmlUrl="https://example.org/rss" htmlUrl="https://example.org/"/>

Source: http://opml.org/spec2.opml, and lists exported by several readers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from digest.config.checks import check_name, check_url
from digest.config.models import FeedEntry
from digest.config.problems import ComplaintError, shown

_MAX_BYTES = 2_000_000
_AGAIN = "export it again from your feed reader"


@dataclass(slots=True)
class FeedList:
    """The feeds of a list, in its order, and the outlines that are none."""

    feeds: list[tuple[int, FeedEntry]] = field(default_factory=list)
    """Each with the line in which it stands. One that stands in two folders is there once."""
    complaints: list[ComplaintError] = field(default_factory=list)
    """About each outline that cannot be used, with its name and line."""


def read_opml(path: Path, *, allow_private: bool = False) -> FeedList:
    """Read every feed of a list.

    Args:
        path: The file.
        allow_private: Goes to each feed.

    Raises:
        ComplaintError: The file cannot be read, or is no such list.
    """
    return _Reading(path, allow_private).feed_list(_read(path))


def _read(path: Path) -> bytes:
    file = shown(path, 500)
    try:
        if path.exists() and not path.is_file():
            raise ComplaintError(f"{file} is not a file", "name an OPML file")
        if path.stat().st_size > _MAX_BYTES:
            raise ComplaintError(f"{file} has more than {_MAX_BYTES:,} bytes", "is it the right file?")
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise ComplaintError(
            f"there is no file {file}", "the path starts at the folder of the subscribers file"
        ) from exc
    except OSError as exc:
        raise ComplaintError(f"{file} cannot be read: {exc.strerror}", "check the path and its permissions") from exc


class _Reading:
    """One walk through a file."""

    def __init__(self, path: Path, allow_private: bool) -> None:
        self._file = shown(path, 500)
        self._allow_private = allow_private
        self._list = FeedList()
        self._addresses: set[str] = set()
        self._is_opml = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._element
        # Before any entity is declared: lists of feeds have none, attacks do.
        self._parser.StartDoctypeDeclHandler = self._refuse

    def feed_list(self, data: bytes) -> FeedList:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as exc:
            raise ComplaintError(
                f"{self._file} is broken in line {exc.lineno}: {expat.ErrorString(exc.code)}", _AGAIN
            ) from exc
        except ComplaintError:
            raise
        except (ValueError, LookupError) as exc:
            raise ComplaintError(f"{self._file} names an encoding that cannot be read", "save it as UTF-8") from exc
        if not self._list.feeds and not self._list.complaints:
            raise ComplaintError(f"{self._file} lists no feed", _AGAIN)
        return self._list

    def _refuse(self, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise ComplaintError(f"{self._file} declares a document type in line {line}", "delete the line '<!DOCTYPE …'")

    def _element(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self._is_opml and tag.lower() != "opml":
            raise ComplaintError(f"{self._file} is not OPML: it begins with {shown(f'<{tag}>')}", _AGAIN)
        self._is_opml = True
        if tag.lower() == "outline":
            # Some readers write xmlurl or xmlURL.
            self._outline({name.lower(): " ".join(value.split()) for name, value in attributes.items()})

    def _outline(self, attributes: Mapping[str, str]) -> None:
        address = attributes.get("xmlurl", "")
        if not address and attributes.get("type", "").lower() not in ("rss", "atom", "feed", "include"):
            return  # a folder
        title = attributes.get("title") or attributes.get("text") or address
        line = self._parser.CurrentLineNumber
        try:
            feed = FeedEntry(feed=check_url(address), name=_name(title), allow_private=self._allow_private)
        except ComplaintError as exc:
            self._list.complaints.append(
                ComplaintError(
                    f"{self._file} line {line}: the feed {shown(title)} is left out: {exc.problem}", exc.hint
                )
            )
            return
        if feed.feed not in self._addresses:
            self._addresses.add(feed.feed)
            self._list.feeds.append((line, feed))


def _name(title: str) -> str | None:
    """The title, if it can stand as a name; otherwise the feed goes by its address."""
    try:
        return check_name(title)
    except ComplaintError:
        return None
