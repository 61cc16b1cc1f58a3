"""``digest import-query``: a search written for a database, as a query of ours."""

import json
import sys
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import JsonOption, console, errors, examples, number_of, print_json
from digest.errors import ConfigError

EPILOG = examples(
    "digest import-query search.txt",
    "pbpaste | digest import-query - --topic Reflux >> topics.yaml",
)


class Dialect(StrEnum):
    """Who the search was written for."""

    PUBMED = "pubmed"


def import_query(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="The file that holds the search; - is stdin.")] = "-",
    dialect: Annotated[
        Dialect, typer.Option("--from", help="Who the search was written for; searches of Ovid are read, too.")
    ] = Dialect.PUBMED,
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="NAME", help="Print a topic of this name for the subscribers file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a search written for PubMed into a query; what could not be said goes to stderr."""
    from digest.match.pubmed import import_pubmed
    from digest.match.query import print_query

    text = _read_text(file)
    where = "stdin" if file == "-" else file
    try:
        match dialect:
            case Dialect.PUBMED:
                imported = import_pubmed(text)
    except ValueError as exc:
        problem, _, hint = str(exc).partition("\n  hint: ")
        raise ConfigError(problem, where=where, hint=hint) from exc
    query = print_query(imported.query)
    if as_json:
        print_json({"query": query, "topic": topic, "notes": imported.notes})
        return
    console.print(escape(query if topic is None else print_topic(topic, query)))
    for note in imported.notes:
        errors.print(f"[yellow]note[/yellow] {escape(note)}")
    if imported.notes:
        errors.print(f"{number_of(len(imported.notes), 'note')}; docs/import.md says what becomes of what")


def print_topic(name: str, query: str) -> str:
    """A topic of the subscribers file, in YAML; a long query is folded at blanks, which reading it undoes."""
    folded = textwrap.wrap(query, 100, break_long_words=False, break_on_hyphens=False)
    # Folding gives back one blank a line end: a query with several in a row stays as it is.
    lines = folded if " ".join(folded) == query else [query]
    return "\n".join([f"- name: {json.dumps(name, ensure_ascii=False)}", "  query: >-", *(f"    {x}" for x in lines)])


def _read_text(file: str) -> str:
    if file == "-":
        if sys.stdin.isatty():
            errors.print("type or paste the search, then end it with Ctrl-D")
        data = sys.stdin.buffer.read()
    else:
        try:
            data = Path(file).read_bytes()
        except OSError as exc:
            hint = "name a file that holds the search, or - to read it from stdin"
            raise ConfigError(f"cannot be read: {exc.strerror}", where=file, hint=hint) from exc
    # As Windows' editors save it, or else with every byte that is not UTF-8 shown as such.
    return data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
