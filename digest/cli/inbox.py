"""``digest inbox``: does what readers ask for by mail, and remembers what could not be delivered."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import (
    JsonOption,
    NowOption,
    console,
    errors,
    examples,
    find_written,
    number_of,
    print_json,
    read_clock,
    reference_time,
    show_problems,
    table,
)
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.inbox.outcome import Outcome
    from digest.world import World

EPILOG = examples(
    "digest inbox --dry-run", "digest inbox", 'digest inbox --subject "unsubscribe TOKEN"', "digest inbox --lift Ada"
)


def inbox(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be changed.")] = False,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="TEXT", help="Do what this subject asks for, and read no mailbox."),
    ] = None,
    suppressed: Annotated[bool, typer.Option("--suppressed", help="List who is written to no more, and why.")] = False,
    lift: Annotated[
        str | None,
        typer.Option("--lift", metavar="NAME", help="Write to this subscriber again; forget what came back."),
    ] = None,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Read readers' answers and bounces from the mailbox: unsubscribe, pause, resume, more and less like a paper.

    What is done is marked as seen, nothing is deleted, and nobody is ever answered. Exit codes: 0 done, 1 something is
    for you to decide, 2 configuration, 4 storage.
    """
    from digest.app import build_world, load_config
    from digest.config.edit import RosterFile
    from digest.inbox.apply import Desk
    from digest.inbox.mailbox import open_mailbox
    from digest.inbox.outcome import Done
    from digest.inbox.read import read_mailbox

    moment = reference_time(now)
    config = load_config()
    show_problems(config.roster.problems)
    world = build_world(config, read_clock)
    file = RosterFile(config.settings.subscribers)
    if lift is not None:
        _lift(world, lift)
        return
    if suppressed:
        _list(world, as_json=as_json)
        return
    desk = Desk(
        subscribers=config.roster.subscribers,
        file=file,
        keyring=world.keyring,
        suppressions=world.suppressions,
        feedback=world.feedback,
        papers=world.papers,
        now=moment,
        is_trial=dry_run,
        # The checkout of a job is thrown away.
        keeps_file=os.environ.get("GITHUB_ACTIONS") != "true",
    )
    if subject is not None:
        outcomes = desk.finish([desk.take_subject(subject)])
    else:
        with open_mailbox(config.settings.imap, _access_token(config.settings)) as mailbox:
            outcomes = read_mailbox(mailbox, desk, moment, is_trial=dry_run)
    _show(outcomes, file.diff() if dry_run else "", as_json=as_json)
    if any(outcome.done is Done.OPEN for outcome in outcomes):
        raise typer.Exit(1)


def _access_token(settings: "Settings") -> Callable[[], str] | None:
    oauth = settings.oauth
    if not (oauth.refresh_token and oauth.client_id and oauth.token_url):
        return None
    import asyncio

    from digest.deliver.oauth import OauthSettings, fetch_access_token

    account = OauthSettings(
        refresh_token=oauth.refresh_token.get_secret_value(),
        client_id=oauth.client_id,
        client_secret=oauth.client_secret.get_secret_value() if oauth.client_secret else None,
        token_url=oauth.token_url,
    )
    return lambda: asyncio.run(fetch_access_token(account))


def _show(outcomes: "Sequence[Outcome]", diff: str, *, as_json: bool) -> None:
    from digest.inbox.outcome import Done

    told = [outcome for outcome in outcomes if outcome.done is not Done.OTHER]
    others = len(outcomes) - len(told)
    if as_json:
        lines = [{"done": each.done, "subscriber": each.subscriber, "text": each.text} for each in told]
        print_json({"outcomes": lines, "others": others, "diff": diff})
        return
    for each in told:
        line = f"{escape(each.subscriber or '-')}: {escape(each.text)}"
        if each.done is Done.OPEN:
            errors.print(f"[yellow]warning[/yellow] {line}")
        else:
            console.print(f"[green]{each.done}[/green] {line}")
    if diff:
        console.print(escape(diff))
    waiting = sum(each.done is Done.OPEN for each in told)
    console.print(
        f"{number_of(len(told) - waiting, 'mail')} dealt with, {waiting} for you to decide, {others} of other matters"
    )


def _list(world: "World", *, as_json: bool) -> None:
    found = world.suppressions.suppressions()
    if as_json:
        print_json({"suppressed": [{"subscriber": x.subscriber, "reason": x.reason, "at": x.at} for x in found]})
        return
    rows = table("Written to no more", "subscriber", "since (UTC)", "why")
    for each in found:
        rows.add_row(escape(each.subscriber), f"{each.at:%Y-%m-%d %H:%M}", escape(each.reason))
    console.print(rows if found else "nobody is suppressed")


def _lift(world: "World", name: str) -> None:
    active = next((each.id for each in world.subscribers if name.casefold() in (each.name.casefold(), each.id)), None)
    written = find_written(active or name)
    suppressed = {each.subscriber for each in world.suppressions.suppressions()}
    found = active or (written.id if written else next((each for each in suppressed if each == name), None))
    if found is None:
        raise ConfigError(
            f"no subscriber is called {name!r}",
            where="--lift",
            hint=f"suppressed are: {', '.join(sorted(suppressed)) or 'none'}",
        )
    lifted = world.suppressions.lift(found)
    if written and written.is_paused:
        said = f"is not suppressed any more, but paused: delete 'paused: true' (line {written.line})"
    else:
        said = "is written to again" if lifted else "was not suppressed"
    console.print(f"{escape(found)}: {said}")
