"""``digest doctor``: looks at everything a run depends on, and says what to do."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from email.utils import parseaddr
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.check import ask_sources, read_all
from digest.cli.common import (
    JsonOption,
    NowOption,
    console,
    examples,
    number_of,
    print_json,
    read_clock,
    reference_time,
)
from digest.doctor import Finding, Level, examine, exit_code, failure

if TYPE_CHECKING:
    from digest.app import Config
    from digest.config.settings import Settings
    from digest.doctor import Look

EPILOG = examples(
    "digest doctor",
    "digest doctor --offline           # only this machine",
    "digest doctor --json | jq -r '.checks[] | select(.level != \"ok\") | .found'",
)

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no source, mail server, mailbox or DNS: only this machine.")
    ] = False,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Look at settings, clock, time zones, database, disk, file permissions, sources, mail server, mailbox, and SPF,
    DKIM and DMARC of the sender's domain; a line for each, with a hint where something is to be done.

    Nothing is sent or stored. Exit codes: 0 all is well, 1 after a warning, 2 after an error.
    """
    from digest.telemetry.logs import Redactor, find_secrets

    moment = reference_time(now)
    config, problems = read_all(None, moment)
    settings = config.settings if config else None
    redact = Redactor(find_secrets(settings) if settings else ()).redact
    looks = _looks(config, moment, offline=offline, set_time=now is not None) if config else ()
    found = chain(
        (failure("configuration", problem) for problem in problems),
        _configuration(config, clean=not problems),
        examine(looks),
    )
    findings = [_show(finding, redact, as_json=as_json) for finding in found]
    code = exit_code(findings)
    if as_json:
        rows = [{"check": it.check, "level": it.level, "found": it.found, "hint": it.hint} for it in findings]
        print_json({"checks": rows, "exit_code": code})
    else:
        errors, warnings = (sum(it.level is level for it in findings) for level in (Level.ERROR, Level.WARNING))
        counts = f"{number_of(errors, 'error')}, {number_of(warnings, 'warning')}"
        console.print(f"{number_of(len(findings), 'finding')}: {counts}")
    raise typer.Exit(code)


def _show(finding: Finding, redact: Callable[[str], str], *, as_json: bool) -> Finding:
    shown = Finding(finding.check, finding.level, redact(finding.found), redact(finding.hint))
    if not as_json:
        colour = _COLOURS[shown.level]
        console.print(f"[{colour}]{shown.level:7}[/{colour}] {escape(shown.check)}: {escape(shown.found)}")
        if shown.hint and shown.level is not Level.OK:
            console.print(f"          hint: {escape(shown.hint)}")
    return shown


def _configuration(config: "Config | None", *, clean: bool) -> Iterator[Finding]:
    if config is None:
        return
    from digest.config.settings import environment, unknown_variables

    for line in unknown_variables(environment()):
        yield Finding("configuration", Level.WARNING, line)
    if clean:
        sources, people = len(config.roster.sources), len(config.roster.subscribers)
        counts = f"{number_of(sources, 'source')}, {number_of(people, 'subscriber')}"
        yield Finding("configuration", Level.OK, f"{counts}, {number_of(len(config.templates), 'look')} compiled")


def _looks(config: "Config", now: datetime, *, offline: bool, set_time: bool) -> "Iterator[Look]":
    from digest.doctor.machine import look_at_database, look_at_disk, look_at_files, look_at_secret, look_at_zones

    settings = config.settings
    secret = settings.secret.get_secret_value() if settings.secret else None
    zones = [subscriber.zone for subscriber in config.roster.subscribers]
    yield "time zones", partial(look_at_zones, zones, now)
    yield "database", partial(look_at_database, settings.database_url, now)
    yield "disk", partial(look_at_disk, settings.database_url)
    yield "files", lambda: look_at_files(_files(config))
    yield "secret", partial(look_at_secret, secret)
    yield "one-click", partial(_one_click, settings)
    if offline:
        return
    if not set_time:
        yield "clock", partial(_clock, config, now)
    yield "sources", partial(_sources, config, now)
    yield "mail server", partial(_mail_server, settings, now)
    yield "domain", partial(_domain, settings)
    yield "mailbox", partial(_mailbox, settings)


def _files(config: "Config") -> list[Path]:
    """What holds secrets, addresses, or who reads what."""
    from sqlalchemy import make_url

    from digest.config.settings import ENV_FILE, environment, variables
    from digest.store.database import database_file

    kept = database_file(make_url(config.settings.database_url))
    named = [name for name in variables() if name.endswith("_FILE") and name != "DIGEST_METRICS_FILE"]
    secrets = [Path(value) for name, value in environment().items() if name.upper() in named and value]
    databases = [Path(f"{kept}{end}") for end in ("", "-wal", "-shm")] if kept else []
    beside = [path for path in kept.parent.glob("*secret*") if path.is_file()] if kept else []
    return list(dict.fromkeys([Path(ENV_FILE), *config.roster.files, *secrets, *databases, *beside]))


def _one_click(settings: "Settings") -> Iterator[Finding]:
    """Whether mail programs show their own button (RFC 8058): an address with https, within what DKIM signs."""
    url = settings.unsubscribe_url
    if url and not settings.dkim.key:
        hint = "set DIGEST_DKIM__SELECTOR and DIGEST_DKIM__KEY, unless your provider signs every header"
        yield Finding("one-click", Level.WARNING, "without a DKIM signature the button is not shown", hint)
    elif url:
        yield Finding("one-click", Level.OK, "an address with https, and messages are signed")
    else:
        yield Finding("one-click", Level.OK, "readers unsubscribe by mail; DIGEST_UNSUBSCRIBE_URL is not set")


def _clock(config: "Config", now: datetime) -> Iterator[Finding]:
    """Compare with the ``Date`` that a source's server sends."""
    from urllib.parse import urlsplit

    from digest.app import build_sources
    from digest.doctor.machine import look_at_clock, read_date
    from digest.ports import Window

    proxy = config.settings.proxy.get_secret_value() if config.settings.proxy else None
    for source in build_sources(config):
        for ask in [] if source.asks_about_papers else source.asks(Window(since=now, until=now))[:1]:
            if date := read_date(ask.url, proxy):
                yield from look_at_clock(read_clock(), date, urlsplit(ask.url).hostname or "")
                return
    hint = "they could not be reached, or say nothing; date -u shows what this machine believes"
    yield Finding("clock", Level.WARNING, "no source's server told the time, so nothing is known", hint)


def _sources(config: "Config", now: datetime) -> Iterator[Finding]:
    """Read each source's last day, as a run does, and throw it away."""
    from digest.app import skipped_sources, slow_sources
    from digest.collect.limits import Limits
    from digest.model import Verdict

    for line in (*skipped_sources(config), *slow_sources(config)):
        yield Finding("source", Level.WARNING, line)
    for poll in ask_sources(config, now, lambda _: None, limits=Limits(tries=1)):
        found = f"{poll.source} is {poll.verdict}: {len(poll.entries)} listed in {poll.took_s:.1f} s"
        if poll.is_good:
            yield Finding("source", Level.OK, found)
        else:
            is_down = poll.verdict in (Verdict.FAILED, Verdict.SUSPICIOUS)
            cause = f" ({poll.problems[0]})" if poll.problems else ""
            hint = "the next run asks again; digest collect says more"
            yield Finding("source", Level.ERROR if is_down else Level.WARNING, found + cause, hint)


def _mail_server(settings: "Settings", now: datetime) -> Iterable[Finding]:
    from digest.doctor.server import look_at_server

    smtp = settings.smtp
    if settings.backend != "smtp":
        yield Finding("mail server", Level.OK, f"none is used: DIGEST_BACKEND is {settings.backend.partition(':')[0]}")
        return
    if not smtp.host or not settings.sender:
        name = "DIGEST_SENDER" if smtp.host else "DIGEST_SMTP__HOST"
        hint = "set it in the environment or in .env; preview and run --to-folder work without it"
        yield Finding("mail server", Level.ERROR, f"{name} is not set", hint)
        return
    findings = list(look_at_server(smtp.host, smtp.effective_port, smtp.security, now, lmtp=smtp.lmtp))
    yield from findings
    # Whoever cannot be reached cannot be signed in to, and one attempt with a password is enough.
    if smtp.username and all(finding.level is not Level.ERROR for finding in findings):
        yield _sign_in(settings)


def _sign_in(settings: "Settings") -> Finding:
    from digest.app import build_smtp
    from digest.errors import DeliverError

    try:
        protection = asyncio.run(build_smtp(settings).check())
    except DeliverError as error:
        return failure("sign-in", error)
    return Finding("sign-in", Level.OK, f"signed in ({protection}); nothing was sent")


def _domain(settings: "Settings") -> Iterable[Finding]:
    from digest.doctor.domain import Key, Resolver, look_at_domain

    domain = _domain_of(settings.sender)
    if not domain:
        return ()
    dkim, key = settings.dkim, None
    if dkim.selector and dkim.key:
        key = Key(dkim.domain or domain, dkim.selector, dkim.key.get_secret_value())
    return look_at_domain(domain, Resolver(), envelope=_domain_of(settings.bounces), key=key)


def _domain_of(sender: str | None) -> str:
    return parseaddr(sender or "")[1].rpartition("@")[2].lower()


def _mailbox(settings: "Settings") -> Iterator[Finding]:
    """Sign in and open the folder, so that nothing in it changes."""
    from digest.inbox.mailbox import MailboxError, open_mailbox

    imap = settings.imap
    if not imap.host:
        return
    if not imap.password and settings.oauth.refresh_token:
        yield Finding("mailbox", Level.OK, f"{imap.host} takes no password; digest inbox --dry-run signs in to it")
        return
    place = f"{imap.host}:{imap.port}"
    try:
        with open_mailbox(imap):
            yield Finding("mailbox", Level.OK, f"signed in to {place}, {imap.folder} is there")
    except MailboxError as error:
        hint = error.hint or "check DIGEST_IMAP__HOST, DIGEST_IMAP__PORT and DIGEST_IMAP__SECURITY"
        yield Finding("mailbox", Level.ERROR, f"{place}: {error.problem}", hint)
