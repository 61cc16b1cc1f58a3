"""Log lines for people and for machines, from which addresses and secrets are taken out, also within tracebacks."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

from digest.text.masking import mask_addresses

_MASK = "***"
_SHORTEST = 4
"""A shorter secret is part of too many words."""
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default={})  # noqa: B039  never changed in place


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add these to every log line of the block, in its tasks too: the run's id, say. Ids only, never addresses."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class Redactor:
    """Takes addresses and known secrets out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know these secrets, also as they stand in addresses of the web and in commands that sign in."""
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        # A secret may be part of another, as a password is of the proxy's address.
        self._forms = sorted(forms, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text with ``***`` in their place."""
        for form in self._forms:
            text = text.replace(form, _MASK)
        return mask_addresses(text)


def find_secrets(settings: BaseModel) -> Iterator[str]:
    """Every secret of the settings."""
    for name, info in type(settings).model_fields.items():
        match getattr(settings, name, None):
            case BaseModel() as group:
                yield from find_secrets(group)
            case SecretStr() as secret:
                yield secret.get_secret_value()
            case str() as text if not info.repr:
                # As the address of a ping, which anyone may use who knows it. Other addresses are masked as such.
                yield from () if text.startswith("sqlite:") else (text,)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), b64encode(secret.encode()).decode("ascii"))
    # A key of several lines is mostly shown in part.
    yield from (line for line in secret.splitlines() if "-----" not in line)


class TextFormatter(logging.Formatter):
    """A line for people, without secrets."""

    def __init__(self, pattern: str, redactor: Redactor) -> None:
        super().__init__(pattern)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it if there is one."""
        return self._redactor.redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, ``traceback`` after a crash, and whatever
    `log_fields` and the call's ``extra`` add.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The object, on one line."""
        redact = self._redactor.redact
        added = {name: value for name, value in vars(record).items() if name not in _USUAL}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **{name: _plain(value, redact) for name, value in {**_fields.get(), **added}.items()},
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _plain(value: object, redact: Callable[[str], str]) -> object:
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))
