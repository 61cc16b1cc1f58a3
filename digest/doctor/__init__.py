"""Looks at everything a run depends on: settings, machine, database, mail server, the sender's domain.

Each part yields findings and raises nothing that is foreseen; what is not is a finding too, and hides no other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from digest.errors import DigestError


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and what to do about it."""

    check: str
    level: Level
    found: str
    hint: str = ""


Look = tuple[str, Callable[[], Iterable[Finding]]]
"""A name, and what looks."""


def examine(looks: Iterable[Look]) -> Iterator[Finding]:
    """Look at one thing after the other; a look that fails is a finding of its own."""
    for name, look in looks:
        try:
            yield from look()
        except DigestError as error:
            yield failure(name, error)
        except Exception as exc:  # noqa: BLE001  whatever it is, the other looks must go on
            yield Finding(name, Level.ERROR, f"the check itself failed ({type(exc).__name__})", "please report it")


def failure(check: str, error: DigestError) -> Finding:
    """An error as a finding."""
    return Finding(check, Level.ERROR, f"{error.where}: {error.problem}" if error.where else error.problem, error.hint)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if all is well, 1 after a warning, 2 after an error."""
    order = list(Level)
    return max((order.index(finding.level) for finding in findings), default=0)
