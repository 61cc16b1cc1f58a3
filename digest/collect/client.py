"""The one polite client for all sources: spacing, caching, retries, limits, and no way into a private network."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import stamina

from digest import __version__
from digest.collect.body import read_body
from digest.collect.limits import Limits
from digest.collect.turns import Deadline, Turns
from digest.collect.web import is_arxiv, is_public, resolve_host, retry_after_s, shown
from digest.errors import CollectError
from digest.model import Validators
from digest.ports import Page
from digest.text.clean import clean_text, fit

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (406, 408, 425, 429)
_MAX_VALIDATOR_CHARS = 500


class MissingError(CollectError):
    """There is nothing at this address (HTTP 404)."""


class NoAnswerError(CollectError):
    """The host answers nobody, or not us, in this run: asking it for more is useless."""


class _TransientError(CollectError):
    """Worth another try."""

    def __init__(self, problem: str, *, wait_s: float | None = None, part: Page | None = None) -> None:
        super().__init__(problem)
        self.wait_s = wait_s
        self.part = part
        """What came before the connection broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One address, and the terms on which it is asked."""

    url: str
    allow_private: bool
    validators: Validators | None
    """What it was last answered with; lets the server say that nothing changed."""
    deadline: Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request came to, unless it failed."""

    page: Page | None = None
    """``None`` if nothing changed since the request's validators were given."""
    validators: Validators | None = None
    """For the next request; none with a part of a page."""
    problem: str = ""
    """Why the page is only the first part of one: its body broke off at every try."""


class Client:
    """Reads web addresses for all sources of a run; close it with ``contextlib.aclosing``."""

    def __init__(
        self,
        *,
        contact: str,
        limits: Limits,
        resolve: Resolve = resolve_host,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            contact: Where an administrator can complain, an address or a page; part of the ``User-Agent``.
            limits: See `Limits`.
            resolve: Turns a host and a port into IP addresses. Each request connects to an address that was checked,
                so a name that resolves differently a moment later (DNS rebinding) gains nothing.
            transport: Stands in for the network.
        """
        contact = clean_text(contact).encode("ascii", "replace").decode("ascii")
        self._limits = limits
        self._resolve = resolve
        self._turns = Turns(limits)
        self._http = httpx.AsyncClient(
            headers={
                "User-Agent": f"paperround/{__version__} (+{contact})",
                "Accept": _ACCEPT,
                # Only what we decode ourselves: it stops a bomb before it grows.
                "Accept-Encoding": "gzip",
            },
            timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
            # Requests name an IP address: a kept connection could serve another host with the same address.
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def fetch(self, request: Request) -> Answer:
        """Ask until there is an answer, one request at a time for each host, and over all arXiv hosts.

        Raises:
            MissingError: There is nothing at the address.
            NoAnswerError: Every try failed in passing; other pages of this host would fare no better.
            CollectError: Anything else that keeps this address from being read.
        """
        loop = asyncio.get_running_loop()
        started, tries = loop.time(), 0
        try:
            async for attempt in stamina.retry_context(
                on=_backoff,
                attempts=self._limits.tries,
                timeout=None,
                wait_initial=self._limits.backoff_s,
                wait_jitter=self._limits.backoff_s,
                wait_max=self._limits.backoff_max_s,
            ):
                with attempt:
                    tries = attempt.num
                    return await self._follow(request)
        except _TransientError as exc:
            took = f"{tries} {'try' if tries == 1 else 'tries'} in {loop.time() - started:.0f} s"
            if exc.part is None:
                raise NoAnswerError(f"{exc.problem}, {took}") from exc
            return Answer(page=exc.part, problem=f"{exc.problem}, {took}")
        raise AssertionError("stamina returns or raises")

    async def _follow(self, request: Request) -> Answer:
        """One try: the address, and where it is redirected to."""
        at = request.url
        for _ in range(self._limits.redirects + 1):
            try:
                url = httpx.URL(at)
                async with self._response(url, request) as response:
                    if response.status_code not in _REDIRECTS or "location" not in response.headers:
                        return await self._answer(response, url, request)
                    at = _target(response, url)
            except _TransientError as exc:
                request.deadline.last_problem = exc.problem
                raise
            except httpx.TransportError as exc:
                request.deadline.last_problem = problem = _no_answer(exc, at)
                raise _TransientError(problem) from exc
            except httpx.InvalidURL as exc:
                raise CollectError(f"not a web address: {shown(at)}") from exc
        raise CollectError(
            f"more than {self._limits.redirects} redirects from {shown(request.url)}, the last to {shown(at)}"
        )

    @asynccontextmanager
    async def _response(self, url: httpx.URL, request: Request) -> AsyncIterator[httpx.Response]:
        """Ask a checked address when its host's turn has come, and hold the turn while the answer is read."""
        addresses = await self._addresses(url, allow_private=request.allow_private)
        headers = {"Host": url.netloc.decode("ascii")}
        known = request.validators or Validators()
        if known.etag:
            headers["If-None-Match"] = known.etag
        if known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        async with self._turns.take(url.host, request.deadline):
            response = await self._connect(url, addresses, headers)
            try:
                yield response
            finally:
                await response.aclose()

    async def _addresses(self, url: httpx.URL, *, allow_private: bool) -> Sequence[str]:
        """Where the host is, unless it must not be asked."""
        if url.scheme not in ("http", "https") or not url.host:
            raise CollectError(f"refused {shown(str(url))}: only http and https addresses are read")
        host = url.raw_host.decode("ascii")
        try:
            addresses = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as exc:
            raise _TransientError(f"the name {host} cannot be resolved ({clean_text(str(exc))})") from exc
        if not addresses:
            raise _TransientError(f"the name {host} has no address")
        private = [address for address in addresses if not is_public(address)]
        if private and not allow_private:
            raise CollectError(
                f"refused {shown(str(url))}: it leads to the private address {private[0]}",
                hint="set allow_private for this source if that is meant",
            )
        return addresses

    async def _connect(self, url: httpx.URL, addresses: Sequence[str], headers: dict[str, str]) -> httpx.Response:
        """Connect to a checked address, while the certificate and the server are asked for the host by its name."""
        for number, address in enumerate(addresses, 1):
            request = self._http.build_request(
                "GET",
                url.copy_with(host=address.partition("%")[0]),
                headers=headers,
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("there is at least one address")

    async def _answer(self, response: httpx.Response, url: httpx.URL, request: Request) -> Answer:
        status, at = response.status_code, shown(str(url))
        if status == 304 and request.validators:
            return Answer()
        if status == 404:
            raise MissingError(f"HTTP 404 from {at}")
        if status in _TRANSIENT or status >= 500 or (status == 403 and is_arxiv(url.host)):
            raise _refused(response, f"HTTP {status} from {at}", request.deadline)
        if status != 200:
            raise CollectError(f"HTTP {status} from {at}")
        body = await read_body(response, at, self._limits)
        page = _page(response, request, body.data)
        if not body.is_whole:
            problem = f"the answer of {at} broke off after {len(body.data):,} bytes"
            raise _TransientError(problem, part=page if body.data else None)
        # arXiv throttles with 200 as well, which would pass for an empty feed.
        if len(page.body) < 200 and page.body.strip().lower().startswith(b"rate exceeded"):
            raise _refused(response, f"'Rate exceeded.' from {at}", request.deadline)
        return Answer(page=page, validators=_validators(response))


def _backoff(exc: Exception) -> bool | float:
    if not isinstance(exc, _TransientError):
        return False
    return True if exc.wait_s is None else exc.wait_s


def _no_answer(exc: httpx.TransportError, at: str) -> str:
    if isinstance(exc, httpx.TimeoutException):
        return f"no answer from {shown(at)} in time"
    what = "no connection to" if isinstance(exc, httpx.ConnectError) else "no valid answer from"
    return f"{what} {shown(at)} ({fit(clean_text(str(exc)) or type(exc).__name__, 200)})"


def _target(response: httpx.Response, url: httpx.URL) -> str:
    target = url.join(response.headers["location"])
    if url.scheme == "https" and target.scheme == "http":
        raise CollectError(f"refused the redirect from {shown(str(url))} to unencrypted {shown(str(target))}")
    return str(target)


def _refused(response: httpx.Response, problem: str, deadline: Deadline) -> CollectError:
    """Whether to try again, and when."""
    wait_s, left_s = retry_after_s(response.headers), deadline.left_s()
    if wait_s is not None and wait_s >= left_s:
        asked = f"{wait_s:.0f} s" if wait_s < 10**6 else "ages"
        return NoAnswerError(f"{problem}, which asks us to wait {asked}; only {left_s:.0f} s are left")
    return _TransientError(problem, wait_s=wait_s)


def _page(response: httpx.Response, request: Request, body: bytes) -> Page:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Page(url=request.url, body=body, content_type=media_type, charset=response.charset_encoding)


def _validators(response: httpx.Response) -> Validators | None:
    etag, modified = (_validator(response.headers.get(name)) for name in ("etag", "last-modified"))
    return Validators(etag=etag, last_modified=modified) if etag or modified else None


def _validator(value: str | None) -> str | None:
    """What can be sent back as it is."""
    if not value or len(value) > _MAX_VALIDATOR_CHARS or not (value.isascii() and value.isprintable()):
        return None
    return value
