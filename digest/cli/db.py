"""``digest db``: looks at the database, copies it, and puts a copy back."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import console, errors, examples, number_of, read_clock
from digest.errors import CollectError, ConfigError, StoreError

EPILOG = examples(
    "digest db check",
    "digest db backup /backups/digest.sqlite3",
    "digest db backup --private state/digest.sqlite3   # subscribers' ids are hashes in it",
    "digest db restore /backups/digest.sqlite3 --assume-sent-until 2026-11-20",
)

app = typer.Typer(
    rich_markup_mode="rich", no_args_is_help=True, epilog=EPILOG, help="Check the database, copy it, put a copy back."
)

_FIRST = date(2000, 1, 1)
"""What is before it is a slip of the keyboard."""

_PrivateOption = Annotated[bool, typer.Option("--private", help="Keyed hashes stand for subscribers' ids.")]


@app.command("check", epilog=examples("digest db check", "digest db check --json | jq .problems"))
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Look for damage, for another release's schema, and whether the ledger is the one that mail was last sent with.

    Nothing is changed. The exit code is 4 if anything is wrong.
    """
    from digest.config.settings import load_settings
    from digest.store.backup import find_problems
    from digest.store.database import connect_database, where

    engine = connect_database(load_settings().database_url)
    try:
        problems = find_problems(engine)
    except StoreError as error:
        problems = (f"{error.problem} ({error.hint})",)
    finally:
        engine.dispose()
    if as_json:
        typer.echo(json.dumps({"database": where(engine), "problems": problems}, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            errors.print(f"[red]error[/red] {escape(f'{where(engine)}: {problem}')}")
        console.print(f"{escape(where(engine))}: {number_of(len(problems), 'problem')}")
    raise typer.Exit(StoreError.exit_code if problems else 0)


@app.command("backup", epilog=examples("digest db backup /backups/digest.sqlite3"))
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; an older copy is replaced.")],
    private: _PrivateOption = False,
) -> None:
    """Copy the database into a file while runs go on; only its owner may read the copy.

    A copy made with --private tells nobody what anybody reads, and needs the same DIGEST_SECRET to be restored.
    """
    from digest.app import load_keyring, secret_file
    from digest.config.settings import load_settings
    from digest.store import backup as store
    from digest.store.database import connect_database

    settings = load_settings()
    engine = connect_database(settings.database_url)
    try:
        if private:
            store.export_private(engine, load_keyring(settings), file)
        else:
            store.backup(engine, file)
    finally:
        engine.dispose()
    console.print(f"copied into {escape(str(file))}")
    secret = secret_file(settings.database_url)
    if not settings.secret and secret.exists():
        console.print(f"keep {escape(str(secret))} as well: links in mail that was sent need it")


@app.command(
    "restore",
    epilog=examples(
        "digest db restore /backups/digest.sqlite3",
        "digest db restore /backups/digest.sqlite3 --assume-sent-until 2026-11-20",
        "digest db restore --assume-sent-until 2026-11-20   # the database stays as it is",
    ),
)
def restore(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="What digest db backup wrote.")] = None,
    private: _PrivateOption = False,
    assume_sent_until: Annotated[
        str | None,
        typer.Option("--assume-sent-until", metavar="DATE", help="Count everything until this day's end as sent."),
    ] = None,
    collect: Annotated[
        bool, typer.Option(help="Read the sources first, so that it is known what was announced meanwhile.")
    ] = True,
) -> None:
    """Put a copy in place of the database, which is kept beside it; or say what was sent meanwhile.

    What was sent since the copy was made is in no copy: nothing is sent until you say, with --assume-sent-until, how
    far mail went out. Papers that say they were published later are sent still. No other run may use the database.
    """
    from digest.app import load_config, load_keyring
    from digest.store import backup as store
    from digest.store.database import open_database
    from digest.store.marker import check_marker

    until = _date(assume_sent_until) if assume_sent_until else None
    if file is None and (until is None or private):
        raise ConfigError("no file is named", hint="name what digest db backup wrote, or say --assume-sent-until DATE")
    config = load_config()
    url = config.settings.database_url
    if file:
        keyring = load_keyring(config.settings) if private else None
        names = {keyring.name(each.id): str(each.id) for each in config.roster.subscribers} if keyring else None
        aside = store.restore(url, file, names=names, now=read_clock())
        console.print(f"restored {escape(str(file))}" + (f"; before, it was {escape(str(aside))}" if aside else ""))
    if until:
        _assume_sent(until, collect=collect)
        return
    engine = open_database(url)
    try:
        check_marker(engine)
    finally:
        engine.dispose()


def _assume_sent(until: date, *, collect: bool) -> None:
    from digest.app import build_world, load_config
    from digest.listener import Listener
    from digest.pipeline import collect as collect_now
    from digest.store.database import open_database
    from digest.store.marker import assume_sent

    config = load_config()
    if collect:
        polls, _ = collect_now(build_world(config, read_clock), read_clock(), Listener())
        if bad := [poll.source for poll in polls if poll.verdict.is_bad]:
            raise CollectError(
                f"{', '.join(bad)} could not be read: what was announced there meanwhile would be sent again",
                hint="try again later; --no-collect goes on with what is stored. Nothing was counted as sent",
            )
    engine = open_database(config.settings.database_url)
    try:
        people = assume_sent(engine, [each.id for each in config.roster.subscribers], until, read_clock())
    finally:
        engine.dispose()
    console.print(f"everything until {until} counts as sent, for {number_of(people, 'subscriber')}")


def _date(text: str) -> date:
    where = "--assume-sent-until"
    try:
        day = date.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"{text!r} is no date", where=where, hint="write it like 2026-11-20") from exc
    # East of here it may be tomorrow already.
    if not _FIRST <= day <= read_clock().date() + timedelta(days=1):
        hint = "name the last day on which mail went out: nobody is sent what was published until then"
        raise ConfigError(f"no mail went out on {day}", where=where, hint=hint)
    return day
