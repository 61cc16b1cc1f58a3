"""Settings of the machine, from ``DIGEST_…`` variables in the environment or in ``.env`` of the working directory."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from digest.config.checks import check_address, check_pattern, check_url
from digest.config.problems import ComplaintError, ConfigProblems, nearest, shown, told
from digest.errors import ConfigError
from digest.model import CatchUp, Security

log = logging.getLogger(__name__)

ENV_FILE = ".env"
PREFIX = "DIGEST_"
FEEDBACK = ("reader", "paper", "verdict")
"""What the address for feedback must hold, in braces; the verdict is ``more`` or ``less``."""
UNSUBSCRIBE = ("reader",)
DEFAULT_CONTACT = "self-hosted paper digest"

_SENDER = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<angled>[^<>]*)>|(?P<bare>[^<>]*)")


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


def _check_sender(text: str) -> str:
    if not text.isprintable():
        raise ComplaintError(f"{shown(text)} is not one line", "write as in Paperround <digest@example.org>")
    match = _SENDER.fullmatch(text.strip())
    if match is None:
        raise ComplaintError(f"{shown(text)} is not a sender", "write as in Paperround <digest@example.org>")
    if match["bare"] is not None:
        return check_address(match["bare"])
    name = match["name"].strip().removeprefix('"').removesuffix('"').strip()
    if "@" in name or '"' in name or "\\" in name:
        raise ComplaintError(f"the sender's name {shown(name)} holds '@', quotes or '\\'", "leave them out")
    address = check_address(match["angled"].strip())
    return f"{name} <{address}>" if name else address


def _check_host(text: str) -> str:
    # A Unix socket, an IPv6 address, or labels of 1 to 63 characters.
    if not re.fullmatch(
        r"/[^\0]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?", text
    ):
        raise ComplaintError(f"{shown(text)} is not the name of a mail server", "write as in smtp.example.org")
    return text


def _check_contact(text: str) -> str:
    if not (text.isascii() and text.isprintable()) or set(text) & set("()\\") or not 3 <= len(text) <= 200:
        raise ComplaintError(
            f"{shown(text)} cannot stand in a User-Agent", "use 3 to 200 ASCII characters without ( ) and \\"
        )
    return text


def _check_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ComplaintError(f"{shown(path)} is not a folder", "name the folder that holds your templates' folders")
    return path


def _check_database(url: str) -> str:
    if not re.match(r"[a-z][a-z0-9+]*://", url):
        raise ComplaintError("the value is not a database URL", "write as in sqlite:///var/digest.sqlite3")
    return url


def _check_proxy(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port is not None
    except ValueError:
        is_right = False
    if not is_right or parts.path.strip("/") or parts.query or not text.isprintable() or " " in text:
        raise ComplaintError("the value is not the address of a proxy", "write as in http://proxy.example.org:3128")
    return SecretStr(text)


def _check_backend(text: str) -> str:
    kind, _, where = text.partition(":")
    if kind not in ("smtp", "sendmail", "folder", "console") or bool(where) < (kind == "folder"):
        raise ComplaintError(f"{shown(text)} sends nothing", "use smtp, sendmail, folder:DIR or console")
    return text


def _check_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < 16:
        raise ComplaintError("the value is too short", "use 16 characters or more: openssl rand -base64 24")
    return secret


_Address = Annotated[str, AfterValidator(str.strip), AfterValidator(check_address)]


def _read_rates(text: object) -> object:
    """``60`` or ``gmail.com=60 outlook.com=30 *=120``: messages a minute, by domain of the recipient."""
    if not isinstance(text, str):
        return text
    rates: dict[str, int] = {}
    for word in text.replace(",", " ").split():
        domain, _, rate = word.rpartition("=")
        if not re.fullmatch(r"[1-9][0-9]{0,5}", rate) or not re.fullmatch(r"\*?|[a-z0-9.-]+", domain.lower()):
            raise ComplaintError(f"{shown(word)} is no rate", "write as in 'gmail.com=60 *=120', messages a minute")
        rates[domain.lower() or "*"] = int(rate)
    return rates


class Smtp(BaseModel):
    """The mail server that sends."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: Annotated[str, AfterValidator(_check_host)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Security = Security.STARTTLS
    username: str | None = None
    password: SecretStr | None = None
    lmtp: bool = False
    """Whether the server speaks LMTP (RFC 2033), as the delivery end of a mail server on this machine does."""
    connections: Annotated[int, Field(ge=1, le=200)] = 4
    """At most so many at a time; it begins with one."""
    per_minute: Annotated[int, Field(ge=1)] | None = None
    """At most so many messages a minute, all together."""
    per_day: Annotated[int, Field(ge=1)] | None = None
    """At most so many messages in 24 hours; the rest waits."""
    domain_per_minute: Annotated[dict[str, int], BeforeValidator(_read_rates), NoDecode] = {}
    """At most so many a minute to addresses of one domain; ``*`` stands for each other one."""

    @property
    def effective_port(self) -> int:
        """The port, or else the usual one for this kind of connection."""
        return self.port or _PORTS[self.security]

    @model_validator(mode="after")
    def _protects_what_it_sends(self) -> Self:
        if self.host and not (self.host.startswith("/") or self.security.permits(self.host)):
            raise ComplaintError(
                f"DIGEST_SMTP__SECURITY: 'none' is only for this machine itself, not for {shown(self.host)}",
                "use starttls (port 587) or tls (port 465)",
            )
        if self.password and not self.username:
            raise ComplaintError(
                "DIGEST_SMTP__PASSWORD is set but DIGEST_SMTP__USERNAME is not", "set both to sign in, or neither"
            )
        return self


class Oauth(BaseModel):
    """Signs in with XOAUTH2 instead of a password, to the mail server and to the mailbox."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refresh_token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    token_url: Annotated[str, AfterValidator(check_url)] | None = None
    """Where access tokens are given: ``https://oauth2.googleapis.com/token``."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.refresh_token and not (self.client_id and self.token_url):
            raise ComplaintError(
                "DIGEST_OAUTH__REFRESH_TOKEN is set but DIGEST_OAUTH__CLIENT_ID or DIGEST_OAUTH__TOKEN_URL is not",
                "set all three, and DIGEST_OAUTH__CLIENT_SECRET if the provider gave one",
            )
        return self


class Dkim(BaseModel):
    """Signs every message for its sender's domain (RFC 6376)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    selector: str | None = None
    key: SecretStr | None = None
    """A private key in PEM: RSA from 1024 bits on, or Ed25519."""
    domain: str | None = None
    """The sender's, unless it is given."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.selector is None) != (self.key is None):
            given, other = ("SELECTOR", "KEY") if self.selector else ("KEY", "SELECTOR")
            raise ComplaintError(
                f"DIGEST_DKIM__{given} is set but DIGEST_DKIM__{other} is not", "set both to sign, or neither"
            )
        return self


class Imap(BaseModel):
    """The mailbox that ``digest inbox`` reads: readers' answers, and what could not be delivered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: Annotated[str, AfterValidator(_check_host)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    security: Security = Security.TLS
    username: str | None = None
    password: SecretStr | None = None
    folder: str = "INBOX"


class Keys(BaseModel):
    """What sources know us by; each is free of charge, and most are needless. The embedder's is for its server."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    huggingface: SecretStr | None = None
    pubmed: SecretStr | None = None
    openalex: SecretStr | None = None
    openreview: SecretStr | None = None
    semantic_scholar: SecretStr | None = None
    github: SecretStr | None = None
    embedder: SecretStr | None = None


class Llm(BaseModel):
    """An OpenAI-compatible endpoint that writes summaries and translations."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: Annotated[str, AfterValidator(check_url)] | None = None
    """Where its API begins: ``https://api.example.org/v1``."""
    model: str | None = None
    key: SecretStr | None = None
    papers: Annotated[int, Field(ge=1, le=1_000)] = 30
    """At most this many texts in one run."""
    seconds: Annotated[int, Field(ge=1, le=3_600)] = 60
    """For all of them together."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.url is None) != (self.model is None):
            given, other = ("URL", "MODEL") if self.url else ("MODEL", "URL")
            raise ComplaintError(
                f"DIGEST_LLM__{given} is set but DIGEST_LLM__{other} is not",
                "set both to have summaries and translations, or neither",
            )
        if self.url and self.key:
            parts = urlsplit(self.url)
            if parts.scheme == "http" and not Security.NONE.permits(parts.hostname or ""):
                raise ComplaintError(
                    "DIGEST_LLM__KEY would go over an open line",
                    "write DIGEST_LLM__URL with https, or leave the key out",
                )
        return self


class Settings(BaseSettings):
    """What the operator set for this machine."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        # A secret that a workflow does not have arrives as an empty variable.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        # Or a failed validation prints the whole environment, secrets included.
        hide_input_in_errors=True,
    )

    smtp: Smtp = Smtp()
    oauth: Oauth = Oauth()
    dkim: Dkim = Dkim()
    imap: Imap = Imap()
    backend: Annotated[str, AfterValidator(_check_backend)] = "smtp"
    """``smtp``, ``sendmail`` or ``sendmail:/path/to/it``, ``folder:DIR``, ``console``."""
    secret: Annotated[SecretStr, AfterValidator(_check_secret)] | None = None
    """What tokens and hashes of addresses are made with; without it one is kept in a file beside the database."""
    on_uncertain: Literal["hold", "resend"] = "hold"
    """What becomes of a mail of which nobody can know whether it arrived: never sent again, or sent once more."""
    bounces: _Address | None = Field(default=None, repr=False)
    """Where mail that cannot be delivered comes back to: a mailbox that takes ``name+anything@``."""
    ping_url: Annotated[str, AfterValidator(check_url)] | None = Field(default=None, repr=False)
    """Asked at the start of a run (``/start``), at its end, and with the exit code after a failure."""
    log: Literal["text", "json"] = "text"
    """How log lines are written."""
    metrics_file: Path | None = None
    """Where each run leaves its figures for Prometheus' textfile collector."""
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where ``digest serve`` shows them, on this machine only."""
    sender: Annotated[str, AfterValidator(_check_sender)] | None = None
    """``Paperround <digest@example.org>``, or a bare address."""
    database_url: Annotated[str, AfterValidator(_check_database)] = Field(
        default="sqlite:///var/digest.sqlite3", repr=False
    )
    subscribers: Path = Path("subscribers.yaml")
    templates: Annotated[Path, AfterValidator(_check_folder)] | None = None
    """The operator's own templates, which come before the shipped ones."""
    broken_template: Literal["hold", "builtin"] = "hold"
    """What becomes of mail whose template or theme is broken: it waits, or what is shipped is used in its place."""
    mailbox: _Address | None = Field(default=None, repr=False)
    """Where readers' answers go by mail: who unsubscribes, who wants more or less like a paper."""
    feedback_url: Annotated[str, AfterValidator(partial(check_pattern, names=FEEDBACK))] | None = None
    """Where readers say that they want more or less like a paper, with `FEEDBACK` in braces."""
    unsubscribe_url: Annotated[str, AfterValidator(partial(check_pattern, names=UNSUBSCRIBE))] | None = None
    """Where readers unsubscribe, with `UNSUBSCRIBE` in braces."""
    operator: _Address | None = Field(default=None, repr=False)
    """Who is told of runs that failed."""
    contact: Annotated[str, AfterValidator(_check_contact)] = DEFAULT_CONTACT
    """What sources are told about who asks: an address or a page of the operator's, if they choose to give one."""
    catch_up: CatchUp = CatchUp.MERGE
    """What becomes of editions that were missed."""
    catch_up_days: Annotated[int, Field(ge=1, le=30)] = 3
    """An edition is still sent this many days late."""
    keys: Keys = Keys()
    proxy: Annotated[SecretStr, AfterValidator(_check_proxy)] | None = None
    """Through which all sources are read: ``http://host:port``, with ``user:password@`` if it asks for them."""
    llm: Llm = Llm()
    embedder: str | None = None
    """What compares by meaning in place of words: ``wordllama``, ``model2vec:NAME``, ``sentence-transformers:NAME`` or
    ``openai:https://HOST/v1#MODEL``."""

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.smtp.username and not (self.smtp.password or self.oauth.refresh_token):
            raise ComplaintError(
                "DIGEST_SMTP__USERNAME is set but DIGEST_SMTP__PASSWORD is not", "set both to sign in, or neither"
            )
        return self


_SECRETS = (
    "smtp.username",
    "smtp.password",
    "oauth.refresh_token",
    "oauth.client_secret",
    "dkim.key",
    "imap.username",
    "imap.password",
    "secret",
    "ping_url",
    "database_url",
    *(f"keys.{name}" for name in Keys.model_fields),
    "proxy",
    "llm.key",
)
"""Settings that may also be read from a file, named by the variable with ``_FILE``; their values are never shown."""


def load_settings() -> Settings:
    """Read the settings; variables that nothing reads are logged as warnings.

    Raises:
        ConfigProblems: Settings are wrong; all of them are told.
    """
    env = environment()
    for warning in unknown_variables(env):
        log.warning("%s", warning)
    problems: list[ConfigError] = []
    from_files = _read_secrets(env, problems)
    try:
        settings = Settings(**from_files)  # type: ignore[arg-type]  # nested values, checked by the model
    except ValidationError as exc:
        problems.extend(_problem(error) for error in exc.errors(include_url=False))
    except SettingsError as exc:
        # 'error parsing value for field "smtp" from source "EnvSettingsSource"'
        group = next((name for name in ("keys", "llm", "oauth", "dkim", "imap") if f'"{name}"' in str(exc)), "smtp")
        first = next(path for path in _paths(Settings) if path.startswith(f"{group}."))
        hint = f"set {_variable(first)} and so on"
        raise ConfigProblems([ConfigError("this is a group of settings", where=_variable(group), hint=hint)]) from exc
    if problems:
        raise ConfigProblems(problems)
    return settings


def environment() -> dict[str, str]:
    """The variables of ``.env`` and of the process, which come first.

    Raises:
        ConfigError: ``.env`` cannot be read.
    """
    try:
        from_file = dotenv_values(ENV_FILE)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError("the file cannot be read", where=ENV_FILE, hint="save it as UTF-8, readable for you") from exc
    # A secret that a workflow does not have arrives as an empty variable.
    of_process = {name: value for name, value in os.environ.items() if value or name not in from_file}
    return {name: value for name, value in from_file.items() if value is not None} | of_process


def variables() -> tuple[str, ...]:
    """Every variable that is read; ``digest preview --matrix``'s browser and a test's failpoint are no settings."""
    names = [_variable(path) for path in _paths(Settings)]
    return (*names, *(f"{_variable(path)}_FILE" for path in _SECRETS), "DIGEST_CHROMIUM", "DIGEST_FAILPOINT")


def unknown_variables(env: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each ``DIGEST_…`` variable that nothing reads."""
    known = variables()
    lines = []
    for name in env:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = nearest(name, known)
            lines.append(f"{name} is not a setting" + (f"; did you mean {near}?" if near else ""))
    return tuple(lines)


def _paths(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _paths(info.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _variable(path: str) -> str:
    return PREFIX + path.upper().replace(".", "__")


def _read_secrets(env: Mapping[str, str], problems: list[ConfigError]) -> dict[str, object]:
    found: dict[str, object] = {}
    groups: dict[str, dict[str, str]] = {}
    by_name = {name.upper(): value for name, value in env.items() if value}
    for path in _SECRETS:
        variable = f"{_variable(path)}_FILE"
        if variable not in by_name:
            continue
        if _variable(path) in by_name:
            hint = "keep one of the two"
            problems.append(ConfigError(f"{_variable(path)} is set as well", where=variable, hint=hint))
        try:
            value = Path(by_name[variable]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            problem = f"the file {shown(by_name[variable])} cannot be read: {reason}"
            problems.append(ConfigError(problem, where=variable, hint="check the path and its permissions"))
            continue
        if not value:
            problem = f"the file {shown(by_name[variable])} is empty"
            problems.append(ConfigError(problem, where=variable, hint="write the secret into it"))
            continue
        group, _, name = path.rpartition(".")
        (groups.setdefault(group, {}) if group else found)[name] = value
    return found | groups


def _problem(error: ErrorDetails) -> ConfigError:
    path = ".".join(str(part) for part in error["loc"])
    if path in ("", "smtp", "llm", "oauth", "dkim") and error["type"] == "value_error":
        complaint = told(error, path)
        return ConfigError(complaint.problem, hint=complaint.hint)
    if path in _SECRETS:
        complaint = told({**error, "input": "***"}, path)
        return ConfigError(complaint.problem, where=_variable(path), hint=complaint.hint)
    complaint = told(error, "the value")
    return ConfigError(complaint.problem, where=_variable(path), hint=complaint.hint)
