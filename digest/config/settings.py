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
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from digest.config.checks import check_address, check_pattern, check_url
from digest.config.problems import ComplaintError, ConfigProblems, nearest, shown, told
from digest.errors import ConfigError
from digest.model import Security

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
    # An IPv6 address, or labels of 1 to 63 characters.
    if not re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?", text):
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


_Address = Annotated[str, AfterValidator(str.strip), AfterValidator(check_address)]


class Smtp(BaseModel):
    """The mail server that sends."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: Annotated[str, AfterValidator(_check_host)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Security = Security.STARTTLS
    username: str | None = None
    password: SecretStr | None = None

    @property
    def effective_port(self) -> int:
        """The port, or else the usual one for this kind of connection."""
        return self.port or _PORTS[self.security]

    @model_validator(mode="after")
    def _protects_what_it_sends(self) -> Self:
        if self.host and not self.security.permits(self.host):
            raise ComplaintError(
                f"DIGEST_SMTP__SECURITY: 'none' is only for this machine itself, not for {shown(self.host)}",
                "use starttls (port 587) or tls (port 465)",
            )
        if (self.username is None) != (self.password is None):
            given, other = ("USERNAME", "PASSWORD") if self.username is not None else ("PASSWORD", "USERNAME")
            raise ComplaintError(
                f"DIGEST_SMTP__{given} is set but DIGEST_SMTP__{other} is not", "set both to sign in, or neither"
            )
        return self


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
    catch_up_days: Annotated[int, Field(ge=1, le=30)] = 3
    """An edition is still sent this many days late."""
    keys: Keys = Keys()
    proxy: Annotated[SecretStr, AfterValidator(_check_proxy)] | None = None
    """Through which all sources are read: ``http://host:port``, with ``user:password@`` if it asks for them."""
    llm: Llm = Llm()
    embedder: str | None = None
    """What compares by meaning in place of words: ``wordllama``, ``model2vec:NAME``, ``sentence-transformers:NAME`` or
    ``openai:https://HOST/v1#MODEL``."""


_SECRETS = (
    "smtp.username",
    "smtp.password",
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
        group = next((name for name in ("keys", "llm") if f'"{name}"' in str(exc)), "smtp")
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
    """Every variable that is read; the browser of ``digest preview --matrix`` is no setting of a run."""
    names = [_variable(path) for path in _paths(Settings)]
    return (*names, *(f"{_variable(path)}_FILE" for path in _SECRETS), "DIGEST_CHROMIUM")


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
    if path in ("smtp", "llm") and error["type"] == "value_error":
        complaint = told(error, path)
        return ConfigError(complaint.problem, hint=complaint.hint)
    if path in _SECRETS:
        complaint = told({**error, "input": "***"}, path)
        return ConfigError(complaint.problem, where=_variable(path), hint=complaint.hint)
    complaint = told(error, "the value")
    return ConfigError(complaint.problem, where=_variable(path), hint=complaint.hint)
