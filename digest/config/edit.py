"""Changes single keys of subscribers in their file; every other character of it, comments included, stays as it is.

The file is not written anew from its values: text is put in at places that the YAML reader names, and what then stands
there is read again before it counts.
"""

import contextlib
import difflib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from digest.config.checks import check_quiet, read_dates
from digest.config.problems import ComplaintError
from digest.config.subscribers import subscriber_id
from digest.config.yaml_lines import read_yaml
from digest.errors import ConfigError
from digest.model import DateSpan, SubscriberId
from digest.text.masking import mask_addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A subscriber as the file has them, whether the rest of the entry is right or not."""

    id: SubscriberId
    number: int
    """Their place in the list, from 0."""
    line: int
    is_paused: bool
    links: int
    quiet: tuple[str, ...]
    """As written there, or in the defaults."""


class RosterFile:
    """A subscribers file on its way to being changed."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: It cannot be read.
        """
        self._named = path
        # A link stays one.
        self._path = Path(os.path.realpath(path))
        self._value = read_yaml(path)
        self._before = self._read()
        self._text = self._before.decode("utf-8-sig")
        self._expected: Any = deepcopy(self._value.value)
        self._edits: list[tuple[int, int, str]] = []
        self._touched: set[SubscriberId] = set()
        self._nodes: Sequence[Node] = ()
        self.written = self._find_written()

    def pause(self, subscriber: SubscriberId, comment: str) -> bool:
        """Write ``paused: true``; false if it is there.

        Raises:
            ConfigError: This entry is written such that it must be changed by hand.
        """
        if self.written[subscriber].is_paused:
            return False
        entry = self._begin(subscriber)
        if (pair := _pair(entry, "paused")) is not None:
            self._replace(*pair, "true", comment, is_flow=bool(entry.flow_style))
        else:
            self._insert(entry, "paused", "true", comment)
        self._raw(subscriber)["paused"] = True
        return True

    def keep_quiet(self, subscriber: SubscriberId, span: DateSpan, comment: str) -> bool:
        """Add a span to ``quiet``; false if it is there.

        Raises:
            ConfigError: This entry is written such that it must be changed by hand.
        """
        new, old = f"{span.first}..{span.last}", list(self.written[subscriber].quiet)
        entry = self._begin(subscriber)
        raw = self._raw(subscriber)
        if new in _texts(raw.get("quiet", old)):
            return False
        try:
            check_quiet((new, *_texts(raw.get("quiet", old))))
        except ComplaintError as exc:
            raise ConfigError(exc.problem, where=str(self._named), hint=exc.hint) from exc
        pair = _pair(entry, "quiet")
        if pair is None:
            # Defaults hold no more once an entry says something.
            self._insert(entry, "quiet", _flow([new, *old], is_json=bool(entry.flow_style)), comment)
            raw["quiet"] = [new, *old]
        elif isinstance(pair[1], SequenceNode) and pair[1].value:
            self._insert_item(pair[1], new, comment)
            raw["quiet"] = [new, *raw["quiet"]]
        else:
            kept = raw["quiet"] if isinstance(raw["quiet"], list) else [raw["quiet"]] if raw["quiet"] else []
            self._replace(*pair, _flow([new, *kept], is_json=bool(entry.flow_style)), comment, is_flow=False)
            raw["quiet"] = [new, *kept]
        return True

    def end_quiet(self, subscriber: SubscriberId, today: date, comment: str) -> bool:
        """Let every span of ``quiet`` that holds this date end the day before; false if none does.

        Raises:
            ConfigError: This entry is written such that it must be changed by hand.
        """
        entry = self._begin(subscriber)
        raw = self._raw(subscriber)
        pair = _pair(entry, "quiet")
        held = [
            (place, text, span)
            for place, text in enumerate(_texts(raw.get("quiet")))
            if (span := _read_span(text)) and span.first <= today <= span.last
        ]
        if pair is None or not held:
            return False
        yesterday = today - timedelta(days=1)
        for place, _, span in held:
            ended = f"{min(span.first, yesterday)}..{yesterday}"
            key, value = pair
            is_list = isinstance(value, SequenceNode)
            item = value.value[place] if is_list else value
            is_flow = bool(entry.flow_style or (isinstance(value, SequenceNode) and value.flow_style))
            self._replace(None if is_list else key, item, ended, comment, is_flow=is_flow)
            if is_list:
                raw["quiet"][place] = ended
            else:
                raw["quiet"] = ended
        return True

    def diff(self) -> str:
        """What changes, line by line, addresses masked; empty if nothing does."""
        self._settle()
        lines = difflib.unified_diff(
            self._before.decode("utf-8-sig").splitlines(), self._text.splitlines(), str(self._named), "changed", "", "",
            n=0, lineterm="",
        )  # fmt: skip
        return mask_addresses("\n".join(lines))

    def save(self) -> None:
        """Put the changed file in place of the old one, at once and durably.

        Raises:
            ConfigError: Somebody else changed it, it cannot be written, or what would stand there is not what was
                meant; it is then as it was.
        """
        self._settle()
        mark = "\ufeff" if self._before.startswith(b"\xef\xbb\xbf") else ""
        data = f"{mark}{self._text}".encode()
        if data == self._before:
            return
        draft = None
        try:
            status = self._path.stat()
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".yaml")
            draft = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fsync(file.fileno())
            if read_yaml(draft).value != self._expected:
                raise self._by_hand("a key cannot be changed without changing others")
            if self._read() != self._before:
                raise ConfigError(
                    "the file was changed by somebody else meanwhile", where=str(self._named), hint="do it once more"
                )
            draft.replace(self._path)
            draft = None
            _sync_folder(self._path.parent)
        except OSError as exc:
            raise self._by_hand(f"the file cannot be written: {exc.strerror}") from exc
        finally:
            if draft is not None:
                draft.unlink(missing_ok=True)

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as exc:
            raise ConfigError(f"the file cannot be read: {exc.strerror}", where=str(self._named)) from exc

    def _find_written(self) -> Mapping[SubscriberId, Written]:
        root = self._value.value if isinstance(self._value.value, dict) else {}
        entries, defaults = root.get("subscribers"), root.get("defaults")
        found: dict[SubscriberId, Written] = {}
        for number, raw in enumerate(entries if isinstance(entries, list) else []):
            identity = _identity(raw)
            if identity is None or identity in found:
                continue
            known = {**(defaults if isinstance(defaults, dict) else {}), **raw}
            links = known.get("links", 1)
            found[identity] = Written(
                id=identity,
                number=number,
                line=self._value.line(("subscribers", number)),
                is_paused=raw.get("paused") is True,
                links=links if isinstance(links, int) else 1,
                quiet=tuple(_texts(known.get("quiet"))),
            )
        return found

    def _raw(self, subscriber: SubscriberId) -> dict[str, Any]:
        entry: dict[str, Any] = self._expected["subscribers"][self.written[subscriber].number]
        return entry

    def _begin(self, subscriber: SubscriberId) -> MappingNode:
        """The entry of a subscriber in the text as it is by now."""
        if subscriber in self._touched:
            self._settle()
        self._touched.add(subscriber)
        if not self._nodes:
            pair = _pair(YAML(typ="safe", pure=True).compose(self._text), "subscribers")
            self._nodes = pair[1].value if pair else ()
        node = self._nodes[self.written[subscriber].number]
        if not isinstance(node, MappingNode) or not node.value or self._nodes.count(node) > 1:
            raise self._by_hand("the entry stands for several subscribers")
        return node

    def _settle(self) -> None:
        """Put the edits into the text."""
        for start, end, text in sorted(self._edits, reverse=True):
            self._text = self._text[:start] + text + self._text[end:]
        self._edits, self._nodes = [], ()
        self._touched.clear()

    def _replace(self, key: Node | None, value: Node, text: str, comment: str, *, is_flow: bool) -> None:
        start, end = value.start_mark.index, value.end_mark.index
        # An alias has the place of what it stands for.
        is_apart = key is not None and not re.fullmatch(r"[ \t]*:[ \t]*", self._text[key.end_mark.index : start])
        old = self._text[start:end]
        if is_apart or "\n" in old or value.anchor or re.match(r"[&*!|>]", old):
            raise self._by_hand("a value is an alias, has a tag or takes several lines")
        quoted = json.dumps(text) if old.startswith('"') else text
        self._edits.append((start, end, quoted if is_flow else f"{quoted}  # {comment}"))

    def _insert(self, entry: MappingNode, key: str, value: str, comment: str) -> None:
        if entry.flow_style:
            start = entry.start_mark.index + 1
            self._edits.append((start, start, f'"{key}": {value}, '))
            return
        # After a value that ends on the line of its key, so that no comment is parted from what it is about.
        after = next((pair for pair in entry.value if _takes_one_line(*pair)), None)
        if after is None:
            raise self._by_hand("no value of the entry stands on one line")
        end = self._text.find("\n", after[1].end_mark.index)
        end = len(self._text) if end < 0 else end - (self._text[end - 1] == "\r")
        indent = " " * entry.value[0][0].start_mark.column
        self._edits.append((end, end, f"{self._line_end()}{indent}{key}: {value}  # {comment}"))

    def _insert_item(self, items: SequenceNode, text: str, comment: str) -> None:
        start = items.start_mark.index
        if items.flow_style:
            quoted = json.dumps(text) if self._text[items.value[0].start_mark.index] == '"' else text
            self._edits.append((start + 1, start + 1, f"{quoted}, "))
        else:
            indent = " " * items.start_mark.column
            self._edits.append((start, start, f"- {text}  # {comment}{self._line_end()}{indent}"))

    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self._text else "\n"

    def _by_hand(self, problem: str) -> ConfigError:
        return ConfigError(problem, where=str(self._named), hint="change it by hand")


def _identity(raw: object) -> SubscriberId | None:
    if not isinstance(raw, dict):
        return None
    given, name = raw.get("id"), raw.get("name")
    if isinstance(given, str):
        return SubscriberId(given)
    return subscriber_id(name) if isinstance(name, str) and name.strip() else None


def _pair(node: Node | None, key: str) -> tuple[Node, Node] | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((pair for pair in pairs if isinstance(pair[0], ScalarNode) and pair[0].value == key), None)


def _takes_one_line(key: Node, value: Node) -> bool:
    return isinstance(value, ScalarNode) and (
        key.start_mark.line == value.start_mark.line == value.end_mark.line and value.style not in ("|", ">")
    )


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _read_span(text: str) -> DateSpan | None:
    with contextlib.suppress(ComplaintError):
        return read_dates(text)
    return None


def _flow(values: Sequence[str], *, is_json: bool) -> str:
    return f"[{', '.join(json.dumps(value) if is_json else value for value in values)}]"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
