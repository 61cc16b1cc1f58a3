"""One pass, top to bottom: collect, match, choose, write down what is owed, deliver it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

from digest.collect.client import Client
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
    Paper,
    PaperKey,
    Poll,
    Recorded,
    Subscriber,
    SubscriberId,
    Verdict,
    Wording,
)
from digest.ports import Backend, EditionState, Ledger, PaperStore, Source, Window
from digest.rank.select import select_edition
from digest.render.compile import Template
from digest.render.compose import compose_message
from digest.schedule.due import Due, due_edition, edition_now

log = logging.getLogger(__name__)

_SPOKEN_OF = timedelta(days=7)
"""So long is asked what became of a paper."""
_MOST_ASKED = 2_000

_GAPS = {
    Verdict.STALE: "no new batch where one was due",
    Verdict.PARTIAL: "not read in full",
    Verdict.SUSPICIOUS: "its answer cannot be right",
    Verdict.FAILED: "could not be read",
}


class Write(Protocol):
    """Writes summaries and translations; see `digest.wording.writer.write_wordings`."""

    def __call__(
        self, papers: Mapping[str, Sequence[Paper]], *, now: datetime, stop: Callable[[], bool]
    ) -> tuple[str, ...]:
        """Write what is missing of these papers, by language; returns problems."""


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
    connect: Callable[[], Client]
    """Makes the client through which all sources are read."""
    limits: Limits
    skipped: tuple[str, ...] = ()
    """A line for each source that cannot be read with these settings."""
    write: Write | None = None
    """Has a language model write what papers lack, if one is configured."""
    wordings: Callable[[Sequence[PaperKey], str], Mapping[PaperKey, Wording]] = lambda keys, language: {}  # noqa: ARG005
    """What was written of papers in one language."""
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
    notes: tuple[str, ...] = ()
    """What went without, and cost nobody a mail: sources that lack a key, texts that were not written."""

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
    missing = gaps(world)
    uncertain = clear_outbox(world, now) if backend else ()
    failures: list[DigestError] = []
    owed = [
        owed_edition
        for owed_edition in (() if stop() else choose_editions(world, now, choice, missing, failures))
        if backend is None
        or world.ledger.open_edition(
            owed_edition.edition, since_seq=owed_edition.since_seq, through_seq=owed_edition.through_seq, now=now
        )
    ]
    for owed_edition in owed:
        listener.opened(owed_edition.edition)
    notes = write_wordings(world, [owed_edition.edition for owed_edition in owed], now, stop) if backend else ()
    result = deliver(world, backend, now, choice, missing, listener, stop) if backend else DrainResult()
    return Report(
        polls=polls,
        recorded=recorded,
        editions=tuple(owed_edition.edition for owed_edition in owed),
        outcomes=tuple(result.outcomes),
        failures=tuple(failures),
        uncertain=tuple(uncertain),
        waiting=world.ledger.waiting(),
        stopped_by=result.stopped_by,
        notes=(*world.skipped, *notes),
    )


def collect(
    world: World,
    now: datetime,
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
    *,
    windows: Mapping[str, Window] | None = None,
) -> tuple[tuple[Poll, ...], Mapping[str, Recorded]]:
    """Ask every source for what is new, and store each answer as soon as it is there.

    Sources that are asked about papers come after those that list them.

    Args:
        world: Whose sources and papers.
        now: The pass's reference time.
        listener: Hears of each source.
        stop: Looked at all the while.
        windows: The time that each source has to cover, instead of what is known of it. Then nobody is asked whether
            anything changed since the last time, and the answers are whole.
    """
    polls: list[Poll] = []
    recorded: dict[str, Recorded] = {}

    def store(poll: Poll) -> None:
        recorded[poll.source] = world.papers.record(poll, now)
        listener.polled(poll, recorded[poll.source])

    validators = world.papers.validators() if windows is None else {}
    for are_asked_about_papers in (False, True):
        sources = [source for source in world.sources if source.asks_about_papers is are_asked_about_papers]
        if not sources:
            continue
        polls += asyncio.run(
            poll_sources(
                sources,
                {source.name: (windows or {}).get(source.name) or window(world, source, now) for source in sources},
                validators,
                connect=world.connect,
                limits=world.limits,
                seen=world.papers.seen,
                on_poll=store,
                stop=stop,
            )
        )
    return tuple(polls), recorded


def window(world: World, source: Source, now: datetime) -> Window:
    """What a source has to cover, as far as is known of it."""
    state = world.papers.source_state(source.name)
    since = state.last_good_at if state else None
    return Window(
        # A time to come was written by a clock that was wrong.
        since=since if since and since <= now else now - timedelta(days=1),
        until=now,
        listed=state.listed if state else 0,
        papers=tuple(world.papers.recent(now - _SPOKEN_OF, _MOST_ASKED)) if source.asks_about_papers else (),
    )


def clear_outbox(world: World, now: datetime) -> Sequence[EditionState]:
    """Settle what dead runs left in hand, and give up what waited too long; returns what became uncertain."""
    uncertain = world.ledger.recover(world.clock())
    world.ledger.expire((now - world.catch_up).date() - timedelta(days=1), now)
    return uncertain


def gaps(world: World) -> tuple[str, ...]:
    """A line for each source whose last poll, in this pass or before it, may have left something out."""
    listing = {source.name for source in world.sources if not source.is_extra}
    return tuple(
        f"{state.name}: {_GAPS[state.verdict]}" + (f", last new on {state.fresh_at:%a %d %b}" if state.fresh_at else "")
        for state in world.papers.source_states()
        if state.name in listing and state.verdict in _GAPS
    )


def due(world: World, subscriber: Subscriber, now: datetime, *, everyone: bool = False) -> Due | None:
    """The edition this subscriber should get by now, if any; today's for ``everyone``, whatever their schedule."""
    settled = world.ledger.settled_date(subscriber.id, today=now.astimezone(subscriber.zone).date())
    if not everyone:
        return due_edition(subscriber.schedule, subscriber.zone, now, settled, world.catch_up)
    today = edition_now(subscriber.schedule, subscriber.zone, now)
    return today if settled is None or settled < today.date else None


def choose_editions(
    world: World, now: datetime, choice: Choice, missing: tuple[str, ...], failures: list[DigestError]
) -> Iterator[OwedEdition]:
    """The edition of everyone who is due; whatever keeps one from being chosen is added to the failures."""
    announced = Announced(world.papers)
    for subscriber in choice.subscribers(world):
        try:
            edition_due = due(world, subscriber, now, everyone=choice.everyone)
            if edition_due:
                yield owed_edition(world, subscriber, edition_due, announced, missing)
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
        self._replaced: dict[int, frozenset[PaperKey]] = {}

    def since(self, seq: int) -> list[Reading]:
        """The papers announced after this number."""
        if seq not in self._since:
            papers = self._papers.announced(seq, self.through_seq)
            self._since[seq] = [self._readings.setdefault(paper.key, Reading(paper)) for paper in papers]
        return self._since[seq]

    def replaced_since(self, seq: int) -> frozenset[PaperKey]:
        """Those of them of which only a newer version was announced."""
        if seq not in self._replaced:
            self._replaced[seq] = self._papers.replaced(seq, self.through_seq)
        return self._replaced[seq]


def owed_edition(
    world: World, subscriber: Subscriber, edition_due: Due, announced: Announced, missing: tuple[str, ...] = ()
) -> OwedEdition:
    """Everything announced since the subscriber's last settled edition that they were not sent, matched and ranked.

    A subscriber without editions is owed what was first seen since the send time before this one.

    Args:
        world: What to work with.
        subscriber: Who is due.
        edition_due: For which date.
        announced: What to choose from.
        missing: A line for each source that may have had more; see `gaps`.
    """
    since = world.ledger.owed_since(subscriber.id)
    if since is None:
        since = world.papers.seq_before(edition_due.previous_at)
    sent = world.ledger.sent_keys(subscriber.id)
    readings = announced.since(since)
    owed = [reading for reading in readings if reading.paper.key not in sent]
    replaced = sent & announced.replaced_since(since)
    updated = [reading.paper for reading in readings if reading.paper.key in replaced]
    return OwedEdition(
        choose_papers(subscriber, edition_due.date, owed, updated=updated, missing=missing),
        since,
        announced.through_seq,
    )


def choose_papers(
    subscriber: Subscriber,
    day: date,
    readings: Sequence[Reading],
    *,
    updated: Sequence[Paper] = (),
    missing: tuple[str, ...] = (),
) -> Edition:
    """Match these papers, each once, against a subscriber's topics, rank them, and select an edition."""
    matches = match_papers(compile_topics(subscriber), readings)
    return select_edition(subscriber, day, [reading.paper for reading in readings], matches, updated, missing)


def write_wordings(
    world: World, editions: Sequence[Edition], now: datetime, stop: Callable[[], bool]
) -> tuple[str, ...]:
    """Have written what the papers of these editions lack, within its limits; returns problems, which stop nothing."""
    if world.write is None:
        return ()
    papers: dict[str, dict[PaperKey, Paper]] = {}
    for edition in editions:
        of_language = papers.setdefault(edition.subscriber.language, {})
        of_language.update((paper.key, paper) for paper in edition.shown)
    return world.write({language: [*some.values()] for language, some in papers.items()}, now=now, stop=stop)


def with_wordings(world: World, edition: Edition) -> Edition:
    """The edition with what was written for its reader."""
    keys = [paper.key for paper in edition.shown]
    return replace(edition, wordings=world.wordings(keys, edition.subscriber.language))


def deliver(
    world: World,
    backend: Backend,
    now: datetime,
    choice: Choice,
    missing: tuple[str, ...],
    listener: Listener,
    stop: Callable[[], bool],
) -> DrainResult:
    """Render and send what waits in the outbox, one message at a time."""
    subscribers = {subscriber.id: subscriber for subscriber in choice.subscribers(world)}

    def compose(delivery: Delivery) -> Message:
        subscriber = subscribers[delivery.subscriber]
        edition = stored_edition(world, delivery, subscriber, missing)
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


def stored_edition(world: World, delivery: Delivery, subscriber: Subscriber, missing: tuple[str, ...]) -> Edition:
    """The edition as the ledger holds it, its evidence found again in the papers."""
    sections: dict[str, list[PaperKey]] = {"matched": [], "trending": [], "rest": [], "updated": []}
    for section, key in world.ledger.edition_papers(delivery):
        sections[section].append(key)
    papers = {name: world.papers.papers(keys) for name, keys in sections.items()}
    topics = compile_topics(subscriber)
    matched = [
        next(iter(match_papers(topics, [Reading(paper)])), Match(paper=paper, topics=(), strength=1))
        for paper in papers["matched"]
    ]
    edition = Edition(
        subscriber=subscriber,
        date=delivery.date,
        matched=tuple(matched),
        trending=tuple(papers["trending"]),
        rest=tuple(papers["rest"]),
        updated=tuple(papers["updated"]),
        gaps=missing,
    )
    return with_wordings(world, edition)
