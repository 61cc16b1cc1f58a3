"""The one polite client for all sources: spacing, caching, retries, limits, and no way into a private network."""

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import stamina

from digest import __version__
from digest.collect.body import read_body
from digest.collect.limits import Limits
from digest.collect.recording import Recorder, Replayer
from digest.collect.sources.page import is_html
from digest.collect.turns import Deadline, NoAnswerError, Turns
from digest.collect.web import (
    Resolve,
    is_arxiv,
    is_public,
    is_public_name,
    is_used_up,
    resolve_host,
    retry_after_s,
    shown,
    tls_error,
)
from digest.errors import CollectError, ConfigError, SuspiciousError
from digest.model import Validators
from digest.ports import Ask, HostTurns, Page
from digest.text.clean import clean_text, fit

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_REDIRECTS = (301, 302, 303, 307, 308)
_THROTTLES = (408, 425, 429, 503)
_ARXIV_THROTTLES = (403, 406, *_THROTTLES)
_MAX_VALIDATOR_CHARS = 500
_PORTAL_HOSTS = 3
"""So many hosts do not answer with one and the same HTML page of their own."""
_MAX_HTML_PAGES = 100
_PROXY_HINT = "check DIGEST_PROXY"


class MissingError(CollectError):
    """There is nothing at this address (HTTP 404)."""


class _TransientError(CollectError):
    """Worth another try."""

    def __init__(
        self,
        problem: str,
        *,
        hint: str = "",
        wait_s: float | None = None,
        part: Page | None = None,
        is_unsure: bool = False,
    ) -> None:
        super().__init__(problem, hint=hint)
        self.wait_s = wait_s
        self.part = part
        """What came before the connection broke."""
        self.is_unsure = is_unsure
        """Whether the server may have done what it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One address, and the terms on which it is asked."""

    ask: Ask
    allow_private: bool
    validators: Validators | None = None
    """What it was last answered with; lets the server say that nothing changed. Of no use to a POST."""
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
        turns: HostTurns | None = None,
        clock: Callable[[], datetime] | None = None,
        resolve: Resolve = resolve_host,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: str | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            contact: Where an administrator can complain, an address or a page; part of the ``User-Agent``.
            limits: See `Limits`.
            turns: What other runs, before and beside this one, did with each host; needs ``clock``.
            clock: Tells the time, aware and in UTC.
            resolve: Turns a host and a port into IP addresses. Each request connects to an address that was checked,
                so a name that resolves differently a moment later (DNS rebinding) gains nothing.
            transport: Stands in for the network. A `Recorder` is put between; with a `Replayer` nothing is waited for.
            proxy: Where all requests go, which then resolves the names; the environment is not asked for one.

        Raises:
            ConfigError: ``proxy`` is no address of a proxy.
        """
        contact = clean_text(contact).encode("ascii", "replace").decode("ascii")
        if isinstance(transport, Replayer):
            limits = replace(
                limits, backoff_s=0.0, backoff_max_s=0.0, arxiv_spacing_s=0.0, spacing_s=0.0, host_spacing_s=()
            )
            turns = proxy = None
        if isinstance(transport, Recorder | Replayer):
            resolve = transport.resolver(resolve)
        if isinstance(transport, Recorder) and transport.network is None:
            transport.network = _network(proxy)
        self._is_replay = isinstance(transport, Replayer)
        self._limits = limits
        self._resolve = resolve
        self._proxy = proxy
        self._turns = Turns(limits, turns, clock)
        self._html: dict[bytes, dict[str, None]] = {}
        """Hosts by the HTML page that they answered with."""
        self._http = httpx.AsyncClient(
            headers={
                "User-Agent": f"paperround/{__version__} (+{contact})",
                "Accept": _ACCEPT,
                # Only what we decode ourselves: it stops a bomb before it grows.
                "Accept-Encoding": "gzip",
            },
            # Requests name an IP address: hosts that share one would be sent each other's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
            follow_redirects=False,
            trust_env=False,
            transport=transport or _network(proxy),
        )

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def fetch(self, request: Request) -> Answer:
        """Ask until there is an answer, one request at a time for each host, and over all arXiv hosts.

        A POST is asked again only if the server cannot have acted on it.

        Raises:
            MissingError: There is nothing at the address.
            NoAnswerError: Every try failed in passing, or the host wants to be left alone for longer than there is
                time: other pages of this host would fare no better.
            SuspiciousError: Several hosts answered with this very HTML page.
            CollectError: Anything else that keeps this address from being read.
        """
        loop = asyncio.get_running_loop()
        started, tries = loop.time(), 0
        _check_headers(request.ask)
        try:
            async for attempt in stamina.retry_context(
                on=partial(self._backoff, request.ask),
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
                raise NoAnswerError(f"{exc.problem}, {took}", hint=exc.hint) from exc
            return Answer(page=exc.part, problem=f"{exc.problem}, {took}")
        raise AssertionError("stamina returns or raises")

    def _backoff(self, ask: Ask, exc: Exception) -> bool | float:
        if not isinstance(exc, _TransientError) or (exc.is_unsure and ask.body is not None):
            return False
        return True if exc.wait_s is None or self._is_replay else exc.wait_s

    async def _follow(self, request: Request) -> Answer:
        """One try: the address, and where it is redirected to."""
        at = request.ask.url
        for _ in range(self._limits.redirects + 1):
            try:
                url = httpx.URL(at)
            except httpx.InvalidURL as exc:
                raise CollectError(f"not a web address: {shown(at)}") from exc
            try:
                async with self._response(url, request) as response:
                    if response.status_code not in _REDIRECTS or "location" not in response.headers:
                        return await self._answer(response, url, request)
                    at = _target(response, url, request)
            except _TransientError as exc:
                request.deadline.last_problem = exc.problem
                raise
            except httpx.TransportError as exc:
                failure = _failure(exc, at, self._proxy)
                request.deadline.last_problem = failure.problem
                raise failure from exc
            except httpx.InvalidURL as exc:
                raise CollectError(f"{shown(at)} redirects to what is no web address") from exc
        raise CollectError(
            f"more than {self._limits.redirects} redirects from {shown(request.ask.url)}, the last to {shown(at)}"
        )

    @asynccontextmanager
    async def _response(self, url: httpx.URL, request: Request) -> AsyncIterator[httpx.Response]:
        """Ask a checked address when its host's turn has come, and hold the turn while the answer is read."""
        ask, first = request.ask, httpx.URL(request.ask.url)
        if url.scheme not in ("http", "https") or not url.host:
            raise _refusal(url, ask, "only http and https addresses are read")
        headers = {"Host": url.netloc.decode("ascii")}
        if (url.host, url.port) == (first.host, first.port):
            headers |= ask.headers
        if ask.body is not None:
            headers["Content-Type"] = "application/json"
        elif request.validators:
            known = request.validators
            headers |= {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.last_modified} if known.last_modified else {}
        if self._proxy:
            if not (request.allow_private or is_public_name(url.raw_host.decode("ascii"))):
                raise _refusal(url, ask, "it leads to a private network", is_private=True)
            targets: Sequence[str] = (url.host,)
        else:
            targets = await self._addresses(url, request)
        async with self._turns.take(url.netloc.decode("ascii"), request.deadline):
            response = await self._connect(url, targets, headers, ask.body)
            try:
                yield response
            finally:
                await response.aclose()

    async def _addresses(self, url: httpx.URL, request: Request) -> Sequence[str]:
        """Where the host is, unless it must not be asked."""
        host = url.raw_host.decode("ascii")
        try:
            async with asyncio.timeout(self._limits.connect_s):
                addresses = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        except TimeoutError as exc:
            raise _TransientError(f"the name {host} could not be resolved in time") from exc
        except (OSError, UnicodeError) as exc:
            raise _TransientError(f"the name {host} cannot be resolved ({clean_text(str(exc))})") from exc
        if not addresses:
            raise _TransientError(f"the name {host} has no address")
        private = [address for address in addresses if not is_public(address)]
        if private and not request.allow_private:
            raise _refusal(url, request.ask, f"it leads to the private address {private[0]}", is_private=True)
        return addresses

    async def _connect(
        self, url: httpx.URL, targets: Sequence[str], headers: dict[str, str], body: bytes | None
    ) -> httpx.Response:
        """Connect to a checked address, while the certificate and the server are asked for the host by its name."""
        for number, target in enumerate(targets, 1):
            request = self._http.build_request(
                "GET" if body is None else "POST",
                url.copy_with(host=target.partition("%")[0]),
                headers=headers,
                content=body,
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(targets):
                    raise
        raise AssertionError("there is at least one address")

    async def _answer(self, response: httpx.Response, url: httpx.URL, request: Request) -> Answer:
        ask, status, at = request.ask, response.status_code, shown(str(url))
        if status == 304 and request.validators and ask.body is None:
            return Answer()
        if status == 404:
            raise MissingError(f"HTTP 404 from {at}")
        throttles = _ARXIV_THROTTLES if is_arxiv(url.host) else _THROTTLES
        if status in throttles or status >= 500 or (status == 403 and is_used_up(response.headers)):
            raise self._throttled(response, url, f"HTTP {status} from {at}", request.deadline)
        if status != 200:
            raise CollectError(f"HTTP {status} from {at}", hint=_PROXY_HINT if status == 407 else "")
        body = await read_body(response, at, self._limits)
        page = Page(ask.url, body.data, response.charset_encoding, ask.about)
        if not body.is_whole:
            problem = f"the answer of {at} broke off after {len(body.data):,} bytes"
            raise _TransientError(problem, part=page if body.data else None, is_unsure=True)
        # arXiv throttles with 200 as well, which would pass for an empty feed.
        if len(page.body) < 200 and page.body.strip().lower().startswith(b"rate exceeded"):
            raise self._throttled(response, url, f"'Rate exceeded.' from {at}", request.deadline)
        if is_html(page.body):
            self._refuse_portal(page)
        return Answer(page=page, validators=_validators(response) if ask.body is None else None)

    def _throttled(self, response: httpx.Response, url: httpx.URL, problem: str, deadline: Deadline) -> CollectError:
        """Whether to try again, and when; what the server asks for holds for all of its addresses."""
        wait_s, left_s = retry_after_s(response.headers), deadline.left_s()
        if wait_s is None:
            return _TransientError(problem)
        is_too_long = wait_s >= left_s
        until = "" if self._is_replay and not is_too_long else self._turns.hold(url.netloc.decode("ascii"), wait_s)
        if is_too_long:
            asked = f"{wait_s:.0f} s" if wait_s < 10**6 else "ages"
            return NoAnswerError(f"{problem}, which asks us to wait {asked}{until}; only {left_s:.0f} s are left")
        return _TransientError(problem, wait_s=wait_s)

    def _refuse_portal(self, page: Page) -> None:
        """Notice that a network answers in the place of the hosts."""
        digest = hashlib.sha256(page.body).digest()
        if len(self._html) >= _MAX_HTML_PAGES and digest not in self._html:
            return
        hosts = self._html.setdefault(digest, {})
        hosts[httpx.URL(page.url).host] = None
        if len(hosts) >= _PORTAL_HOSTS:
            raise SuspiciousError(
                f"the same HTML page from {len(hosts)} hosts ({', '.join(list(hosts)[:5])})",
                hint="does this network, or its proxy, want somebody to sign in?",
            )


def _network(proxy: str | None) -> httpx.AsyncHTTPTransport:
    # Requests name an IP address: a kept connection could serve another host with the same address.
    limits = httpx.Limits(max_keepalive_connections=0)
    if proxy is None:
        return httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    try:
        url = httpx.URL(proxy)
        if url.scheme in ("http", "https") and re.fullmatch(r"[\w.:-]+", url.host):
            return httpx.AsyncHTTPTransport(limits=limits, trust_env=False, proxy=httpx.Proxy(url))
    except (ValueError, httpx.InvalidURL):
        pass
    raise ConfigError(f"not the address of a proxy: '{shown(proxy)}'", where="DIGEST_PROXY", hint="http://HOST:PORT")


def _check_headers(ask: Ask) -> None:
    """Before anybody else can complain of a header: they would show its value."""
    for name, value in ask.headers:
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise CollectError(
                f"the header {name} for {shown(ask.url)} holds characters that cannot be sent",
                hint="check the key in the settings, it may have been pasted with more than itself",
            )


def _refusal(url: httpx.URL, ask: Ask, why: str, *, is_private: bool = False) -> CollectError:
    at, first = shown(str(url)), shown(ask.url)
    hop = "" if at == first else f" (where {first} redirects to)"
    hint = "set allow_private for this source if that is meant" if is_private else ""
    return CollectError(f"refused {at}{hop}: {why}", hint=hint)


def _failure(exc: httpx.TransportError, at: str, proxy: str | None) -> CollectError:
    """What to call it, and whether another try may help."""
    text = fit(clean_text(str(exc)) or type(exc).__name__, 200)
    is_connecting = isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout)
    tls = tls_error(exc)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return NoAnswerError(f"the certificate of {shown(at)} is not valid ({clean_text(tls.verify_message)})")
    if tls is not None:
        return _TransientError(f"no encrypted connection to {shown(at)} ({clean_text(tls.reason or text)})")
    if proxy and isinstance(exc, httpx.ProxyError):
        return _TransientError(f"the proxy {shown(proxy)} refused {shown(at)} ({text})", hint=_PROXY_HINT)
    if proxy and is_connecting:
        return _TransientError(f"no connection to the proxy {shown(proxy)} ({text})", hint=_PROXY_HINT)
    if isinstance(exc, httpx.TimeoutException):
        return _TransientError(f"no answer from {shown(at)} in time", is_unsure=not is_connecting)
    if isinstance(exc, httpx.LocalProtocolError):
        return CollectError(f"the request to {shown(at)} cannot be sent")  # its text would quote a header
    if isinstance(exc, httpx.ConnectError):
        return _TransientError(f"no connection to {shown(at)} ({text})")
    return _TransientError(f"no valid answer from {shown(at)} ({text})", is_unsure=True)


def _target(response: httpx.Response, url: httpx.URL, request: Request) -> str:
    if request.ask.body is not None and response.status_code not in (307, 308):
        raise CollectError(f"HTTP {response.status_code} from {shown(str(url))}, which is not followed by a POST")
    target = url.join(response.headers["location"])
    if url.scheme == "https" and target.scheme == "http":
        raise CollectError(f"refused the redirect from {shown(str(url))} to unencrypted {shown(str(target))}")
    return str(target)


def _validators(response: httpx.Response) -> Validators | None:
    etag, modified = (_validator(response.headers.get(name)) for name in ("etag", "last-modified"))
    return Validators(etag=etag, last_modified=modified) if etag or modified else None


def _validator(value: str | None) -> str | None:
    """What can be sent back as it is."""
    if not value or len(value) > _MAX_VALIDATOR_CHARS or not (value.isascii() and value.isprintable()):
        return None
    return value
