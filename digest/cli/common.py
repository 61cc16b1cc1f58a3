"""What every command shares: the clock, the look of the output, examples in help, and subscribers by name."""

import difflib
import json
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from dotenv import dotenv_values
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from digest.config.problems import ConfigProblems
from digest.errors import ConfigError, DigestError
from digest.model import Subscriber, SubscriberId

if TYPE_CHECKING:
    from digest.config.edit import Written
    from digest.config.settings import Settings

_LOG_COLUMNS = 10_000
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


class _Output(Console):
    """For a person, as wide as their terminal; for anything else whole lines, so that no id is ever cut."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
        if not self.is_terminal:
            self.width = _LOG_COLUMNS

    def on_broken_pipe(self) -> None:
        """Go on without a reader: ``digest run | head`` must not leave the mail half sent."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if self.stderr else sys.stdout).fileno())

    def _write_buffer(self) -> None:
        try:
            super()._write_buffer()
        except BrokenPipeError:
            raise
        except OSError:
            # A log that cannot be written, on a full disk say, is no reason to stop either.
            self.on_broken_pipe()


class _Errors(_Output):
    """Where problems go: lines for a person, or log lines where those were asked for (``DIGEST_LOG=json``)."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as any console; a line of a log has the level that its first word names."""
        if not _logs_json():
            super().print(*objects, **options)
            return
        if not logging.getLogger().handlers:
            set_up_logging()
        line = " ".join(Text.from_markup(str(each)).plain for each in objects)
        word, _, rest = line.partition(" ")
        if word.rstrip(":") in (*_LEVELS, "note"):
            line = rest
        logging.getLogger("digest").log(_LEVELS.get(word, logging.INFO), "%s", line)


console = _Output()
errors = _Errors()

NowOption = Annotated[
    str | None,
    typer.Option("--now", metavar="TIME", help="Act as if it were this time (ISO 8601, UTC if it names no zone)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A subscriber's name or id.")]


def read_clock() -> datetime:
    """The time, in UTC. Everything below the command line takes it as an argument."""
    return datetime.now(UTC)  # noqa: TID251


def reference_time(text: str | None) -> datetime:
    """The time a command acts at: the clock's, or what ``--now`` says.

    Raises:
        ConfigError: The text is no time.
    """
    if text is None:
        return read_clock()
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ConfigError(f"{text!r} is no time", where="--now", hint="write it like 2026-11-20T07:30") from exc


@cache
def _logs_json() -> bool:
    """Whether ``DIGEST_LOG`` asks for JSON, whatever is wrong with other settings."""
    try:
        return (os.environ.get("DIGEST_LOG") or dotenv_values(".env").get("DIGEST_LOG")) == "json"
    except (OSError, UnicodeDecodeError):
        return False


def begin_logging() -> None:
    """Make log lines safe to be shown before anything is read; most commands log nothing but warnings."""
    from digest.telemetry.logs import Redactor, TextFormatter

    if _logs_json():
        set_up_logging()
    elif logging.lastResort:
        logging.lastResort.setFormatter(TextFormatter("%(message)s", Redactor()))


def set_up_logging(settings: "Settings | None" = None) -> None:
    """Log lines of ``digest`` to stderr, for commands that run unattended: coloured for a person, plain for a log, one
    JSON object a line if ``DIGEST_LOG`` is ``json``. Addresses are masked, and with the settings their secrets.
    """
    from digest.telemetry.logs import JsonFormatter, Redactor, TextFormatter, find_secrets

    redactor = Redactor(find_secrets(settings) if settings else ())
    handler: logging.Handler
    formatter: logging.Formatter
    if _logs_json():
        handler = logging.StreamHandler()
        formatter = JsonFormatter(redactor)
    elif errors.is_terminal:
        handler = RichHandler(console=errors, show_path=False)
        formatter = TextFormatter("%(message)s", redactor)
    else:
        handler = logging.StreamHandler()
        formatter = TextFormatter("%(asctime)s %(levelname)s %(message)s", redactor)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Or Python writes them to stderr itself.
    logging.captureWarnings(_logs_json())
    for chatty in ("alembic", "httpx", "httpcore", "apscheduler"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of each attempt to come, and names no host; what came of them is told by whoever asked.
    logging.getLogger("stamina").setLevel(logging.ERROR)


def show_crash(error: Exception) -> None:
    """Print what we did not foresee, with its traceback and without addresses and secrets."""
    from digest.config.settings import load_settings

    try:
        settings = load_settings()
    except ConfigError:
        settings = None
    set_up_logging(settings)
    logging.getLogger("digest").critical("a mistake of this program's: %s", type(error).__name__, exc_info=error)


def print_json(value: object) -> None:
    """Print one JSON object, for machines; times as ISO 8601."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def show_error(error: DigestError) -> None:
    """Print a problem with its place and hint; each of them, if it holds several."""
    for each in error.problems if isinstance(error, ConfigProblems) else (error,):
        errors.print(f"[red]error[/red] {escape(str(each))}")


def view_problem(error: DigestError) -> dict[str, str]:
    """A problem for machines."""
    return {"where": error.where, "problem": error.problem, "hint": error.hint}


def show_problems(problems: Sequence[ConfigError]) -> None:
    """Print every problem of the configuration."""
    for problem in problems:
        show_error(problem)


def table(title: str, *headings: str, numbers: Sequence[str] = ()) -> Table:
    """An empty table: boxed and folded for a person, otherwise one whole line a row.

    Args:
        title: Printed above it.
        headings: Of the columns.
        numbers: Headings of further columns, whose values end flush.
    """
    shape = Table(title=title, title_justify="left", title_style="bold")
    if not console.is_terminal:
        shape.box, shape.pad_edge = None, False
    for heading in headings:
        shape.add_column(heading, overflow="fold")
    for heading in numbers:
        shape.add_column(heading, justify="right", overflow="fold")
    return shape


def number_of(count: int, thing: str) -> str:
    """A count in words: ``1 source``, ``2 sources``, ``no sources``."""
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"


def examples(*lines: str) -> str:
    """The end of a command's help: one call a line, as people would type it."""
    return "\n".join(f"[dim]$[/dim] {escape(line)}" for line in lines)


def find_subscriber(subscribers: Sequence[Subscriber], name: str) -> Subscriber:
    """The subscriber with this name or id, whatever the case.

    Raises:
        ConfigError: There is none; the hint names the nearest.
    """
    by_name = {known.casefold(): each for each in subscribers for known in (each.name, each.id)}
    found = by_name.get(name.casefold())
    if found:
        return found
    written = find_written(name)
    if written and written.is_paused:
        where = f"subscribers file, line {written.line}"
        raise ConfigError(f"{name!r} is paused", where=where, hint="delete 'paused: true' there to write to them again")
    near = difflib.get_close_matches(name.casefold(), by_name, n=1, cutoff=0.5)
    known = ", ".join(repr(each.name) for each in subscribers[:10])
    hint = f"did you mean {by_name[near[0]].name!r}? " if near else ""
    raise ConfigError(f"no subscriber is called {name!r}", hint=f"{hint}Known: {known or 'nobody'}")


def find_written(name: str) -> "Written | None":
    """Whom the subscribers file has by this name or id, also if they are paused or written wrongly."""
    from digest.config.edit import RosterFile
    from digest.config.settings import load_settings
    from digest.config.subscribers import subscriber_id

    try:
        written = RosterFile(load_settings().subscribers).written
    except ConfigError:
        return None
    return written.get(SubscriberId(name)) or written.get(subscriber_id(name))
