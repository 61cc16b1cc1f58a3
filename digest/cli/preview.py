"""``digest preview``: a subscriber's next digest as files, as a page in the browser or as pictures; nothing is sent."""

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
    number_of,
    read_clock,
    reference_time,
    show_error,
    show_problems,
)
from digest.cli.report import contents
from digest.errors import ConfigError, DigestError
from digest.preview import PORT

if TYPE_CHECKING:
    from digest.preview.studio import Shown, Studio, Wish

_MATRIX = ("daily", "weekly", "compact", "confirm", "notice")

EPILOG = examples(
    "digest preview --open", "digest preview --serve --open", 'digest preview "Vision group" --matrix /tmp/pictures'
)


def preview(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A subscriber's name or id; without it, every subscriber.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it on a page that follows every save; Ctrl-C ends it.")
    ] = False,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Where --serve listens; 0 takes any that is free.")
    ] = PORT,
    matrix: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take pictures of all templates and variants; needs Chromium.")
    ] = None,
    template: Annotated[str, typer.Option(metavar="NAME", help="In this template, whatever the subscriber has.")] = "",
    theme: Annotated[str, typer.Option(metavar="NAME", help="In this theme.")] = "",
    language: Annotated[str, typer.Option(metavar="TAG", help="In this language.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Show it in the web browser.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")] = Path("var/preview"),
    browser: Annotated[
        str | None, typer.Option(metavar="PROGRAM", envvar="DIGEST_CHROMIUM", help="Chromium, for --matrix.")
    ] = None,
    now: NowOption = None,
) -> None:
    """Write a subscriber's next digest as files: HTML, text and headers. Nothing is sent or recorded.

    Shown is what is owed now; if nothing is, the last seven days; if those had none, invented papers.
    """
    from digest.config.settings import load_settings
    from digest.preview.studio import Studio, Wish
    from digest.render.language import note_language

    if serve and matrix:
        raise ConfigError("--serve and --matrix are two things", hint="run one after the other")
    moment = reference_time(now)
    studio = Studio(load_settings(), (lambda: moment) if now else read_clock)
    wish = Wish(template=template, theme=theme, language=language)
    if note := note_language(language):
        console.print(f"note: {escape(note)}")
    if serve:
        _serve(studio, name, wish, port, open_=open_)
    elif matrix:
        _draw(studio, name, wish, matrix, browser, open_=open_)
    else:
        _write_all(studio, name, wish, out, open_=open_)


def _serve(studio: "Studio", name: str | None, wish: "Wish", port: int, *, open_: bool) -> None:
    """The page, which opens with what was asked for."""
    from dataclasses import asdict
    from urllib.parse import urlencode

    from digest.preview.server import serve_preview

    first = asdict(wish) | {"subscriber": find_subscriber(studio.subscribers(), name).id if name else ""}
    query = urlencode({key: value for key, value in first.items() if value})

    def ready(url: str) -> None:
        address = f"{url}?{query}" if query else url
        console.print(f"preview: {escape(address)}")
        console.print("it follows every save; Ctrl-C ends it")
        if open_:
            typer.launch(address)

    serve_preview(studio, port, ready)


def _draw(studio: "Studio", name: str | None, wish: "Wish", folder: Path, browser: str | None, *, open_: bool) -> None:
    """Pictures of every template, in all variants."""
    from dataclasses import replace

    from digest.preview.browser import find_chromium
    from digest.preview.matrix import draw_matrix

    program = find_chromium(browser)
    if name:
        wish = replace(wish, subscriber=find_subscriber(studio.subscribers(), name).id)
    else:
        wish = replace(wish, papers="everything")
    templates = (wish.template,) if wish.template else _MATRIX
    messages = {each: studio.show(replace(wish, template=each)).message for each in templates}
    taken = 0
    for shot in draw_matrix(messages, folder, program):
        taken += 1
        if shot.overflow:
            console.print(f"[yellow]![/yellow] {escape(shot.name)} is {shot.overflow} pixels too wide")
    page = folder / "index.html"
    console.print(f"{number_of(taken, 'picture')}: {escape(str(page))}")
    if open_:
        typer.launch(page.resolve().as_uri())


def _write_all(studio: "Studio", name: str | None, wish: "Wish", out: Path, *, open_: bool) -> None:
    """Three files for each mail; one that cannot be made costs none of the others."""
    from dataclasses import replace

    from digest.render.letters import LETTERS

    if wish.template in LETTERS:
        people = {wish.template: wish.template}
        problems: tuple[ConfigError, ...] = ()
    else:
        known = studio.subscribers()
        people = {each.id: each.name for each in ([find_subscriber(known, name)] if name else known)}
        problems = studio.problems()
    show_problems(problems)
    failed = bool(problems)
    pages = []
    for subscriber, called in people.items():
        try:
            shown = studio.show(replace(wish, subscriber=subscriber))
        except DigestError as error:
            show_error(error)
            failed = True
            continue
        pages.append(_write(out, subscriber, shown))
        held = f"{contents(shown.edition)} ({shown.papers})" if shown.edition else shown.papers
        console.print(f"{escape(called)}: {escape(held)}, {shown.message.html_bytes / 1000:.0f} kB")
        console.print(f"  {escape(str(pages[-1]))}, .txt and .headers.txt")
    if open_ and pages:
        typer.launch(pages[0].resolve().as_uri())
    if failed:
        raise typer.Exit(ConfigError.exit_code)


def _write(folder: Path, name: str, shown: "Shown") -> Path:
    """Write the files of one mail; returns the first."""
    headers = message_from_bytes(shown.message.raw).items()
    files = {
        ".html": shown.message.html,
        ".txt": shown.message.text,
        ".headers.txt": "".join(f"{key}: {value}\n" for key, value in headers),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, text in files.items():
            (folder / f"{name}{ending}").write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"'{folder}' cannot be written ({exc.strerror})", where="--out", hint="name a folder of yours"
        ) from exc
    return folder / f"{name}.html"
