"""Decides at each tick of a clock whether a pass is needed, so that serving costs next to nothing in between."""

from collections import defaultdict
from collections.abc import Callable, Set
from datetime import date, datetime, timedelta

from digest.choose import due
from digest.deliver.retry import MAX_ATTEMPTS, next_try
from digest.errors import DeliverError
from digest.listener import Listener
from digest.model import DeliveryState, Subscriber, SubscriberId
from digest.pipeline import Report, run_pass
from digest.pipeline import collect as read_sources
from digest.ports import Backend, EditionState
from digest.schedule.days_off import DaysOff
from digest.schedule.due import plan_edition
from digest.store.ledger import LEASE
from digest.world import Choice, World

COLLECT_AGAIN = timedelta(minutes=15)
"""Subscribers who are due within this time share one reading of the sources."""


class Service:
    """What is kept between ticks: when the sources were last read, and when the mail server may be asked again."""

    def __init__(
        self,
        load: Callable[[], World],
        backend: Backend,
        collect_every: timedelta,
        stop: Callable[[], bool],
        began: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve a world.

        Args:
            load: Gives the world as it is now; called once a tick, so that edits to the subscribers file take effect.
            backend: How to send.
            stop: Asked before each delivery.
            collect_every: Sources are read at least this often, because a daily listing is replaced by the next.
            began: Called when a tick goes to work.
        """
        self._load = load
        self._backend = backend
        self._collect_every = collect_every
        self._stop = stop
        self._began = began
        self._collected_at: datetime | None = None
        self._stops = 0
        self._send_again_at: datetime | None = None
        self._stopped_by: DeliverError | None = None

    def tick(self, now: datetime, listener: Listener) -> Report | None:
        """Run a pass if somebody is newly due, mail waits for another try, or the sources were not read for long.

        A mail server that turned us away or could not be reached is asked again after 5, 15, 60, then every 180
        minutes: a wrong password tried once a minute locks the account.
        """
        world = self._load()
        since = now - self._collected_at if self._collected_at else timedelta.max
        newly_due = waiting = False
        may_send = self._send_again_at is None or now >= self._send_again_at
        if may_send:
            people = {person.id for person in world.subscribers}
            known: defaultdict[SubscriberId, set[date]] = defaultdict(set)
            for edition in world.ledger.recent((now - world.catch_up).date() - timedelta(days=1)):
                known[edition.subscriber].add(edition.date)
                waiting = waiting or (edition.subscriber in people and _is_waiting(edition, now))
            newly_due = any(_is_newly_due(world, person, known[person.id], now) for person in world.subscribers)
        if not (newly_due or waiting or since >= self._collect_every):
            return None
        self._began()
        collect = since >= (COLLECT_AGAIN if newly_due else self._collect_every)
        if collect:
            # Before the pass: one that fails must not ask every source again at the next tick.
            self._collected_at = now
        if not may_send:
            polls, recorded = read_sources(world, now, listener, self._stop)
            return Report(polls=polls, recorded=recorded, waiting=world.ledger.waiting(), stopped_by=self._stopped_by)
        report = run_pass(world, self._backend, now, Choice(collect=collect), listener, self._stop)
        self._stops = min(self._stops + 1, MAX_ATTEMPTS - 1) if report.stopped_by else 0
        self._send_again_at = next_try(self._stops, now) if self._stops else None
        self._stopped_by = report.stopped_by
        return report


def _is_newly_due(world: World, subscriber: Subscriber, known: Set[date], now: datetime) -> bool:
    """Whether an edition is due that no pass has opened yet; the ledger is asked only if it may be."""
    newest = plan_edition(
        subscriber.schedule,
        subscriber.zone,
        now,
        None,
        world.catch_up,
        policy=world.catch_up_policy,
        off=DaysOff.of(subscriber),
        latest=subscriber.latest_send,
    ).due
    if newest is None or newest.date in known:
        return False
    edition_due = due(world, subscriber, now)
    return edition_due is not None and edition_due.date not in known


def _is_waiting(edition: EditionState, now: datetime) -> bool:
    """Whether this delivery may be tried, or settled for a run that died."""
    match edition.state:
        case DeliveryState.PENDING | DeliveryState.DEFERRED:
            # Its papers may all have turned out to be others that were sent: then nobody takes it on.
            return edition.papers > 0 and (edition.next_try_at or now) <= now
        case DeliveryState.CLAIMED | DeliveryState.DOT:
            return edition.updated_at + LEASE <= now
        case _:
            return False
