"""``digest run``: one pass for whoever is due."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.common import NowOption, examples, find_subscriber, read_clock, reference_time, show_problems
from digest.cli.notice import Notices
from digest.cli.report import Watcher, show_report
from digest.errors import DigestError
from digest.signals import signals_heard

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.pipeline import Report

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
    now: NowOption = None,
) -> None:
    """Collect, match, render and send: one pass for whoever is due.

    Safe to repeat: the ledger holds what was sent, so a second run on the same morning sends nothing twice. SIGTERM or
    Ctrl-C finishes the message in hand and leaves the others for the next run.

    Exit codes: 0 done, 1 some deliveries or sources failed, 2 configuration, 3 the SMTP server refuses us, 4 storage.
    """
    from digest.config.settings import load_settings

    moment = reference_time(now)
    settings = load_settings()
    notices = None if dry_run else Notices(settings, to_folder, "digest run")
    try:
        report, signal = _pass(settings, moment, everyone=everyone, only=only, dry_run=dry_run, to_folder=to_folder)
    except DigestError as error:
        if notices:
            notices.tell(error, moment)
        raise
    show_report(report, dry_run=dry_run)
    # As a shell counts an end by signal, so that a supervisor can tell it from a failure.
    if signal:
        raise typer.Exit(128 + signal)
    if notices:
        notices.tell(report, moment)
    raise typer.Exit(report.exit_code)


def _pass(
    settings: "Settings",
    now: datetime,
    *,
    everyone: bool,
    only: list[str] | None,
    dry_run: bool,
    to_folder: Path | None,
) -> tuple["Report", int]:
    """What the pass did, and the signal that ended it early, or 0."""
    from digest.app import add_templates, build_backend, build_world, load_config
    from digest.pipeline import run_pass
    from digest.world import Choice

    config = add_templates(load_config(settings))
    show_problems(config.roster.problems)
    chosen = frozenset(find_subscriber(config.roster.subscribers, name).id for name in only) if only else None
    backend = None if dry_run else build_backend(settings, to_folder)
    world = build_world(config, read_clock)
    choice = Choice(everyone=everyone, only=chosen)
    with signals_heard() as heard, Watcher(sources=len(world.sources)) as watcher:
        report = run_pass(world, backend, now, choice, watcher, stop=lambda: bool(heard))
    show_problems(report.problems)
    return replace(report, problems=(*config.roster.problems, *report.problems)), heard[0] if heard else 0
