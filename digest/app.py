"""The only place where the parts are wired together."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_never

from digest.collect.client import Limits
from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.config.settings import Settings, environment, load_settings
from digest.config.subscribers import ArxivSpec, FeedSpec, HuggingFaceSpec, Roster, SourceSpec, load_subscribers
from digest.deliver.folder import FolderBackend
from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.errors import ConfigError, DigestError
from digest.paths import shipped
from digest.pipeline import World
from digest.ports import Backend, Source
from digest.render.compile import Template, load_template
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers

log = logging.getLogger(__name__)

_NO_SENDER = "Paperround <paperround@localhost.invalid>"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the operator wrote: settings of the machine, sources and people."""

    settings: Settings
    roster: Roster


def load_config(subscribers: Path | None = None) -> Config:
    """Read the settings and the subscribers file.

    Raises:
        ConfigError: A setting is wrong, or the file cannot be read at all; single bad entries of the file are in
            ``roster.problems``.
    """
    settings = load_settings()
    return Config(settings=settings, roster=load_subscribers(subscribers or settings.subscribers, environment()))


def build_world(config: Config, clock: Callable[[], datetime]) -> World:
    """Open the database, compile the templates, and put everything into one value.

    Raises:
        RenderError: A template cannot be compiled.
        StoreError: The database cannot be used.
    """
    engine = open_database(config.settings.database_url)
    return World(
        sources=[build_source(spec) for spec in config.roster.sources],
        subscribers=config.roster.subscribers,
        papers=Papers(engine),
        ledger=SqlLedger(engine),
        templates=compile_templates(config),
        sender=config.settings.sender or _NO_SENDER,
        contact=config.settings.contact,
        limits=Limits(),
        catch_up=timedelta(days=config.settings.catch_up_days),
        clock=clock,
    )


def compile_templates(config: Config) -> Mapping[str, Template]:
    """Every template that a subscriber uses, compiled once."""
    folders: Sequence[Path] = [
        *([config.settings.templates] if config.settings.templates else []),
        shipped("templates"),
    ]
    names = {subscriber.template for subscriber in config.roster.subscribers} | {"daily"}
    return {name: load_template(name, folders) for name in sorted(names)}


def build_source(spec: SourceSpec) -> Source:
    """The source that an entry of the subscribers file describes."""
    match spec:
        case ArxivSpec():
            return Arxiv(spec.categories, url=spec.url, allow_private=spec.allow_private, name=spec.name or "")
        case HuggingFaceSpec():
            return HuggingFace(url=spec.url, allow_private=spec.allow_private, name=spec.name or HuggingFace.name)
        case FeedSpec():
            return Feed(spec.url, name=spec.name or "", allow_private=spec.allow_private)
        case _:
            assert_never(spec)


def build_smtp(settings: Settings) -> SmtpBackend:
    """The backend that sends for real.

    Raises:
        ConfigError: The mail server or the sender is not set.
    """
    for name, value in (("DIGEST_SMTP__HOST", settings.smtp.host), ("DIGEST_SENDER", settings.sender)):
        if not value:
            raise ConfigError(
                f"{name} is not set",
                hint="set it in the environment or in .env, or write to a folder with --to-folder DIR",
            )
    smtp = settings.smtp
    assert smtp.host
    return SmtpBackend(
        SmtpSettings(
            host=smtp.host,
            port=smtp.effective_port,
            security=smtp.security,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
        )
    )


def build_backend(settings: Settings, folder: Path | None) -> Backend:
    """SMTP, or a folder if one is named."""
    return FolderBackend(folder) if folder else build_smtp(settings)


class LiveWorld:
    """A world that follows the subscribers file: read again when the file changes, kept as it was if it is broken."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._changed_ns = config.settings.subscribers.stat().st_mtime_ns
        self._settings = config.settings
        self._world = build_world(config, clock)

    def load(self) -> World:
        """The world as the file describes it now."""
        path = self._settings.subscribers
        try:
            changed_ns = path.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._changed_ns = changed_ns
                config = load_config()
                for problem in config.roster.problems:
                    log.warning("%s", problem)
                self._world = build_world(config, self._clock)
        except (DigestError, OSError) as error:
            log.error("%s; going on with the subscribers as last read", error)  # noqa: TRY400
        return self._world
