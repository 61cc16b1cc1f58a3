"""``digest collect``: reads every source and stores what is new, without sending."""

import json
from typing import Annotated

import typer

from digest.cli.common import NowOption, console, examples, read_clock, reference_time, show_problems
from digest.cli.report import Watcher, sources_table

EPILOG = examples(
    "digest collect",
    "digest collect --json | jq -c '.sources[].problems'",
)


def collect(
    now: NowOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Read every source and store what is new; nothing is sent.

    digest run and digest serve do this by themselves. The exit code is 1 if a source could not be read completely.
    """
    from digest.app import build_world, load_config
    from digest.pipeline import Listener, Report, collect

    config = load_config()
    world = build_world(config, read_clock)
    moment = reference_time(now)
    if as_json:
        polls, recorded = collect(world, moment, Listener())
    else:
        with Watcher(sources=len(world.sources)) as watcher:
            polls, recorded = collect(world, moment, watcher)
    report = Report(polls=polls, recorded=recorded, problems=config.roster.problems)
    show_problems(report.problems)
    if as_json:
        rows = [
            {
                "source": poll.source,
                "verdict": poll.verdict,
                "listed": len(poll.entries),
                "new": recorded[poll.source].new,
                "merged": recorded[poll.source].merged,
                "seen": recorded[poll.source].seen,
                "took_s": round(poll.took_s, 3),
                "problems": poll.problems,
            }
            for poll in polls
        ]
        typer.echo(json.dumps({"sources": rows}, indent=2, ensure_ascii=False))
    else:
        console.print(sources_table(report))
    raise typer.Exit(report.exit_code)
