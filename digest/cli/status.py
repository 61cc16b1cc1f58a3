"""``digest status``: what is stored, what was sent, and what comes next."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from digest.cli.common import NowOption, console, read_clock, reference_time, show_problems
from digest.cli.report import coloured


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    now: NowOption = None,
) -> None:
    """Show when each source was last read, each subscriber's last edition and next send, and what waits."""
    from digest.app import build_world, load_config
    from digest.schedule.due import next_send

    config = load_config()
    world = build_world(config, read_clock)
    moment = reference_time(now)
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
    console.print(f"{world.papers.count()} papers stored")
    table = Table("source", "last poll", "verdict", "listed", "new", "last good", "problem", title="Sources")
    for source in sources:
        table.add_row(
            escape(source.name),
            _short(source.polled_at),
            coloured(source.verdict),
            str(source.entries),
            str(source.new),
            _short(source.last_good_at),
            escape(source.problem),
        )
    console.print(table)
    table = Table("subscriber", "last edition", "state", "papers", "detail", "next send (UTC)", title="Subscribers")
    for subscriber, newest, upcoming in people:
        last = (
            (str(newest.date), coloured(newest.state), str(newest.papers), escape(newest.detail))
            if newest
            else ("",) * 4
        )
        table.add_row(escape(subscriber.name), *last, _short(upcoming))
    console.print(table)


def _short(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
