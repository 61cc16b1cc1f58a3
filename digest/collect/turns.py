"""Whose turn it is at a host, and a clock that stands still meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from digest.collect.limits import Limits
from digest.collect.web import is_arxiv


class Deadline:
    """The time one source has in all; it stands still while the source waits for its turn at a shared host."""

    def __init__(self, seconds: float) -> None:
        self.timeout = asyncio.timeout(seconds)
        """To be entered round everything that the time is for."""
        self.last_problem = ""
        """What went wrong most recently and was worth another try."""

    def left_s(self) -> float:
        """Until it ends; meaningless while it stands still."""
        return (self.timeout.when() or 0.0) - asyncio.get_running_loop().time()

    def pause(self) -> float:
        """Stop the clock; returns what `resume` has to be given."""
        left_s = self.left_s()
        self.timeout.reschedule(None)
        return left_s

    def resume(self, left_s: float) -> None:
        """Let the clock go on."""
        self.timeout.reschedule(asyncio.get_running_loop().time() + left_s)


class Turns:
    """One request at a time for each host, with a pause after it; all arXiv hosts count as one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at: dict[str, float] = {}

    @asynccontextmanager
    async def take(self, host: str, deadline: Deadline) -> AsyncIterator[None]:
        """Wait for a turn at this host and hold it."""
        loop = asyncio.get_running_loop()
        group = "arxiv.org" if is_arxiv(host) else host
        spacing = self._limits.arxiv_spacing_s if is_arxiv(host) else self._limits.spacing_s
        left_s = deadline.pause()
        async with self._locks[group]:
            await asyncio.sleep(self._free_at.get(group, 0.0) - loop.time())
            deadline.resume(left_s)
            try:
                yield
            finally:
                self._free_at[group] = loop.time() + spacing
