"""``digest status``: what is stored, what was sent, and what comes next."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, examples, number_of, read_clock, reference_time, show_error, table
from digest.cli.outbox import advise, say_counts, say_paused
from digest.cli.report import coloured
from digest.errors import DigestError, StoreError
from digest.model import DeliveryState, SubscriberId
from digest.ports import EditionState

EPILOG = examples(
    "digest status",
    "digest status --json | jq -c '.editions[] | {subscriber, state}'",
)

_TROUBLES = 20


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    now: NowOption = None,
) -> None:
    """Show when each source was last read, each subscriber's last edition and next send, and what waits."""
    from digest.app import build_world, load_config
    from digest.config.edit import RosterFile
    from digest.schedule.days_off import DaysOff
    from digest.schedule.due import next_send
    from digest.store.database import connect_database
    from digest.store.desk import Desk

    moment = reference_time(now)
    config = load_config()
    world = build_world(config, read_clock)
    problems: list[DigestError] = [*config.roster.problems]
    code = 0
    try:
        world.check_marker()
    except StoreError as error:
        problems.append(error)
        code = error.exit_code
    desk = Desk(connect_database(config.settings.database_url))
    states = desk.counts()
    sources = world.papers.source_states()
    people = []
    for subscriber in world.subscribers:
        newest = next(iter(desk.deliveries(subscriber=subscriber.id, limit=1)), None)
        people.append(
            (subscriber, newest, next_send(subscriber.schedule, subscriber.zone, moment, DaysOff.of(subscriber)))
        )
    if as_json:
        view: dict[str, Any] = {
            "papers": world.papers.count(),
            "sources": [asdict(source) for source in sources],
            "subscribers": [
                {"id": subscriber.id, "last_edition": asdict(newest) if newest else None, "next_send": upcoming}
                for subscriber, newest, upcoming in people
            ],
            "editions": [asdict(edition) for edition in desk.deliveries()],
            "states": states,
            "problems": [str(problem) for problem in problems],
        }
        typer.echo(json.dumps(view, indent=2, ensure_ascii=False, default=_as_text))
        raise typer.Exit(code)
    for problem in problems:
        show_error(problem)
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
        rows.add_row(escape(subscriber.name), *last, _short(upcoming), escape(newest.why) if newest else "")
    console.print(rows)
    console.print(f"editions: {say_counts(states)}")
    suppressions = world.suppressions.suppressions()
    addresses = {each.address for each in suppressions}
    suppressed = {each.id for each in world.subscribers if addresses and world.keyring.know(each.email) in addresses}
    _show_troubles([newest for _, newest, _ in people if newest], suppressed)
    written = RosterFile(config.settings.subscribers).written if suppressions else {}
    for each in suppressions:
        console.print(
            f"{coloured(DeliveryState.SUPPRESSED)} {escape(each.subscriber)}: {escape(each.reason)};"
            f" digest outbox lift {escape(each.subscriber)} writes to them again"
            f"{escape(say_paused(written.get(each.subscriber)))}"
        )
    raise typer.Exit(code)


def _show_troubles(newest: Sequence[EditionState], suppressed: Collection[SubscriberId]) -> None:
    """A line for each subscriber whose last edition did not arrive, or may not have, with what helps."""
    known = ((each, advise(each, is_suppressed=each.subscriber in suppressed)) for each in newest)
    troubles = [(each, advice) for each, advice in known if advice]
    for each, advice in troubles[:_TROUBLES]:
        again = f"next try {each.next_try_at:%Y-%m-%d %H:%M} UTC; " if each.next_try_at else ""
        console.print(f"{coloured(each.state)} {escape(f'{each.subscriber} {each.date}: {again}{advice}')}")
    if len(troubles) > _TROUBLES:
        console.print(f"and {len(troubles) - _TROUBLES} more; digest outbox list shows all")


def _short(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
