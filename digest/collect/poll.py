"""Polling: all sources at the same time, each with its pages, entries, problems and verdict."""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial

from digest.collect.client import Client, MissingError, Request
from digest.collect.freshness import Judgement, Read, judge, settled
from digest.collect.limits import Limits
from digest.collect.turns import Deadline
from digest.collect.web import shown
from digest.errors import CollectError, StoreError, SuspiciousError, ThrottledError
from digest.model import Entry, PaperKey, Poll, Validators, Verdict
from digest.ports import Ask, Listing, Page, Source, Window
from digest.text.clean import clean_text, fit
from digest.threads import run_aside

_log = logging.getLogger(__name__)

_LOOK_S = 0.2

_MOST_AT_ONCE = 50
"""Sources; each holds a connection, and a process may open some hundreds."""
_ASKS_IN_TIME = 4
"""So many first requests fit into a source's deadline; with more it grows, up to as many times."""
_MOST_DEADLINES = 10

Seen = Callable[[str, Sequence[Entry], datetime | None], frozenset[PaperKey]]
"""Of these entries of this source, those whose work it announced before this time; see ``PaperStore.seen``."""


async def poll_sources(
    sources: Sequence[Source],
    windows: Mapping[str, Window],
    validators: Mapping[str, Validators],
    *,
    connect: Callable[[], Client],
    limits: Limits,
    seen: Seen = lambda source, entries, before: frozenset(),  # noqa: ARG005
    on_poll: Callable[[Poll], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Poll]:
    """Read all sources at the same time, none of which can disturb another.

    Args:
        sources: Asked concurrently, as far as their hosts allow; see `Client.fetch`.
        windows: The time to cover, by name of source.
        validators: What each address was last answered with; lets a server say that nothing changed.
        connect: Makes the client that all of them share.
        limits: See `Limits`.
        seen: What is known already decides whether a listing is new.
        on_poll: Told of each source as soon as it is done; what it raises ends the polling.
        stop: Looked at all the while; sources that are not done by then are left out.

    Returns:
        One poll for each source that was done, in their order; with the verdict ``FAILED`` for one that failed.
    """
    async with aclosing(connect()) as client:
        turns = asyncio.Semaphore(_MOST_AT_ONCE)
        polls = [_SourcePoll(source, windows[source.name], client, limits, validators, seen) for source in sources]
        tasks = [asyncio.create_task(poll.run_in_turn(turns)) for poll in polls]
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
    """One poll of one source: its first way, and others where that one is not enough."""

    def __init__(
        self,
        source: Source,
        window: Window,
        client: Client,
        limits: Limits,
        known: Mapping[str, Validators],
        seen: Seen,
    ) -> None:
        self._source = source
        self._window = window
        self._client = client
        self._limits = limits
        self._known = known
        self._seen = seen
        self._validators: dict[str, Validators] = {}
        self._due: Sequence[datetime] = ()
        self._via: list[str] = []
        self._notes: list[str] = []
        """Why other ways were asked, and what came of it."""

    async def run_in_turn(self, turns: asyncio.Semaphore) -> Poll:
        """Poll when there is room; whatever goes wrong, there is a poll that says so.

        Raises:
            StoreError: What is known of the source cannot be read.
        """
        async with turns:
            try:
                return await self._run()
            except StoreError:
                raise
            except Exception as exc:  # noqa: BLE001  a bug in one source must not take the others down
                problem = self._unexpected(exc)
        name, is_extra = self._source.name, self._source.is_extra
        return Poll(source=name, verdict=Verdict.FAILED, problems=(problem,), covers=False, is_extra=is_extra)

    async def _run(self) -> Poll:
        started = asyncio.get_running_loop().time()
        self._due = self._source.due(self._window)
        read = await self._read(self._source)
        found = judge(self._source, self._window, read, self._seen_in(read))
        gap = 0 if self._source.covers_gap else max(0, len(self._due) - 1)
        if gap or found.verdict.is_bad:
            found, gap = await self._supplement(read, found, gap)
        verdict, covers = found.verdict, not (gap or found.verdict.is_bad or read.lost_pages)
        if len(read.entries) > self._limits.entries:
            read.problems.append(f"kept the first {self._limits.entries:,} of {len(read.entries):,} papers")
            verdict, covers = Verdict.PARTIAL, False
        if gap and not verdict.is_bad:
            verdict = Verdict.PARTIAL
            is_cut = read.lost_pages or len(read.entries) > self._limits.entries
            covers = self._is_lost(gap) and not is_cut
        if verdict is Verdict.FAILED and read.entries:
            verdict = Verdict.PARTIAL  # what another way gave before it failed, too, is kept
        if beyond := self._out_of_reach():
            self._notes.append(beyond)
            verdict = Verdict.PARTIAL if verdict.is_good else verdict
        if self._may_have_scrolled_out(read):
            self._notes.append(f"all {len(read.entries)} are new: others may have come and gone since the last poll")
        return Poll(
            source=self._source.name,
            verdict=verdict,
            entries=tuple(read.entries[: self._limits.entries]),
            problems=self._shown([*([found.reason] if found.reason else []), *self._notes, *read.troubles]),
            validators=tuple(self._validators.items()) if covers else (),
            took_s=asyncio.get_running_loop().time() - started,
            announce=self._source.announce,
            covers=covers,
            via=tuple(self._via),
            is_extra=self._source.is_extra,
        )

    async def _supplement(self, read: Read, found: Judgement, gap: int) -> tuple[Judgement, int]:
        """Ask the other ways to the same papers, in their order, until nothing is missing.

        Args:
            read: What the first way gave; the others add to it.
            found: What that is worth.
            gap: Batches that came out since the window's start and are not shown any more.

        Returns:
            What all of it is worth in the end, and the batches that are still missing.
        """
        for other in self._source.alternatives(self._window, found.stale):
            if not (found.verdict.is_bad or other.covers_gap):
                continue
            self._via.append(other.name)
            more = await self._read(other)
            if not more.is_whole:
                self._notes += (f"{other.name}: {trouble}" for trouble in more.troubles[:1])
                read.entries += more.entries_beside(read)
                continue
            if found.verdict.is_bad:
                cause = "; ".join(filter(None, (found.reason, *read.troubles[:1])))
                self._notes.append(f"{cause}; read {other.name} as well")
                read.forget_troubles()
            read.add(more)
            if other.covers_gap:
                if other.leaves_out:
                    read.lose(f"{other.name} leaves out {other.leaves_out}: asked for again next time")
                return settled(self._source, read, self._seen_in(read)), 0
            found = judge(self._source, self._window, read, self._seen_in(read))
            if not (gap or found.verdict.is_bad):
                break
        return found, gap

    def _is_lost(self, gap: int) -> bool:
        """Say which batches are missing; returns whether asking for them again would be useless."""
        ways = self._source.alternatives(self._window, frozenset())
        is_lost = not any(way.covers_gap for way in ways)
        batches = "1 batch" if gap == 1 else f"{gap} batches"
        then = "no way leads to what is not shown any more" if is_lost else "asked for again next time"
        self._notes.append(f"{batches} since {self._window.since:%a %d %b} could not be read: {then}")
        return is_lost

    def _out_of_reach(self) -> str:
        """What of the window cannot be asked for any more; nothing brings it back, so it is said once."""
        reach, window = self._source.reach, self._window
        if reach is None or window.until - window.since <= reach:
            return ""
        first = window.until - reach
        return f"{window.since:%a %d %b} to {first:%a %d %b} was not asked for: it reads back {reach.days} days at most"

    def _may_have_scrolled_out(self, read: Read) -> bool:
        """Whether a listing of the newest entries has none in common with what it listed before."""
        is_known_source = self._source.is_standing and self._window.listed
        return bool(is_known_source and read.entries and not self._seen_in(read))

    def _was_ahead(self) -> bool:
        """Whether the newest batch may have been read already when it was not due yet: then "nothing changed" says
        neither that nor the contrary.
        """
        return bool(self._due) and self._due[-1] <= self._window.since

    def _seen_in(self, read: Read) -> frozenset[PaperKey]:
        # What was stored since the newest batch came out is of that batch, and no sign that it is old.
        return self._seen(self._source.name, read.entries, self._due[-1] if self._due else None)

    async def _read(self, way: Source) -> Read:
        """All pages of one way, with a deadline of its own."""
        read, asks = Read(), way.asks(self._window)
        times = 1.0 if way.is_extra else min(max(len(asks) / _ASKS_IN_TIME, 1.0), _MOST_DEADLINES)
        deadline_s = self._limits.deadline_s * times
        deadline = Deadline(deadline_s)
        try:
            async with deadline.timeout:
                await self._read_pages(way, asks, read, deadline)
        except TimeoutError:
            last = f" (last: {deadline.last_problem})" if deadline.last_problem else ""
            read.lose(f"gave up after {deadline_s:g} s{last}")
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001  a bug in a parser must not take the other sources down
            read.lose(self._unexpected(exc))
        return read

    def _unexpected(self, exc: Exception) -> str:
        _log.error("source failed unexpectedly", exc_info=exc, extra={"source": self._source.name})
        return f"unexpected {type(exc).__name__}: {fit(clean_text(str(exc)), 200)}; please report this"

    async def _read_pages(self, way: Source, asks: Sequence[Ask], read: Read, deadline: Deadline) -> None:
        queue = deque(asks)
        asked: set[Ask] = set()
        while queue and len(read.entries) <= self._limits.entries:
            ask = queue.popleft()
            if ask in asked:
                continue
            if len(asked) == self._limits.pages:
                read.lose(f"stopped after {self._limits.pages} pages")
                return
            asked.add(ask)
            try:
                listing = await self._read_page(way, ask, read, deadline)
            except CollectError as exc:
                read.lose(f"{exc.problem}; {exc.hint}" if exc.hint else exc.problem)
                read.is_suspicious |= isinstance(exc, SuspiciousError)
                if isinstance(exc, ThrottledError):
                    return
                continue
            read.take(listing)
            if listing.next:
                queue.appendleft(listing.next)

    async def _read_page(self, way: Source, ask: Ask, read: Read, deadline: Deadline) -> Listing:
        """One page; what a broken one still gave is counted as lost all the same."""
        request = Request(
            ask=ask,
            allow_private=way.allow_private,
            validators=None if self._was_ahead() else self._known.get(validator_name(self._source, ask.url)),
            deadline=deadline,
        )
        try:
            answer = await self._client.fetch(request)
        except MissingError:
            if not way.missing_is_quiet:
                raise
            return Listing()
        if answer.page is None:
            read.is_unchanged = True
            return Listing()
        try:
            listing = await _parse(way, answer.page)
        except CollectError as exc:
            problem = answer.problem or f"{exc.problem} from {shown(ask.url)}"
            raise type(exc)(problem, hint=exc.hint) from exc
        if answer.problem:
            read.entries += listing.entries
            raise CollectError(answer.problem)
        # Of a page that leads to others, "nothing changed" would hide what changed there.
        if answer.validators and not (listing.problems or listing.next):
            self._validators[validator_name(self._source, ask.url)] = answer.validators
        return listing

    def _shown(self, problems: Sequence[str]) -> tuple[str, ...]:
        shown, more = problems[: self._limits.problems], len(problems) - self._limits.problems
        return (*shown, f"and {more} more") if more > 0 else tuple(shown)


def validator_name(source: Source, url: str) -> str:
    """Under which the validators of an address are kept: they are this source's own, and an address may hold a key."""
    return hashlib.sha256(f"{source.name}\n{url}".encode()).hexdigest()


async def _parse(way: Source, page: Page) -> Listing:
    """Parse in a thread: a large feed takes seconds, in which other sources would seem to be silent, and a parser that
    hangs must not keep the run from ending.
    """
    return await run_aside(f"parse {way.name}", partial(way.parse, page))
