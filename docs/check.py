"""Fails for links that lead nowhere, shown commands that do not exist, and commands and settings no page mentions."""

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parents[1]
SHELLS = {"sh", "bash", "console", "shell", "crontab"}
FENCE = re.compile(r"^\s*(```+|~~~+)\s*([\w-]*)")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
ANCHOR = re.compile(r"<[^>]+\b(?:id|name)=\"([^\"]+)\"")


def pages() -> list[Path]:
    """Every page the repository shows."""
    named = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    return [*filter(Path.exists, named), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob(".github/**/*.md"))]


def lines(page: Path) -> Iterator[tuple[int, str, str]]:
    """Number, text and language of each line: no language outside of fenced blocks, ``text`` where none is named."""
    fence = language = ""
    for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = FENCE.match(text)
        if mark and not fence:
            fence, language = mark[1], mark[2] or "text"
        elif mark and mark[1].startswith(fence) and not mark[2]:
            fence = language = ""
        else:
            yield number, text, language


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#``: headings as GitHub writes them, numbered when repeated, and HTML ids."""
    found: set[str] = set()
    for _, text, language in lines(page):
        if language:
            continue
        found.update(ANCHOR.findall(text))
        if heading := HEADING.match(text):
            plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            found.add(next(name for name in (slug, *(f"{slug}-{n}" for n in range(1, 1000))) if name not in found))
    return found


def dead_links(page: Path) -> Iterator[str]:
    """Links within the repository that lead nowhere."""
    prose = [(number, text) for number, text, language in lines(page) if not language]
    for number, text in prose:
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", text)):
            link = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:|//", link):
                continue
            path, _, anchor = link.partition("#")
            base = ROOT if path.startswith("/") else page.parent
            target = (base / path.lstrip("/")).resolve() if path else page
            where = f"{page.relative_to(ROOT)}:{number}"
            if not target.exists():
                yield f"{where}: no such file: {link}"
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                yield f"{where}: no such heading: {link}"


def shown_commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """The words after ``digest`` wherever a shell block calls it."""
    joined = ""
    for number, text, language in lines(page):
        if language not in SHELLS or (language == "console" and not joined and not text.startswith("$ ")):
            continue
        joined += text.removesuffix("\\")
        if text.endswith("\\"):
            continue
        lexer = shlex.shlex(joined.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        joined, words = "", []
        with suppress(ValueError):  # an open quote: not a call of ours on one line
            words = list(lexer)
        for start in (at for at, word in enumerate(words, start=1) if word == "digest" or word.endswith("/bin/digest")):
            yield number, list(takewhile(lambda word: not set(word) <= set("|&;<>()"), words[start:]))


def wrong_command(program: Any, words: list[str]) -> str:
    """What the program does not know in this call; empty if it knows all of it."""
    command, said = program, "digest"
    options = {"--help"}
    for word in words:
        options |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("-") and len(word) > 1:
            if word.partition("=")[0] not in options:
                return f"{said} has no option {word.partition('=')[0]}"
        elif subcommands := getattr(command, "commands", None):
            if word not in subcommands:
                return f"{said} has no command {word}"
            command, said = subcommands[word], f"{said} {word}"
    return ""


def commands(program: Any, said: str = "digest") -> Iterator[str]:
    """Every command that can be called, in full."""
    for name, command in getattr(program, "commands", {}).items():
        if not command.hidden:
            below = list(commands(command, f"{said} {name}"))
            yield from below or [f"{said} {name}"]


def settings(model: Any, prefix: str, delimiter: str) -> Iterator[str]:
    """Every setting as the environment names it."""
    for name, field in model.model_fields.items():
        candidates = (field.annotation, *get_args(field.annotation))
        nested = next((kind for kind in candidates if hasattr(kind, "model_fields")), None)
        full = f"{prefix}{name}".upper()
        yield from settings(nested, f"{full}{delimiter}", delimiter) if nested else [full]


def problems() -> Iterator[str]:
    """Everything that is wrong, one line each."""
    for page in pages():
        yield from dead_links(page)
    try:
        import typer.main

        from digest.cli import app
        from digest.config.settings import Settings
    except ImportError as error:
        yield f"docs/check.py: commands and settings were not checked: {error}"
        return
    program = typer.main.get_command(app)
    calls = [(page, number, words) for page in pages() for number, words in shown_commands(page)]
    for page, number, words in calls:
        if wrong := wrong_command(program, words):
            yield f"{page.relative_to(ROOT)}:{number}: {wrong}"
    text = " ".join(page.read_text(encoding="utf-8") for page in pages() if ".github" not in page.parts)
    config = Settings.model_config
    names = settings(Settings, config.get("env_prefix") or "", config.get("env_nested_delimiter") or "__")
    for name in (*commands(program), *names):
        if not re.search(rf"\b{re.escape(name)}\b(?!_)", text):
            yield f"docs/: no page mentions {name}"


if __name__ == "__main__":
    found = list(problems())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
