"""``digest explain``: why a subscriber gets a paper, or does not."""

from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import NameArgument, console, examples, find_subscriber, read_clock, show_problems
from digest.errors import ConfigError

EPILOG = examples("digest explain Me 2611.00104", 'digest explain "Vision group" "attention is all you need"')


def explain(
    name: NameArgument,
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="An arXiv id, DOI, address, or words of the title.")],
) -> None:
    """Show what each topic of a subscriber says to a stored paper, which words hit, and whether it was sent."""
    from digest.app import build_world, load_config
    from digest.match.topics import Reading, compile_topics, match_papers
    from digest.rank.select import community_signal
    from digest.text.clean import clean_text

    config = load_config()
    show_problems(config.roster.problems)
    world = build_world(config, read_clock)
    subscriber = find_subscriber(config.roster.subscribers, name)
    found = world.papers.find_paper(clean_text(paper))
    if found is None:
        raise ConfigError(
            f"no stored paper is {paper!r}",
            hint=f"{world.papers.count()} papers are stored; digest collect reads the sources",
        )
    reading = Reading(found)
    topics = compile_topics(subscriber)
    console.print(f"[bold]{escape(found.title)}[/bold]")
    console.print(
        f"{escape(found.key)}, listed by {escape(', '.join(found.sources))},"
        f" first seen {found.first_seen:%Y-%m-%d %H:%M} UTC"
    )
    for topic in topics:
        judgement = topic.judge(reading)
        console.print(f"{'[green]yes[/green]' if judgement.wants else '[red]no[/red]'}  {escape(judgement.topic)}")
        for hit in judgement.evidence:
            console.print(f"     + {escape(hit.term)}: “{escape(hit.found)}” in the {hit.field}")
        for objection in judgement.objections:
            console.print(f"     - {escape(objection)}")
    match = next(iter(match_papers(topics, [reading])), None)
    if match:
        signal = community_signal(found.signals)
        console.print(f"wanted: strength {match.strength}, then community signal {signal:.1f}, then date")
    else:
        console.print("no topic wants it" + ("; it can come as trending" if subscriber.trending else ""))
    sent = found.key in world.ledger.sent_keys(subscriber.id)
    console.print("it was sent before and will not be sent again" if sent else "it was not sent yet")
