"""The only place where the parts are wired together."""

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NotRequired, TypedDict, assert_never

from pydantic import SecretStr
from sqlalchemy import Engine, make_url

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.collect.recording import Recorder, Replayer
from digest.collect.sources import (
    Arxiv,
    Biorxiv,
    Crossref,
    Feed,
    GitHub,
    HackerNews,
    HuggingFace,
    OpenAlex,
    OpenReview,
    Pubmed,
    SemanticScholar,
)
from digest.config.models import (
    ArxivEntry,
    BiorxivEntry,
    CrossrefEntry,
    FeedEntry,
    GitHubEntry,
    HackerNewsEntry,
    HuggingFaceEntry,
    MedrxivEntry,
    OpenAlexEntry,
    OpenReviewEntry,
    PubmedEntry,
    SemanticScholarEntry,
    SourceEntry,
)
from digest.config.problems import shown
from digest.config.settings import ENV_FILE, Settings, environment, load_settings
from digest.config.subscribers import Roster, load_subscribers
from digest.deliver.console import ConsoleBackend
from digest.deliver.dkim import Signer
from digest.deliver.folder import FolderBackend
from digest.deliver.oauth import OauthSettings
from digest.deliver.pace import Pace
from digest.deliver.sendmail import SENDMAIL, SendmailBackend
from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.embed.load import load_embedder
from digest.errors import ConfigError, DigestError, EmbedError, StoreError
from digest.looks import Look, load_looks, template_folders
from digest.model import Announcement, Message
from digest.ports import Backend, Embedder, HostTurns, Ledger, Source
from digest.render.compile import Template
from digest.render.plan import Answers
from digest.store.backup import backup_daily
from digest.store.bounces import Bounces
from digest.store.database import open_database
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.marker import check_marker, write_marker
from digest.store.papers import Papers
from digest.store.turns import SqlHostTurns
from digest.store.wordings import Wordings
from digest.tokens import Keyring
from digest.wording.writer import WriterSettings, write_wordings
from digest.world import World, Write

log = logging.getLogger(__name__)

_NO_SENDER = "Paperround <paperround@localhost.invalid>"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the operator wrote: settings of the machine, sources and people."""

    settings: Settings
    roster: Roster
    templates: Mapping[Look, Template] = field(default_factory=dict)
    """Compiled; see `add_templates`."""
    fallbacks: Mapping[Look, Template] = field(default_factory=dict)
    """What stands in for one that fails while it is filled in."""


def load_config(settings: Settings | None = None) -> Config:
    """Read the settings, unless they are given, and the subscribers file.

    Raises:
        ConfigError: A setting is wrong, or the file cannot be read at all; single bad entries of the file are in
            ``roster.problems``.
    """
    settings = settings or load_settings()
    return tell_apart(Config(settings=settings, roster=load_subscribers(settings.subscribers, environment())))


def tell_apart(config: Config) -> Config:
    """Leave out a source whose name another has, and say so: what is known of sources is kept by their names."""
    sources: dict[str, SourceEntry] = {}
    problems = list(config.roster.problems)
    for entry in config.roster.sources:
        name = build_source(entry, config.settings).name
        if sources.setdefault(name, entry) is not entry:
            problem = f"two sources are called {shown(name)}, so the second is left out"
            where = str(config.roster.files[0])
            problems.append(ConfigError(problem, where=where, hint="give one of them a 'name' of its own"))
    return replace(config, roster=replace(config.roster, sources=tuple(sources.values()), problems=tuple(problems)))


def add_templates(config: Config) -> Config:
    """Compile every template that a subscriber uses with each of its themes, once.

    One that does not compile is one more problem of the configuration: who uses it is left out, and what they are owed
    waits, unless what is shipped shall be used in its place.
    """
    settings, people = config.settings, config.roster.subscribers
    looks = load_looks(
        {each.look for each in people},
        template_folders(settings.templates),
        builtin=settings.broken_template == "builtin",
    )
    problems = list(config.roster.problems)
    for error, concerned in looks.problems.items():
        who = ", ".join(each.id for each in people if each.look in concerned)
        is_served = all(look in looks.templates for look in concerned)
        until_then = f"what is shipped is used for {who}" if is_served else f"no mail for {who}"
        hint = f"{error.hint}; until then {until_then}".removeprefix("; ")
        problems.append(ConfigError(error.problem, where=error.where, hint=hint))
    served = tuple(each for each in people if each.look in looks.templates)
    roster = replace(config.roster, subscribers=served, problems=tuple(problems))
    return replace(config, roster=roster, templates=looks.templates, fallbacks=looks.fallbacks)


def build_answers(settings: Settings, keyring: Keyring) -> Answers:
    """Where readers' answers go."""
    return Answers(
        mailbox=settings.mailbox or "",
        feedback_url=settings.feedback_url or "",
        unsubscribe_url=settings.unsubscribe_url or "",
        keyring=keyring,
        bounces=settings.bounces or "",
    )


def build_world(config: Config, clock: Callable[[], datetime], transport: Recorder | Replayer | None = None) -> World:
    """Open the database, and put everything into one value.

    Args:
        config: What the operator wrote.
        clock: Tells the time.
        transport: Stands between the sources and the network.

    Raises:
        StoreError: The database cannot be used.
    """
    engine = open_database(config.settings.database_url)
    ledger, keyring = SqlLedger(engine), load_keyring(config.settings)
    limits = Limits()
    connect = partial(build_client, config.settings, turns=SqlHostTurns(engine), clock=clock, transport=transport)
    wordings = Wordings(engine)
    embedder, notes = find_embedder(config.settings)
    return World(
        sources=build_sources(config),
        subscribers=config.roster.subscribers,
        papers=Papers(engine),
        ledger=ledger,
        feedback=Feedbacks(engine),
        templates=config.templates,
        fallbacks=config.fallbacks,
        answers=build_answers(config.settings, keyring),
        sender=config.settings.sender or _NO_SENDER,
        connect=partial(connect, limits),
        limits=limits,
        embedder=embedder,
        skipped=(*skipped_sources(config), *notes),
        write=_writer(config.settings, wordings, partial(build_client, config.settings)),
        wordings=wordings.wordings,
        catch_up=timedelta(days=config.settings.catch_up_days),
        catch_up_policy=config.settings.catch_up,
        resends=config.settings.on_uncertain == "resend",
        suppressions=Bounces(engine),
        check_marker=partial(check_marker, engine),
        write_marker=partial(write_marker, engine),
        back_up=partial(_back_up, engine),
        keyring=keyring,
        sign=build_signer(config.settings),
        make_pace=lambda now: build_pace(config.settings, ledger, now),
        clock=clock,
    )


def build_client(
    settings: Settings,
    limits: Limits,
    *,
    turns: HostTurns | None = None,
    clock: Callable[[], datetime] | None = None,
    transport: Recorder | Replayer | None = None,
) -> Client:
    """The client through which the web is read; see `Client`."""
    return Client(
        contact=settings.contact,
        limits=limits,
        proxy=_plain(settings.proxy),
        turns=turns,
        clock=clock,
        transport=transport,
    )


def find_embedder(settings: Settings) -> tuple[Embedder | None, tuple[str, ...]]:
    """What compares by meaning, if anything but words does; else why not."""
    if not settings.embedder:
        return None, ()
    connect = partial(build_client, settings)
    try:
        return load_embedder(settings.embedder, connect=connect, key=_plain(settings.keys.embedder) or ""), ()
    except EmbedError as error:
        return None, (f"DIGEST_EMBEDDER: {error.problem}; words alone are compared ({error.hint})",)


def _writer(settings: Settings, store: Wordings, connect: Callable[[Limits], Client]) -> Write | None:
    llm = settings.llm
    if not (llm.url and llm.model):
        return None
    writer = WriterSettings(
        url=llm.url, model=llm.model, key=_plain(llm.key) or "", limit=llm.papers, seconds=llm.seconds
    )
    return partial(write_wordings, store=store, settings=writer, connect=connect)


class _Common(TypedDict):
    url: str | None
    allow_private: bool
    name: NotRequired[str]


def build_source(entry: SourceEntry, settings: Settings) -> Source:  # noqa: C901  a case for each kind
    """The source that an entry of the subscribers file describes."""
    common: _Common = {"url": entry.url, "allow_private": entry.allow_private}
    if entry.name:
        common["name"] = entry.name
    keys, contact = settings.keys, settings.contact
    match entry:
        case ArxivEntry():
            # A replacement that is listed from another category is a replacement.
            announce = frozenset(each for each in Announcement if each.removesuffix("-cross") in entry.announce)
            return Arxiv(
                entry.arxiv,
                announce=announce,
                listing_url=entry.listing_url,
                oai_url=entry.oai_url,
                api_url=entry.api_url,
                **common,
            )
        case HuggingFaceEntry():
            return HuggingFace(list=entry.huggingface, token=_plain(keys.huggingface), **common)
        case BiorxivEntry():
            return Biorxiv("biorxiv", _but_all(entry.biorxiv), **common)
        case MedrxivEntry():
            return Biorxiv("medrxiv", _but_all(entry.medrxiv), **common)
        case PubmedEntry():
            return Pubmed(entry.pubmed, key=_plain(keys.pubmed), contact=contact, **common)
        case CrossrefEntry():
            return Crossref(entry.crossref, contact=contact, **common)
        case OpenReviewEntry():
            return OpenReview(entry.openreview, token=_plain(keys.openreview), **common)
        case OpenAlexEntry():
            query = entry.openalex
            return OpenAlex(query.topics, search=query.search or "", key=_plain(keys.openalex), **common)
        case SemanticScholarEntry():
            return SemanticScholar(key=_plain(keys.semantic_scholar), **common)
        case HackerNewsEntry():
            return HackerNews(**common)
        case GitHubEntry():
            return GitHub(token=_plain(keys.github), **common)
        case FeedEntry():
            return Feed(entry.address, name=entry.name or "", allow_private=entry.allow_private)
        case _:
            assert_never(entry)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _but_all(categories: tuple[str, ...]) -> tuple[str, ...]:
    """The categories; none where all of them are meant."""
    return () if "all" in categories else categories


def build_sources(config: Config) -> list[Source]:
    """Every source that can be read: without those that lack a key."""
    return [build_source(entry, config.settings) for entry in config.roster.sources if not _lacks_key(entry, config)]


def skipped_sources(config: Config) -> tuple[str, ...]:
    """A line for each source that is left out because it needs a key."""
    return tuple(
        f"{build_source(entry, config.settings).name} needs a key: set DIGEST_KEYS__OPENALEX; it is skipped until then"
        for entry in config.roster.sources
        if _lacks_key(entry, config)
    )


def slow_sources(config: Config) -> tuple[str, ...]:
    """A line for each source that says little without a key."""
    keys = config.settings.keys
    lines = []
    for entry in config.roster.sources:
        match entry:
            case SemanticScholarEntry() if not keys.semantic_scholar:
                line = "turns most requests without a key away: set DIGEST_KEYS__SEMANTIC_SCHOLAR"
            case OpenReviewEntry() if not keys.openreview:
                line = "turns those away who are not signed in: set DIGEST_KEYS__OPENREVIEW"
            case GitHubEntry() if not keys.github:
                line = "answers 60 requests an hour without a token: set DIGEST_KEYS__GITHUB for 5000"
            case _:
                continue
        lines.append(f"{build_source(entry, config.settings).name} {line}")
    return tuple(lines)


def _lacks_key(entry: SourceEntry, config: Config) -> bool:
    return isinstance(entry, OpenAlexEntry) and config.settings.keys.openalex is None


def _back_up(engine: Engine, now: datetime) -> None:
    backup_daily(engine, now=now)


def load_keyring(settings: Settings) -> Keyring:
    """The operator's secret, or one that is made once and kept beside the database.

    Raises:
        StoreError: That file cannot be read or written.
    """
    if settings.secret:
        return Keyring(settings.secret.get_secret_value().encode())
    place = secret_file(settings.database_url)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            # Whole before it has its name: another run may read it at once.
            with NamedTemporaryFile("w", dir=place.parent) as draft, suppress(FileExistsError):
                draft.write(secrets.token_urlsafe(32))
                draft.flush()
                os.link(draft.name, place)
        return Keyring(place.read_bytes().strip())
    except OSError as exc:
        hint = "check the permissions of its folder, or set DIGEST_SECRET"
        raise StoreError(
            f"the secret of this place cannot be kept ({exc.strerror})", where=str(place), hint=hint
        ) from exc


def secret_file(database_url: str) -> Path:
    """Where the secret is kept that nobody set; without a database file, in the folder ``var``."""
    database = make_url(database_url)
    is_file = database.get_backend_name() == "sqlite" and database.database not in (None, "", ":memory:")
    return Path(f"{database.database}.secret") if is_file else Path("var/digest.secret")


def build_pace(settings: Settings, ledger: Ledger, now: datetime) -> Pace | None:
    """When messages may go, for one pass; ``None`` where nothing is sent over SMTP."""
    if not settings.backend.startswith(("smtp", "sendmail")):
        return None
    smtp = settings.smtp
    left = smtp.per_day - ledger.accepted_since(now - timedelta(days=1)) if smtp.per_day else None
    return Pace(smtp.per_minute, smtp.domain_per_minute, left)


def build_signer(settings: Settings) -> Callable[[Message], Message] | None:
    """Signs messages for the sender's domain, if a key is set.

    Raises:
        ConfigError: The key cannot be used.
    """
    dkim = settings.dkim
    if not (dkim.key and dkim.selector):
        return None
    domain = dkim.domain or (settings.sender or "").rpartition("@")[2].rstrip(">")
    return Signer(domain, dkim.selector, dkim.key.get_secret_value()).sign


def build_oauth(settings: Settings) -> OauthSettings | None:
    """How access tokens are come by, if they are used."""
    oauth = settings.oauth
    if not (oauth.refresh_token and oauth.client_id and oauth.token_url):
        return None
    return OauthSettings(
        refresh_token=oauth.refresh_token.get_secret_value(),
        client_id=oauth.client_id,
        client_secret=_plain(oauth.client_secret),
        token_url=oauth.token_url,
    )


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
            password=_plain(smtp.password),
            oauth=build_oauth(settings),
            lmtp=smtp.lmtp,
            connections=smtp.connections,
        )
    )


def build_backend(settings: Settings, folder: Path | None) -> Backend:
    """What the settings name, or a folder if one is given.

    Raises:
        ConfigError: What it needs is not set.
    """
    kind, _, where = settings.backend.partition(":")
    if folder or kind == "folder":
        return FolderBackend(folder or Path(where))
    if kind == "console":
        return ConsoleBackend()
    if kind == "sendmail":
        return SendmailBackend(Path(where) if where else SENDMAIL)
    return build_smtp(settings)


class LiveWorld:
    """A world that follows the subscribers file: read again when it, a list that it names, ``.env`` or a file of the
    operator's templates and themes changes, kept while it is broken.

    Settings of the machine stay as they were at the start.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Read everything for the first time.

        Raises:
            DigestError: The configuration or the database cannot be used.
        """
        self._settings = load_settings()
        self._files = {self._settings.subscribers, Path(ENV_FILE)}
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
                    sources=build_sources(self.config),
                    skipped=(*skipped_sources(self.config), *find_embedder(self.config.settings)[1]),
                    subscribers=self.config.roster.subscribers,
                    templates=self.config.templates,
                    fallbacks=self.config.fallbacks,
                )
        return self._world

    def _read(self) -> Config:
        config = add_templates(load_config(self._settings))
        self._files.update(config.roster.files)
        self._stamps = _stamps(config.roster.files) | self._stamps
        for problem in config.roster.problems:
            log.warning("%s", problem)
        return config

    def _stamp(self) -> dict[Path, int]:
        own = self._settings.templates
        return _stamps((*self._files, *(own.rglob("*") if own else ())))


def _stamps(paths: Iterable[Path]) -> dict[Path, int]:
    """When each file was last changed; 0 for one that is not there."""
    stamps = {}
    for path in paths:
        try:
            stamps[path] = path.stat().st_mtime_ns
        except OSError:
            stamps[path] = 0
    return stamps
