"""``digest run``: one pass for whoever is due."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.common import (
    JsonOption,
    NowOption,
    examples,
    find_subscriber,
    print_json,
    read_clock,
    reference_time,
    set_up_logging,
    show_problems,
)
from digest.cli.report import Watcher, show_report, view_report
from digest.cli.watch import Watch
from digest.listener import Listener
from digest.signals import signals_heard

if TYPE_CHECKING:
    from datetime import date

    from digest.config.settings import Settings
    from digest.deliver.outcome import Outcome
    from digest.model import DeliveryState, SubscriberId
    from digest.pipeline import Report
    from digest.ports import SourceState

EPILOG = examples(
    "digest run                       # whoever is due; may be repeated",
    "digest run --all --dry-run       # what everyone would get now",
    'digest run --all --only "Vision group"',
    "digest run --to-folder outbox    # .eml files, no mail server",
)


def run(
    everyone: Annotated[
        bool, typer.Option("--all", help="Also those whose send time has not come: today's edition goes out now.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this subscriber; may be repeated.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Collect and choose, but send nothing and record no edition.")
    ] = False,
    to_folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Deliver as .eml files into DIR instead of SMTP; it counts as sent."),
    ] = None,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Collect, match, render and send: one pass for whoever is due.

    Safe to repeat: the ledger holds what was sent, so a second run on the same morning sends nothing twice. SIGTERM or
    Ctrl-C finishes the messages in hand and leaves the others for the next run.

    Exit codes: 0 done, 1 some deliveries or sources failed, 2 configuration, 3 the SMTP server refuses us, 4 storage,
    5 the ledger counts otherwise than the run.
    """
    from digest.config.settings import load_settings

    moment = reference_time(now)
    settings = load_settings()
    if settings.log == "json":
        set_up_logging(settings)
    watch = None if dry_run else Watch(settings, to_folder, "digest run")
    if watch:
        watch.began()
    try:
        told = _Told() if as_json else None
        report, signal, sources = _pass(
            settings, moment, everyone=everyone, only=only, dry_run=dry_run, to_folder=to_folder, told=told
        )
    except Exception as error:
        if watch:
            watch.ended(error, moment)
        raise
    if told:
        print_json(view_report(report) | {"deliveries": told.deliveries})
    else:
        show_report(report, dry_run=dry_run)
    # As a shell counts an end by signal, so that a supervisor can tell it from a failure.
    if signal:
        raise typer.Exit(128 + signal)
    if watch:
        watch.ended(report, moment, sources)
    raise typer.Exit(report.exit_code)


class _Told(Listener):
    """Keeps what became of every delivery, for machines."""

    def __init__(self) -> None:
        self.deliveries: list[dict[str, SubscriberId | date | DeliveryState]] = []

    def settled(self, outcome: "Outcome") -> None:
        delivery = outcome.delivery
        self.deliveries.append({"subscriber": delivery.subscriber, "date": delivery.date, "state": outcome.state})


def _pass(
    settings: "Settings",
    now: datetime,
    *,
    everyone: bool,
    only: list[str] | None,
    dry_run: bool,
    to_folder: Path | None,
    told: "_Told | None",
) -> tuple["Report", int, Sequence["SourceState"]]:
    """What the pass did, the signal that ended it early, or 0, and what is remembered of sources after it."""
    from digest.app import add_templates, build_backend, build_world, load_config
    from digest.pipeline import run_pass
    from digest.world import Choice

    config = add_templates(load_config(settings))
    show_problems(config.roster.problems)
    chosen = frozenset(find_subscriber(config.roster.subscribers, name).id for name in only) if only else None
    backend = None if dry_run else build_backend(settings, to_folder)
    world = build_world(config, read_clock)
    choice = Choice(everyone=everyone, only=chosen)
    watching = nullcontext(told) if told else Watcher(sources=len(world.sources), now=now)
    with signals_heard() as heard, watching as listener:
        report = run_pass(world, backend, now, choice, listener, stop=lambda: bool(heard))
    show_problems(report.problems)
    report = replace(report, problems=(*config.roster.problems, *report.problems))
    return report, heard[0] if heard else 0, world.papers.source_states()
