"""Drains the outbox: many deliveries at a time, each claimed, handed over, and its end recorded."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.deliver.commit import GroupCommit
from digest.deliver.outcome import Outcome, fail, judge_composing, judge_delivering, postpone, release
from digest.deliver.pace import Pace
from digest.errors import (
    DeliverError,
    DigestError,
    SmtpRefusedError,
    StoreError,
    TakenOverError,
    UnreachableError,
)
from digest.failpoints import pass_by
from digest.model import Delivery, DeliveryState, Message, Receipt
from digest.ports import Backend, Ledger, Move
from digest.telemetry.spans import span

STOP_S = 15
"""So long what is in hand may take after the end was asked for; then it is broken off, before supervisors kill."""

_SHORT_S = 60
"""A turn that comes within this time is waited for with the message in hand."""
_DELAYED = 50
"""At most so many messages wait in that way."""
_IN_HAND_S = 600
"""Nor longer than this: a claim ends after twenty minutes, and then the message is another run's."""
_LONG = timedelta(minutes=30)
"""A drain waits this long for turns that it gave its claims back for; what comes later is left to other runs."""

_TROUBLES = 200
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery, and how to come by its message."""

    delivery: Delivery
    domain: str
    """Of the recipient's address."""
    compose: Callable[[], Message]
    suppressed: Callable[[], str] = str
    """Why its address is written to no more, asked last before it is handed over; empty if it may be."""
    since: float = field(default_factory=time.monotonic)
    """When it was claimed, on a clock that never moves back."""


Feed = Callable[[], AsyncGenerator[Sequence[Parcel], None]]
"""Claims deliveries as they are wanted; called again as long as something that was put off comes due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainResult:
    """What one drain did."""

    counts: Mapping[DeliveryState, int] = field(default_factory=dict)
    """Deliveries that this drain had in hand, by the state in which it left them."""
    troubles: tuple[Outcome, ...] = ()
    """The first 200 that were not accepted."""
    exit_code: int = 0
    """The highest that any of their errors asks for."""
    stopped_by: DeliverError | None = None
    """Why it ended before the outbox was empty; what it had in hand waits again, uncounted."""

    def plus(self, other: "DrainResult") -> "DrainResult":
        """Both of them as one."""
        return DrainResult(
            counts=Counter(self.counts) + Counter(other.counts),
            troubles=(*self.troubles, *other.troubles)[:_TROUBLES],
            exit_code=max(self.exit_code, other.exit_code),
            stopped_by=self.stopped_by or other.stopped_by,
        )


def drain(
    ledger: Ledger,
    backend: Backend,
    feed: Feed,
    *,
    clock: Callable[[], datetime],
    pace: Pace | None = None,
    resend: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,  # noqa: ARG005
    stop: Callable[[], bool] = lambda: False,
    stop_s: float = STOP_S,
) -> DrainResult:
    """Deliver until the feed has no more and nothing that was put off comes due soon.

    Whatever is wrong with one delivery ends as its own outcome. Only a server that cannot be reached or refuses us, and
    a ledger that cannot be written, end the drain.

    Args:
        ledger: Where every step is recorded: the claim before anything is said of it to the server, the final dot
            before it goes out, the reply before the next message ends on the same connection.
        backend: How to send; so many deliveries are under way as it has room for.
        feed: What to deliver.
        clock: The time, for the ledger.
        pace: When the next message may go to which domain; at once, without it.
        resend: Whether a delivery that nobody knows the end of is sent once more, instead of never.
        on_outcome: Hears of each end.
        stop: Asked all the while: once true, nothing new is begun.
        stop_s: So long what is in hand may take then.

    Raises:
        StoreError: The ledger cannot be written; what is in hand is settled by a later run's ``recover``.
    """
    work = _Drain(ledger, backend, clock, pace, resend, on_outcome, stop, stop_s)
    # What is alive now outlives this: the collector need not look through it again and again.
    gc.freeze()
    try:
        return asyncio.run(work.run(feed))
    finally:
        gc.unfreeze()


def send_alone(backend: Backend, message: Message) -> Receipt:
    """Hand over one message that is in no ledger: a test, a notice.

    Raises:
        DeliverError: As of `Backend.deliver`.
    """

    async def nothing() -> None:
        pass

    async def send() -> Receipt:
        try:
            return await backend.deliver(message, nothing)
        finally:
            await backend.close()

    return asyncio.run(send())


class _Drain:
    def __init__(
        self,
        ledger: Ledger,
        backend: Backend,
        clock: Callable[[], datetime],
        pace: Pace | None,
        resend: bool,
        on_outcome: Callable[[Outcome], None],
        stop: Callable[[], bool],
        stop_s: float,
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._clock = clock
        self._pace = pace
        self._resend = resend
        self._on_outcome = on_outcome
        self._stop = stop
        self._stop_s = stop_s
        self._counts: Counter[DeliveryState] = Counter()
        self._troubles: list[Outcome] = []
        self._exit_code = 0
        self._stopped_by: DeliverError | None = None
        self._put_off: dict[int, Outcome] = {}
        """Those that gave their claim back to wait for a turn, by their delivery."""

    async def run(self, feed: Feed) -> DrainResult:
        room = max(1, self._backend.room)
        self._commit = GroupCommit(self._ledger)
        self._halt = asyncio.Event()
        self._queue: asyncio.Queue[Parcel] = asyncio.Queue()
        self._room = asyncio.Semaphore(room + _DELAYED)
        self._held: dict[int, Delivery] = {}
        self._is_idle = asyncio.Event()
        self._is_over = False
        self._delayed: set[asyncio.Task[None]] = set()
        workers = [asyncio.create_task(self._work()) for _ in range(room)]
        watching = asyncio.create_task(self._watch(workers))
        feeding = asyncio.create_task(self._feed(feed))
        try:
            # Workers end only with an error, or where the end takes too long; the feeder once all is done.
            await asyncio.wait((feeding, *workers), return_when=asyncio.FIRST_COMPLETED)
            if self._is_over:
                await asyncio.wait(workers)
        finally:
            self._is_over = True
            tasks = (feeding, watching, *workers, *self._delayed)
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            await self._backend.close()
        errors = [end for end in ends if isinstance(end, Exception)]
        if errors:
            raise errors[0]
        for delivery in [*self._held.values()]:
            await self._end(release(delivery))
        for outcome in self._put_off.values():
            self._count(outcome)
        return DrainResult(
            counts=self._counts,
            troubles=tuple(self._troubles),
            exit_code=self._exit_code,
            stopped_by=self._stopped_by,
        )

    async def _feed(self, feed: Feed) -> None:
        give_up_at: datetime | None = None
        while not self._halt.is_set():
            looked_at, has_more = self._clock(), False
            async with aclosing(feed()) as batches:
                async for some in batches:
                    has_more = True
                    self._held |= {parcel.delivery.id: parcel.delivery for parcel in some}
                    for parcel in some:
                        await self._room.acquire()
                        self._queue.put_nowait(parcel)
                    if self._halt.is_set():
                        break
            while self._held:
                self._is_idle.clear()
                await self._is_idle.wait()
            if self._put_off:
                give_up_at = give_up_at or looked_at + _LONG
            if has_more and (give_up_at is None or looked_at < give_up_at):
                # What was held back while others were in hand: a delivery that runs died with, say.
                continue
            later = [each.next_try_at for each in self._put_off.values() if each.next_try_at]
            soonest = min((at for at in later if at > looked_at), default=None)
            if soonest is None or give_up_at is None or soonest > give_up_at:
                return
            await self._sleep((soonest - self._clock()).total_seconds())

    async def _watch(self, workers: Sequence[asyncio.Task[None]]) -> None:
        while not self._stop():  # noqa: ASYNC110 - what a signal handler may touch is no event of a loop
            await asyncio.sleep(_LOOK_S)
        self._halt.set()
        await asyncio.sleep(self._stop_s)
        self._is_over = True
        for worker in workers:
            worker.cancel()

    async def _sleep(self, seconds: float) -> None:
        """Unless the end is asked for meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, seconds)):
                await self._halt.wait()

    async def _work(self) -> None:
        while not self._is_over:
            await self._take_on(await self._queue.get())

    async def _take_on(self, parcel: Parcel) -> None:
        """Deliver it, or see that its turn is waited for elsewhere."""
        if self._stop():
            self._halt.set()
        wait_s = self._wait_s(parcel)
        if 0 < wait_s <= _SHORT_S and time.monotonic() - parcel.since < _IN_HAND_S:
            task = asyncio.create_task(self._delay(parcel, wait_s))
            self._delayed.add(task)
            task.add_done_callback(self._delayed.discard)
            return
        outcome = postpone(parcel.delivery, self._clock(), wait_s) if wait_s else await self._deliver(parcel)
        await self._end(outcome)
        del self._held[parcel.delivery.id]
        self._room.release()
        if not self._held:
            self._is_idle.set()

    def _wait_s(self, parcel: Parcel) -> float:
        """Until its turn; what is not sent at all takes none."""
        if self._pace is None or self._halt.is_set() or parcel.suppressed():
            return 0.0
        return self._pace.take(parcel.domain, time.monotonic())

    async def _delay(self, parcel: Parcel, wait_s: float) -> None:
        await self._sleep(wait_s)
        self._queue.put_nowait(parcel)

    async def _deliver(self, parcel: Parcel) -> Outcome:
        """Compose it and hand it over."""
        delivery = parcel.delivery
        if self._halt.is_set():
            return release(delivery)
        try:
            message = parcel.compose()
            reason = parcel.suppressed()
        except TakenOverError as error:
            return fail(delivery, error.problem, error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one edition, the others go out
            return judge_composing(delivery, error, self._clock())
        if reason:
            return Outcome(delivery=delivery, state=DeliveryState.SUPPRESSED, detail=reason)
        pass_by("after_compose")
        return await self._hand_over(parcel, message)

    async def _hand_over(self, parcel: Parcel, message: Message) -> Outcome:
        delivery = parcel.delivery

        async def before_dot() -> None:
            pass_by("before_dot")
            await self._commit.move(Move(delivery=delivery, state=DeliveryState.DOT, now=self._clock()))
            pass_by("after_dot_commit")

        try:
            with span("message", subscriber=delivery.subscriber, date=str(delivery.date)):
                receipt = await self._backend.deliver(message, before_dot)
        except TakenOverError as error:
            return fail(delivery, error.problem, error)
        except DeliverError as error:
            return self._judge(parcel, error)
        except asyncio.CancelledError:
            # The end was not handed over, or it would be an `UncertainDeliverError`.
            return release(delivery)
        pass_by("after_250")
        if self._pace:
            self._pace.note(parcel.domain, None, time.monotonic())
        said = f"{receipt.code} {receipt.text}".rstrip()
        return Outcome(delivery=delivery, state=DeliveryState.ACCEPTED, detail=said, html_bytes=message.html_bytes)

    def _judge(self, parcel: Parcel, error: DeliverError) -> Outcome:
        if isinstance(error, SmtpRefusedError | UnreachableError):
            self._stopped_by = self._stopped_by or error
            self._halt.set()
        held_s = None
        if self._pace:
            moment = time.monotonic()
            self._pace.note(parcel.domain, error, moment)
            held_s = self._pace.is_held(parcel.domain, moment)
        return judge_delivering(parcel.delivery, error, self._clock(), resend=self._resend, held_s=held_s)

    async def _end(self, outcome: Outcome) -> None:
        """Write it down, then count and tell it."""
        if not isinstance(outcome.error, TakenOverError):
            try:
                await self._commit.move(
                    Move(
                        delivery=outcome.delivery,
                        # With a time for the next try, it says what it may be a repetition of.
                        state=DeliveryState.UNCERTAIN if outcome.is_resend else outcome.state,
                        now=self._clock(),
                        detail=outcome.detail,
                        next_try_at=outcome.next_try_at,
                        is_counted=outcome.is_counted,
                    )
                )
            except TakenOverError as error:
                outcome = fail(outcome.delivery, f"{outcome.state}, but {error.problem}", error)
        if outcome.state is DeliveryState.ACCEPTED:
            pass_by("after_accept_commit")
        self._put_off.pop(outcome.delivery.id, None)
        if outcome.is_postponed:
            # It may yet be accepted before this ends.
            self._put_off[outcome.delivery.id] = outcome
        else:
            self._count(outcome)
        self._on_outcome(outcome)

    def _count(self, outcome: Outcome) -> None:
        if not isinstance(outcome.error, TakenOverError):
            # What another run took over is for that one to count.
            self._counts[outcome.state] += 1
        if outcome.state is not DeliveryState.ACCEPTED and len(self._troubles) < _TROUBLES:
            self._troubles.append(outcome)
        if isinstance(outcome.error, DigestError):
            self._exit_code = max(self._exit_code, outcome.error.exit_code)
