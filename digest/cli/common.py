"""What every command shares: the clock, the look of the output, examples in help, and subscribers by name."""

import difflib
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from digest.config.problems import ConfigProblems
from digest.errors import ConfigError, DigestError
from digest.model import Subscriber

_LOG_COLUMNS = 10_000


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


console = _Output()
errors = _Output(stderr=True)

NowOption = Annotated[
    str | None,
    typer.Option("--now", metavar="TIME", help="Act as if it were this time (ISO 8601, UTC if it names no zone)."),
]
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


def set_up_logging() -> None:
    """Log lines of ``digest`` to stderr, for commands that run unattended: coloured for a person, plain for a log."""
    if errors.is_terminal:
        logging.basicConfig(
            level=logging.INFO,
            format="%(message)s",
            handlers=[RichHandler(console=errors, show_path=False)],
            force=True,
        )
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    for chatty in ("alembic", "httpx", "httpcore", "apscheduler", "stamina"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def show_error(error: DigestError) -> None:
    """Print a problem with its place and hint; each of them, if it holds several."""
    for each in error.problems if isinstance(error, ConfigProblems) else (error,):
        errors.print(f"[red]error[/red] {escape(str(each))}")


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
    near = difflib.get_close_matches(name.casefold(), by_name, n=1, cutoff=0.5)
    known = ", ".join(repr(each.name) for each in subscribers[:10])
    hint = f"did you mean {by_name[near[0]].name!r}? " if near else ""
    raise ConfigError(f"no subscriber is called {name!r}", hint=f"{hint}Known: {known or 'nobody'}")
