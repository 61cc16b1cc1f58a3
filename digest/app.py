"""The only place where the parts are wired together."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_never

from digest.collect.limits import Limits
from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.config.settings import ENV_FILE, Settings, environment, load_settings
from digest.config.subscribers import ArxivSpec, FeedSpec, HuggingFaceSpec, Roster, SourceSpec, load_subscribers
from digest.deliver.folder import FolderBackend
from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.errors import ConfigError, DigestError, RenderError
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
    templates: Mapping[str, Template] = field(default_factory=dict)
    """Compiled; see `add_templates`."""


def load_config(settings: Settings | None = None) -> Config:
    """Read the settings, unless they are given, and the subscribers file.

    Raises:
        ConfigError: A setting is wrong, or the file cannot be read at all; single bad entries of the file are in
            ``roster.problems``.
    """
    settings = settings or load_settings()
    return Config(settings=settings, roster=load_subscribers(settings.subscribers, environment()))


def add_templates(config: Config) -> Config:
    """Compile every template that a subscriber uses, once.

    A template that does not compile is one more problem of the configuration: who uses it is left out, and what they
    are owed waits.
    """
    folders = [*([config.settings.templates] if config.settings.templates else []), shipped("templates")]
    templates: dict[str, Template] = {}
    problems = list(config.roster.problems)
    for name in sorted({subscriber.template for subscriber in config.roster.subscribers}):
        try:
            templates[name] = load_template(name, folders)
        except RenderError as error:
            without = ", ".join(each.id for each in config.roster.subscribers if each.template == name)
            hint = f"{error.hint}; until then no mail for {without}".removeprefix("; ")
            problems.append(ConfigError(error.problem, where=error.where or f"template {name!r}", hint=hint))
    served = tuple(each for each in config.roster.subscribers if each.template in templates)
    roster = replace(config.roster, subscribers=served, problems=tuple(problems))
    return replace(config, roster=roster, templates=templates)


def build_world(config: Config, clock: Callable[[], datetime]) -> World:
    """Open the database, and put everything into one value.

    Raises:
        StoreError: The database cannot be used.
    """
    engine = open_database(config.settings.database_url)
    return World(
        sources=[build_source(spec) for spec in config.roster.sources],
        subscribers=config.roster.subscribers,
        papers=Papers(engine),
        ledger=SqlLedger(engine),
        templates=config.templates,
        sender=config.settings.sender or _NO_SENDER,
        contact=config.settings.contact,
        limits=Limits(),
        catch_up=timedelta(days=config.settings.catch_up_days),
        clock=clock,
    )


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
    """A world that follows the subscribers file: read again when it or ``.env`` changes, kept while it is broken.

    Settings of the machine stay as they were at the start.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Read everything for the first time.

        Raises:
            DigestError: The configuration or the database cannot be used.
        """
        self._settings = load_settings()
        # Before reading: what is changed meanwhile is then read once more.
        self._stamps = self._stamp()
        self.config = self._read()
        self._world = build_world(self.config, clock)

    def load(self) -> World:
        """The world as the file describes it now."""
        stamps = self._stamp()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self.config = self._read()
            except DigestError as error:
                log.error("%s", error)  # noqa: TRY400
                log.warning("going on with the subscribers as last read")
            else:
                log.info("read the subscribers again: %d", len(self.config.roster.subscribers))
                self._world = replace(
                    self._world,
                    sources=[build_source(spec) for spec in self.config.roster.sources],
                    subscribers=self.config.roster.subscribers,
                    templates=self.config.templates,
                )
        return self._world

    def _read(self) -> Config:
        config = add_templates(load_config(self._settings))
        for problem in config.roster.problems:
            log.warning("%s", problem)
        return config

    def _stamp(self) -> tuple[int, ...]:
        """When the files were last changed; 0 for one that is not there."""
        stamps = []
        for path in (self._settings.subscribers, Path(ENV_FILE)):
            try:
                stamps.append(path.stat().st_mtime_ns)
            except OSError:
                stamps.append(0)
        return tuple(stamps)
