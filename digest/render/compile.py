"""Turn a template folder into something that renders fast: MJML and CSS are worked out once, Jinja tags stay.

MJML and the CSS inliner would tear Jinja tags apart, so each tag is a plain word while they work:

    <a href="{{ paper.url }}">   →   <a href="QZ0007ZQ">   →   <a style="…" href="{{ paper.url }}">
"""

import logging
import re
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from digest.errors import RenderError
from digest.render.words import FILTERS

SUBJECT, HTML, TEXT = "subject.txt.j2", "body.mjml.j2", "body.txt.j2"

_OUTPUT_CHARS = 5_000_000
_RENDER_S = 20.0
_MJML_RESET = '<style type="text/css">\n#outlook a'


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a template, compiled."""

    where: str
    """The file, as people would name it."""
    compiled: jinja2.Template
    lines: tuple[tuple[int, int], ...] = ((1, 1),)
    """Where a line of the compiled template came from: pairs of compiled line and line in the file, ascending."""

    def render(self, context: Mapping[str, object]) -> str:
        """Fill in the context.

        Raises:
            RenderError: The template asks for something that is not there, fails, or never ends.
        """
        return "".join(self._chunks(context))

    def render_within(self, context: Mapping[str, object], size_bytes: int) -> str | None:
        """The same; ``None`` as soon as it is too long.

        Raises:
            RenderError: As `render`.
        """
        chunks = []
        for chunk in self._chunks(context):
            size_bytes -= len(chunk.encode("utf-8", "replace"))
            if size_bytes < 0:
                return None
            chunks.append(chunk)
        return "".join(chunks)

    def _chunks(self, context: Mapping[str, object]) -> Iterator[str]:
        try:
            yield from self._bounded(context)
        except RenderError:
            raise
        except Exception as exc:
            # A template may raise anything.
            raise RenderError(
                _first_line(exc),
                where=f"{self.where}:{self._line(exc)}",
                hint=f"this template receives {', '.join(sorted(context))}; nothing was sent",
            ) from exc

    def _bounded(self, context: Mapping[str, object]) -> Iterator[str]:
        stop_at = time.monotonic() + _RENDER_S
        written = 0
        for chunk in self.compiled.generate(context):
            written += len(chunk)
            if written > _OUTPUT_CHARS or time.monotonic() > stop_at:
                raise RenderError(
                    f"rendering gave {written:,} characters and was stopped",
                    where=self.where,
                    hint="look for a loop that repeats itself",
                )
            yield chunk

    def _line(self, exc: BaseException) -> int:
        """The line in the file, from the traceback that Jinja rewrote to lines of the compiled template."""
        line = 1
        trace = exc.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.compiled.filename:
                line = trace.tb_lineno
            trace = trace.tb_next
        compiled, source = self.lines[max(bisect_right(self.lines, (line, 10**9)) - 1, 0)]
        return source + max(line - compiled, 0)


@dataclass(frozen=True, slots=True)
class Template:
    """A subject, an HTML body and a text body, ready to be filled in."""

    name: str
    subject: Part
    html: Part
    text: Part


@dataclass(frozen=True, slots=True)
class _Tag:
    """A Jinja tag while it is out of the way."""

    word: str
    text: str
    line: int
    is_block: bool
    word_line: int
    """The line of the word in the text that MJML gets."""


@dataclass(slots=True)
class _Tokenised:
    text: str = ""
    tags: list[_Tag] = field(default_factory=list)

    def source_line(self, line: int) -> int:
        """The line in the file for a line of the text with words."""
        before = [tag for tag in self.tags if tag.word_line <= line]
        if not before:
            return line
        last = before[-1]
        return last.line + last.text.count("\n") + line - last.word_line


def load_template(name: str, folders: Sequence[Path]) -> Template:
    """Find a template by name, in the first folder that has it, and compile it.

    Raises:
        RenderError: There is no such template, a file of it is missing, or one does not compile.
    """
    known = {path.name: path for folder in reversed(folders) for path in _template_folders(folder)}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise RenderError(
            f"unknown template '{name}'", hint=f"{meant}known templates: {', '.join(sorted(known)) or 'none'}"
        )
    folder = known[name]
    return Template(
        name=name,
        subject=_compile_text(folder / SUBJECT),
        html=_compile_mjml(folder / HTML),
        text=_compile_text(folder / TEXT),
    )


def inline_css(html: str) -> str:
    """Copy the rules of ``<style>`` to the elements they mean, for clients that drop ``<style>``.

    MJML's own reset stays where it is: repeated on every cell it would weigh more than the papers.
    """
    # premailer takes a third of a second to import.
    from premailer import Premailer

    inliner = Premailer(
        html.replace(_MJML_RESET, _MJML_RESET.replace(">", ' data-premailer="ignore">', 1), 1),
        keep_style_tags=True,
        # Or it strips the !important that dark and narrow rules need to win over inlined ones.
        strip_important=False,
        disable_validation=True,
        # MJML wrote those that Outlook needs.
        disable_basic_attributes=["align", "valign", "bgcolor", "width"],
        allow_network=False,
        cssutils_logging_level=logging.CRITICAL,
    )
    return "<!doctype html>\n" + str(inliner.transform())


def _template_folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if any((path / file).is_file() for file in (SUBJECT, HTML, TEXT)))


def _compile_text(path: Path) -> Part:
    where = _shown(path)
    source = _read(path)
    env = _environment(autoescape=False)
    _check_source(env, source, where)
    return Part(where, _jinja_template(env, source, where))


def _compile_mjml(path: Path) -> Part:
    where = _shown(path)
    source = _read(path)
    env = _environment(autoescape=True)
    _check_source(env, source, where)
    tokenised = _take_tags_out(env, source)
    html = _to_html(tokenised, source, where)
    compiled, lines = _put_tags_back(html, tokenised, where)
    return Part(where, _jinja_template(env, compiled, where), lines)


def _environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    # Jinja's own choice by file name knows neither .mjml.j2 nor .html.j2, so it is always said.
    env = ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(FILTERS)
    return env


def _check_source(env: jinja2.Environment, source: str, where: str) -> None:
    try:
        env.compile(source, filename=where)
        tree = env.parse(source, filename=where)
    except jinja2.TemplateSyntaxError as exc:
        raise RenderError(_first_line(exc), where=f"{where}:{exc.lineno}") from exc
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        raise RenderError(
            f"'{type(node).__name__.lower()}' is not available",
            where=f"{where}:{node.lineno}",
            hint="a template is three files that stand alone; use a macro within the file",
        )


def _jinja_template(env: jinja2.Environment, source: str, where: str) -> jinja2.Template:
    try:
        code = env.compile(source, filename=where)
    except jinja2.TemplateSyntaxError as exc:
        raise RenderError(_first_line(exc), where=where, hint="MJML moved a tag of this template") from exc
    template = jinja2.Template.from_code(env, code, env.make_globals(None))
    # What tracebacks are compared with.
    template.filename = where
    return template


def _take_tags_out(env: jinja2.Environment, source: str) -> _Tokenised:
    """Replace every tag by a word, found by Jinja's own lexer."""
    prefix = "QZ"
    while prefix in source:
        prefix += "Z"
    result = _Tokenised()
    line = 1  # of the text with words
    tag, first_line, end = "", 0, ""
    for number, kind, value in env.lex(source):
        if not tag:
            if kind == "data":
                result.text += value
                line += value.count("\n")
                continue
            first_line, end = number, kind.replace("_begin", "_end")
        tag += value
        if kind == end:
            word = f"{prefix}{len(result.tags):04d}{prefix[::-1]}"
            result.tags.append(_Tag(word, tag, first_line, end == "block_end", line))
            result.text += word
            tag = ""
    return result


def _to_html(tokenised: _Tokenised, source: str, where: str) -> str:
    from mjml import mjml2html

    try:
        # No fonts: for its default font MJML adds a style sheet of Google's, which readers' clients would fetch.
        html = mjml2html(tokenised.text, fonts={})
    except ValueError as exc:
        line, reason = _broken_place(tokenised, exc)
        raise RenderError(f"not well-formed MJML: {reason}", where=f"{where}:{line}" if line else where) from exc
    unknown = re.search(r"<(mj-[\w-]+)", html)
    if unknown:
        at = source.find(unknown[0])
        raise RenderError(
            f"unknown element '{unknown[1]}'",
            where=f"{where}:{source.count(chr(10), 0, at) + 1}" if at >= 0 else where,
            hint="MJML left it in the mail as it is, so no client would show it; see https://documentation.mjml.io",
        )
    remote = re.search(r"@import|<link\b|<script\b", html, re.IGNORECASE)
    if remote:
        raise RenderError(
            f"'{remote[0].lower()}' is not available in mail",
            where=where,
            hint="clients drop it or tell a stranger who reads; write rules in mj-style and use system fonts",
        )
    try:
        return inline_css(html)
    except Exception as exc:
        raise RenderError(f"CSS cannot be inlined: {_first_line(exc)}", where=where) from exc


def _broken_place(tokenised: _Tokenised, exc: ValueError) -> tuple[int | None, str]:
    """Where the markup is broken; mjml-python does not say, an XML parser does."""
    # HTML's named entities are fine in MJML and unknown to XML.
    text = re.sub(r"&(\w+);", lambda match: " " * len(match[0]), tokenised.text)
    try:
        expat.ParserCreate().Parse(text.encode(), True)
    except expat.ExpatError as error:
        return tokenised.source_line(error.lineno), expat.ErrorString(error.code)
    return None, str(exc)


def _put_tags_back(html: str, tokenised: _Tokenised, where: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Restore the tags and remember the line of each.

    Raises:
        RenderError: MJML or the inliner lost a tag, or moved or copied a block's.
    """
    by_word = {tag.word: tag for tag in tokenised.tags}
    words = re.compile("|".join(map(re.escape, by_word)) or r"(?!)")
    found = [by_word[word] for word in words.findall(html)]
    for tag in tokenised.tags:
        # A comment may go: it says nothing to anyone.
        if tag not in found and not tag.text.startswith("{#"):
            _refuse(tag, "was lost", where)
    blocks = [tag for tag in tokenised.tags if tag.is_block]
    in_html = [tag for tag in found if tag.is_block]
    for expected, actual in zip(blocks, in_html, strict=False):
        if expected is not actual:
            _refuse(actual, "was moved or copied", where)
    for extra in in_html[len(blocks) :]:
        _refuse(extra, "was copied", where)

    out: list[str] = []
    lines = [(1, 1)]
    line = 1
    end = 0
    for match in words.finditer(html):
        tag = by_word[match[0]]
        # A line end within the tag shows nowhere, and gives each tag a line of its own for error messages.
        text = re.sub(r"^(\{[{%][-+]?)(?!\s*raw\b)", r"\1\n", tag.text)
        before = html[end : match.start()]
        line += before.count("\n")
        lines.append((line + (text != tag.text), tag.line))
        line += text.count("\n")
        out += (before, text)
        end = match.end()
    return "".join(out) + html[end:], tuple(lines)


def _refuse(tag: _Tag, what: str, where: str) -> NoReturn:
    raise RenderError(
        f"the tag '{' '.join(tag.text.split())}' {what} when MJML was compiled",
        where=f"{where}:{tag.line}",
        hint="MJML reads widths and booleans itself: keep tags to text, href, src, alt, css-class and colours",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        hint = f"a template is a folder with {SUBJECT}, {HTML} and {TEXT}"
        raise RenderError("this file is missing", where=_shown(path), hint=hint) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise RenderError(f"cannot be read: {exc}", where=_shown(path)) from exc


def _shown(path: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [""])[0] or type(exc).__name__
