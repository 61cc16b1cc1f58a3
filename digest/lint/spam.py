"""What SpamAssassin says of a mail by its local rules, where it is installed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from digest.lint.finding import Finding, Severity
from digest.lint.sources import Sources
from digest.model import Message

MOST: Final = 0.5
"""Of the 5.0 points from which a mail is taken for spam."""

_PROGRAM: Final = "spamassassin"
_FLAGS: Final = ("--local", "--test-mode", "--nocreate-prefs", "--cf=use_bayes 0", "--cf=use_auto_welcomelist 0")
_TIMEOUT_S: Final = 60
_SCORE: Final = re.compile(r"\((-?[\d.]+) points, [\d.]+ required\)")
_RULE: Final = re.compile(r"^ *(-?\d+(?:\.\d+)?) +([A-Z][A-Z0-9_]+) +(.*)$", re.MULTILINE)
_NOT_SENT_YET: Final = ("NO_RELAYS", "NO_RECEIVED", "DKIM_ADSP_", "UNPARSEABLE_RELAY")
"""Rules about the way a mail took; one that was never sent took none."""


@dataclass(frozen=True, slots=True)
class SpamRule:
    """A rule that the mail met."""

    name: str
    points: float
    says: str


def has_spamassassin() -> bool:
    """Whether it can be asked."""
    return shutil.which(_PROGRAM) is not None


def ask_spamassassin(message: Message) -> tuple[SpamRule, ...]:
    """The rules that the message meets; nothing is asked of the network.

    Raises:
        OSError: It cannot be run.
        subprocess.SubprocessError: It failed, or took too long.
    """
    done = subprocess.run(  # noqa: S603 - our own flags
        [shutil.which(_PROGRAM) or _PROGRAM, *_FLAGS],
        input=message.raw.replace(b"\r\n", b"\n"),
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    report = done.stdout.decode("utf-8", "replace").rpartition("Content analysis details:")[2]
    if not _SCORE.search(report):
        raise subprocess.SubprocessError(f"{_PROGRAM} wrote no report")
    return tuple(SpamRule(name, float(points), says.strip()) for points, name, says in _RULE.findall(report))


def check_spam(message: Message, sources: Sources) -> Iterator[Finding]:
    """The rules that add points, if together they are over `MOST`; nothing where it is not installed."""
    if not has_spamassassin():
        return
    try:
        rules = ask_spamassassin(message)
    except (OSError, subprocess.SubprocessError) as exc:
        yield Finding(
            rule="spam",
            severity=Severity.WARNING,
            message=f"{_PROGRAM} could not be asked: {exc}",
            hint=f"run {_PROGRAM} --lint",
            place=sources.find_file("layout.mjml.j2"),
        )
        return
    counted = [rule for rule in rules if not rule.name.startswith(_NOT_SENT_YET)]
    points = round(sum(rule.points for rule in counted), 2)
    if points > MOST:
        said = ", ".join(f"{rule.name} {rule.points:g} ({rule.says})" for rule in counted if rule.points > 0)
        yield Finding(
            rule="spam",
            severity=Severity.WARNING,
            message=f"SpamAssassin gives it {points:g} points, {MOST:g} are let through here: {said}",
            hint="the names of the rules say what to change; 5 points are spam",
            place=sources.find_file("subject.txt.j2"),
        )
