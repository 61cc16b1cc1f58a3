"""One pass, top to bottom: collect, match, choose, write down what is owed, deliver it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from digest.collect.limits import Limits
from digest.collect.poll import poll_sources
from digest.deliver.outbox import DrainResult, Outcome, drain
from digest.errors import ConfigError, DeliverError, DigestError, StoreError
from digest.match.topics import Reading, compile_topics, match_papers
from digest.model import (
    Delivery,
    DeliveryState,
    Edition,
    Match,
    Message,
    PaperKey,
    Poll,
    Recorded,
    Subscriber,
    SubscriberId,
    Verdict,
)
from digest.ports import Backend, EditionState, Ledger, PaperStore, Source, Window
from digest.rank.select import select_edition
from digest.render.compile import Template
from digest.render.compose import compose_message
from digest.schedule.due import Due, due_edition, edition_now

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a pass works with, wired in ``digest.app``."""

    sources: Sequence[Source]
    subscribers: Sequence[Subscriber]
    papers: PaperStore
    ledger: Ledger
    templates: Mapping[str, Template]
    sender: str
    """The From header: ``Paperround <digest@example.org>``."""
    contact: str
    """Who to write to about our requests; stands in the User-Agent."""
    limits: Limits
    catch_up: timedelta
    """A send time older than this is not made up for."""
    clock: Callable[[], datetime]
    """Read for leases and retry times; what is due is decided by the pass's own ``now``."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a pass was asked to do."""

    everyone: bool = False
    """Also those whose send time has not come: today's edition goes out now."""
    only: frozenset[SubscriberId] | None = None
    collect: bool = True

    def subscribers(self, world: World) -> list[Subscriber]:
        """Those whom the pass is about."""
        return [each for each in world.subscribers if self.only is None or each.id in self.only]


class OwedEdition(NamedTuple):
    """An edition with the announcements it covers: numbers over ``since_seq``, up to ``through_seq``."""

    edition: Edition
    since_seq: int
    through_seq: int


class Listener:
    """Hears of each step as it ends; the base class keeps silent."""

    def polled(self, poll: Poll, recorded: Recorded | None) -> None:
        """One source was read, and stored unless it failed."""

    def opened(self, edition: Edition) -> None:
        """One edition is owed."""

    def settled(self, outcome: Outcome) -> None:
        """One delivery ended."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one pass did, counted."""

    polls: tuple[Poll, ...] = ()
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    editions: tuple[Edition, ...] = ()
    """Opened, or in a dry run what would have been."""
    outcomes: tuple[Outcome, ...] = ()
    failures: tuple[DigestError, ...] = ()
    """Subscribers for whom no edition could be chosen; what they are owed waits."""
    uncertain: tuple[EditionState, ...] = ()
    """Left by runs that died at the wrong moment."""
    waiting: int = 0
    """Deliveries in the outbox after this pass."""
    stopped_by: DeliverError | None = None
    """Why sending ended before the outbox was empty."""
    problems: tuple[ConfigError, ...] = ()
    """Parts of the configuration that were left out."""

    @property
    def counts(self) -> Counter[DeliveryState]:
        """Deliveries by the state in which this pass left them."""
        skipped = sum(edition.is_empty for edition in self.editions)
        counts = Counter(outcome.state for outcome in self.outcomes)
        counts[DeliveryState.SKIPPED] += skipped
        return +counts

    @property
    def exit_code(self) -> int:
        """0 done, 1 some deliveries or sources failed, 2 configuration, 3 the SMTP server refuses us."""
        errors = [self.stopped_by, *self.problems, *(outcome.error for outcome in self.outcomes)]
        worst = max((error.exit_code for error in errors if isinstance(error, DigestError)), default=0)
        if worst > 1:
            return worst
        settled = {DeliveryState.ACCEPTED, DeliveryState.SKIPPED}
        all_well = (
            not self.stopped_by
            and not self.failures
            and not self.uncertain
            and all(poll.is_good for poll in self.polls)
            and settled.issuperset(self.counts)
        )
        return 0 if all_well else 1


def run_pass(
    world: World,
    backend: Backend | None,
    now: datetime,
    choice: Choice,
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Carry papers from their sources to the inboxes of whoever is due.

    Args:
        world: What to work with.
        backend: How to send; ``None`` collects and chooses, but records no edition and sends nothing.
        now: The pass's reference time: who is due, and when papers were first seen.
        choice: What was asked for.
        listener: Hears of each step.
        stop: Looked at while sources are read and before each delivery; what is in hand is finished, the rest waits.
    """
    polls, recorded = collect(world, now, listener, stop) if choice.collect else ((), {})
    absent = _absent_sources(world)
    uncertain = clear_outbox(world, now) if backend else ()
    failures: list[DigestError] = []
    owed = [
        owed_edition
        for owed_edition in (() if stop() else choose_editions(world, now, choice, absent, failures))
        if backend is None
        or world.ledger.open_edition(
            owed_edition.edition, since_seq=owed_edition.since_seq, through_seq=owed_edition.through_seq, now=now
        )
    ]
    for owed_edition in owed:
        listener.opened(owed_edition.edition)
    result = deliver(world, backend, now, choice, absent, listener, stop) if backend else DrainResult()
    return Report(
        polls=polls,
        recorded=recorded,
        editions=tuple(owed_edition.edition for owed_edition in owed),
        outcomes=tuple(result.outcomes),
        failures=tuple(failures),
        uncertain=tuple(uncertain),
        waiting=world.ledger.waiting(),
        stopped_by=result.stopped_by,
    )


def collect(
    world: World, now: datetime, listener: Listener, stop: Callable[[], bool] = lambda: False
) -> tuple[tuple[Poll, ...], Mapping[str, Recorded]]:
    """Ask every source for what is new, and store each answer as soon as it is there."""
    recorded: dict[str, Recorded] = {}

    def store(poll: Poll) -> None:
        recorded[poll.source] = world.papers.record(poll, now)
        listener.polled(poll, recorded[poll.source])

    windows = {
        source.name: Window(world.papers.last_good(source.name) or now - timedelta(days=1), now)
        for source in world.sources
    }
    polls = asyncio.run(
        poll_sources(
            world.sources,
            windows,
            world.papers.validators(),
            limits=world.limits,
            contact=world.contact,
            on_poll=store,
            stop=stop,
        )
    )
    return tuple(polls), recorded


def clear_outbox(world: World, now: datetime) -> Sequence[EditionState]:
    """Settle what dead runs left in hand, and give up what waited too long; returns what became uncertain."""
    uncertain = world.ledger.recover(world.clock())
    world.ledger.expire((now - world.catch_up).date() - timedelta(days=1), now)
    return uncertain


def _absent_sources(world: World) -> tuple[str, ...]:
    """Names of the sources whose last poll, in this pass or before it, did not say all it had to say."""
    bad = {state.name for state in world.papers.source_states() if state.verdict in (Verdict.FAILED, Verdict.PARTIAL)}
    return tuple(source.name for source in world.sources if source.name in bad)


def due(world: World, subscriber: Subscriber, now: datetime, *, everyone: bool = False) -> Due | None:
    """The edition this subscriber should get by now, if any; today's for ``everyone``, whatever their schedule."""
    settled = world.ledger.settled_date(subscriber.id, today=now.astimezone(subscriber.zone).date())
    if not everyone:
        return due_edition(subscriber.schedule, subscriber.zone, now, settled, world.catch_up)
    today = edition_now(subscriber.schedule, subscriber.zone, now)
    return today if settled is None or settled < today.date else None


def choose_editions(
    world: World, now: datetime, choice: Choice, absent: tuple[str, ...], failures: list[DigestError]
) -> Iterator[OwedEdition]:
    """The edition of everyone who is due; whatever keeps one from being chosen is added to the failures."""
    announced = Announced(world.papers)
    for subscriber in choice.subscribers(world):
        try:
            edition_due = due(world, subscriber, now, everyone=choice.everyone)
            if edition_due:
                yield owed_edition(world, subscriber, edition_due, announced, absent)
        except StoreError:
            raise
        except Exception as exc:
            # Whatever is wrong with one reader's topics or one paper's words, the others get their mail.
            log.exception("no edition could be chosen", extra={"subscriber": subscriber.id})
            problem = f"no edition could be chosen ({type(exc).__name__}: {exc})"
            hint = "please report this; what is owed waits, and the others are served"
            failures.append(DigestError(problem, where=subscriber.id, hint=hint))


class Announced:
    """What was announced up to the newest number, read and taken apart once for all subscribers."""

    def __init__(self, papers: PaperStore) -> None:
        self.through_seq = papers.latest_seq()
        self._papers = papers
        self._readings: dict[PaperKey, Reading] = {}
        self._since: dict[int, list[Reading]] = {}

    def since(self, seq: int) -> list[Reading]:
        """The papers announced after this number."""
        if seq not in self._since:
            papers = self._papers.announced(seq, self.through_seq)
            self._since[seq] = [self._readings.setdefault(paper.key, Reading(paper)) for paper in papers]
        return self._since[seq]


def owed_edition(
    world: World, subscriber: Subscriber, edition_due: Due, announced: Announced, absent: tuple[str, ...] = ()
) -> OwedEdition:
    """Everything announced since the subscriber's last settled edition that they were not sent, matched and ranked.

    A subscriber without editions is owed what was first seen since the send time before this one.

    Args:
        world: What to work with.
        subscriber: Who is due.
        edition_due: For which date.
        announced: What to choose from.
        absent: Sources that could not be read, named in the mail.
    """
    since = world.ledger.owed_since(subscriber.id)
    if since is None:
        since = world.papers.seq_before(edition_due.previous_at)
    sent = world.ledger.sent_keys(subscriber.id)
    owed = [reading for reading in announced.since(since) if reading.paper.key not in sent]
    return OwedEdition(choose_papers(subscriber, edition_due.date, owed, absent), since, announced.through_seq)


def choose_papers(
    subscriber: Subscriber, day: date, readings: Sequence[Reading], absent: tuple[str, ...] = ()
) -> Edition:
    """Match these papers, each once, against a subscriber's topics, rank them, and select an edition."""
    matches = match_papers(compile_topics(subscriber), readings)
    return select_edition(subscriber, day, [reading.paper for reading in readings], matches, absent)


def deliver(
    world: World,
    backend: Backend,
    now: datetime,
    choice: Choice,
    absent: tuple[str, ...],
    listener: Listener,
    stop: Callable[[], bool],
) -> DrainResult:
    """Render and send what waits in the outbox, one message at a time."""
    subscribers = {subscriber.id: subscriber for subscriber in choice.subscribers(world)}

    def compose(delivery: Delivery) -> Message:
        subscriber = subscribers[delivery.subscriber]
        edition = stored_edition(world, delivery, subscriber, absent)
        return compose_message(edition, world.templates[subscriber.template], sender=world.sender, now=now)

    return drain(
        world.ledger,
        backend,
        compose,
        clock=world.clock,
        only=list(subscribers),
        on_outcome=listener.settled,
        stop=stop,
    )


def stored_edition(world: World, delivery: Delivery, subscriber: Subscriber, absent: tuple[str, ...]) -> Edition:
    """The edition as the ledger holds it, its evidence found again in the papers."""
    sections: dict[str, list[PaperKey]] = {"matched": [], "trending": [], "rest": []}
    for section, key in world.ledger.edition_papers(delivery):
        sections[section].append(key)
    papers = {name: world.papers.papers(keys) for name, keys in sections.items()}
    topics = compile_topics(subscriber)
    matched = [
        next(iter(match_papers(topics, [Reading(paper)])), Match(paper=paper, topics=(), strength=1))
        for paper in papers["matched"]
    ]
    return Edition(
        subscriber=subscriber,
        date=delivery.date,
        matched=tuple(matched),
        trending=tuple(papers["trending"]),
        rest=tuple(papers["rest"]),
        absent_sources=absent,
    )
