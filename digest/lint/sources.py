"""Finds the line of a template that an element or a rule of a mail came from.

MJML and the inliner leave no trace of lines, so the source tag that is most like the element is taken: the same name
(``mj-button`` makes an ``a``), classes, attributes and text, in which a Jinja tag may stand for anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from digest.render.source import Place, shown

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>([^<]*)")
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DECLARATION = re.compile(r"(?:([^{};>]*)\{)?[^{}]*?$")
_ANY = "\0"
"""Stands for each character of a Jinja tag."""
_MADE_BY: Final[Mapping[str, frozenset[str]]] = {
    "html": frozenset({"mjml"}),
    "title": frozenset({"mj-title"}),
    "style": frozenset({"mj-style"}),
    "body": frozenset({"mj-body"}),
    "img": frozenset({"mj-image"}),
    "a": frozenset({"mj-button"}),
    "p": frozenset({"mj-button", "mj-divider"}),
    "table": frozenset({"mj-section", "mj-column", "mj-wrapper", "mj-table", "mj-button", "mj-image"}),
    "td": frozenset({"mj-section", "mj-column", "mj-wrapper", "mj-text", "mj-button", "mj-image"}),
    "div": frozenset({"mj-body", "mj-section", "mj-column", "mj-wrapper", "mj-text", "mj-preview"}),
}


@dataclass(frozen=True, slots=True)
class _SourceTag:
    place: Place
    name: str
    attributes: Mapping[str, str]
    text: str
    """Up to the next tag; Jinja tags as `_ANY`."""
    around: str
    """The element in which it stands, if that is in the same file."""


@dataclass(frozen=True, slots=True)
class _Declared:
    place: Place
    selector: str
    name: str
    value: str


@dataclass(frozen=True)
class Sources:
    """The files of one template; the layout is the first."""

    files: tuple[tuple[str, str], ...] = field(repr=False)
    """Names for people, and contents."""

    def find_file(self, suffix: str) -> Place:
        """The beginning of the first file with this end of its name, else of the layout."""
        names = [name for name, _ in self.files]
        return Place(next((name for name in names if name.endswith(suffix)), names[0]), 1)

    def find_element(self, element: Any) -> Place:
        """The source of an element of ``lxml.html``."""
        attributes = {str(name): str(value) for name, value in element.attrib.items()}
        parent = element.getparent()
        around = (str(parent.tag), parent.get("class", "")) if parent is not None else ("", "")
        return self.find_tag(str(element.tag), attributes, element.text or "", around)

    def find_tag(
        self, name: str, attributes: Mapping[str, str], text: str = "", around: tuple[str, str] = ("", "")
    ) -> Place:
        """The source of a tag with these attributes and this text after it.

        Args:
            name: In lower case.
            attributes: By name.
            text: Up to the next tag.
            around: Name and classes of the element around it: MJML puts those of ``css-class`` there.
        """
        scored = [(_likeness(tag, name, attributes, _spaced(text), around), tag.place) for tag in self._tags]
        best = max(scored, key=lambda pair: pair[0], default=(0, None))
        return best[1] if best[1] and best[0] > 0 else self.find_file("layout.mjml.j2")

    def find_declaration(self, name: str, value: str, selector: str = "") -> Place:
        """The source of ``name: value``, in a rule with this selector if there is one."""
        scored = [
            (
                4 * (each.selector == _spaced(selector))
                + 2 * (each.value == _spaced(value))
                + _fits(each.value, value),
                each.place,
            )
            for each in self._declared
            if each.name == name
        ]
        best = max(scored, key=lambda pair: pair[0], default=None)
        return best[1] if best else self.find_text(selector or name)

    def find_text(self, text: str) -> Place:
        """The line of a text, however it is spaced, else the beginning of the layout."""
        pattern = re.compile(r"\s*".join(map(re.escape, re.findall(r"[\w-]+|[^\w\s]", text))), re.IGNORECASE)
        for file, masked in self._masked:
            if text and (match := pattern.search(masked)):
                return Place(file, masked.count("\n", 0, match.start()) + 1)
        return self.find_file("layout.mjml.j2")

    @cached_property
    def _masked(self) -> tuple[tuple[str, str], ...]:
        return tuple((file, _JINJA.sub(_mask, text)) for file, text in self.files if not file.endswith(".txt.j2"))

    @cached_property
    def _tags(self) -> tuple[_SourceTag, ...]:
        return tuple(tag for file, text in self._masked for tag in _source_tags(file, text))

    @cached_property
    def _declared(self) -> tuple[_Declared, ...]:
        return tuple(each for file, text in self._masked for each in _declarations(file, text))


def read_sources(files: Sequence[Path]) -> Sources:
    """The files of a template, layout first."""
    ordered = sorted(files, key=lambda path: not path.name.startswith("layout.mjml"))
    return Sources(tuple((shown(path), path.read_text(encoding="utf-8")) for path in ordered))


def _mask(tag: re.Match[str]) -> str:
    """Blank a Jinja tag or a comment, unless it is one that writes elements."""
    writes = tag[0].startswith("{{") and re.search(r"</?[a-zA-Z]", tag[0])
    return tag[0] if writes else re.sub(r"[^\n]", _ANY, tag[0])


def _source_tags(file: str, text: str) -> Iterator[_SourceTag]:
    around: list[str] = []
    for match in _TAG.finditer(text):
        name = match[2].lower()
        if match[1]:
            while around and around.pop() != name:
                pass
            continue
        attributes = {name.lower(): one or two for name, one, two in _ATTRIBUTE.findall(match[3])}
        place = Place(file, text.count("\n", 0, match.start()) + 1)
        yield _SourceTag(place, name, attributes, _spaced(match[4]), around[-1] if around else "")
        if not match[3].rstrip().endswith("/"):
            around.append(name)


def _declarations(file: str, text: str) -> Iterator[_Declared]:
    for match in re.finditer(r"(?<![\w-])([a-z-]+)\s*:\s*([^;{}<>\"]+?)\s*(?=[;}\"])", text):
        before = _DECLARATION.search(text, max(match.start() - 2_000, 0), match.start())
        selector = _spaced(before[1] or "") if before else ""
        place = Place(file, text.count("\n", 0, match.start()) + 1)
        yield _Declared(place, selector, match[1], _spaced(match[2].replace("!important", "")))
    for match in re.finditer(r"<mj-[\w-]+[^<>]*>", text):
        line = text.count("\n", 0, match.start()) + 1
        for name, one, two in _ATTRIBUTE.findall(match[0]):
            yield _Declared(Place(file, line), "", name.lower(), _spaced(one or two))


def _likeness(tag: _SourceTag, name: str, attributes: Mapping[str, str], text: str, around: tuple[str, str]) -> float:
    is_mjml = tag.name in _MADE_BY.get(name, ())
    if tag.name != name and not is_mjml:
        return 0
    score = 2.0 if is_mjml else 4.0
    classes = set(attributes.get("class", "").split()) | set(around[1].split() if is_mjml else ())
    for attribute, value in tag.attributes.items():
        if attribute in ("class", "css-class"):
            score += sum(3 if each in classes else -4 for each in value.split() if _ANY not in each)
        elif not is_mjml and attribute != "style":
            score += _agreement(value, attributes.get(attribute))
    if not is_mjml:
        score -= 2 * len([each for each in attributes if each not in (*tag.attributes, "style")])
        score -= 4 * bool("class" in tag.attributes and not classes)
        if around[0] and tag.around and not tag.around.startswith("mj"):
            score += 2 if tag.around == around[0] else -2
    if is_mjml:
        return score + (max(_agreement(tag.text, text), 0) if text else 0)
    return score + _agreement(tag.text, text)


def _agreement(source: str, value: str | None) -> float:
    """How well a text of the source fits what became of it, ``None`` if nothing did."""
    if value is None or not value.strip():
        return 1 if not source else 0 if _ANY in source else -3
    if _ANY in source:
        return 1 + 0.1 * len(source.replace(_ANY, "")) if _fits(source, value) else -3
    return 4 if _spaced(source) == _spaced(value) else -3


def _fits(source: str, value: str) -> bool:
    """Whether the source may have become the value: a Jinja tag stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in re.split(f"{_ANY}+", _spaced(source)))
    return re.fullmatch(pattern, _spaced(value), re.DOTALL) is not None


def _spaced(text: str) -> str:
    return " ".join(text.split()).lower()
