"""Whose turn it is at a host, and a clock that stands still meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from digest.collect.limits import Limits
from digest.collect.web import host_group
from digest.errors import ThrottledError
from digest.ports import HostTurns

# A server that asks for more is mistaken, or its clock is.
_LONGEST_HOLD_S = 24 * 3600.0


class NoAnswerError(ThrottledError):
    """The host answers nobody, or not us, in this run: asking it for more is useless."""


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

    def __init__(
        self, limits: Limits, shared: HostTurns | None = None, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Nobody has had a turn yet, unless ``shared`` knows of one.

        Args:
            limits: Of spacing.
            shared: What other runs, before and beside this one, have to be considered with; needs ``clock``.
            clock: Tells the time, aware and in UTC.
        """
        if shared is not None and clock is None:
            raise ValueError("turns that are shared need a clock")
        self._limits = limits
        self._shared = shared
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at: dict[str, float] = {}

    @asynccontextmanager
    async def take(self, host: str, deadline: Deadline) -> AsyncIterator[None]:
        """Wait for a turn at this host and hold it.

        Raises:
            NoAnswerError: The host wants to be left alone for longer than there is time.
        """
        group = host_group(host)
        spacing_s = self._spacing_s(group)
        left_s = deadline.pause()
        async with self._locks[group]:
            # Ours first: a turn that was reserved with others must begin when it was reserved for.
            for wait in (self._own_wait_s, self._shared_wait_s):
                wait_s = wait(group, spacing_s)
                if wait_s >= max(left_s, spacing_s):
                    deadline.resume(left_s)
                    # From now on we know it ourselves, and reserve no more turns that nobody will take.
                    self._not_before(group, wait_s)
                    raise NoAnswerError(f"{group} asked to be left alone{self._until(wait_s)}")
                await asyncio.sleep(wait_s)
                # What exceeds a usual turn is no other source's doing: it is at this one's expense.
                left_s -= max(0.0, wait_s - spacing_s)
            deadline.resume(left_s)
            try:
                yield
            finally:
                self._not_before(group, spacing_s)

    def hold(self, host: str, wait_s: float) -> str:
        """Nobody asks this host for so long, in this run and others; at most a day.

        Returns:
            Until when, for people: `` until 2026-11-20 07:32 UTC``; empty without a clock.
        """
        group, wait_s = host_group(host), min(wait_s, _LONGEST_HOLD_S)
        self._not_before(group, wait_s)
        if self._shared is not None and self._clock is not None:
            self._shared.hold(group, self._clock() + timedelta(seconds=wait_s))
        return self._until(wait_s)

    def _not_before(self, group: str, wait_s: float) -> None:
        self._free_at[group] = max(self._free_at.get(group, 0.0), asyncio.get_running_loop().time() + wait_s)

    def _own_wait_s(self, group: str, spacing_s: float) -> float:  # noqa: ARG002  it was counted when the last turn ended
        return max(self._free_at.get(group, 0.0) - asyncio.get_running_loop().time(), 0.0)

    def _shared_wait_s(self, group: str, spacing_s: float) -> float:
        if self._shared is None or self._clock is None:
            return 0.0
        now = self._clock()
        return max((self._shared.take(group, timedelta(seconds=spacing_s), now) - now).total_seconds(), 0.0)

    def _spacing_s(self, group: str) -> float:
        if group == "arxiv.org":
            return self._limits.arxiv_spacing_s
        return max(self._limits.spacing_s, dict(self._limits.host_spacing_s).get(group, 0.0))

    def _until(self, wait_s: float) -> str:
        if self._clock is None:
            return ""
        # Rounded up, or the time shown would be too early.
        until = self._clock() + timedelta(seconds=wait_s, minutes=1, microseconds=-1)
        return f" until {until:%Y-%m-%d %H:%M} UTC"
