"""The source of a template: files found by name, included ones put in, tags taken out of the way as words."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import jinja2

from digest.errors import RenderError
from digest.render.parts import HOLES
from digest.render.theme import Theme

HTML: Final = ".mjml.j2"
TEXT: Final = ".txt.j2"

HOLE: Final = re.compile(r"\{\{[-+]?\s*part\.(\w+)\s*[-+]?\}\}")
# Without trimming: that is done when the parts are compiled. Nothing is filled in with it.
_LEXER: Final = jinja2.Environment(keep_trailing_newline=True)  # noqa: S701
_INCLUDE = re.compile(r"""\{%[-+]?\s*include\s+["']([\w-][\w.-]*)["']\s*[-+]?%\}""")
_THEME = re.compile(r"\{\{[-+]?\s*theme\.((?:light|dark|font|small_font|logo)\b[\w.]*)\s*[-+]?\}\}")
"""What style sheets and numeric attributes take; brand, postal address and footer are filled in later, as any text."""


class Place(NamedTuple):
    """A line of a file of a template."""

    where: str
    """The file, as people would name it."""
    line: int

    def __str__(self) -> str:
        return f"{self.where}:{self.line}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A Jinja tag, or the beginning or end of a part, while it is out of the way."""

    word: str
    text: str
    place: Place
    is_block: bool
    begins: str = ""
    """Name of the part that begins here."""
    ends: str = ""


@dataclass(slots=True)
class Document:
    """Files put together, tags replaced by words."""

    prefix: str = "QZ"
    text: str = ""
    tags: list[Tag] = field(default_factory=list)
    starts: list[tuple[int, Place]] = field(default_factory=list)
    """Where lines of the text came from."""
    line: int = 1
    alone: list[tuple[str, str]] = field(default_factory=list)
    """Each file by name, and its own text with words."""

    def begin(self, source: str, place: Place) -> None:
        """From here on it is this file."""
        while self.prefix in source:
            if self.tags:
                raise RenderError(f"'{self.prefix}' cannot stand in a template", where=place.where)
            self.prefix += "Z"
        self.write("", place)

    def write(self, text: str, place: Place) -> None:
        """Add text without tags."""
        self.starts.append((self.line, place))
        self.text += text
        self.line += text.count("\n")

    def tag(self, text: str, place: Place, *, is_block: bool = False, begins: str = "", ends: str = "") -> None:
        """Add a tag as a word."""
        word = f"{self.prefix}{len(self.tags):04d}{self.prefix[::-1]}"
        self.tags.append(Tag(word, text, place, is_block, begins, ends))
        self.text += word

    def place(self, line: int) -> Place:
        """Where a line of the text came from."""
        at, place = self.starts[max(bisect_right(self.starts, line, key=lambda pair: pair[0]) - 1, 0)]
        return Place(place.where, place.line + line - at)


@dataclass(slots=True)
class Files:
    """Where a template's files are sought, and which were found."""

    folders: tuple[Path, ...]
    found: dict[str, Path] = field(default_factory=dict)

    def read(self, name: str, asked_at: Place | None = None) -> tuple[str, str]:
        """Name for people and content of a file."""
        path = self.found.get(name) or next((each / name for each in self.folders if (each / name).is_file()), None)
        if path is None:
            folders = " or ".join(shown(folder) for folder in self.folders)
            raise RenderError(
                "this file is missing" if asked_at is None else f"'{name}' is missing",
                where=str(asked_at) if asked_at else name,
                hint=f"it was sought in {folders}",
            )
        self.found[name] = path
        try:
            return shown(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise RenderError(f"cannot be read: {exc}", where=shown(path)) from exc


@dataclass(slots=True)
class Writer:
    """Writes the files of a template into one document, their tags as words."""

    files: Files
    theme: Theme
    """Its values are filled in."""
    check: Callable[[str, str], None]
    """Raises if the source of a file, which it is given with its name, is not fit for a template."""
    ending: str
    """`HTML`: parts are written into their holes, each once. `TEXT`: holes stay."""
    document: Document = field(default_factory=Document)
    parts: set[str] = field(default_factory=set)
    """Names of the parts that were written."""
    holes: list[str] = field(default_factory=list)
    """Names of the holes that were met."""

    def write_part(self, name: str) -> None:
        """Write a part, and on the HTML side those that stand in it.

        Raises:
            RenderError: A file is missing, cannot be read, includes itself, or asks for what is not there.
        """
        self.parts.add(name)
        self.write_file(name + self.ending)

    def write_file(self, file: str, asked_at: Place | None = None, within: tuple[str, ...] = ()) -> None:
        """Write a file.

        Args:
            file: Its name.
            asked_at: The tag that asks for it.
            within: Files that are being written.

        Raises:
            RenderError: As `write_part`.
        """
        where, source = self.files.read(file, asked_at)
        if file in within:
            raise RenderError(f"'{file}' includes itself", where=str(asked_at))
        self.check(source, where)
        self.document.begin(source, Place(where, 1))
        # The line end after an included file is that of the tag.
        is_whole = self.ending == TEXT and not within
        own = ""
        for text, line, kind in _lex(source if is_whole else source.removesuffix("\n")):
            place = Place(where, line)
            if kind == "data":
                self.document.write(text, place)
                own += text
            elif kind == "comment" and self.ending == HTML:
                # MJML has places where no word may stand.
                self.document.write("\n" * text.count("\n"), place)
                own += "\n" * text.count("\n")
            elif include := _INCLUDE.fullmatch(text):
                self.write_file(include[1], place, (*within, file))
                self.document.write("", Place(where, line + text.count("\n")))
            elif value := _THEME.fullmatch(text):
                self.document.write(_theme_value(self.theme, value[1], place), place)
                own += "x"
            elif hole := HOLE.fullmatch(text):
                self._write_hole(hole[1], text, place)
            else:
                _refuse_what_would_be_lost(text, kind, place)
                self.document.tag(text, place, is_block=kind == "block")
                own += "x" + "\n" * text.count("\n")
        self.document.alone.append((where, own))

    def _write_hole(self, name: str, text: str, place: Place) -> None:
        if name not in HOLES:
            _refuse_hole(name, place)
        self.holes.append(name)
        self.document.tag(text, place)
        for part in HOLES[name] if self.ending == HTML else ():
            if part not in self.parts:
                self.document.tag("", place, is_block=True, begins=part)
                self.write_part(part)
                self.document.tag("", place, is_block=True, ends=part)


def _lex(source: str) -> Iterator[tuple[str, int, str]]:
    """Data and whole tags with their line, and what they are: ``data``, ``variable``, ``block`` or ``comment``."""
    tag, first_line, end = "", 0, ""
    for number, kind, value in _LEXER.lex(source):
        if not tag:
            if kind == "data":
                yield value, number, kind
                continue
            first_line, end = number, kind.replace("_begin", "_end")
        tag += value
        if kind == end:
            yield tag, first_line, end.removesuffix("_end")
            tag = ""


def _theme_value(theme: Theme, path: str, place: Place) -> str:
    value: object = theme
    for name in path.split("."):
        if value is not None and name not in getattr(value, "__dataclass_fields__", {}):
            raise RenderError(f"a theme has no '{path}'", where=str(place))
        value = getattr(value, name, None)
    # Quotation marks of one kind stay: fonts have them, and style sheets know no entities.
    return escape("" if value is None else str(value), quote=False).replace('"', "&quot;")


def _refuse_what_would_be_lost(text: str, kind: str, place: Place) -> None:
    if kind == "comment":
        return
    if re.search(r"\bpart\s*[.\[]", text):
        raise RenderError(
            f"'{' '.join(text.split())}' is no hole",
            where=str(place),
            hint="write {{ part.NAME }}, and nothing else in it",
        )
    if re.match(r"\{%[-+]?\s*include\b", text):
        raise RenderError(
            "'include' is not available in this form",
            where=str(place),
            hint='write {% include "NAME.mjml.j2" %} with the name of a file as it is',
        )


def _refuse_hole(name: str, place: Place) -> NoReturn:
    near = get_close_matches(name, HOLES, n=1)
    meant = f"did you mean 'part.{near[0]}'? " if near else ""
    raise RenderError(f"unknown hole 'part.{name}'", where=str(place), hint=f"{meant}known: {', '.join(HOLES)}")


def shown(path: Path) -> str:
    """A path as people would name it."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
