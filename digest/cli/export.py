"""``digest export``: a subscriber's editions as files for everyone."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import (
    JsonOption,
    NameArgument,
    NowOption,
    console,
    examples,
    find_subscriber,
    number_of,
    print_json,
    read_clock,
    reference_time,
    show_problems,
)
from digest.errors import ConfigError
from digest.export.formats import Format

EPILOG = examples(
    'digest export "Vision group" --to public --base-url https://example.org/papers/',
    "digest export Me --to - --format bibtex --from 2026-11-01 > november.bib",
)


def export(
    name: NameArgument,
    to: Annotated[str, typer.Option(metavar="DIR", help="Where the files go; - for one file to stdout.")],
    since: Annotated[
        datetime | None, typer.Option("--from", metavar="DATE", formats=["%Y-%m-%d"], help="The first edition.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d"], help="The last edition.")
    ] = None,
    next_: Annotated[bool, typer.Option("--next", help="Also the edition that is owed now, sent or not.")] = False,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", metavar="FORMAT", help=f"Only this: {', '.join(Format)}. May be given again."),
    ] = None,
    theme: Annotated[str | None, typer.Option(metavar="NAME", help="Instead of the subscriber's theme.")] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Of the pages and feeds; else the brand.")] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the folder is published; else the subscriber's 'archive'.")
    ] = None,
    topics: Annotated[bool, typer.Option("--topics", help="Show the names of topics, which are private else.")] = False,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Write the editions that a subscriber was sent as files: a web archive, Atom and JSON feeds, BibTeX and RIS.

    No address, name of a reader, score or reason is in any of them. Nothing is sent or recorded.
    """
    from digest.app import build_world, load_config
    from digest.choose import choose_papers
    from digest.export.archive import Archive, public, read_editions
    from digest.export.pages import INDEX
    from digest.export.site import build_files, build_stream, find_earlier, write_files
    from digest.looks import load_theme, template_folders
    from digest.preview.editions import owed_now, recent_papers

    moment = reference_time(now)
    chosen = frozenset(formats or Format)
    if to == "-" and (len(chosen) != 1 or Format.SITE in chosen):
        raise ConfigError("stdout takes one file", where="--to -", hint="name it: --format atom, json, bibtex or ris")
    if to == "-" and as_json:
        raise ConfigError("--json and --to - both want stdout", where="--json", hint="name a folder with --to DIR")
    first, last = since.date() if since else date.min, until.date() if until else date.max
    if first > last:
        raise ConfigError(f"{first} is after {last}", where="--from", hint="give the earlier date to --from")
    url = None if base_url is None else _read_url(base_url)
    config = load_config()
    show_problems(config.roster.problems)
    subscriber = find_subscriber(config.roster.subscribers, name)
    folders = template_folders(config.settings.templates)
    look = load_theme(theme or subscriber.theme, folders)
    url = _read_url(subscriber.archive) if url is None else url
    world = build_world(config, read_clock)
    editions = read_editions(world.ledger, world.papers, subscriber, first, last)
    folder = Path(to)
    earlier = find_earlier(folder, subscriber.id) if to != "-" else ()
    if next_:
        upcoming = owed_now(world, subscriber, moment)
        if upcoming.is_empty and not earlier and not editions:
            upcoming = choose_papers(subscriber, upcoming.date, moment, recent_papers(world, moment))
        known = {edition.date for edition in editions}
        editions = (*([] if upcoming.is_empty or upcoming.date in known else [public(upcoming)]), *editions)
    shown = {paper.key for edition in editions for paper in edition.shown}
    wordings = world.wordings([*shown], subscriber.language)
    archive = Archive(
        title=title or "",
        editions=tuple(replace(edition, wordings=wordings) for edition in editions),
        theme=look,
        base_url=url,
        has_topics=topics,
        formats=chosen,
    )
    if to == "-":
        typer.echo(build_stream(archive, next(iter(chosen)), folders).encode(), nl=False)
        return
    files = build_files(archive, folders, earlier)
    written = write_files(folder, subscriber.id, files)
    if as_json:
        counts = {"editions": len(editions), "papers": len(archive.papers)}
        print_json({"folder": folder, **counts, "files": len(files), "written": written})
        return
    papers = number_of(len(archive.papers), "paper")
    console.print(
        f"{number_of(len(editions), 'edition')} with {papers}: {number_of(written, 'file')} of {len(files)} written"
    )
    console.print(f"  {escape(str(folder / INDEX if INDEX in files else folder))}")


def _read_url(text: str) -> str:
    """The address with a slash at its end; empty for none."""
    from digest.text.links import check_url

    url = check_url(text) if text else ""
    if url is None or set(url) & set("?#"):
        raise ConfigError(
            f"{text!r} is not the address of a folder on the web",
            where="--base-url",
            hint="https://example.org/papers/",
        )
    return f"{url.rstrip('/')}/" if url else ""
