"""Turn a template's files into something that renders fast: MJML and CSS are worked out once, Jinja tags stay."""

import re
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from digest.errors import RenderError
from digest.render.language import LANGUAGES, Language, find_language
from digest.render.mjml import convert_mjml, first_line, put_tags_back
from digest.render.parts import HOLES
from digest.render.source import HTML, TEXT, Files, Place, Writer, shown
from digest.render.theme import Theme
from digest.render.words import FILTERS

SUBJECT: Final = "subject.txt.j2"
PARTS: Final = "parts"
"""The folder of what all templates share."""
LAYOUT: Final = "layout"

_LONE_HOLE = re.compile(r"^[ \t]*(\{\{\s*part\.\w+\s*\}\})[ \t]*\n", re.MULTILINE)
_OUTPUT_CHARS = 5_000_000
_MOST_REPEATED = 1_000
"""Loops and strings of a template are no longer than this."""
_RENDER_S = 20.0
_OURS = frozenset(("language", "part"))
"""What functions, filters and holes need; nothing that a template would print."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a template on one side, compiled."""

    name: str
    where: str
    """The file, as people would name it."""
    compiled: jinja2.Template
    lines: tuple[tuple[int, Place], ...]
    """Where a line of the compiled template came from: compiled line and place, ascending."""

    def render(self, context: Mapping[str, object]) -> str:
        """Fill in the context.

        Raises:
            RenderError: The template asks for something that is not there, fails, or never ends.
        """
        try:
            return "".join(self._bounded(context))
        except Exception as exc:
            # A template may raise anything.
            given = ", ".join(sorted(context.keys() - _OURS))
            raise RenderError(
                _in_words(first_line(exc)), where=str(self._place(exc)), hint=f"this part receives {given}"
            ) from exc

    def _bounded(self, context: Mapping[str, object]) -> Iterator[str]:
        stop_at = time.monotonic() + _RENDER_S
        written = 0
        for chunk in self.compiled.generate(context):
            written += len(chunk)
            if written > _OUTPUT_CHARS or time.monotonic() > stop_at:
                raise RenderError(f"rendering gave {written:,} characters and was stopped: a loop that repeats itself?")
            yield chunk

    def _place(self, exc: BaseException) -> Place:
        """Where it failed, from the traceback that Jinja rewrote to lines of the compiled template."""
        line = 1
        trace = exc.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.compiled.filename:
                line = trace.tb_lineno
            trace = trace.tb_next
        return _find_place(self.lines, line)


@dataclass(frozen=True, slots=True)
class Template:
    """A subject and the parts of an HTML and a text body, ready to be filled in."""

    name: str
    theme: Theme
    subject: Part
    html: Mapping[str, Part]
    """By name; ``layout`` is the root."""
    text: Mapping[str, Part]
    holes: frozenset[str]
    """What its mails may show."""
    files: tuple[Path, ...]
    """It was made of these."""

    @property
    def wants_week(self) -> bool:
        """Whether it looks back on a week."""
        return bool(self.holes & {"week", "discussed", "sent"})


def load_template(name: str, folders: Sequence[Path], theme: Theme | None = None) -> Template:
    """Find a template by name and compile it.

    Args:
        name: Of a folder with a `SUBJECT`.
        folders: With folders of templates and one of shared parts, the operator's own first: a file in it comes in
            place of the same file in a later one.
        theme: How it looks.

    Raises:
        RenderError: There is no such template, a file of it is missing, or one does not compile.
    """
    known = find_templates(folders)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise RenderError(
            f"unknown template '{name}'", hint=f"{meant}known templates: {', '.join(sorted(known)) or 'none'}"
        )
    theme = theme or Theme()
    files = _find_files(name, folders)
    writer = Writer(files, theme, _check_source, HTML)
    html = _compile_html(writer)
    text: dict[str, Part] = {}
    _compile_text(LAYOUT, files, theme, text)
    return Template(
        name=name,
        theme=theme,
        subject=_text_part("subject", SUBJECT, files, theme)[0],
        html=html,
        text=text,
        holes=frozenset(writer.holes),
        files=tuple(files.found.values()),
    )


def _find_files(name: str, folders: Sequence[Path]) -> Files:
    """Where the files of a template are sought: among its own, then among the shared ones, the operator's first."""
    return Files((*(folder / name for folder in folders), *(folder / PARTS for folder in folders)))


def find_templates(folders: Sequence[Path]) -> Mapping[str, Path]:
    """Every template by name: the first folder that has a file of it; a name needs a `SUBJECT` in one of them."""
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        if folder.is_dir():
            found |= {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != PARTS}
    return {
        name: path for name, path in found.items() if any((folder / name / SUBJECT).is_file() for folder in folders)
    }


def _compile_html(writer: Writer) -> dict[str, Part]:
    writer.write_part(LAYOUT)
    sources = put_tags_back(convert_mjml(writer.document), writer.document, LAYOUT)
    parts = {}
    for name, (source, lines) in sources.items():
        where = shown(writer.files.found[name + HTML])
        parts[name] = Part(name, where, _jinja_template(source, where, lines, autoescape=True), lines)
    return parts


def _compile_text(name: str, files: Files, theme: Theme, parts: dict[str, Part]) -> None:
    """Compile the part and all that stand in its holes."""
    parts[name], holes = _text_part(name, name + TEXT, files, theme)
    for inner in (part for hole in holes for part in HOLES[hole]):
        if inner not in parts:
            _compile_text(inner, files, theme, parts)


def _text_part(name: str, file: str, files: Files, theme: Theme) -> tuple[Part, list[str]]:
    writer = Writer(files, theme, _check_source, TEXT)
    writer.write_file(file)
    # Back at once, as there is nothing here that would tear them.
    source, lines = put_tags_back(writer.document.text, writer.document, name)[name]
    where = shown(files.found[file])
    # A hole that has its line for itself leaves nothing where nothing stands in it.
    source = _LONE_HOLE.sub(r"\1", source)
    return Part(name, where, _jinja_template(source, where, lines, autoescape=False), lines), writer.holes


class _Sandbox(ImmutableSandboxedEnvironment):
    """Where a template can neither reach out nor keep a run busy for long."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """``"-" * 72`` and products of numbers; no powers, and nothing of a size that would stop the run."""
        if operator == "*" and isinstance(left, int | float) and isinstance(right, int | float):
            return left * right
        if operator == "*" and isinstance(left, str) and isinstance(right, int) and right <= _MOST_REPEATED:
            return left * right
        raise RenderError(f"'{operator}' is not available for these values")


def _short_range(*limits: int) -> range:
    numbers = range(*limits)
    if len(numbers) > _MOST_REPEATED:
        raise RenderError(f"a range of more than {_MOST_REPEATED:,} numbers is not available")
    return numbers


@cache
def _environment(*, autoescape: bool) -> _Sandbox:
    # Jinja's own choice by file name knows neither .mjml.j2 nor .html.j2, so it is always said.
    env = _Sandbox(
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not autoescape,
    )
    env.filters.update(FILTERS)
    env.filters.update({name: _spoken(name) for name in _SPOKEN_FILTERS})
    env.globals.update({"_": _spoken("say"), "ngettext": _spoken("count"), "range": _short_range})
    return env


_SPOKEN_FILTERS = ("short_date", "full_date", "long_date", "weekday_date", "weekday", "number", "listed")


def _spoken(method: str) -> object:
    """A function or filter that says it in the language of the mail."""

    @jinja2.pass_context
    def speak(context: jinja2.runtime.Context, *args: object, **values: object) -> object:
        language = context.get("language")
        said = getattr(language if isinstance(language, Language) else find_language(LANGUAGES[0]), method)
        return said(*args, **values)

    return speak


def _check_source(source: str, where: str) -> None:
    try:
        tree = _environment(autoescape=True).parse(source, filename=where)
    except jinja2.TemplateSyntaxError as exc:
        raise RenderError(first_line(exc), where=f"{where}:{exc.lineno}") from exc
    for node in tree.find_all((nodes.Extends, nodes.Import, nodes.FromImport)):
        raise RenderError(
            f"'{type(node).__name__.lower()}' is not available",
            where=f"{where}:{node.lineno}",
            hint='write {% include "NAME.mjml.j2" %} with the name of a file as it is, or a macro',
        )


def _jinja_template(
    source: str, where: str, lines: Sequence[tuple[int, Place]], *, autoescape: bool
) -> jinja2.Template:
    env = _environment(autoescape=autoescape)
    try:
        code = env.compile(source, filename=where)
    except jinja2.TemplateSyntaxError as exc:
        raise RenderError(first_line(exc), where=str(_find_place(lines, exc.lineno))) from exc
    template = jinja2.Template.from_code(env, code, env.make_globals(None))
    # What tracebacks are compared with.
    template.filename = where
    return template


def _in_words(problem: str) -> str:
    """What Jinja says of our values, with the names that templates know."""
    return re.sub(r"'digest\.[\w.]+\.(\w+?)(?:View)? object'", lambda found: f"'{found[1].lower()}'", problem)


def _find_place(lines: Sequence[tuple[int, Place]], line: int) -> Place:
    compiled, place = lines[max(bisect_right(lines, line, key=lambda pair: pair[0]) - 1, 0)]
    return Place(place.where, place.line + max(line - compiled, 0))
