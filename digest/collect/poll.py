"""Polling: all sources at the same time, each with its pages, entries, problems and verdict."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing

from digest.collect.client import Client, MissingError, NoAnswerError, Request, Resolve
from digest.collect.limits import Limits
from digest.collect.turns import Deadline
from digest.collect.web import resolve_host, shown
from digest.errors import CollectError
from digest.model import Entry, Poll, Validators, Verdict
from digest.ports import Listing, Page, Source, Window
from digest.text.clean import clean_text, fit

_log = logging.getLogger(__name__)

_LOOK_S = 0.2


async def poll_sources(
    sources: Sequence[Source],
    windows: Mapping[str, Window],
    validators: Mapping[str, Validators],
    *,
    limits: Limits,
    contact: str,
    on_poll: Callable[[Poll], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    resolve: Resolve = resolve_host,
) -> list[Poll]:
    """Read all sources at the same time, none of which can disturb another.

    Args:
        sources: Asked concurrently, as far as their hosts allow; see `Client.fetch`.
        windows: The time to cover, by name of source.
        validators: What each address was last answered with; lets a server say that nothing changed.
        limits: See `Limits`.
        contact: See `Client`.
        on_poll: Told of each source as soon as it is done; what it raises ends the polling.
        stop: Looked at all the while; sources that are not done by then are left out.
        resolve: See `Client`.

    Returns:
        One poll for each source that was done, in their order; with the verdict ``FAILED`` for one that failed.
    """
    async with aclosing(Client(contact=contact, limits=limits, resolve=resolve)) as client:
        polls = [_SourcePoll(source, client, limits, validators) for source in sources]
        tasks = [asyncio.create_task(poll.run(windows[poll.source.name])) for poll in polls]
        try:
            waiting = set(tasks)
            while waiting and not stop():
                done, waiting = await asyncio.wait(waiting, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if on_poll is not None:
                        on_poll(task.result())
        finally:
            for task in tasks:
                task.cancel()
    return [task.result() for task in tasks if task.done() and not task.cancelled()]


class _SourcePoll:
    """One poll of one source."""

    def __init__(self, source: Source, client: Client, limits: Limits, known: Mapping[str, Validators]) -> None:
        self.source = source
        self._client = client
        self._limits = limits
        self._known = known
        self._entries: list[Entry] = []
        self._problems: list[str] = []
        self._validators: dict[str, Validators] = {}
        self._whole_pages = 0
        """Read completely, or known to be unchanged or missing."""
        self._unchanged = False

    async def run(self, window: Window) -> Poll:
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = Deadline(self._limits.deadline_s)
        try:
            async with deadline.timeout:
                await self._read_all(window, deadline)
        except TimeoutError:
            last = f" (last: {deadline.last_problem})" if deadline.last_problem else ""
            self._problems.append(f"gave up after {self._limits.deadline_s:g} s{last}")
        except Exception as exc:  # noqa: BLE001  a bug in a parser must not take the other sources down
            _log.exception("source failed unexpectedly", extra={"source": self.source.name})
            text = fit(clean_text(str(exc)), 200)
            self._problems.append(f"unexpected {type(exc).__name__}: {text}; please report this")
        if len(self._entries) > self._limits.entries:
            self._problems.append(f"kept the first {self._limits.entries:,} of {len(self._entries):,} papers")
            del self._entries[self._limits.entries :]
            self._validators.clear()
        return Poll(
            source=self.source.name,
            verdict=self._verdict(),
            entries=tuple(self._entries),
            problems=self._shown_problems(),
            validators=tuple(self._validators.items()),
            took_s=loop.time() - started,
        )

    async def _read_all(self, window: Window, deadline: Deadline) -> None:
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
                listing = await self._read(url, deadline)
            except CollectError as exc:
                self._problems.append(f"{exc.problem}; {exc.hint}" if exc.hint else exc.problem)
                if isinstance(exc, NoAnswerError):
                    return
                continue
            self._entries += listing.entries
            self._problems += listing.problems
            if listing.next_url:
                queue.appendleft(listing.next_url)

    async def _read(self, url: str, deadline: Deadline) -> Listing:
        request = Request(
            url=url, allow_private=self.source.allow_private, validators=self._known.get(url), deadline=deadline
        )
        try:
            answer = await self._client.fetch(request)
        except MissingError:
            if not getattr(self.source, "missing_is_quiet", False):
                raise
            self._whole_pages += 1
            return Listing()
        if answer.page is None:
            self._whole_pages += 1
            self._unchanged = True
            return Listing()
        try:
            listing = await _parse(self.source, answer.page)
        except CollectError as exc:
            raise CollectError(answer.problem or f"{exc.problem} from {shown(url)}", hint=exc.hint) from exc
        if answer.problem:
            self._problems.append(answer.problem)
            return listing
        self._whole_pages += 1
        if answer.validators and not listing.problems:
            self._validators[url] = answer.validators
        return listing

    def _verdict(self) -> Verdict:
        if self._problems:
            return Verdict.PARTIAL if self._entries or self._whole_pages else Verdict.FAILED
        if self._entries:
            return Verdict.FRESH
        return Verdict.UNCHANGED if self._unchanged else Verdict.QUIET

    def _shown_problems(self) -> tuple[str, ...]:
        shown, more = self._problems[: self._limits.problems], len(self._problems) - self._limits.problems
        return (*shown, f"and {more} more") if more > 0 else tuple(shown)


async def _parse(source: Source, page: Page) -> Listing:
    """Parse in a thread: a large feed takes seconds, in which other sources would seem to be silent.

    In a daemon thread of its own: ``asyncio.run`` and Python's exit wait for the threads of `asyncio.to_thread`, so a
    parser that hangs would keep the run from ending long after the deadline. This one is left behind.
    """
    parsed: Future[Listing] = Future()

    def work() -> None:
        if not parsed.set_running_or_notify_cancel():
            return
        try:
            parsed.set_result(source.parse(page))
        except BaseException as exc:  # noqa: BLE001  whatever it is belongs to who waits
            parsed.set_exception(exc)

    threading.Thread(target=work, name=f"parse {source.name}", daemon=True).start()
    return await asyncio.wrap_future(parsed)
