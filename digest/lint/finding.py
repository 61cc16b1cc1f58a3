"""What is wrong with a mail, and where in its template that is to be mended."""

from dataclasses import dataclass
from enum import StrEnum

from digest.render.source import Place


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Some readers cannot read it, or never get it."""
    WARNING = "warning"
    """Some readers get less than others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend."""

    rule: str
    """A word of `digest.lint.RULES`, such as ``contrast``."""
    severity: Severity
    message: str
    """What is wrong, with the value."""
    hint: str
    """The next step."""
    place: Place
    """The line of the template that is most likely meant; the first of its file where no line is."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.rule}]\n  hint: {self.hint}"
