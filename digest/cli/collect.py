"""``digest collect``: reads every source and stores what is new, without sending."""

import json
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.common import NowOption, console, examples, read_clock, reference_time, show_problems
from digest.cli.report import Watcher, show_notes, sources_table
from digest.errors import ConfigError

EPILOG = examples(
    "digest collect",
    "digest collect --json | jq -c '.sources[].problems'",
    "digest collect --record morning   # a bug report: every answer, no secret",
    "DIGEST_DATABASE_URL=sqlite:///replay.sqlite3 digest collect --replay morning",
)


def collect(
    now: NowOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FOLDER", help="Also write every answer into this new folder.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay", metavar="FOLDER", help="Collect from the answers in this folder, as of then, without network."
        ),
    ] = None,
) -> None:
    """Read every source and store what is new; nothing is sent.

    digest run and digest serve do this by themselves. The exit code is 1 if a source could not be read completely.
    """
    from digest.app import build_world, load_config
    from digest.collect.recording import Recorder, Replayer, read_run, write_run
    from digest.listener import Listener
    from digest.pipeline import Report, collect, window

    if record and replay:
        raise ConfigError("--record and --replay exclude each other", hint="a replay has nothing new to record")
    config = load_config()
    run = read_run(replay) if replay else None
    transport = Replayer(replay) if replay else Recorder(record) if record else None
    world = build_world(config, read_clock, transport)
    if replay and world.ledger.editions(limit=1):
        raise ConfigError(
            "this database has editions: a replay would owe its readers what was recorded",
            where="DIGEST_DATABASE_URL",
            hint="set it to a new file, such as sqlite:///replay.sqlite3",
        )
    moment = run.now if run and not now else reference_time(now)
    windows = run.windows if run else None
    if record:
        # Which papers an extra is asked about follows from what the others list.
        listing = (source for source in world.sources if not source.asks_about_papers)
        windows = {source.name: window(world, source, moment) for source in listing}
        write_run(record, moment, windows)
    if as_json:
        polls, recorded = collect(world, moment, Listener(), windows=windows)
    else:
        with Watcher(sources=len(world.sources)) as watcher:
            polls, recorded = collect(world, moment, watcher, windows=windows)
    report = Report(polls=polls, recorded=recorded, problems=config.roster.problems, notes=world.skipped)
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
                "via": poll.via,
                "covers": poll.covers,
                "problems": poll.problems,
            }
            for poll in polls
        ]
        view = {"sources": rows, "notes": report.notes}
        typer.echo(json.dumps(view, indent=2, ensure_ascii=False))
    else:
        show_notes(report)
        console.print(sources_table(report))
    raise typer.Exit(report.exit_code)
