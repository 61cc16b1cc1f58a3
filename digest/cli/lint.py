"""``digest lint``: what mail clients, screen readers and spam filters would make of the templates."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, examples, number_of, reference_time, show_error
from digest.errors import ConfigError, DigestError, RenderError

if TYPE_CHECKING:
    from digest.lint import Finding

EPILOG = examples(
    "digest lint",
    "digest lint daily --theme paper --language de",
    "digest lint --clients gmail,outlook,yahoo,thunderbird",
    "digest lint --json",
)

_Findings = dict["Finding", list[str]]
"""With the looks that have them: ``daily/paper``."""


def lint(
    templates: Annotated[
        list[str] | None, typer.Argument(metavar="[TEMPLATE]...", help="Which; without any, all of them.")
    ] = None,
    theme: Annotated[str | None, typer.Option(metavar="NAME", help="With this theme; without it, with each.")] = None,
    language: Annotated[str, typer.Option(metavar="TAG", help="In this language.")] = "en",
    clients: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Whose readers must get everything; gmail,outlook,apple-mail by default."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    now: NowOption = None,
) -> None:
    """Judge templates by mails of invented papers: markup, what mail clients know, accessibility, contrast in light and
    dark, links, size, the same papers in both parts, and SpamAssassin's local rules if it is installed.

    Nothing is sent or fetched. Exit codes: 0 nothing was found, 1 something was, 2 a template cannot be used.
    """
    from digest.config.settings import load_settings
    from digest.lint.clients import CLIENTS, choose_clients
    from digest.lint.spam import has_spamassassin
    from digest.looks import template_folders, theme_files
    from digest.render.compile import find_templates
    from digest.render.language import note_language

    families = tuple(name.strip() for name in clients.split(",")) if clients else CLIENTS
    choose_clients(families)
    folders = template_folders(load_settings().templates)
    names = templates or sorted(find_templates(folders))
    themes = [theme] if theme else sorted(theme_files(folders))
    findings: _Findings = {}
    problems: dict[str, DigestError] = {}
    judged = 0
    for name in names:
        for number, look in enumerate(themes):
            try:
                # The colours are no matter of SpamAssassin's, which is slow.
                found = _judge(name, look, folders, reference_time(now), language, families, spam=number == 0)
            except (RenderError, ConfigError) as error:
                problems.setdefault(str(error), error)
                continue
            judged += 1
            for finding in found:
                findings.setdefault(finding, []).append(f"{name}/{look}")
    for problem in problems.values():
        show_error(problem)
    if as_json:
        typer.echo(json.dumps(_as_json(findings), indent=2, ensure_ascii=False))
    else:
        _show(findings, judged)
        if note := note_language(language):
            console.print(f"note: {escape(note)}")
        if not has_spamassassin():
            console.print("note: spamassassin is not installed, so nobody was asked about spam")
    raise typer.Exit(RenderError.exit_code if problems else int(bool(findings)))


def _judge(
    name: str,
    theme: str,
    folders: Sequence[Path],
    now: datetime,
    language: str,
    clients: Sequence[str],
    *,
    spam: bool,
) -> "tuple[Finding, ...]":
    from digest.lint import lint_template
    from digest.looks import load_look

    template = load_look((name, theme), folders)
    return lint_template(template, now, language=language, clients=clients, spam=spam)


def _show(findings: Mapping["Finding", Sequence[str]], looks: int) -> None:
    for finding, where in findings.items():
        colour = "red" if finding.severity == "error" else "yellow"
        console.print(f"[{colour}]{finding.severity}[/{colour}] {escape(str(finding))}")
        if looks > 1:
            console.print(f"  in {escape(', '.join(where))}")
    errors = sum(finding.severity == "error" for finding in findings)
    counts = number_of(errors, "error"), number_of(len(findings) - errors, "warning")
    console.print(f"{number_of(looks, 'look')} judged, {counts[0]}, {counts[1]}")


def _as_json(findings: Mapping["Finding", Sequence[str]]) -> list[dict[str, object]]:
    return [
        {
            "rule": finding.rule,
            "severity": finding.severity,
            "message": finding.message,
            "hint": finding.hint,
            "file": finding.place.where,
            "line": finding.place.line,
            "in": list(where),
        }
        for finding, where in findings.items()
    ]
