"""``digest status``: what is stored, what was sent, and what comes next."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, examples, number_of, read_clock, reference_time, show_problems, table
from digest.cli.report import coloured

EPILOG = examples(
    "digest status",
    "digest status --json | jq -c '.editions[] | {subscriber, state}'",
)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    now: NowOption = None,
) -> None:
    """Show when each source was last read, each subscriber's last edition and next send, and what waits."""
    from digest.app import build_world, load_config
    from digest.schedule.due import next_send

    moment = reference_time(now)
    config = load_config()
    world = build_world(config, read_clock)
    sources = world.papers.source_states()
    people = []
    for subscriber in world.subscribers:
        newest = next(iter(world.ledger.editions(subscriber.id, limit=1)), None)
        people.append((subscriber, newest, next_send(subscriber.schedule, subscriber.zone, moment)))
    if as_json:
        view: dict[str, Any] = {
            "papers": world.papers.count(),
            "sources": [asdict(source) for source in sources],
            "subscribers": [
                {"id": subscriber.id, "last_edition": asdict(newest) if newest else None, "next_send": upcoming}
                for subscriber, newest, upcoming in people
            ],
            "editions": [asdict(edition) for edition in world.ledger.editions()],
            "problems": [str(problem) for problem in config.roster.problems],
        }
        typer.echo(json.dumps(view, indent=2, ensure_ascii=False, default=_as_text))
        return
    show_problems(config.roster.problems)
    console.print(f"{number_of(world.papers.count(), 'paper')} stored")
    rows = table(
        "Sources", "source", "last poll", "verdict", "listed", "new", "merged", "seen", "time", "complete until",
        "last new", "problem",
    )  # fmt: skip
    for source in sources:
        rows.add_row(
            escape(source.name),
            _short(source.polled_at),
            coloured(source.verdict),
            *map(str, (source.listed, source.new, source.merged, source.seen)),
            f"{source.took_s:.1f} s",
            _short(source.last_good_at),
            _short(source.fresh_at),
            escape(source.problem),
        )
    if sources:
        console.print(rows)
    rows = table("Subscribers", "subscriber", "last edition", "state", "papers", "next send (UTC)", "detail")
    for subscriber, newest, upcoming in people:
        last = (str(newest.date), coloured(newest.state), str(newest.papers)) if newest else ("", "", "")
        rows.add_row(escape(subscriber.name), *last, _short(upcoming), escape(newest.detail) if newest else "")
    console.print(rows)


def _short(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
