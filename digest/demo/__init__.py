"""One real morning with invented papers: listings, mail server and all on this machine, nothing from the network."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from digest.app import Config, add_templates, build_smtp, build_world
from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.config.models import ArxivEntry, FeedEntry, HuggingFaceEntry, SourceEntry
from digest.config.settings import Settings, Smtp
from digest.config.subscribers import Roster, load_subscribers
from digest.demo.inbox import serve_inbox
from digest.demo.listings import arxiv_rss, daily_papers, journal_rss, load_papers
from digest.demo.server import serve_listings
from digest.errors import ConfigError
from digest.merge import merge_entry
from digest.model import NEWS, Paper, PaperKey, Security
from digest.paths import shipped
from digest.ports import Backend, Page, Window
from digest.world import World

JOURNAL = "Annals of Invented Biology"
_SENDER = "Paperround demo <demo@example.org>"
_MARK = "DEMO.txt"
_MARK_TEXT = "Made by digest demo. digest demo --fresh deletes the database and the mail in this folder.\n"
_DATABASE = "digest.sqlite3"
_MADE = (
    *(f"{_DATABASE}{suffix}" for suffix in ("", "-wal", "-shm", "-journal", ".last", ".secret")),
    f"{_DATABASE}.backups/*",
    *(f"inbox/[0-9][0-9]*-*.{suffix}" for suffix in ("eml", "html", "txt")),
)


@dataclass(frozen=True, slots=True)
class Demo:
    """What a pass of the demo works with."""

    world: World
    backend: Backend
    inbox: Path
    """Where its mail arrives."""


@contextmanager
def open_demo(folder: Path, now: datetime, clock: Callable[[], datetime], *, fresh: bool = False) -> Iterator[Demo]:
    """Set up a world like that of ``digest run``, whose sources and mail server are on this machine.

    Settings, subscribers and addresses of the operator are neither read nor used.

    Args:
        folder: Keeps the database and the mail from one demo to the next.
        now: When the papers are announced.
        clock: See `World`.
        fresh: Forget earlier demos first.

    Raises:
        ConfigError: The folder holds something else, or nothing can be written there.
    """
    _prepare(folder, fresh=fresh)
    inbox = folder / "inbox"
    with serve_listings(load_papers(), now) as base, serve_inbox(inbox) as port:
        settings = Settings.model_construct(
            smtp=Smtp(host="127.0.0.1", port=port, security=Security.NONE),
            sender=_SENDER,
            database_url=f"sqlite:///{folder / _DATABASE}",
        )
        world = build_world(add_templates(Config(settings=settings, roster=_roster(base))), clock)
        sources = [_Invented(**vars(each)) if isinstance(each, Arxiv) else each for each in world.sources]
        yield Demo(replace(world, sources=sources), build_smtp(settings), inbox)


class _Invented(Arxiv):
    """The same papers on every day, so that no day's are due."""

    def due(self, window: Window) -> tuple[datetime, ...]:  # noqa: ARG002
        """None."""
        return ()


def _prepare(folder: Path, *, fresh: bool) -> None:
    """Make the folder, or make sure that it is ours: it could be where somebody keeps the database of their readers."""
    mark = folder / _MARK
    if folder.exists() and not mark.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"'{folder}' was not made by digest demo", where="--dir", hint="name a folder that is new or empty"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(_MARK_TEXT, encoding="utf-8")
        for file in (file for pattern in _MADE for file in folder.glob(pattern)) if fresh else ():
            file.unlink()
    except OSError as exc:
        raise ConfigError(
            f"'{folder}' cannot be written ({exc.strerror})", where="--dir", hint="name a folder of yours"
        ) from exc


def _roster(base: str) -> Roster:
    """The example's subscribers, with addresses in which nobody lives, and its sources on this machine."""
    example = shipped("subscribers.example.yaml")
    variables = re.findall(r"\$\{(\w+)_EMAIL\}", example.read_text(encoding="utf-8"))
    roster = load_subscribers(
        example, {f"{name}_EMAIL": f"{name.lower().replace('_', '-')}@example.org" for name in variables}
    )
    journal = FeedEntry(feed=f"{base}/journal.xml", name=JOURNAL, allow_private=True)
    return replace(roster, sources=(*_on_this_machine(roster, base), journal))


def _on_this_machine(roster: Roster, base: str) -> Iterator[SourceEntry]:
    paths = {ArxivEntry: "/rss", HuggingFaceEntry: "/api/daily_papers"}
    for entry in roster.sources:
        # The place of the example's feed is taken by the journal.
        if path := paths.get(type(entry)):
            yield entry.model_copy(update={"url": f"{base}{path}", "allow_private": True})


def sample_papers(now: datetime) -> tuple[Paper, ...]:
    """The invented papers as the sources' own parsers read them, merged, in order of announcement.

    Args:
        now: When they are announced.
    """
    invented = load_papers()
    pages = (
        (Arxiv(("cs.*",)), arxiv_rss(invented, ["cs.*"], now)),
        (HuggingFace(), daily_papers(invented, now.astimezone(UTC).date())),
        (Feed("https://journal.example.org/rss", JOURNAL), journal_rss(invented, now)),
    )
    papers: dict[PaperKey, Paper] = {}
    for source, body in pages:
        for entry in source.parse(Page(url="", body=body)).entries:
            if entry.announcement in NEWS:
                papers[entry.key] = merge_entry(papers.get(entry.key), entry, source.name, now)
    return tuple(papers.values())
