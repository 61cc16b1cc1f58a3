"""``digest preview``: a subscriber's next digest as files, without sending anything."""

from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, find_subscriber, read_clock, reference_time, show_problems
from digest.cli.report import contents

if TYPE_CHECKING:
    from digest.model import Edition, Subscriber
    from digest.pipeline import World

_LOOK_BACK = timedelta(days=7)


def preview(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A subscriber's name or id; without it, every subscriber.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the first one in the web browser.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")] = Path("var/preview"),
    now: NowOption = None,
) -> None:
    """Write a subscriber's next digest as files: HTML, text and headers. Nothing is sent or recorded.

    Shown is what is owed now; if nothing is, the last seven days; if nothing is stored yet, invented papers.
    """
    from digest.app import build_world, load_config
    from digest.render.compose import compose_message

    config = load_config()
    show_problems(config.roster.problems)
    world = build_world(config, read_clock)
    moment = reference_time(now)
    chosen = [find_subscriber(world.subscribers, name)] if name else world.subscribers
    out.mkdir(parents=True, exist_ok=True)
    for number, subscriber in enumerate(chosen):
        edition, what = _edition_to_show(world, subscriber, moment)
        # Whoever looks at a preview, or keeps it as a file, need not learn the address.
        edition = replace(edition, subscriber=replace(subscriber, email="reader@example.org"))
        message = compose_message(edition, world.templates[subscriber.template], sender=world.sender, now=moment)
        page = out / f"{subscriber.id}.html"
        page.write_text(message.html, encoding="utf-8")
        page.with_suffix(".txt").write_text(message.text, encoding="utf-8")
        headers = message_from_bytes(message.raw).items()
        page.with_suffix(".headers.txt").write_text(
            "".join(f"{key}: {value}\n" for key, value in headers), encoding="utf-8"
        )
        console.print(f"{escape(subscriber.name)}: {contents(edition)} ({what}), {len(message.html) / 1000:.0f} kB")
        console.print(f"  {page}, .txt and .headers.txt")
        if open_ and number == 0:
            typer.launch(page.resolve().as_uri())


def _edition_to_show(world: "World", subscriber: "Subscriber", now: datetime) -> tuple["Edition", str]:
    """The best edition there is to look at, and where its papers are from."""
    from digest.demo import sample_papers
    from digest.match.topics import Reading, compile_topics, match_papers
    from digest.pipeline import owed_edition
    from digest.rank.select import select_edition
    from digest.schedule.due import edition_now

    today = edition_now(subscriber.schedule, subscriber.zone, now)
    owed = owed_edition(world, subscriber, today, through=world.papers.latest_seq()).edition
    if not owed.is_empty:
        return owed, "owed now"
    stored = world.papers.announced(world.papers.seq_before(now - _LOOK_BACK), world.papers.latest_seq())
    papers, what = (stored, "last seven days") if stored else (sample_papers(now), "invented papers: none are stored")
    matches = match_papers(compile_topics(subscriber), map(Reading, papers))
    return select_edition(subscriber, today.date, papers, matches), what
