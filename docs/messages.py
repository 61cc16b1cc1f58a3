"""Bring the catalogues up to date with the mail's own words: ``python docs/messages.py``, then translate what is empty.

What nothing says any more is removed, what is new stands there without a translation; nothing is guessed. With
``--check`` no file is written, and the messages that wait for a translator are named.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import generate_po, read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from digest.render.language import CATALOGUES, LANGUAGES, fits

ROOT = Path(__file__).resolve().parents[1]
IN_CODE = {"say": 1, "count": 2}
"""So many arguments of these functions are English words."""
IN_TEMPLATES = {"_": 1, "ngettext": 2}
TRANSLATED = LANGUAGES[1:]
"""English is what the code says."""


def extract_messages(root: Path = ROOT) -> Catalog:
    """Everything that the code under ``digest/`` and the files under ``templates/`` say to readers."""
    catalog = Catalog(fuzzy=False)
    for path in root.glob("digest/**/*.py"):
        source = path.read_text(encoding="utf-8")
        if any(f"{function}(" in source for function in IN_CODE):
            for message in _said_in_code(source):
                catalog.add(message)
    for path in root.glob("templates/**/*.j2"):
        tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"), filename=str(path))
        for _, function, found in extract_from_ast(tree, tuple(IN_TEMPLATES)):
            strings = [found] if isinstance(found, str) else [*(found or ())]
            for message in _messages(strings, IN_TEMPLATES[function]):
                catalog.add(message)
    return catalog


def _said_in_code(source: str) -> Iterator[str | tuple[str, ...]]:
    # Babel's extractor for Python stumbles over b"...".count(b"...").
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            wanted = IN_CODE.get(getattr(node.func, "attr", getattr(node.func, "id", "")), 0)
            yield from _messages([getattr(arg, "value", None) for arg in node.args], wanted)


def _messages(arguments: Sequence[object], wanted: int) -> Iterator[str | tuple[str, ...]]:
    strings = [each for each in arguments[:wanted] if isinstance(each, str)]
    if wanted and len(strings) == wanted:
        yield strings[0] if wanted == 1 else tuple(strings)


def read_catalogue(tag: str) -> Catalog:
    """One language's translations; empty if there are none yet."""
    path = CATALOGUES / f"{tag}.po"
    if not path.is_file():
        return Catalog(tag, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=tag, abort_invalid=True)


def update_catalogue(catalog: Catalog, said: Catalog) -> str:
    """The text of a file that has exactly the messages of ``said``, in alphabetical order."""
    catalog.update(said, no_fuzzy_matching=True)
    header = (
        "Content-Type: text/plain; charset=utf-8",
        f"Language: {catalog.locale_identifier}",
        f"Plural-Forms: {catalog.plural_forms}",
    )
    # Babel's own header has dates that differ each time.
    lines = ['msgid ""\nmsgstr ""\n', *(f'"{line}\\n"\n' for line in header), "\n"]
    lines += generate_po(catalog, sort_by="message", width=0, no_location=True, omit_header=True, ignore_obsolete=True)
    return "".join(lines).rstrip("\n") + "\n"


def wanting(catalog: Catalog, said: Catalog) -> Iterator[str]:
    """What is wrong with a catalogue, a line for each message: English words that a reader would see."""
    for message in said:
        if not message.id:
            continue
        name = message.id if isinstance(message.id, str) else message.id[0]
        known: Message | None = catalog.get(name)
        forms = (known.string,) if known and isinstance(known.string, str) else known.string if known else ()
        if not known or not forms or not all(forms) or known.pluralizable != message.pluralizable:
            yield f"not translated: {name!r}"
        elif known.fuzzy:
            yield f"marked as fuzzy: {name!r}"
        elif not fits(known):
            yield f"placeholders that the message does not have: {name!r}"
    for message in catalog:
        if message.id and message.id not in said:
            yield f"said nowhere: {message.id!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if something is not translated")
    is_check = parser.parse_args().check
    said = extract_messages()
    problems = 0
    for tag in TRANSLATED:
        catalog = read_catalogue(tag)
        if not is_check:
            (CATALOGUES / f"{tag}.po").write_text(update_catalogue(catalog, said), encoding="utf-8")
        for problem in wanting(catalog, said):
            print(f"{tag}.po: {problem}")
            problems += 1
    print(f"{len(said)} messages in {len(TRANSLATED)} languages, {problems} to be looked at")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
