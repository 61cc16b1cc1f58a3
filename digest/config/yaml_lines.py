"""YAML as plain values that remember their lines; nothing in a file is ever executed or silently dropped.

The node tree of ruamel.yaml is read instead of its constructed values: it has every line, both halves of a duplicate
key, and aliases before they unfold.
"""

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from digest.config.problems import shown
from digest.errors import ConfigError
from digest.text.masking import mask_addresses

MAX_BYTES = 2_000_000
MAX_REPEATED = 100_000
"""Values that aliases may repeat: far more than people share, far less than an alias bomb."""

Place = tuple[str | int, ...]
"""Keys and positions that lead to a value: ``("subscribers", 2, "topics", 0, "any")``."""

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value")}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at one place of a file."""

    place: Place
    line: int
    problem: str
    hint: str = ""


@dataclass(slots=True)
class Document:
    """A file's values, where each is written, and what is wrong with the YAML itself."""

    value: object = None
    lines: dict[Place, int] = field(default_factory=dict)
    """Where each value starts, from 1; a value in a mapping counts as starting at its key."""
    faults: list[Fault] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it that exists."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path, *, example: str = "subscribers.example.yaml") -> Document:
    """Read a file with one YAML 1.2 document.

    Args:
        path: The file.
        example: What hints say to compare it with.

    Raises:
        ConfigError: The file cannot be read at all.
    """
    text = _read_text(path)
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            # YAML 1.2 section 7.1 allows an anchor's name to be used again.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            root = yaml.compose(text)
        return _Reading(str(path)).document(root)
    except MarkedYAMLError as exc:
        raise _syntax_error(path, exc) from exc
    except ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        problem = f"the character U+{ord(text[exc.position]):04X} is not allowed in YAML"
        raise ConfigError(problem, where=f"{path}:{line}", hint="delete it; it is invisible in most editors") from exc
    except YAMLError as exc:
        raise ConfigError("this is not YAML", where=str(path), hint=f"compare it with {example}") from exc
    except RecursionError as exc:
        raise ConfigError(
            "lists and keys are nested too deeply", where=str(path), hint=f"compare it with {example}"
        ) from exc


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(
                f"the file has {size:,} bytes, more than {MAX_BYTES:,}", where=str(path), hint="is it the right file?"
            )
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise ConfigError(
            "there is no such file", where=str(path), hint="digest init writes one; DIGEST_SUBSCRIBERS can name another"
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"the file cannot be read: {exc.strerror}", where=str(path), hint="check the path and its permissions"
        ) from exc
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError("the file is not UTF-8", where=f"{path}:{line}", hint="save it again as UTF-8") from exc


def _syntax_error(path: Path, exc: MarkedYAMLError) -> ConfigError:
    mark = exc.problem_mark or exc.context_mark
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    problem = mask_addresses(str(exc.problem or exc.context or "this is not YAML"))
    if r"'\t'" in problem:
        return ConfigError("a tab stands where YAML allows only spaces", where=where, hint="indent with spaces")
    if "another document" in problem:
        return ConfigError("a second document starts here", where=where, hint="delete the line '---'")
    if "cannot start any token" in problem:
        return ConfigError(problem, where=where, hint='put the value in quotes: "…"')
    if "mapping values are not allowed" in problem:
        return ConfigError(
            "a colon stands where no key may be",
            where=where,
            hint='check the indentation of this line and the one above, or put a value that holds ": " in quotes',
        )
    if "undefined alias" in problem:
        return ConfigError(problem, where=where, hint="an alias such as *name needs an anchor &name above it")
    return ConfigError(problem, where=where, hint="check quotes, brackets and indentation in this line and above")


class _Reading:
    """One walk over a tree of nodes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._document = Document()
        self._seen: set[int] = set()
        self._around: set[int] = set()
        self._repeated = 0

    def document(self, root: Node | None) -> Document:
        self._document.value = None if root is None else self._value(root, ())
        return self._document

    def _value(self, node: Node, place: Place) -> object:
        line = node.start_mark.line + 1
        self._document.lines.setdefault(place, line)
        self._refuse_bombs(node, line)
        self._around.add(id(node))
        try:
            match node:
                case ScalarNode():
                    self._check_tag(node, place, node.tag in _PLAIN_TAGS)
                    return _scalar(node)
                case SequenceNode():
                    self._check_tag(node, place, node.tag == f"{_TAG}seq")
                    return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
                case MappingNode():
                    self._check_tag(node, place, node.tag == f"{_TAG}map")
                    return self._mapping(node, place)
                case _:
                    raise TypeError(f"unknown node {type(node)}")
        finally:
            self._around.discard(id(node))

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._fault(place, line, "a key must be a word, got a list or keys and values", "write: key: value")
                continue
            key = str(key_node.value)
            if key in values:
                first = self._document.lines[*place, key]
                problem = f"the key {shown(key)} is given twice, first in line {first}"
                self._fault((*place, key), line, problem, "delete one of the two")
                continue
            self._document.lines[*place, key] = line
            values[key] = self._value(value_node, (*place, key))
        return values

    def _refuse_bombs(self, node: Node, line: int) -> None:
        if id(node) in self._around:
            raise ConfigError("an alias contains itself", where=f"{self._path}:{line}", hint="write the values out")
        if id(node) in self._seen:
            self._repeated += 1
            if self._repeated > MAX_REPEATED:
                raise ConfigError(
                    f"aliases repeat more than {MAX_REPEATED:,} values",
                    where=f"{self._path}:{line}",
                    hint="write the values out",
                )
        self._seen.add(id(node))

    def _check_tag(self, node: Node, place: Place, is_plain: bool) -> None:
        if not is_plain:
            tag = str(node.tag).replace(_TAG, "!!")
            line = node.start_mark.line + 1
            self._fault(place, line, f"the tag {shown(tag)} is not allowed here", "delete the tag, keep the value")

    def _fault(self, place: Place, line: int, problem: str, hint: str) -> None:
        self._document.faults.append(Fault(place, line, problem, hint))


def _scalar(node: ScalarNode) -> object:
    """Only what nobody can mistake is more than text: ``+2``, ``0x10`` and dates stay as they are written."""
    text = str(node.value)
    match str(node.tag).removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on", "y")
        case "int" if text.removeprefix("-").isdecimal() and len(text) < 20:
            return int(text)
        case "float" if re.fullmatch(r"\d+\.\d*", text):
            return float(text)
        case _:
            return text
