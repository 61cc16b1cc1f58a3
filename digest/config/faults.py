"""Collects everything that is wrong in one file, each with its line."""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from digest.config.problems import did_you_mean, shown, told
from digest.config.yaml_lines import Document, Fault, Place

START_HINT = "subscribers.example.yaml shows every key"

_MISSING = {
    "name": "write for example: name: Vision group",
    "email": "write an address, or a reference to the environment: email: ${VISION_GROUP_EMAIL}",
}

_Part = TypeVar("_Part", bound=BaseModel)


class Faults:
    """What is wrong in a document: its YAML first, then its parts as they are checked."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._faults = list(document.faults)

    def add(self, place: Place, problem: str, hint: str) -> None:
        """Note what is wrong at a place."""
        self._faults.append(Fault(place, self._document.line(place), problem, hint))

    def add_unknown_key(self, place: Place, key: str, model: type[BaseModel]) -> None:
        """Note a key that this part of the file does not have."""
        self.add((*place, key), f"unknown key {shown(key)}", did_you_mean(key, list(model.model_fields)))

    def check(self, model: type[_Part], raw: object, place: Place) -> _Part | None:
        """The checked part, or ``None`` if it or its own YAML is wrong."""
        try:
            part = model.model_validate(raw)
        except ValidationError as exc:
            for error in exc.errors(include_url=False):
                self._add_error(model, error, place)
            return None
        # A subscriber's topics are checked each on its own.
        is_whole = all("topics" in fault.place[len(place) :] for fault in self.within(place))
        return part if is_whole else None

    def within(self, place: Place) -> Iterator[Fault]:
        """The faults at a place and below it."""
        return (fault for fault in self._faults if fault.place[: len(place)] == place)

    def in_order(self) -> list[Fault]:
        """All faults in the order of the file."""
        return sorted(self._faults, key=lambda fault: fault.line)

    def _add_error(self, model: type[BaseModel], error: ErrorDetails, place: Place) -> None:
        here = (*place, *error["loc"])
        if any(here[: len(fault.place)] == fault.place for fault in self._document.faults):
            return
        key = str(next((part for part in reversed(here) if isinstance(part, str)), ""))
        if error["type"] == "extra_forbidden":
            *above, _ = error["loc"]
            inner = model.model_fields[str(above[0])].annotation if above else model
            self.add_unknown_key((*place, *above), key, inner if isinstance(inner, type) else model)
        elif error["type"] == "missing":
            self.add(place, f"'{key}' is missing", _MISSING.get(key, START_HINT))
        else:
            complaint = told(error, f"'{key}'")
            self.add(here, complaint.problem, complaint.hint)
