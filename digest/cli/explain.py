"""``digest explain``: why a subscriber gets a paper, or does not."""

from collections.abc import Iterator
from datetime import datetime
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
    reference_time,
    show_problems,
)
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest.choose import Weighed
    from digest.match.topics import Judgement
    from digest.model import Evidence, Paper, Sent, Subscriber
    from digest.world import World

EPILOG = examples("digest explain Me 2611.00104", 'digest explain "Vision group" "attention is all you need"')


def explain(
    name: NameArgument,
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="An arXiv id, DOI, address, or words of the title.")],
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Show what each topic of a subscriber says to a stored paper: every rule, which words hit and where, what kept it
    out, what its score is made of, and whether it was sent.
    """
    from digest.app import build_world, load_config
    from digest.choose import weigh_paper
    from digest.text.clean import clean_text

    moment = reference_time(now)
    config = load_config()
    show_problems(config.roster.problems)
    world = build_world(config, lambda: moment)
    subscriber = find_subscriber(config.roster.subscribers, name)
    found = world.papers.find_paper(clean_text(paper))
    if found is None:
        raise ConfigError(
            f"no stored paper is {paper!r}",
            hint=f"{world.papers.count()} papers are stored; digest collect reads the sources",
        )
    weighed = weigh_paper(world, subscriber, found, moment)
    reasons, sent = [*_reasons(weighed, subscriber)], [*_ledger(world, subscriber, found, moment)]
    if as_json:
        print_json(_view(found, weighed, reasons, sent))
        return
    console.print(f"[bold]{escape(found.title)}[/bold]")
    console.print(
        f"{escape(found.key)}, listed by {escape(', '.join(found.sources))},"
        f" first seen {found.first_seen:%Y-%m-%d %H:%M} UTC"
    )
    for judgement in weighed.judgements:
        _show_judgement(judgement)
    for line in (*reasons, *sent):
        console.print(escape(line))
    for note in weighed.notes:
        console.print(f"note: {escape(note)}")


def _view(paper: "Paper", weighed: "Weighed", reasons: list[str], sent: list[str]) -> dict[str, object]:
    return {
        "paper": paper.key,
        "title": paper.title,
        "sources": paper.sources,
        "first_seen": paper.first_seen,
        "topics": [
            {
                "topic": judgement.topic,
                "wants": judgement.wants,
                "evidence": [_say_hit(hit) for hit in judgement.evidence],
                "lowered_by": [_say_hit(hit) for hit in judgement.lowered_by],
                "objections": [objection.text for objection in judgement.objections],
                "missing": judgement.missing,
            }
            for judgement in weighed.judgements
        ],
        "reasons": reasons,
        "sent": sent,
        "notes": weighed.notes,
    }


def _show_judgement(judgement: "Judgement") -> None:
    console.print(f"{'[green]yes[/green]' if judgement.wants else '[red]no[/red]'}  {escape(judgement.topic)}")
    for hit in judgement.evidence:
        console.print(f"     + {escape(_say_hit(hit))}")
    for hit in judgement.lowered_by:
        console.print(f"     ~ {escape(_say_hit(hit))} lowers it")
    for objection in judgement.objections:
        console.print(f"     - {escape(objection.text)}")
    if judgement.missing:
        console.print(f"     a near miss: only {escape(judgement.missing)} is missing")


def _say_hit(hit: "Evidence") -> str:
    from digest.model import Field

    match hit.field:
        case Field.AUTHOR:
            return f"{hit.term}: by {hit.found}"
        case Field.CATEGORY | Field.SOURCE:
            return f"{hit.term}: listed {'in' if hit.field is Field.CATEGORY else 'by'} {hit.found}"
        case Field.MEANING:
            return f"near to {f'“{hit.term}”' if hit.term else 'the examples'}: {hit.found}"
        case _:
            return f"{hit.term}: “{hit.found}” in the {hit.field}"


def _reasons(weighed: "Weighed", subscriber: "Subscriber") -> Iterator[str]:
    from digest.render.language import find_language
    from digest.render.why import say_score

    for about, phrases in weighed.phrases.items():
        if phrases:
            said = ", ".join(f"“{phrase}”" for phrase, _ in phrases)
            yield f"nearest to {f'“{about.text}”' if about.text else 'the examples'}: {said}"
    for speaks, sign in (("for", 1), ("against", -1)):
        words = [word for word, weight in weighed.liked if weight * sign > 0]
        if words:
            yield f"by their feedback {', '.join(f'“{word}”' for word in words)} speaks {speaks} it"
    if weighed.score:
        yield f"score {say_score(weighed.score, find_language('en'))}"
    else:
        yield "no topic wants it" + ("; it can come as trending" if subscriber.trending and weighed.notice else "")


def _ledger(world: "World", subscriber: "Subscriber", paper: "Paper", now: datetime) -> Iterator[str]:
    from digest.choose import REMEMBERED

    history = world.ledger.history(subscriber.id, now.date() - REMEMBERED)
    for sent in history:
        if sent.placed.paper == paper.key:
            yield _say_place(sent, paper)
    if paper.key in world.ledger.carried(subscriber.id):
        yield "the limit cut it from the last edition: it has another chance in the next"
    elif paper.key in world.ledger.sent_keys(subscriber.id):
        yield "it was sent before and will not be sent again"
    else:
        yield "it was not sent yet"


def _say_place(sent: "Sent", paper: "Paper") -> str:
    """What the ledger says: also of a day when topics, feedback and the stored papers were others."""
    from digest.rank.followups import read_kinds
    from digest.rank.placed import restore
    from digest.render.language import find_language
    from digest.render.why import say_score

    place = sent.placed
    match place.section:
        case "near":
            return f"named as a near miss on {sent.date}, which does not count as sent"
        case "rest":
            return f"named by title on {sent.date}"
        case "updated":
            return f"named as replaced on {sent.date}"
        case "followup":
            return f"followed up on {sent.date}: {', '.join(read_kinds(place.why.get('kinds')) or ())}"
        case "matched":
            [match] = restore([place], {paper.key: paper}, lambda _: ())["matched"]
            topics = ", ".join(topic.topic for topic in match.topics)
            score = say_score(match.score, find_language("en"))
            return f"sent on {sent.date}{f' for {topics}' if topics else ''}{f'; score then {score}' if score else ''}"
        case _:
            return f"sent on {sent.date} as {place.section}"
