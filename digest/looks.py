"""What mails look like: themes by name, and each template with each theme that somebody uses, compiled once.

The operator's folder comes before the shipped one. Something broken in it is told, and either keeps its readers' mail
back or is replaced by what is shipped; see `Looks`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from digest.config.problems import ConfigProblems, did_you_mean
from digest.config.themes import read_theme
from digest.errors import ConfigError, RenderError
from digest.paths import shipped
from digest.render.compile import LAYOUT, Template, find_templates, load_template
from digest.render.theme import Logo, Theme

Look = tuple[str, str]
"""Template and theme."""

_LAST_RESORT = "daily"

_Value = TypeVar("_Value", Theme, Template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The templates that are used, compiled."""

    templates: Mapping[Look, Template] = field(default_factory=dict)
    """Without those that are broken, unless what is shipped stands in for them."""
    fallbacks: Mapping[Look, Template] = field(default_factory=dict)
    """What stands in for a template of the operator's that fails while it is filled in; empty if nothing shall."""
    problems: Mapping[ConfigError, tuple[Look, ...]] = field(default_factory=dict)
    """What is broken, and whose mail it concerns."""


def template_folders(own: Path | None) -> tuple[Path, ...]:
    """Where templates, parts and themes are looked for: first the operator's folder, if any, then the shipped one."""
    return (own, shipped("templates")) if own else (shipped("templates"),)


def theme_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Every theme by its name; the first folder that has it counts."""
    return {path.stem: path for folder in reversed(folders) for path in sorted((folder / "themes").glob("*.yaml"))}


def load_theme(name: str, folders: Sequence[Path]) -> Theme:
    """Find a theme by name, in the first folder that has it, and read it.

    Raises:
        ConfigError: There is no such theme, or its file cannot be read; as `ConfigProblems`, something in it is wrong.
    """
    files = theme_files(folders)
    if name not in files:
        raise ConfigError(f"unknown theme '{name}'", hint=did_you_mean(name, sorted(files)))
    values, picture = read_theme(files[name])
    theme = Theme(name=name)
    palettes = {scheme: replace(getattr(theme, scheme), **values.pop(scheme, {})) for scheme in ("light", "dark")}
    logo = Logo(picture.content, picture.subtype, picture.width, picture.height) if picture else None
    return replace(theme, **values, **palettes, logo=logo)


def load_look(look: Look, folders: Sequence[Path]) -> Template:
    """Compile one template with one theme, whatever else is used.

    Raises:
        ConfigError: The theme is not there or wrong.
        RenderError: The template is.
    """
    name, theme = look
    return load_template(name, folders, load_theme(theme, folders))


def load_looks(looks: Iterable[Look], folders: Sequence[Path], *, builtin: bool = False) -> Looks:
    """Compile each of these templates with its theme.

    Args:
        looks: Which.
        folders: As `template_folders` gives them; the last one is the shipped.
        builtin: Whether what is shipped stands in for what is broken: the theme ``paper`` for a theme, and for a
            template the shipped one of its name, or ``daily`` if none is shipped under it.
    """
    wanted = sorted(set(looks))
    problems: dict[tuple[str, str], tuple[ConfigError, list[Look]]] = {}
    templates: dict[Look, Template] = {}
    fallbacks: dict[Look, Template] = {}

    def attempt(load: Callable[[], _Value], look: Look) -> _Value | None:
        try:
            return load()
        except (ConfigError, RenderError) as error:
            for each in _each(error):
                # The same line may be wrong for several looks: told once.
                problems.setdefault((each.where, each.problem), (each, []))[1].append(look)
            return None

    for look in wanted:
        name, theme_name = look
        theme = attempt(partial(load_theme, theme_name, folders), look) or (Theme() if builtin else None)
        if theme is None:
            continue
        if template := attempt(partial(_load_edition, name, folders, theme), look):
            templates[look] = template
        may_fail = len(folders) > 1 or not template
        if builtin and may_fail and (fallback := attempt(partial(_load_shipped, name, folders[-1], theme), look)):
            fallbacks[look] = fallback
    return Looks(
        templates={**fallbacks, **templates},
        fallbacks=fallbacks,
        problems={error: tuple(those) for error, those in problems.values()},
    )


def _load_edition(name: str, folders: Sequence[Path], theme: Theme) -> Template:
    template = load_template(name, folders, theme)
    if "sections" not in template.holes:
        raise ConfigError(
            f"the template '{name}' shows no papers: it is for letters",
            where=template.html[LAYOUT].where,
            hint="give subscribers one with {{ part.sections }}, such as daily",
        )
    return template


def _load_shipped(name: str, folder: Path, theme: Theme) -> Template:
    return load_template(name if name in find_templates([folder]) else _LAST_RESORT, [folder], theme)


def _each(error: ConfigError | RenderError) -> Iterator[ConfigError]:
    if isinstance(error, ConfigProblems):
        yield from error.problems
    elif isinstance(error, ConfigError):
        yield error
    else:
        yield ConfigError(error.problem, where=error.where, hint=error.hint)
