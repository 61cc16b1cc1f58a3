"""``digest feedback``: what a subscriber says of papers, more like this or less."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import (
    JsonOption,
    NameArgument,
    NowOption,
    console,
    examples,
    find_subscriber,
    print_json,
    read_clock,
    reference_time,
    show_problems,
    table,
)
from digest.errors import ConfigError
from digest.model import Feedback, Subscriber

if TYPE_CHECKING:
    from digest.world import World

EPILOG = examples("digest feedback Me 2611.00104 more", "digest feedback Me 2611.00104 none", "digest feedback Me")


class Answer(StrEnum):
    """What can be said of a paper."""

    MORE = "more"
    LESS = "less"
    NONE = "none"


def feedback(
    name: NameArgument,
    paper: Annotated[
        str | None, typer.Argument(metavar="PAPER", help="An arXiv id, DOI, address, or words of the title.")
    ] = None,
    answer: Annotated[
        Answer | None,
        typer.Argument(metavar="ANSWER", help="more or less like it; none takes back what was said."),
    ] = None,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Remember whether a subscriber wants more or less like a stored paper; without one, list what they said."""
    from digest.app import build_world, load_config
    from digest.text.clean import clean_text

    moment = reference_time(now)
    config = load_config()
    show_problems(config.roster.problems)
    subscriber = find_subscriber(config.roster.subscribers, name)
    if paper is not None and answer is None:
        raise ConfigError(
            f"nothing is said of {paper!r}", hint="add more, less or none; a title of several words stands in quotes"
        )
    world = build_world(config, read_clock)
    if paper is None or answer is None:
        _list(world, subscriber, as_json=as_json)
        return
    found = world.papers.find_paper(clean_text(paper))
    if found is None:
        raise ConfigError(
            f"no stored paper is {paper!r}",
            hint=f"{world.papers.count()} papers are stored; digest collect reads the sources",
        )
    if answer is Answer.NONE:
        had_said = world.feedback.take_back(subscriber.id, found.key)
        done = "what was said is taken back" if had_said else "nothing had been said"
    else:
        world.feedback.give(subscriber.id, Feedback(found.key, more=answer is Answer.MORE, at=moment))
        done = f"{answer} like this"
    if as_json:
        print_json({"paper": found.key, "title": found.title, "subscriber": subscriber.id, "done": done})
        return
    console.print(f"[bold]{escape(found.title)}[/bold]")
    console.print(f"{escape(found.key)}, {escape(subscriber.name)}: {done}")


def _list(world: "World", subscriber: Subscriber, *, as_json: bool) -> None:
    said = world.feedback.of(subscriber.id)
    titles = {paper.key: paper.title for paper in world.papers.papers([each.paper for each in said])}
    if as_json:
        view = [
            {"at": each.at, "more": each.more, "paper": each.paper, "title": titles.get(each.paper, "")}
            for each in reversed(said)
        ]
        print_json({"subscriber": subscriber.id, "feedback": view})
        return
    if not said:
        console.print(f"{escape(subscriber.name)} said nothing of any paper yet")
        return
    rows = table(f"What {escape(subscriber.name)} said", "when (UTC)", "like this", "title", "paper")
    for each in reversed(said):
        rows.add_row(
            f"{each.at:%Y-%m-%d %H:%M}",
            "more" if each.more else "less",
            escape(titles.get(each.paper, "")),
            escape(each.paper),
        )
    console.print(rows)
