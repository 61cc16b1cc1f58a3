"""``digest templates``: which templates, themes and parts there are, and a copy of one to change."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import JsonOption, console, examples, number_of, print_json, table
from digest.errors import ConfigError

EPILOG = examples(
    "digest templates",
    "digest templates eject card --to my-templates         # how one paper looks, in every template",
    "digest templates eject weekly/body --to my-templates  # what stands in the weekly mail, and in which order",
    "digest templates eject daily --to my-templates        # what is the daily mail's own",
    "digest templates eject theme:paper --to my-templates  # colours, fonts and logo",
)

_STYLE = ".css.j2"

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True, epilog=EPILOG)
def templates(context: typer.Context, as_json: JsonOption = False) -> None:
    """List templates, themes and parts, and which of them are yours; or copy one to change it."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@app.command("eject", epilog=EPILOG)
def eject(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A template (daily), a part (card; weekly/body for one template), or theme:NAME."
        ),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where the copy goes; DIGEST_TEMPLATES by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Copy a shipped template, part or theme into a folder of yours, where it is used in place of the shipped one."""
    from digest.config.settings import load_settings
    from digest.looks import template_folders

    own = load_settings().templates
    folder = to or own
    if folder is None:
        raise ConfigError("DIGEST_TEMPLATES is not set", hint="set it to a folder of yours, or name one with --to DIR")
    found = _find(name, template_folders(None)[0])
    there = [target for target in found if (folder / target).exists()]
    if there and not force:
        raise ConfigError("the file exists already", where=str(folder / there[0]), hint="--force replaces it")
    for target, source in found.items():
        _copy(source, folder / target)
        console.print(f"wrote {escape(str(folder / target))}")
    if own is None or folder.resolve() != own.resolve():
        console.print(f"next: set DIGEST_TEMPLATES={escape(str(folder))}, edit, and look:  digest preview --open")
    else:
        console.print("next: edit, and look:  digest preview --open")


def _find(name: str, folder: Path) -> dict[str, Path]:
    """What a name means: shipped files, by the path that a copy has in a folder of the operator's.

    Raises:
        ConfigError: It means nothing.
    """
    from digest.config.problems import nearest
    from digest.looks import theme_files
    from digest.render.compile import PARTS, find_templates

    themes, known = theme_files([folder]), find_templates([folder])
    parts = _files([folder], PARTS)
    group, _, part = name.replace("theme:", "themes/", 1).rpartition("/")
    if group == "themes" and part in themes:
        return {f"themes/{part}.yaml": themes[part]}
    if group in ("", PARTS) and part in parts:
        return {f"{PARTS}/{path.name}": path for path in parts[part]}
    if group in known:
        of_template = parts | _files([folder], group)
        if part in of_template:
            return {f"{group}/{path.name}": path for path in of_template[part]}
    if not group and part in known:
        # Whoever changes a template wants to say what stands in it, also where it shares that with others.
        of_template = {"body": parts.get("body", ())} | _files([folder], part)
        return {f"{part}/{path.name}": path for paths in of_template.values() for path in paths}
    near = nearest(name, [*known, *parts, *(f"theme:{theme}" for theme in themes)])
    hint = f"did you mean '{near}'? " if near else ""
    raise ConfigError(f"no template, part or theme is called {name!r}", hint=f"{hint}digest templates lists them all")


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as exc:
        raise ConfigError(
            f"cannot be written ({exc.strerror})", where=str(target), hint="name a folder of yours with --to"
        ) from exc


def _list(*, as_json: bool) -> None:
    from digest.config.settings import load_settings
    from digest.looks import template_folders, theme_files
    from digest.render.compile import PARTS, find_templates

    folders = template_folders(load_settings().templates)
    known = find_templates(folders)
    own = {name: [path for paths in _files(folders, name).values() for path in paths] for name in known}
    themes = {name: [path] for name, path in theme_files(folders).items()}
    parts = _files(folders, PARTS)
    if as_json:
        groups: dict[str, Mapping[str, Sequence[Path]]] = {"templates": own, "themes": themes, "parts": parts}
        view = {
            group: {name: _by_owner(paths, folders) for name, paths in sorted(found.items())}
            for group, found in groups.items()
        }
        print_json({"shipped": folders[-1], "yours": folders[0] if folders[1:] else None, **view})
        return
    console.print(f"shipped: {escape(str(folders[-1]))}")
    console.print(
        f"yours:   {escape(str(folders[0]))}" if folders[1:] else "yours:   none; DIGEST_TEMPLATES is not set"
    )
    _show("Templates", "template", own, folders)
    _show("Themes", "theme", themes, folders)
    _show("Parts of every template", "part", parts, folders)
    console.print(f"{number_of(len(known), 'template')}; digest templates eject NAME copies one to change")


def _by_owner(paths: Sequence[Path], folders: Sequence[Path]) -> dict[str, list[str]]:
    """The names of the operator's own files, and of those that are used as they are shipped."""
    shipped = [path.name for path in paths if path.is_relative_to(folders[-1])]
    return {"yours": [path.name for path in paths if path.name not in shipped], "shipped": shipped}


def _show(title: str, what: str, found: Mapping[str, Sequence[Path]], folders: Sequence[Path]) -> None:
    rows = table(title, what, "yours", "shipped")
    for name, paths in sorted(found.items()):
        owner = _by_owner(paths, folders)
        rows.add_row(escape(name), escape(", ".join(owner["yours"])), escape(", ".join(owner["shipped"])))
    console.print(rows)


def _files(folders: Sequence[Path], group: str) -> dict[str, tuple[Path, ...]]:
    """The files of each part in one folder of templates, by the part's name; the first that has a file counts."""
    files: dict[str, Path] = {}
    for folder in reversed(folders):
        files |= {path.name: path for path in _parts_in(folder / group)}
    parts: dict[str, tuple[Path, ...]] = {}
    for name in sorted(files):
        part = name.partition(".")[0]
        parts[part] = (*parts.get(part, ()), files[name])
    return parts


def _parts_in(folder: Path) -> Iterator[Path]:
    from digest.render.source import HTML, TEXT

    for suffix in (HTML, TEXT, _STYLE):
        yield from folder.glob(f"*{suffix}")
