"""What every command shares: the clock, the look of the output, and finding subscribers by name."""

import difflib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from digest.errors import ConfigError, DigestError
from digest.model import Subscriber

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

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
    except ValueError as exc:
        raise ConfigError(f"{text!r} is no time", where="--now", hint="write it like 2026-11-20T07:30") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def set_up_logging() -> None:
    """Log lines of ``digest`` to stderr, for commands that run unattended."""
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=errors, show_path=False)], force=True
    )
    for chatty in ("httpx", "httpcore", "apscheduler", "stamina"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def show_error(error: DigestError) -> None:
    """Print a problem with its place and hint."""
    errors.print(f"[red]error[/red] {escape(str(error))}")


def show_problems(problems: Sequence[ConfigError]) -> None:
    """Print every problem of the configuration."""
    for problem in problems:
        show_error(problem)


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
