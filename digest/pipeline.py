"""One pass, top to bottom: collect, match, choose, write down what is owed, deliver it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from digest.background import Background
from digest.choose import choose_editions
from digest.collect.poll import poll_sources
from digest.deliver.outbox import DrainResult, Outcome, drain
from digest.errors import ConfigError, DeliverError, DigestError, RenderError
from digest.listener import Listener
from digest.looks import Look
from digest.match.topics import Nearness, Reading, compile_topics, explain_match
from digest.model import (
    Delivery,
    DeliveryState,
    Edition,
    Gap,
    Message,
    Paper,
    PaperKey,
    Poll,
    Recorded,
    Subscriber,
    TopicMatch,
)
from digest.ports import Backend, EditionState, Source, Window
from digest.rank.placed import bring_up_to_date, read_nearness, restore
from digest.render.compose import Composer
from digest.world import Choice, World

_SPOKEN_OF = timedelta(days=7)
"""So long is asked what became of a paper."""
_MOST_ASKED = 2_000


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
    """Parts of the configuration that were left out, and templates that others stood in for."""
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
    notes: list[str] = []
    owed = [
        owed_edition
        for owed_edition in (() if stop() else choose_editions(world, now, choice, missing, failures, notes))
        if backend is None
        or world.ledger.open_edition(
            owed_edition.edition, since_seq=owed_edition.since_seq, through_seq=owed_edition.through_seq, now=now
        )
    ]
    for owed_edition in owed:
        listener.opened(owed_edition.edition)
    if backend:
        notes += write_wordings(world, [owed_edition.edition for owed_edition in owed], now, stop)
    problems: list[ConfigError] = []
    result = deliver(world, backend, now, choice, missing, problems, listener, stop) if backend else DrainResult()
    return Report(
        polls=polls,
        recorded=recorded,
        editions=tuple(owed_edition.edition for owed_edition in owed),
        outcomes=tuple(result.outcomes),
        failures=tuple(failures),
        uncertain=tuple(uncertain),
        waiting=world.ledger.waiting(),
        stopped_by=result.stopped_by,
        problems=tuple(problems),
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


def gaps(world: World) -> tuple[Gap, ...]:
    """The sources whose last poll, in this pass or before it, may have left something out."""
    listing = {source.name for source in world.sources if not source.is_extra}
    return tuple(
        Gap(state.name, state.verdict, state.fresh_at.astimezone(UTC).date() if state.fresh_at else None)
        for state in world.papers.source_states()
        if state.name in listing and not state.verdict.is_good
    )


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
    """The edition with all that is told besides its papers: wordings, growth, and the week where it is wanted."""
    return Background(world).complete(edition)


def deliver(
    world: World,
    backend: Backend,
    now: datetime,
    choice: Choice,
    missing: tuple[Gap, ...],
    problems: list[ConfigError],
    listener: Listener,
    stop: Callable[[], bool],
) -> DrainResult:
    """Render and send what waits in the outbox, one message at a time.

    What a template fails with is added to ``problems``, once each, where another stands in for it.
    """
    subscribers = {subscriber.id: subscriber for subscriber in choice.subscribers(world)}
    background = Background(world)
    composers: dict[tuple[Look, bool], Composer] = {}

    def fill(look: Look, edition: Edition, *, is_fallback: bool = False) -> Message:
        place = (look, is_fallback)
        if place not in composers:
            template = (world.fallbacks if is_fallback else world.templates)[look]
            composers[place] = Composer(template, sender=world.sender, answers=world.answers)
        return composers[place].compose(background.complete(edition, is_fallback=is_fallback), now)

    def compose(delivery: Delivery) -> Message:
        subscriber = subscribers[delivery.subscriber]
        edition = stored_edition(world, delivery, subscriber, missing)
        try:
            return fill(subscriber.look, edition)
        except RenderError as error:
            if subscriber.look not in world.fallbacks:
                raise
            hint = f"{error.hint}; until then what is shipped stands in for it".removeprefix("; ")
            problem = ConfigError(error.problem, where=error.where, hint=hint)
            if str(problem) not in map(str, problems):
                problems.append(problem)
            return fill(subscriber.look, edition, is_fallback=True)

    return drain(
        world.ledger,
        backend,
        compose,
        clock=world.clock,
        only=list(subscribers),
        on_outcome=listener.settled,
        stop=stop,
    )


def stored_edition(world: World, delivery: Delivery, subscriber: Subscriber, missing: tuple[Gap, ...]) -> Edition:
    """The edition as the ledger holds it, its evidence found again in the papers; `with_wordings` completes it.

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
