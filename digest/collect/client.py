"""The one polite client for all sources: spacing, caching, retries, limits, and no way into a private network."""

import asyncio
import logging
import zlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import stamina

from digest import __version__
from digest.collect.web import is_arxiv, is_public, resolve_host, retry_after_s, shown
from digest.errors import CollectError
from digest.model import Entry, Poll, Validators, Verdict
from digest.ports import Listing, Page, Source, Window
from digest.text.clean import clean_text, shorten

_log = logging.getLogger(__name__)

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (406, 408, 425, 429)
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_MAX_VALIDATOR_CHARS = 500
# Small bodies may shrink a lot honestly.
_RATIO_FREE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may ask of the world, and the world of it."""

    deadline_s: float = 120.0
    """For one source in all, waiting for its turn at a shared host not counted."""
    connect_s: float = 10.0
    read_s: float = 30.0
    """Longest silence within an answer."""
    body_bytes: int = 20 * 1024 * 1024
    """Of one decoded body."""
    expansion: int = 200
    """How many times larger than on the wire a decoded body may be."""
    pages: int = 50
    """Of one source in one poll."""
    entries: int = 5_000
    """Of one source in one poll."""
    redirects: int = 5
    tries: int = 4
    backoff_s: float = 2.0
    """Before the second try; doubled before each further one, plus up to as much at random."""
    backoff_max_s: float = 30.0
    # arXiv asks for one connection, and one request every three seconds, over all its hosts together:
    # https://info.arxiv.org/help/api/tou.html
    arxiv_spacing_s: float = 3.0
    spacing_s: float = 0.0
    """Between requests to any other host."""
    problems: int = 20
    """Lines reported of one source."""


async def poll_sources(
    sources: Sequence[Source],
    windows: Mapping[str, Window],
    validators: Mapping[str, Validators],
    *,
    limits: Limits = Limits(),
    contact: str,
    on_poll: Callable[[Poll], None] | None = None,
    resolve: Resolve = resolve_host,
) -> list[Poll]:
    """Read all sources at the same time, none of which can disturb another.

    Args:
        sources: Asked concurrently, but one request at a time for each host, and over all arXiv hosts.
        windows: The time to cover, by name of source.
        validators: What each address was last answered with; lets a server say that nothing changed.
        limits: See `Limits`.
        contact: Where an administrator can complain, an address or a page; part of the ``User-Agent``.
        on_poll: Told of each source as soon as it is done; what it raises ends the polling.
        resolve: Turns a host and a port into IP addresses. Each request connects to an address that was checked,
            so a name that resolves differently a moment later (DNS rebinding) gains nothing.

    Returns:
        One poll for each source, in their order. A source that fails is a poll with the verdict ``FAILED``.
    """
    contact = clean_text(contact).encode("ascii", "replace").decode("ascii")
    headers = {
        "User-Agent": f"paperround/{__version__} (+{contact})",
        "Accept": _ACCEPT,
        # Only what we decode ourselves: it stops a bomb before it grows.
        "Accept-Encoding": "gzip",
    }
    turns = _Turns(limits)
    async with httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
        # Requests name an IP address: a kept connection could serve another host with the same address.
        limits=httpx.Limits(max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        readers = [_Reader(source, http, turns, resolve, limits, validators) for source in sources]
        tasks = [asyncio.create_task(reader.poll(windows[reader.source.name])) for reader in readers]
        try:
            for done in asyncio.as_completed(tasks):
                poll = await done
                if on_poll is not None:
                    on_poll(poll)
        finally:
            for task in tasks:
                task.cancel()
    return [task.result() for task in tasks]


class _UnreachableError(CollectError):
    """Asking this source for more is useless in this run."""


class _TransientError(CollectError):
    """Worth another try."""

    def __init__(self, problem: str, *, wait_s: float | None = None, part: Page | None = None) -> None:
        super().__init__(problem)
        self.wait_s = wait_s
        self.part = part
        """What came before the connection broke."""


class _Turns:
    """Whose turn it is at a host; all arXiv hosts count as one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at: dict[str, float] = {}

    @asynccontextmanager
    async def take(self, host: str, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        group = "arxiv.org" if is_arxiv(host) else host
        spacing = self._limits.arxiv_spacing_s if is_arxiv(host) else self._limits.spacing_s
        left = (deadline.when() or loop.time()) - loop.time()
        deadline.reschedule(None)
        async with self._locks[group]:
            await asyncio.sleep(self._free_at.get(group, 0.0) - loop.time())
            deadline.reschedule(loop.time() + left)
            try:
                yield
            finally:
                self._free_at[group] = loop.time() + spacing


class _Reader:
    """One poll of one source."""

    def __init__(
        self,
        source: Source,
        http: httpx.AsyncClient,
        turns: _Turns,
        resolve: Resolve,
        limits: Limits,
        validators: Mapping[str, Validators],
    ) -> None:
        self.source = source
        self._http = http
        self._turns = turns
        self._resolve = resolve
        self._limits = limits
        self._known = validators
        self._entries: list[Entry] = []
        self._problems: list[str] = []
        self._fresh: dict[str, Validators] = {}
        self._good = 0
        self._unchanged = 0
        self._last_problem = ""

    async def poll(self, window: Window) -> Poll:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._limits.deadline_s) as self._deadline:
                await self._read_all(window)
        except TimeoutError:
            last = f" (last: {self._last_problem})" if self._last_problem else ""
            self._problems.append(f"gave up after {self._limits.deadline_s:g} s{last}")
        except Exception as exc:  # noqa: BLE001  a bug in a parser must not take the other sources down
            _log.exception("source failed unexpectedly", extra={"source": self.source.name})
            text = shorten(clean_text(str(exc)), 200)
            self._problems.append(f"unexpected {type(exc).__name__}: {text}; please report this")
        if len(self._entries) > self._limits.entries:
            self._problems.append(f"kept the first {self._limits.entries:,} of {len(self._entries):,} papers")
            del self._entries[self._limits.entries :]
            self._fresh.clear()
        return Poll(
            source=self.source.name,
            verdict=self._verdict(),
            entries=tuple(self._entries),
            problems=self._shown_problems(),
            validators=tuple(self._fresh.items()),
            took_s=loop.time() - started,
        )

    def _verdict(self) -> Verdict:
        if self._problems:
            return Verdict.PARTIAL if self._entries or self._good else Verdict.FAILED
        if self._entries:
            return Verdict.FRESH
        return Verdict.UNCHANGED if self._unchanged else Verdict.QUIET

    def _shown_problems(self) -> tuple[str, ...]:
        shown, more = self._problems[: self._limits.problems], len(self._problems) - self._limits.problems
        return (*shown, f"and {more} more") if more > 0 else tuple(shown)

    async def _read_all(self, window: Window) -> None:
        queue = deque(self.source.first_urls(window))
        asked: set[str] = set()
        while queue and len(self._entries) <= self._limits.entries:
            url = queue.popleft()
            if url in asked:
                continue
            if len(asked) == self._limits.pages:
                self._problems.append(f"stopped after {self._limits.pages} pages")
                return
            asked.add(url)
            try:
                listing = await self._read(url)
            except _UnreachableError as exc:
                self._problems.append(exc.problem)
                return
            except CollectError as exc:
                self._problems.append(exc.problem)
                continue
            self._entries += listing.entries
            self._problems += listing.problems
            if listing.next_url:
                queue.appendleft(listing.next_url)

    async def _read(self, url: str) -> Listing:
        found = await self._fetch(url)
        if found is None:
            self._good += 1
            return Listing()
        page, validators, problem = found
        try:
            # In a thread: a large feed takes seconds, in which other sources would seem to be silent.
            listing = await asyncio.to_thread(self.source.parse, page)
        except CollectError as exc:
            raise CollectError(problem or f"{exc.problem} from {shown(url)}") from exc
        if problem:
            self._problems.append(problem)
            return listing
        self._good += 1
        if validators and not listing.problems:
            self._fresh[url] = validators
        return listing

    async def _fetch(self, url: str) -> "tuple[Page, Validators | None, str] | None":
        """Ask until there is an answer; the third part names what is missing from it."""
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
                    return await self._follow(url)
        except _TransientError as exc:
            took = f"{tries} {'try' if tries == 1 else 'tries'} in {loop.time() - started:.0f} s"
            problem = f"{exc.problem}, {took}"
            if exc.part is not None:
                return exc.part, None, problem
            raise _UnreachableError(problem) from exc
        raise AssertionError("stamina returns or raises")

    async def _follow(self, first: str) -> "tuple[Page, Validators | None, str] | None":
        """One try: the request, and where it is redirected to."""
        target = first
        for _ in range(self._limits.redirects + 1):
            try:
                answer = await self._ask(httpx.URL(target), first)
            except _TransientError as exc:
                self._last_problem = exc.problem
                raise
            except httpx.TimeoutException as exc:
                self._last_problem = f"no answer from {shown(target)} in time"
                raise _TransientError(self._last_problem) from exc
            except httpx.TransportError as exc:
                reason = clean_text(str(exc)) or type(exc).__name__
                what = "no connection to" if isinstance(exc, httpx.ConnectError) else "no valid answer from"
                self._last_problem = f"{what} {shown(target)} ({shorten(reason, 200)})"
                raise _TransientError(self._last_problem) from exc
            except httpx.InvalidURL as exc:
                raise CollectError(f"not a web address: {shown(target)}") from exc
            if not isinstance(answer, str):
                return answer
            target = answer
        raise CollectError(
            f"more than {self._limits.redirects} redirects from {shown(first)}, the last to {shown(target)}"
        )

    async def _ask(self, url: httpx.URL, first: str) -> "str | tuple[Page, Validators | None, str] | None":
        """One request. Returns where to go on, or what was found, or ``None`` if nothing is new there."""
        if url.scheme not in ("http", "https") or not url.host:
            raise CollectError(f"refused {shown(str(url))}: only http and https addresses are read")
        addresses = await self._addresses(url)
        headers = {"Host": url.netloc.decode("ascii")}
        known = self._known.get(first)
        if known and known.etag:
            headers["If-None-Match"] = known.etag
        if known and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        async with self._turns.take(url.host, self._deadline):
            response = await self._connect(url, addresses, headers)
            try:
                return await self._answer(response, url, first, conditional=len(headers) > 1)
            finally:
                await response.aclose()

    async def _addresses(self, url: httpx.URL) -> Sequence[str]:
        host = url.raw_host.decode("ascii")
        try:
            addresses = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as exc:
            raise _TransientError(f"the name {host} cannot be resolved ({clean_text(str(exc))})") from exc
        if not addresses:
            raise _TransientError(f"the name {host} has no address")
        private = [address for address in addresses if not is_public(address)]
        if private and not self.source.allow_private:
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

    async def _answer(
        self, response: httpx.Response, url: httpx.URL, first: str, *, conditional: bool
    ) -> "str | tuple[Page, Validators | None, str] | None":
        status, at = response.status_code, shown(str(url))
        if status == 304 and conditional:
            self._unchanged += 1
            return None
        if status == 404 and getattr(self.source, "missing_is_quiet", False):
            return None
        if status in _REDIRECTS and "location" in response.headers:
            target = url.join(response.headers["location"])
            if url.scheme == "https" and target.scheme == "http":
                raise CollectError(f"refused the redirect from {at} to unencrypted {shown(str(target))}")
            return str(target)
        if status in _TRANSIENT or status >= 500 or (status == 403 and is_arxiv(url.host)):
            raise self._refused(response, f"HTTP {status} from {at}")
        if status != 200:
            raise CollectError(f"HTTP {status} from {at}")
        body = await self._body(response, url)
        # arXiv throttles with 200 as well, which would pass for an empty feed.
        if len(body) < 200 and body.strip().lower().startswith(b"rate exceeded"):
            raise self._refused(response, f"'Rate exceeded.' from {at}")
        return _page(response, first, body), _validators(response), ""

    def _refused(self, response: httpx.Response, problem: str) -> CollectError:
        """Whether to try again, and when."""
        wait = retry_after_s(response.headers)
        left = (self._deadline.when() or 0.0) - asyncio.get_running_loop().time()
        if wait is not None and wait >= left:
            asked = f"{wait:.0f} s" if wait < 10**6 else "ages"
            return _UnreachableError(f"{problem}, which asks us to wait {asked}; only {left:.0f} s are left")
        return _TransientError(problem, wait_s=wait)

    async def _body(self, response: httpx.Response, url: httpx.URL) -> bytes:
        """Decode while reading, so that no bomb is ever unpacked."""
        limits, at = self._limits, shown(str(url))
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise CollectError(
                f"content encoding '{shorten(clean_text(encoding), 40)}' from {at}, which we did not ask for"
            )
        unzip = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
        body, received = bytearray(), 0
        try:
            async for chunk in response.aiter_raw():
                received += len(chunk)
                body += unzip.decompress(chunk, limits.body_bytes + 1 - len(body)) if unzip else chunk
                if len(body) > limits.body_bytes:
                    raise CollectError(f"more than {limits.body_bytes:,} bytes from {at}")
                if len(body) > max(_RATIO_FREE_BYTES, received * limits.expansion):
                    raise CollectError(
                        f"{received:,} bytes from {at} unpack to more than {limits.expansion} times as many"
                    )
        except zlib.error as exc:
            raise CollectError(f"broken gzip from {at} ({exc})") from exc
        except (httpx.RemoteProtocolError, httpx.ReadError) as exc:
            raise self._broken_off(response, url, bytes(body)) from exc
        if unzip and received and not unzip.eof:
            raise self._broken_off(response, url, bytes(body))
        return bytes(body)

    def _broken_off(self, response: httpx.Response, url: httpx.URL, body: bytes) -> CollectError:
        problem = f"the answer of {shown(str(url))} broke off after {len(body):,} bytes"
        return _TransientError(problem, part=_page(response, str(url), body) if body else None)


def _backoff(exc: Exception) -> bool | float:
    if not isinstance(exc, _TransientError):
        return False
    return True if exc.wait_s is None else exc.wait_s


def _page(response: httpx.Response, url: str, body: bytes) -> Page:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Page(url=url, body=body, content_type=media_type, charset=response.charset_encoding)


def _validators(response: httpx.Response) -> Validators | None:
    etag, modified = (_validator(response.headers.get(name)) for name in ("etag", "last-modified"))
    return Validators(etag=etag, last_modified=modified) if etag or modified else None


def _validator(value: str | None) -> str | None:
    """What can be sent back as it is."""
    if not value or len(value) > _MAX_VALIDATOR_CHARS or not (value.isascii() and value.isprintable()):
        return None
    return value
