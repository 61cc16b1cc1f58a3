"""Decides at each tick of a clock whether a pass is needed, so that serving costs next to nothing in between."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from digest.model import DeliveryState
from digest.pipeline import Choice, Listener, Report, World, due, run_pass
from digest.ports import Backend

COLLECT_AGAIN = timedelta(minutes=15)
"""Subscribers who are due within this time share one reading of the sources."""


class Service:
    """What is kept between ticks: when the sources were last read."""

    def __init__(
        self, load: Callable[[], World], backend: Backend, collect_every: timedelta, stop: Callable[[], bool]
    ) -> None:
        """Serve a world.

        Args:
            load: Gives the world as it is now; called once a tick, so that edits to the subscribers file take effect.
            backend: How to send.
            stop: Asked before each delivery.
            collect_every: Sources are read at least this often, because a daily listing is replaced by the next.
        """
        self._load = load
        self._backend = backend
        self._collect_every = collect_every
        self._stop = stop
        self._collected_at: datetime | None = None

    def tick(self, now: datetime, listener: Listener) -> Report | None:
        """Run a pass if somebody is newly due, mail waits for another try, or the sources were not read for long."""
        world = self._load()
        since = now - self._collected_at if self._collected_at else timedelta.max
        newly_due = any(_is_newly_due(world, now))
        if not (newly_due or since >= self._collect_every or _is_waiting(world, now)):
            return None
        collect = since >= (COLLECT_AGAIN if newly_due else self._collect_every)
        report = run_pass(world, self._backend, now, Choice(collect=collect), listener, self._stop)
        if collect:
            self._collected_at = now
        return report


def _is_newly_due(world: World, now: datetime) -> Iterator[bool]:
    """For each subscriber, whether an edition is due that no pass has opened yet."""
    for subscriber in world.subscribers:
        edition_due = due(world, subscriber, now)
        newest = next(iter(world.ledger.editions(subscriber.id, limit=1)), None)
        yield edition_due is not None and (newest is None or newest.date < edition_due.date)


def _is_waiting(world: World, now: datetime) -> bool:
    """Whether a delivery may be tried now."""
    return any(
        edition.state in (DeliveryState.PENDING, DeliveryState.DEFERRED) and (edition.next_try_at or now) <= now
        for edition in world.ledger.editions()
    )
