"""A run's answers, kept in a folder, and the same run again without the network.

The folder holds ``run.json`` (what was asked for, and when), and for each answer ``0001.json`` and ``0001.body``,
numbered in the order of the requests: the body as it came over the wire, still encoded. Nothing of a request is kept
but its method, its address without secrets, and a hash of what it posted.
"""

import hashlib
import itertools
import json
import re
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

import httpx
from pydantic import TypeAdapter, ValidationError

from digest.collect.web import Resolve, masked, tls_error
from digest.errors import CollectError, ConfigError
from digest.ports import Window

_FORMAT = 1
_RUN = "run.json"
# All that anything here looks at; cookies are nobody's business.
_HEADERS = (
    "content-type",
    "content-encoding",
    "etag",
    "last-modified",
    "retry-after",
    "date",
    "location",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)
_FAILURES: Mapping[str, type[Exception]] = {
    error.__name__: error
    for error in (
        httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.ReadTimeout, httpx.WriteError,
        httpx.WriteTimeout, httpx.PoolTimeout, httpx.RemoteProtocolError, httpx.LocalProtocolError, httpx.ProxyError,
        TimeoutError, OSError, UnicodeError,
    )
}  # fmt: skip
# A secret that was masked has to pass for a part of a header, which is ASCII.
_MASK = "***"
_MASKED = re.compile(r"[?&][^=&?#]*=[^=&?#]*\*\*\*[^=&?#]*")
# Of no host that is asked; some address is needed where a proxy resolved the name.
_PLACEHOLDER = "192.0.0.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a recorded run was asked for."""

    format: int = _FORMAT
    now: datetime
    """Its reference time."""
    windows: Mapping[str, Window]
    """By name of source."""


@cache
def _runs() -> TypeAdapter[Run]:
    return TypeAdapter(Run)


def write_run(folder: Path, now: datetime, windows: Mapping[str, Window]) -> None:
    """Say what the recording in this folder is of."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN).write_bytes(_runs().dump_json(Run(now=now, windows=windows), indent=2))


def read_run(folder: Path) -> Run:
    """What the recording in this folder is of.

    Raises:
        ConfigError: It holds none, or one that this release cannot read.
    """
    path = folder / _RUN
    try:
        data = json.loads(path.read_bytes())
        if isinstance(data, dict) and data.get("format", _FORMAT) != _FORMAT:
            raise ConfigError(
                f"a recording of format {data['format']!r}, this release reads {_FORMAT}",
                where=str(path),
                hint="replay it with the release that recorded it",
            )
        return _runs().validate_python(data)
    except OSError as exc:
        raise ConfigError(f"no recording ({exc.strerror})", where=str(path)) from exc
    except (ValidationError, ValueError) as exc:
        raise ConfigError(f"not a recorded run ({str(exc).splitlines()[0]})", where=str(path)) from exc


@dataclass(frozen=True, slots=True)
class _Asked:
    """What identifies a request."""

    method: str
    address: str
    body: str = ""
    """SHA-256 of what was posted; empty for nothing."""


class Recorder(httpx.AsyncBaseTransport):
    """Writes down every answer of the network on its way to the client; see `Client`."""

    def __init__(self, folder: Path, network: httpx.AsyncBaseTransport | None = None) -> None:
        """Make the folder.

        Args:
            folder: May exist, if no answers are in it.
            network: Where requests go; the client's own unless given.

        Raises:
            ConfigError: It cannot be made, or holds answers.
        """
        self.network = network
        self._folder = folder
        self._numbers = itertools.count(1)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = any(folder.glob("[0-9]*.json"))
        except OSError as exc:
            raise ConfigError(f"cannot be written to ({exc.strerror})", where=str(folder)) from exc
        if taken:
            raise ConfigError("holds a recording", where=str(folder), hint="name a new folder")

    def resolver(self, resolve: Resolve) -> Resolve:
        """The same, with what it says written down."""

        async def recorded(host: str, port: int) -> Sequence[str]:
            answer = _Answer(self._folder, next(self._numbers), _Asked("RESOLVE", f"{host}:{port}"))
            try:
                answer.addresses = tuple(await resolve(host, port))
            except BaseException as exc:
                answer.fail(exc)
                raise
            finally:
                answer.write()
            return answer.addresses

        return recorded

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on, and what comes back."""
        if self.network is None:
            raise RuntimeError("the client gives a recorder its network")
        answer = _Answer(self._folder, next(self._numbers), _asked(request))
        try:
            response = await self.network.handle_async_request(request)
        except BaseException as exc:
            answer.fail(exc)
            answer.write()
            raise
        answer.status = response.status_code
        answer.headers = tuple(_kept_headers(response))
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Copied(response, answer),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the network."""
        if self.network is not None:
            await self.network.aclose()


class Replayer(httpx.AsyncBaseTransport):
    """Answers as recorded: each address in its order, the last answer again and again."""

    def __init__(self, folder: Path) -> None:
        """Read what was recorded, but for the bodies.

        Raises:
            ConfigError: It is no recording.
        """
        self._folder = folder
        self._answers: defaultdict[_Asked, list[_Recorded]] = defaultdict(list)
        for path in sorted(folder.glob("[0-9]*.json"), key=lambda path: (len(path.name), path.name)):
            try:
                answer = _Recorded(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
                raise ConfigError(f"not a recorded answer ({exc})", where=str(path)) from exc
            self._answers[answer.asked].append(answer)

    def resolver(self, resolve: Resolve) -> Resolve:  # noqa: ARG002  nobody is asked
        """What the names led to when they were recorded."""

        async def replayed(host: str, port: int) -> Sequence[str]:
            answer = self._next(_Asked("RESOLVE", f"{host}:{port}"))
            if answer is None:
                return (_PLACEHOLDER,)
            if answer.failure:
                raise answer.failure
            return answer.addresses

        return replayed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer without the network.

        Raises:
            CollectError: This was never asked.
        """
        asked = _asked(request)
        answer = self._next(asked)
        if answer is None:
            raise CollectError(f"{asked.method} {asked.address} was not recorded", where=str(self._folder))
        if answer.status is None:
            raise answer.failure or CollectError("a recorded answer without a status", where=str(answer.path))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Replayed(answer))

    def _next(self, asked: _Asked) -> "_Recorded | None":
        answers = self._answers.get(asked, [])
        return answers.pop(0) if len(answers) > 1 else next(iter(answers), None)


class _Answer:
    """One answer, while it comes."""

    def __init__(self, folder: Path, number: int, asked: _Asked) -> None:
        self._path = folder / f"{number:04}.json"
        self._asked = asked
        self.addresses: tuple[str, ...] = ()
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self._failure: tuple[str, ...] = ()
        self._body: IO[bytes] | None = None
        self._is_written = False

    def add(self, piece: bytes) -> None:
        if self._body is None:
            self._body = self._path.with_suffix(".body").open("wb")
        self._body.write(piece)

    def fail(self, exc: BaseException) -> None:
        """Note how it ended; what ends a task stands for the deadline."""
        kind = next((name for name, error in _FAILURES.items() if isinstance(exc, error)), "TimeoutError")
        # Not the text of a request that cannot be sent: it may quote a key.
        text = "" if isinstance(exc, httpx.LocalProtocolError) else str(exc)
        tls = tls_error(exc)
        certificate = tls.verify_message if isinstance(tls, ssl.SSLCertVerificationError) else ""
        self._failure = (kind, text, certificate, (tls.reason or "TLS") if tls else "")

    def write(self) -> None:
        if self._is_written:
            return
        self._is_written = True
        if self._body is not None:
            self._body.close()
        data: dict[str, Any] = {
            "method": self._asked.method,
            "address": self._asked.address,
            "request_sha256": self._asked.body,
            "addresses": self.addresses,
            "status": self.status,
            "headers": self.headers,
            "failure": self._failure,
        }
        self._path.write_text(json.dumps({name: value for name, value in data.items() if value}, indent=2))


class _Recorded:
    """One answer, as it was written."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_bytes())
        self.path = path
        self.asked = _Asked(data["method"], data["address"], data.get("request_sha256", ""))
        self.addresses = tuple(map(str, data.get("addresses", ())))
        self.status: int | None = data.get("status")
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in data.get("headers", ())]
        self.failure: Exception | None = None
        if failure := data.get("failure"):
            kind, text, certificate, reason = failure
            self.failure = _FAILURES[kind](text)
            if reason:
                tls = ssl.SSLCertVerificationError(text) if certificate else ssl.SSLError(text)
                vars(tls).update(verify_message=certificate, reason=reason)
                self.failure.__cause__ = tls

    def body(self) -> bytes:
        path = self.path.with_suffix(".body")
        return path.read_bytes() if path.exists() else b""


class _Copied(httpx.AsyncByteStream):
    """A body that is written down while it is read, as far as it is read."""

    def __init__(self, response: httpx.Response, answer: _Answer) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._stream = response.stream
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                self._answer.add(piece)
                yield piece
        except GeneratorExit:
            raise
        except BaseException as exc:
            self._answer.fail(exc)
            raise

    async def aclose(self) -> None:
        self._answer.write()
        await self._stream.aclose()


class _Replayed(httpx.AsyncByteStream):
    def __init__(self, answer: _Recorded) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._answer.body()
        if self._answer.failure:
            raise self._answer.failure


def _asked(request: httpx.Request) -> _Asked:
    """The address under the host's name: what is connected to is one of its IP addresses."""
    host, path = request.headers["host"], request.url.raw_path.decode("ascii")
    body = hashlib.sha256(request.content).hexdigest() if request.method == "POST" else ""
    return _Asked(request.method, _kept_address(f"{request.url.scheme}://{host}{path}"), body)


def _kept_address(url: str) -> str:
    """The address without what is masked in it, so that who replays needs neither our keys nor our contact."""
    text = _MASKED.sub("", masked(url).replace("…", _MASK))
    return text if "?" in text else text.replace("&", "?", 1)


def _kept_headers(response: httpx.Response) -> Iterator[tuple[str, str]]:
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _HEADERS:
            yield name, _kept_address(value) if name == "location" else value
