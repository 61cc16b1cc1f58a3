"""``digest backtest``: what a subscriber's topics would have found on stored days, before a change goes live."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from digest.cli.backtest_view import SHOWN, Period, Side, show_difference, show_tally, view_tally
from digest.cli.common import (
    NameArgument,
    NowOption,
    console,
    errors,
    examples,
    find_subscriber,
    read_clock,
    reference_time,
    show_problems,
)
from digest.errors import ConfigError
from digest.rank.backtest import Asked, tally_days

if TYPE_CHECKING:
    from digest.app import Config
    from digest.model import Subscriber
    from digest.world import World

_DAYS = 30

EPILOG = examples(
    "digest backtest Me",
    "cp subscribers.yaml before.yaml   # then change subscribers.yaml, and",
    "digest backtest Me --against before.yaml",
    'digest backtest "Vision group" --days 90 --plot vision.png',
    "digest backtest Me --from morning   # what digest collect --record kept",
)


def backtest(
    name: NameArgument,
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=366,
            help=f"How many local days, today included; {_DAYS} unless given, a recording's own for --from.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Another subscribers file: show what is found now and was not by it, and lost."
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="Use a recording, or a folder of recordings, instead of stored papers."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the days, as PNG or SVG by the file's ending.")
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help=f"Name all papers that --against adds and loses, not {SHOWN} of each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    now: NowOption = None,
) -> None:
    """Show what a subscriber's topics would have found on past days. Nothing is stored or sent.

    With --against, FILE holds the same subscriber as before a change: what the change adds, what it loses, and why.
    """
    from digest.app import build_world, load_config
    from digest.config.settings import environment
    from digest.config.subscribers import load_subscribers

    if plot:
        check_plot(plot)
    config = load_config()
    show_problems(config.roster.problems)
    subscriber = _with_topics(find_subscriber(config.roster.subscribers, name), config.settings.subscribers)
    other = None
    if against:
        roster = load_subscribers(against, environment())
        show_problems(roster.problems)
        other = _with_topics(_same_subscriber(roster.subscribers, subscriber, name, against), against)
    with ExitStack() as stack:
        if from_:
            world, first, last = stack.enter_context(_recorded_world(config, from_))
            moment = reference_time(now) if now else last
            span = (moment.astimezone(subscriber.zone).date() - first.astimezone(subscriber.zone).date()).days + 1
        else:
            world, moment, span = build_world(config, read_clock), reference_time(now), _DAYS
        period = _read_period(world, subscriber.zone, moment, days or max(1, span))
        for note in _measure(world, [subscriber, *([other] if other else [])], period):
            errors.print(f"note: {escape(note)}")
    side = _ask(subscriber, config.settings.subscribers, period)
    before = _ask(other, against, period) if other and against else None
    if as_json:
        typer.echo(json.dumps(view_tally(side, before, period), indent=2, ensure_ascii=False))
    else:
        show_tally(side, period)
        if before:
            show_difference(side, before, period, show_all=show_all)
    if plot:
        from digest.cli.backtest_plot import draw_backtest

        draw_backtest(plot, subscriber, side.tally, (str(before.file), before.tally.found) if before else None)
        if not as_json:
            console.print(escape(f"drawn: {plot}"))


def check_plot(path: Path) -> None:
    """See that a picture can be drawn, before anything is read.

    Raises:
        ConfigError: The file has another ending, or matplotlib is missing.
    """
    from importlib.util import find_spec

    if path.suffix.lower() not in (".png", ".svg"):
        raise ConfigError(f"{path.name!r} is no .png or .svg", where="--plot", hint="write --plot backtest.png")
    if find_spec("matplotlib") is None:
        raise ConfigError("matplotlib is not installed", where="--plot", hint="pip install 'paperround[plots]'")


def _with_topics(subscriber: "Subscriber", file: Path) -> "Subscriber":
    if not subscriber.topics:
        raise ConfigError(f"{subscriber.name!r} has no topics, so nothing to look for", where=str(file))
    return subscriber


def _same_subscriber(others: "Sequence[Subscriber]", subscriber: "Subscriber", name: str, file: Path) -> "Subscriber":
    same = next((each for each in others if each.id == subscriber.id), None)
    try:
        return same or find_subscriber(others, name)
    except ConfigError as exc:
        raise ConfigError(exc.problem, where=str(file), hint=exc.hint) from exc


@contextmanager
def _recorded_world(config: "Config", folder: Path) -> "Iterator[tuple[World, datetime, datetime]]":
    """A world in a temporary database with what was recorded, and the times of the first and the last recording."""
    from digest.app import build_client, build_world
    from digest.collect.recording import Replayer, read_run
    from digest.listener import Listener
    from digest.pipeline import collect

    below = sorted(path.parent for path in folder.glob("*/run.json"))
    runs = sorted(((read_run(each), each) for each in below or [folder]), key=lambda run: run[0].now)
    # Where a file that is open cannot be deleted, the system clears it away.
    with TemporaryDirectory(prefix="digest-backtest-", ignore_cleanup_errors=True) as temporary:
        database = f"sqlite:///{Path(temporary) / 'backtest.sqlite3'}"
        settings = config.settings.model_copy(update={"database_url": database})
        empty = build_world(replace(config, settings=settings), read_clock)
        for run, each in runs:
            world = replace(empty, connect=partial(build_client, settings, empty.limits, transport=Replayer(each)))
            polls, _ = collect(world, run.now, Listener(), windows=run.windows)
            for poll in polls:
                if not poll.is_good:
                    cause = f": {poll.problems[0]}" if poll.problems else ""
                    errors.print(f"warning {escape(f'{each.name}: {poll.source} is {poll.verdict}{cause}')}")
        yield empty, runs[0][0].now, runs[-1][0].now


def _read_period(world: "World", zone: ZoneInfo, now: datetime, span: int) -> Period:
    """The stored papers of the last days up to now, as this zone counts days."""
    from digest.match.topics import Reading

    last = now.astimezone(zone).date()
    days = tuple(last - timedelta(days=number) for number in reversed(range(span)))
    since = datetime.combine(days[0], time(), zone).astimezone(UTC)
    # Also what was stored right now.
    stored = world.papers.announced_at(since, now + timedelta(microseconds=1))
    if not stored:
        raise ConfigError(
            f"no paper was stored from {days[0]} to {last}",
            hint=f"{world.papers.count()} papers are stored in all; digest collect reads the sources,"
            " --days looks further back",
        )
    return Period(zone, days, tuple(at for at, _ in stored), tuple(Reading(paper) for _, paper in stored))


def _measure(world: "World", subscribers: "Sequence[Subscriber]", period: Period) -> tuple[str, ...]:
    """Tell each paper how near it is to what the topics describe; returns what was not as one would expect."""
    from digest.choose import measure_nearness, say_notes
    from digest.match.topics import compile_topics
    from digest.rank.corpus import Corpus
    from digest.rank.meaning import Meaning

    meaning = Meaning(Corpus([reading.paper for reading in period.readings]), world.embedder, world.papers.papers)
    asked = [(subscriber, topic) for subscriber in subscribers for topic in compile_topics(subscriber)]
    measure_nearness(meaning, [topic for _, topic in asked], period.readings)
    return say_notes(meaning, asked)


def _ask(subscriber: "Subscriber", file: Path, period: Period) -> Side:
    """Ask all topics about every paper."""
    from digest.match.panel import Panel
    from digest.match.topics import compile_topics
    from digest.schedule.days_off import DaysOff
    from digest.schedule.due import next_send

    @cache
    def mail_after(at: datetime) -> date:
        return (
            next_send(subscriber.schedule, subscriber.zone, at, DaysOff.of(subscriber))
            .astimezone(subscriber.zone)
            .date()
        )

    wanted = dict(Panel([subscriber]).ask(period.readings).of(subscriber.id))
    asked = [
        Asked(reading.paper.key, at.astimezone(period.zone).date(), mail_after(at), wanted.get(number, ()))
        for number, (at, reading) in enumerate(zip(period.stored_at, period.readings, strict=True))
    ]
    tally = tally_days([topic.name for topic in subscriber.topics], period.days, asked)
    return Side(subscriber, file, tally, {each.topic.name: each for each in compile_topics(subscriber)})
