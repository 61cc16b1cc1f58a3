"""Reads the subscribers file: what is right in it is used, and everything that is wrong is told at once.

A broken subscriber or source stands alone; a broken topic leaves its subscriber the other topics. What rests on a
broken part is left out and never replaced by something wider.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

from digest.config.checks import REFERENCE, check_address, read_dates
from digest.config.faults import START_HINT, Faults
from digest.config.models import (
    SOURCE_KINDS,
    Defaults,
    FeedEntry,
    OpmlEntry,
    SourceEntry,
    SubscriberEntry,
    SubscribersFile,
)
from digest.config.opml import read_opml
from digest.config.problems import ComplaintError, did_you_mean, nearest, shown
from digest.config.topics import read_topics
from digest.config.yaml_lines import Document, Place, read_yaml
from digest.errors import ConfigError
from digest.model import Subscriber, SubscriberId, Topic
from digest.schedule.days_off import DaysOff
from digest.schedule.due import comes_round
from digest.schedule.rules import parse_schedule, send_time
from digest.text.fold import fold
from digest.text.masking import mask

# Who wants to see what is talked about most wants to hear of what others saw before them.
_RISING_WITH_TRENDING = 3


@dataclass(frozen=True, slots=True)
class Roster:
    """What a subscribers file says, and what is wrong with it."""

    sources: tuple[SourceEntry, ...]
    """Lists of feeds are unfolded."""
    subscribers: tuple[Subscriber, ...]
    """Without those who are paused."""
    problems: tuple[ConfigError, ...]
    """In the order of the file; what they are about is not among the sources and subscribers."""
    files: tuple[Path, ...]
    """The file itself, and the lists of feeds and works that it names, whether they could be read or not."""
    notes: tuple[str, ...] = ()
    """What is not wrong, but less than it could be: entries of a list of works that say too little."""


def load_subscribers(path: Path, env: Mapping[str, str]) -> Roster:
    """Read the sources and subscribers.

    Args:
        path: A YAML file in the format of ``subscribers.example.yaml``.
        env: Where ``${NAME}`` is looked up.

    Returns:
        Everything that is right; the rest is in ``problems``.

    Raises:
        ConfigError: The file cannot be read at all.
    """
    document = read_yaml(path)
    if not isinstance(document.value, dict):
        problem = "the file is empty" if document.value is None else "the file must start with 'sources:'"
        raise ConfigError(problem, where=f"{path}:{document.line(())}", hint=START_HINT)
    return _Reader(path, document, document.value, env).roster()


def subscriber_id(name: str) -> SubscriberId:
    """The id that a name gives: ``Vision group`` is ``vision-group``.

    Letters that have no ASCII form are stood in for by a hash, so that the id is stable and differs from others.
    """
    folded = fold(name)
    slug = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:48].strip("-")
    if any(sign.isalnum() and not sign.isascii() for sign in folded) or not slug:
        digest = blake2b(unicodedata.normalize("NFC", name).casefold().encode(), digest_size=4).hexdigest()
        slug = f"{slug}-{digest}".strip("-")
    return SubscriberId(slug)


class _Reader:
    """One file on its way to a roster."""

    def __init__(self, path: Path, document: Document, root: Mapping[str, object], env: Mapping[str, str]) -> None:
        self._path = path
        self._document = document
        self._root = root
        self._env = env
        self._faults = Faults(document)
        self._sources: dict[object, SourceEntry] = {}
        self._written: dict[object, str] = {}
        """Where a source, or a name of one, is written."""
        self._files = [path]
        self._notes: list[str] = []
        self._ids: dict[str, Place] = {}
        self._addresses: dict[str, Place] = {}

    def roster(self) -> Roster:
        for key in self._root:
            if key not in SubscribersFile.model_fields:
                self._faults.add_unknown_key((), key, SubscribersFile)
        self._read_sources()
        defaults, broken_defaults = self._defaults()
        subscribers = [
            subscriber
            for number, raw in enumerate(self._list("subscribers", "nobody is written to"))
            if (subscriber := self._subscriber(("subscribers", number), raw, defaults, broken_defaults))
        ]
        return Roster(
            tuple(self._sources.values()),
            tuple(subscribers),
            self._problems(),
            tuple(dict.fromkeys(self._files)),
            tuple(self._notes),
        )

    def _problems(self) -> tuple[ConfigError, ...]:
        problems = []
        for fault in self._faults.in_order():
            hint = fault.hint
            if fault.place[:1] == ("defaults",):
                hint = f"{hint}; subscribers who rely on this default get no mail until it is right".removeprefix("; ")
            elif fault.place[2:3] == ("topics",) and len(fault.place) > 3:
                hint = f"{hint}; until then this topic finds nothing, the subscriber's others go on".removeprefix("; ")
            where = f"{self._path}:{fault.line}{self._label(fault.place)}"
            problems.append(ConfigError(fault.problem, where=where, hint=hint))
        return tuple(problems)

    def _list(self, key: str, consequence: str) -> list[object]:
        value = self._root.get(key)
        if isinstance(value, list) and value:
            return value
        if value is None or value == []:
            self._faults.add(
                (key,), f"'{key}' is {'empty' if key in self._root else 'missing'}: {consequence}", START_HINT
            )
        else:
            self._faults.add((key,), f"'{key}' must be a list, got {shown(value)}", "start each entry with '- '")
        return []

    # Sources

    def _read_sources(self) -> None:
        for number, raw in enumerate(self._list("sources", "no papers are read")):
            place = ("sources", number)
            match self._source(place, raw):
                case None:
                    pass
                case OpmlEntry() as entry:
                    self._add_feeds(place, entry)
                case entry:
                    self._add_source(place, entry)

    def _add_source(self, place: Place, entry: SourceEntry) -> None:
        if first := self._written.get(_identity(entry)):
            self._faults.add(place, f"the same source as in {first}", "delete one of the two")
        elif entry.name and (first := self._written.get(entry.name.casefold())):
            problem = f"the name {shown(entry.name)} is used in {first} already"
            self._faults.add((*place, "name"), problem, "rename one")
        else:
            self._keep(entry, f"line {self._document.line(place)}")

    def _add_feeds(self, place: Place, entry: OpmlEntry) -> None:
        place = (*place, "opml")
        path = self._path.parent / entry.opml
        self._files.append(path)
        try:
            listed = read_opml(path, allow_private=entry.allow_private)
        except ComplaintError as exc:
            self._faults.add(place, exc.problem, exc.hint)
            return
        for complaint in listed.complaints:
            self._faults.add(place, complaint.problem, complaint.hint)
        for line, feed in listed.feeds:
            where = f"{shown(path, 500)} line {line}"
            if first := self._written.get(_identity(feed)):
                problem = f"{where}: the feed {shown(feed.name or feed.feed)} is the same source as in {first}"
                self._faults.add(place, problem, "delete one of the two")
                continue
            is_taken = feed.name is not None and feed.name.casefold() in self._written
            self._keep(feed.model_copy(update={"name": None}) if is_taken else feed, where)

    def _keep(self, entry: SourceEntry, where: str) -> None:
        self._sources[_identity(entry)] = entry
        self._written[_identity(entry)] = where
        if entry.name:
            self._written[entry.name.casefold()] = where

    def _source(self, place: Place, raw: object) -> SourceEntry | OpmlEntry | None:
        if not isinstance(raw, dict):
            self._faults.add(
                place,
                f"a source must say its kind, got {shown(raw)}",
                f"write '- huggingface: daily' or '- feed: https://…'; known kinds: {', '.join(SOURCE_KINDS)}",
            )
            return None
        kinds = [key for key in raw if key in SOURCE_KINDS]
        if len(kinds) > 1:
            self._faults.add(
                place, f"one source has two kinds, '{kinds[0]}' and '{kinds[1]}'", "start each with its own '- '"
            )
            return None
        if not kinds:
            unknown = next((key for key in raw if key not in FeedEntry.model_fields), None)
            problem = f"unknown source kind {shown(unknown)}" if unknown else "the source does not say its kind"
            self._faults.add((*place, unknown or ""), problem, did_you_mean(unknown or "", list(SOURCE_KINDS)))
            return None
        return self._faults.check(SOURCE_KINDS[kinds[0]], raw, place)

    # Subscribers

    def _defaults(self) -> tuple[dict[str, object], set[str]]:
        """The defaults as written, and the keys whose default cannot be used."""
        raw = self._root.get("defaults") or {}
        if not isinstance(raw, dict):
            self._faults.add(
                ("defaults",), f"'defaults' must hold keys and values, got {shown(raw)}", "write each as key: value"
            )
            return {}, set(Defaults.model_fields)
        self._faults.check(Defaults, raw, ("defaults",))
        wrong = {str(fault.place[1]) for fault in self._faults.within(("defaults",)) if fault.place[1:]}
        # A mistyped key is a default that is not in force, just as one with a wrong value.
        broken = {meant for key in wrong if (meant := nearest(key, Defaults.model_fields))}
        return {key: value for key, value in raw.items() if key in Defaults.model_fields}, broken

    def _subscriber(
        self, place: Place, raw: object, defaults: Mapping[str, object], broken_defaults: set[str]
    ) -> Subscriber | None:
        if not isinstance(raw, dict):
            self._faults.add(
                place, f"a subscriber must hold keys and values, got {shown(raw)}", "start with '- name: …'"
            )
            return None
        topics = self._topics(place, raw)
        usable = {key: value for key, value in defaults.items() if key not in broken_defaults}
        entry = self._faults.check(SubscriberEntry, {**usable, **raw, "topics": []}, place)
        address = self._address(place, raw)
        key = self._unique_id(place, raw)
        if entry is not None and raw.get("topics", []) == [] and not entry.trending:
            self._faults.add(
                place, "there is nothing to send: no topics, and no trending papers", "add topics or trending: 5"
            )
        if entry is not None:
            self._check_times(place, entry)
        if entry is None or address is None or key is None:
            return None
        # A fault in a single topic costs that topic only.
        if any(fault.place[2:3] != ("topics",) or len(fault.place) == 3 for fault in self._faults.within(place)):
            return None
        relies_on_broken = broken_defaults - raw.keys()
        if entry.paused or relies_on_broken or not (topics or entry.trending):
            return None
        return Subscriber(
            id=key,
            name=entry.name,
            email=address,
            zone=ZoneInfo(entry.timezone),
            schedule=parse_schedule(entry.schedule),
            topics=topics,
            limit=entry.limit,
            trending=entry.trending,
            rising=_RISING_WITH_TRENDING * bool(entry.trending) if entry.rising is None else entry.rising,
            near_misses=entry.near_misses,
            by_topic=entry.by_topic,
            template=entry.template,
            theme=entry.theme,
            language=entry.language,
            abstract=entry.abstract,
            archive=entry.archive,
            quiet=tuple(map(read_dates, entry.quiet)),
            holidays=entry.holidays,
            at_least=entry.at_least,
            latest_send=time.fromisoformat(entry.latest_send) if entry.latest_send else None,
            links=entry.links,
        )

    def _check_times(self, place: Place, entry: SubscriberEntry) -> None:
        schedule = parse_schedule(entry.schedule)
        if entry.latest_send and time.fromisoformat(entry.latest_send) <= (sends := send_time(schedule)):
            problem = f"'latest_send' {entry.latest_send} is not after the send time {sends:%H:%M}"
            self._faults.add(
                (*place, "latest_send"), problem, "an edition waits from the one to the other, on the same date"
            )
        if entry.holidays and not comes_round(schedule, DaysOff((), entry.holidays)):
            problem = f"every date of the schedule {shown(entry.schedule)} is a public holiday of {entry.holidays}"
            self._faults.add((*place, "holidays"), problem, "change one of the two")

    def _topics(self, place: Place, raw: Mapping[str, object]) -> tuple[Topic, ...]:
        read = read_topics(raw.get("topics", []), (*place, "topics"), self._faults, self._path.parent)
        self._files += read.files
        self._notes += (f"subscriber{self._label(place)}, {note}" for note in read.notes)
        return read.topics

    def _address(self, place: Place, raw: Mapping[str, object]) -> str | None:
        """The subscriber's address; complains only of what `SubscriberEntry` cannot know."""
        email = raw.get("email")
        if not isinstance(email, str):
            return None
        here = (*place, "email")
        reference = REFERENCE.fullmatch(email.strip())
        try:
            if reference is None:
                address = check_address(email.strip())
            elif raw.get("paused") is True:
                return None
            else:
                address = self._address_from_environment(reference[1])
        except ComplaintError as exc:
            if reference is not None:
                self._faults.add(here, exc.problem, exc.hint)
            return None
        first = self._addresses.setdefault(address.casefold(), here)
        if first != here:
            problem = f"the address '{mask(address)}' is used in line {self._document.line(first)} already"
            self._faults.add(here, problem, "one mail a person is enough")
            return None
        return address

    def _address_from_environment(self, name: str) -> str:
        value = self._env.get(name)
        if value is None or not value.strip():
            state = "not set" if value is None else "empty"
            raise ComplaintError(
                f"the environment variable {name} is {state}", f"set {name} in the environment or in .env"
            )
        try:
            return check_address(value.strip())
        except ComplaintError as exc:
            raise ComplaintError(f"the value of {name} is not an address", exc.hint) from exc

    def _unique_id(self, place: Place, raw: Mapping[str, object]) -> SubscriberId | None:
        given, name = raw.get("id"), raw.get("name")
        if isinstance(given, str):
            key, part = SubscriberId(given), "id"
        elif isinstance(name, str) and "@" not in name and name.strip():
            key, part = subscriber_id(name), "name"
        else:
            return None
        here = (*place, part)
        first = self._ids.setdefault(key, here)
        if first != here:
            line = self._document.line(first)
            self._faults.add(
                here,
                f"the {part} {shown(raw[part])} stands for the same subscriber as line {line}",
                "rename one of them, or give it an 'id' of its own",
            )
            return None
        return key

    def _label(self, place: Place) -> str:
        """Whom a place is about: never an address."""
        match place:
            case ("sources", int(number), *_):
                return f" (source {number + 1})"
            case ("subscribers", int(number), *_):
                entries = self._root["subscribers"]
                raw = entries[number] if isinstance(entries, list) else None
                name = raw.get("name") if isinstance(raw, dict) else None
                is_safe = isinstance(name, str) and "@" not in name and name.strip()
                return f" ({subscriber_id(str(name))})" if is_safe else f" (subscriber {number + 1})"
            case _:
                return ""


def _identity(entry: SourceEntry) -> object:
    """What two entries of the same source have in common."""
    return ("feed", entry.address) if isinstance(entry, FeedEntry) else entry.model_copy(update={"name": None})
