"""The pages of the web archive, from the templates in ``archive``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import count, groupby
from pathlib import Path
from traceback import extract_tb

from babel.dates import format_skeleton
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from digest.errors import RenderError
from digest.export.archive import Archive
from digest.export.formats import Format
from digest.model import Edition, Paper, Rise, TopicMatch
from digest.render.language import Language
from digest.render.theme import Theme
from digest.render.view import ItemView, PaperView, safe_title, view_item, view_paper
from digest.render.why import say_follow_up
from digest.render.words import FILTERS, plain, shorten

ATOM = "atom.xml"
JSON = "feed.json"
STYLE = "style.css"
INDEX = "index.html"
_SPOKEN = ("full_date", "listed", "long_date", "number", "short_date", "weekday_date")
_ABSTRACT = 2_000
_DESCRIPTION = 160


@dataclass(frozen=True, slots=True)
class Cards:
    """Papers shown in full under one heading."""

    heading: str
    papers: tuple[tuple[PaperView, str], ...]
    """Each with the names of its topics, empty where these are not shown."""


@dataclass(frozen=True, slots=True)
class Titles:
    """Papers named by title under one heading."""

    heading: str
    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """An edition in the index: its date, and what is known of it."""

    date: date
    papers: int | None
    """``None`` for a page of an earlier export, which is not read again."""
    lead: str = ""
    """The title of its first paper."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a page leads feed readers to."""

    format: Format
    label: str
    file: str
    type: str


_FEEDS = (
    Feed(Format.ATOM, "Atom", ATOM, "application/atom+xml"),
    Feed(Format.JSON, "JSON Feed", JSON, "application/feed+json"),
)


def logo_name(theme: Theme) -> str:
    """The file of the theme's picture; empty if it has none."""
    return f"logo.{theme.logo.subtype.replace('jpeg', 'jpg')}" if theme.logo else ""


def write_style(archive: Archive, folders: Sequence[Path]) -> str:
    """The style of all pages, in the theme's colours and fonts."""
    return fill("style.css.j2", folders, archive)


def write_index(archive: Archive, folders: Sequence[Path], earlier: Iterable[date] = ()) -> str:
    """The page that lists all editions by month, newest first.

    Args:
        archive: The editions.
        folders: See `fill`.
        earlier: Of pages that an earlier export wrote.
    """
    entries = {day: Entry(day, None) for day in earlier} | {
        edition.date: Entry(edition.date, len(edition.papers), _lead(edition)) for edition in archive.editions
    }
    newest_first = [entries[day] for day in sorted(entries, reverse=True)]
    months = [
        (_month(first, archive.language), list(of_month))
        for first, of_month in groupby(newest_first, key=lambda entry: entry.date.replace(day=1))
    ]
    return fill("index.html.j2", folders, archive, page=INDEX, months=months)


def write_page(
    archive: Archive, edition: Edition, folders: Sequence[Path], before: date | None = None, after: date | None = None
) -> str:
    """The page of one edition.

    Args:
        archive: Whose it is.
        edition: As `digest.export.archive.public` leaves it.
        folders: See `fill`.
        before: Date of the edition before it.
        after: Date of the edition after it.
    """
    language = archive.language
    titles = (
        Titles(
            language.count("%(num)s more by title", "%(num)s more by title", len(edition.rest)),
            tuple(view_item(paper) for paper in edition.rest),
        ),
        Titles(language.say("New versions of earlier papers"), tuple(view_item(paper) for paper in edition.updated)),
        Titles(
            language.say("What became of earlier papers"),
            tuple(
                view_item(each.paper, say_follow_up(each.kinds, each.paper, language)) for each in edition.follow_ups
            ),
        ),
    )
    return fill(
        "edition.html.j2",
        folders,
        archive,
        page=f"{edition.date}.html",
        edition=edition.date,
        count=len(edition.papers),
        description=shorten(_lead(edition), _DESCRIPTION),
        sections=[cards for cards in _sections(edition, archive) if cards.papers],
        lists=[each for each in titles if each.items],
        before=before,
        after=after,
    )


def fill(name: str, folders: Sequence[Path], archive: Archive, **values: object) -> str:
    """Fill in a template.

    Args:
        name: Of the file.
        folders: Where ``archive`` is sought, the operator's own folder first.
        archive: Whose title, theme and language it gets.
        values: Whatever else it gets.

    Raises:
        RenderError: The template is missing or broken.
    """
    env = _environment(tuple(folders), archive.language)
    try:
        return env.get_template(name).render(
            title=archive.heading,
            base_url=archive.base_url,
            theme=archive.theme,
            language=archive.language.tag,
            dir=archive.language.dir,
            logo=logo_name(archive.theme),
            formats={each.value for each in archive.formats},
            feeds=[feed for feed in _FEEDS if feed.format in archive.formats],
            **values,
        )
    except TemplateNotFound as exc:
        raise RenderError(
            f"the template 'archive/{exc.message}' is missing",
            hint="put it beside the others, or leave out your folder 'archive'",
        ) from exc
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as exc:
        # Jinja makes the template's own lines a part of the traceback.
        frames = [frame for frame in extract_tb(exc.__traceback__) if frame.filename.endswith(".j2")]
        where = f"archive/{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else f"archive/{name}"
        raise RenderError(str(exc), where=where, hint="compare it with the shipped one; nothing was written") from exc


@lru_cache(maxsize=16)
def _environment(folders: tuple[Path, ...], language: Language) -> ImmutableSandboxedEnvironment:
    env = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([folder / "archive" for folder in folders]),
        autoescape=lambda file: file is None or not file.endswith(".css.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update({**FILTERS, **{name: getattr(language, name) for name in _SPOKEN}})
    env.globals.update({"_": language.say, "ngettext": language.count})
    return env


def _lead(edition: Edition) -> str:
    return safe_title(edition.papers[0].title) if edition.papers else ""


def _month(day: date, language: Language) -> str:
    """``November 2026``."""
    return str(format_skeleton("yMMMM", day, locale=language.locale))


def _sections(edition: Edition, archive: Archive) -> Iterator[Cards]:
    language = archive.language
    numbers = count(1)

    def view(paper: Paper, topics: Sequence[TopicMatch] = (), rise: Rise | None = None) -> tuple[PaperView, str]:
        # Labels, evidence and the names of followed authors stay with the reader.
        card = view_paper(
            paper,
            number=next(numbers),
            language=language,
            abstract=_ABSTRACT,
            zone=edition.subscriber.zone,
            day=edition.date,
            rise=rise,
            wording=edition.wordings.get(paper.key),
            wording_language=edition.subscriber.language,
        )
        return card, ", ".join(plain(topic.topic, 80) for topic in topics) if archive.has_topics else ""

    yield Cards(language.say("Selected papers"), tuple(view(match.paper, match.topics) for match in edition.matched))
    yield Cards(language.say("Trending"), tuple(view(paper) for paper in edition.trending))
    yield Cards(language.say("Still rising"), tuple(view(rise.paper, rise=rise) for rise in edition.rising))
