"""``digest check``: validates everything that can be wrong before anything is sent."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from digest.cli.common import NowOption, console, reference_time, show_error, show_problems
from digest.cli.report import Watcher
from digest.errors import ConfigError, DigestError


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The subscribers file; DIGEST_SUBSCRIBERS by default.")
    ] = None,
    smtp: Annotated[
        bool, typer.Option("--smtp", help="Connect to the mail server and sign in; sends nothing.")
    ] = False,
    sources: Annotated[bool, typer.Option("--sources", help="Ask each source once; stores nothing.")] = False,
    now: NowOption = None,
) -> None:
    """Validate settings, subscribers and templates; every problem is named at once, with its line."""
    from digest.app import build_smtp, build_source, compile_templates, load_config
    from digest.collect.client import Limits, poll_sources
    from digest.ports import Window
    from digest.schedule.due import next_send

    moment = reference_time(now)
    config = load_config(file)
    compile_templates(config)
    show_problems(config.roster.problems)
    table = Table("subscriber", "topics", "schedule", "next send", title="Subscribers", title_justify="left")
    for subscriber in config.roster.subscribers:
        upcoming = next_send(subscriber.schedule, subscriber.zone, moment).astimezone(subscriber.zone)
        table.add_row(
            escape(subscriber.name),
            str(len(subscriber.topics)),
            escape(subscriber.schedule.text),
            f"{upcoming:%a %d %b %Y %H:%M} {subscriber.zone}",
        )
    console.print(table)
    codes = [ConfigError.exit_code] if config.roster.problems else []
    if sources:
        listed = [build_source(spec) for spec in config.roster.sources]
        windows = {source.name: Window(moment - timedelta(days=1), moment) for source in listed}
        with Watcher(sources=len(listed)) as watcher:
            polls = asyncio.run(
                poll_sources(
                    listed,
                    windows,
                    {},
                    limits=Limits(),
                    contact=config.settings.contact,
                    on_poll=lambda poll: watcher.polled(poll, None),
                )
            )
        codes += [1 for poll in polls if not poll.is_good]
    if smtp:
        try:
            build_smtp(config.settings).check()
            console.print(f"signed in to {config.settings.smtp.host}; nothing was sent")
        except DigestError as error:
            show_error(error)
            codes.append(error.exit_code)
    elif not config.settings.smtp.host:
        console.print("note: no mail server yet (DIGEST_SMTP__HOST); preview and run --to-folder work without one")
    number = len(config.roster.problems)
    console.print(
        f"{len(config.roster.sources)} sources, {len(config.roster.subscribers)} subscribers,"
        f" {number or 'no'} problem{'s' if number > 1 or not number else ''}"
    )
    raise typer.Exit(max(codes, default=0))
