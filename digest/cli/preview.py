"""``digest preview``: a subscriber's next digest as files, without sending anything."""

from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import (
    NowOption,
    console,
    examples,
    find_subscriber,
    read_clock,
    reference_time,
    show_problems,
)
from digest.cli.report import contents
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest.model import Edition, Subscriber
    from digest.world import World

_LOOK_BACK = timedelta(days=7)

EPILOG = examples("digest preview --open", 'digest preview "Vision group" --out /tmp/preview')


def preview(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A subscriber's name or id; without it, every subscriber.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the first one in the web browser.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")] = Path("var/preview"),
    now: NowOption = None,
) -> None:
    """Write a subscriber's next digest as files: HTML, text and headers. Nothing is sent or recorded.

    Shown is what is owed now; if nothing is, the last seven days; if those had none, invented papers.
    """
    from digest.app import add_templates, build_world, load_config
    from digest.render.compose import compose_message

    moment = reference_time(now)
    config = add_templates(load_config())
    show_problems(config.roster.problems)
    world = build_world(config, read_clock)
    chosen = [find_subscriber(world.subscribers, name)] if name else world.subscribers
    for number, subscriber in enumerate(chosen):
        edition, what = _edition_to_show(world, subscriber, moment)
        # Whoever looks at a preview, or keeps it as a file, need not learn the address.
        edition = replace(edition, subscriber=replace(subscriber, email="reader@example.org"))
        message = compose_message(edition, world.templates[subscriber.template], sender=world.sender, now=moment)
        headers = message_from_bytes(message.raw).items()
        page = _write(
            out,
            {
                f"{subscriber.id}.html": message.html,
                f"{subscriber.id}.txt": message.text,
                f"{subscriber.id}.headers.txt": "".join(f"{key}: {value}\n" for key, value in headers),
            },
        )
        console.print(f"{escape(subscriber.name)}: {contents(edition)} ({what}), {len(message.html) / 1000:.0f} kB")
        console.print(f"  {escape(str(page))}, .txt and .headers.txt")
        if open_ and number == 0:
            typer.launch(page.resolve().as_uri())
    if config.roster.problems:
        raise typer.Exit(ConfigError.exit_code)


def _write(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of one preview; returns the first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"'{folder}' cannot be written ({exc.strerror})", where="--out", hint="name a folder of yours"
        ) from exc
    return folder / next(iter(files))


def _edition_to_show(world: "World", subscriber: "Subscriber", now: datetime) -> tuple["Edition", str]:
    """The best edition there is to look at, and where its papers are from."""
    from digest.choose import choose_papers, owed_edition
    from digest.demo import sample_papers
    from digest.pipeline import with_wordings
    from digest.schedule.due import edition_now

    today = edition_now(subscriber.schedule, subscriber.zone, now)
    owed = owed_edition(world, subscriber, today, now).edition
    if not owed.is_empty:
        return with_wordings(world, owed), "owed now"
    stored = world.papers.announced(world.papers.seq_before(now - _LOOK_BACK), world.papers.latest_seq())
    papers, what = (
        (stored, "last seven days")
        if stored
        else (sample_papers(now), "invented papers: none were announced in seven days")
    )
    edition = choose_papers(subscriber, today.date, now, papers)
    return with_wordings(world, edition), what
