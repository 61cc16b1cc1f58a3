"""From what readers are owed to what they are sent: editions are opened, composed and handed over in one stream."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from digest.background import Background
from digest.choose import choose_editions
from digest.deliver.outbox import DrainResult, Parcel, drain
from digest.deliver.outcome import Outcome
from digest.errors import BadAddressError, ConfigError, DigestError, RenderError
from digest.listener import Listener
from digest.looks import Look
from digest.match.topics import Nearness, Reading, compile_topics, explain_match
from digest.model import (
    CatchUp,
    Delivery,
    DeliveryState,
    Edition,
    Gap,
    Message,
    Paper,
    PaperKey,
    Subscriber,
    TopicMatch,
)
from digest.ports import Backend, OwedEdition
from digest.rank.placed import bring_up_to_date, read_nearness, restore
from digest.render.compose import Composer
from digest.world import Choice, World, Write

_AT_ONCE = 8
"""So many editions are opened, or claimed, in one transaction; they are in memory until they are delivered."""

_ASKED_AGAIN = timedelta(seconds=1)
"""What other programs suppress is known after this time."""


class Mailing:
    """One pass's editions, from choosing to the inbox."""

    def __init__(
        self, world: World, now: datetime, choice: Choice, listener: Listener, stop: Callable[[], bool], *, run: str
    ) -> None:
        """Get ready; see `digest.pipeline.run_pass`. The ledger knows the pass by the name ``run``."""
        self._world = world
        self._now = now
        self._choice = choice
        self._listener = listener
        self._stop = stop
        self._missing = gaps(world)
        self._subscribers = {each.id: each for each in choice.subscribers(world)}
        self._suppressed = _Suppressed(world)
        self._skipped: Counter[DeliveryState] = Counter()
        self._run = run
        self._opened = 0
        self.failures: list[DigestError] = []
        self.problems: list[ConfigError] = []
        self.notes: list[str] = []
        self._press = _Press(world, now, self.problems)

    def rehearse(self) -> list[Edition]:
        """Choose, and do no more."""
        editions = [owed.edition for owed in self._choose()]
        for edition in editions:
            self._listener.opened(edition)
        return editions

    def send(self, backend: Backend) -> DrainResult:
        """Open what is due, and deliver it with what waits from earlier passes."""
        result = DrainResult()
        while True:
            opened = self._opened
            result = result.plus(self.send_editions(self._choose(), backend))
            # Of several missed dates, one is opened at a time: the next one goes on where it ended.
            has_more = self._world.catch_up_policy is CatchUp.EACH and self._opened > opened
            if not has_more or result.stopped_by or self._stop():
                return result

    def send_editions(self, owed: Iterator[OwedEdition], backend: Backend) -> DrainResult:
        """Deliver these as they come, and then what waits: only a few are in memory at a time."""
        world = self._world
        skipped = self._skipped.copy()
        result = drain(
            world.ledger,
            backend,
            partial(self._feed, owed),
            clock=world.clock,
            pace=world.make_pace(world.clock()),
            resend=world.resends,
            on_outcome=self._settle,
            stop=self._stop,
        )
        return result.plus(DrainResult(counts=self._skipped - skipped))

    async def _feed(self, owed: Iterator[OwedEdition]) -> AsyncGenerator[Sequence[Parcel], None]:
        """Open what is owed, some at a time, then claim what waits."""
        ledger, clock = self._world.ledger, self._world.clock
        write = self._world.write
        # A language model is asked once for all that it is to write, and nothing is claimed before.
        while some := list(islice(owed, None if write else _AT_ONCE)):
            opened = ledger.open_editions(some, clock(), run=self._run, claim=write is None)
            if not self._opened:
                # A copy of the database that was made before this is too old from here on.
                self._world.write_marker()
            written = [(each.edition, what) for each, what in zip(some, opened, strict=True) if what.is_written]
            for edition, _ in written:
                self._listener.opened(edition)
            self._opened += len(written)
            self._skipped[DeliveryState.SKIPPED] += sum(edition.is_empty for edition, _ in written)
            if write:
                # It has an event loop of its own.
                await asyncio.to_thread(self._write_wordings, write, [edition for edition, _ in written])
            yield [self._pack(what.delivery, edition.subscriber, edition) for edition, what in written if what.delivery]
        people = [*self._subscribers] if ledger.waiting() else []
        while people and (claimed := ledger.claim(clock(), run=self._run, only=people, limit=_AT_ONCE)):
            yield [self._pack(delivery, self._subscribers[delivery.subscriber]) for delivery in claimed]

    def _pack(self, delivery: Delivery, subscriber: Subscriber, edition: Edition | None = None) -> Parcel:
        """With the edition if it was just chosen, so that it is not read back."""

        def compose() -> Message:
            return self._press.compose(edition or stored_edition(self._world, delivery, subscriber, self._missing))

        domain = subscriber.email.rpartition("@")[2].lower()
        return Parcel(delivery, domain, compose, partial(self._suppressed.why, subscriber))

    def _settle(self, outcome: Outcome) -> None:
        """An address of which its own server says for the second time that it does not exist is written to no more."""
        self._listener.settled(outcome)
        subscriber = self._subscribers.get(outcome.delivery.subscriber)
        if subscriber is None or not isinstance(outcome.error, BadAddressError):
            return
        world, now = self._world, self._world.clock()
        known, day = world.keyring.know(subscriber.email), now.astimezone(UTC).date()
        suppression = world.suppressions.note_bounce(known, subscriber.id, detail=outcome.detail, day=day, now=now)
        if suppression:
            self.notes.append(f"{subscriber.id} is written to no more: {suppression.reason}")

    def _choose(self) -> Iterator[OwedEdition]:
        if self._stop():
            return iter(())
        return choose_editions(
            self._world, self._now, self._choice, self._missing, self.failures, self.notes, stop=self._stop
        )

    def _write_wordings(self, write: Write, editions: Sequence[Edition]) -> None:
        """Have written what the papers of these editions lack, within its limits."""
        papers: dict[str, dict[PaperKey, Paper]] = {}
        for edition in editions:
            of_language = papers.setdefault(edition.subscriber.language, {})
            of_language.update((paper.key, paper) for paper in edition.shown)
        by_language = {language: [*some.values()] for language, some in papers.items()}
        self.notes += write(by_language, now=self._now, stop=self._stop)


class _Press:
    """Composes the messages of one pass: what is equal in them is made once."""

    def __init__(self, world: World, now: datetime, problems: list[ConfigError]) -> None:
        """Add what a template fails with to the problems, once each, where another stands in for it."""
        self._world = world
        self._now = now
        self._problems = problems
        self._background = Background(world)
        self._composers: dict[tuple[Look, bool], Composer] = {}

    def compose(self, edition: Edition) -> Message:
        look = edition.subscriber.look
        try:
            message = self._fill(look, edition)
        except RenderError as error:
            if look not in self._world.fallbacks:
                raise
            hint = f"{error.hint}; until then what is shipped stands in for it".removeprefix("; ")
            problem = ConfigError(error.problem, where=error.where, hint=hint)
            if str(problem) not in map(str, self._problems):
                self._problems.append(problem)
            message = self._fill(look, edition, is_fallback=True)
        return self._world.sign(message) if self._world.sign else message

    def _fill(self, look: Look, edition: Edition, *, is_fallback: bool = False) -> Message:
        world, place = self._world, (look, is_fallback)
        if place not in self._composers:
            template = (world.fallbacks if is_fallback else world.templates)[look]
            self._composers[place] = Composer(template, sender=world.sender, answers=world.answers)
        complete = self._background.complete(edition, is_fallback=is_fallback)
        return self._composers[place].compose(complete, self._now)


class _Suppressed:
    """Which addresses are written to no more, also by what was said while the pass goes on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reasons: Mapping[str, str] = {}
        self._read_at: datetime | None = None

    def why(self, subscriber: Subscriber) -> str:
        """The reason, or empty."""
        now = self._world.clock()
        if self._read_at is None or not timedelta(0) <= now - self._read_at < _ASKED_AGAIN:
            self._reasons = {each.address: each.reason for each in self._world.suppressions.suppressions()}
            self._read_at = now
        return self._reasons.get(self._world.keyring.know(subscriber.email), "") if self._reasons else ""


def gaps(world: World) -> tuple[Gap, ...]:
    """The sources whose last poll, in this pass or before it, may have left something out."""
    listing = {source.name for source in world.sources if not source.is_extra}
    return tuple(
        Gap(state.name, state.verdict, state.fresh_at.astimezone(UTC).date() if state.fresh_at else None)
        for state in world.papers.source_states()
        if state.name in listing and not state.verdict.is_good
    )


def stored_edition(world: World, delivery: Delivery, subscriber: Subscriber, missing: tuple[Gap, ...]) -> Edition:
    """The edition as the ledger holds it, its evidence found again in the papers; `Background` completes it.

    Papers are shown as they are by now, and the ledger is told, so that no follow-up says it again.
    """
    held = world.ledger.edition_papers(delivery)
    papers = {paper.key: paper for paper in world.papers.papers([place.paper for place in held])}
    placed = bring_up_to_date(held, papers)
    if placed != tuple(held):
        world.ledger.rewrite_papers(delivery, placed, world.clock())
    near = {place.paper: read_nearness(place) for place in placed}
    topics = compile_topics(subscriber)

    def explain(paper: Paper) -> tuple[TopicMatch, ...]:
        known = near.get(paper.key, {})
        abouts = {
            about: Nearness(known[topic.topic.name], 0.0)
            for topic in topics
            if topic.topic.name in known
            for about in topic.abouts
        }
        return explain_match(topics, Reading(paper, abouts))

    contents = restore(placed, papers, explain)
    return Edition(subscriber=subscriber, date=delivery.date, gaps=missing, **contents)
