"""One pass, top to bottom: collect, match, choose, write down what is owed, deliver it."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from digest.collect.poll import poll_sources
from digest.deliver.outbox import DrainResult
from digest.deliver.outcome import Outcome
from digest.errors import ConfigError, DeliverError, DigestError, MismatchError, StoreError
from digest.failpoints import pass_by
from digest.listener import Listener
from digest.mailing import Mailing
from digest.model import DeliveryState, Edition, Poll, Recorded
from digest.ports import Backend, EditionState, Ledger, Source, Window
from digest.schedule.due import check_clock
from digest.telemetry.logs import log_fields
from digest.telemetry.spans import span
from digest.world import Choice, World

_SPOKEN_OF = timedelta(days=7)
"""So long is asked what became of a paper."""
_MOST_ASKED = 2_000
_WAITING = frozenset({DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.EXPIRED})


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one pass did, counted."""

    run: str = ""
    """Names the pass in log lines and in the ledger."""
    polls: tuple[Poll, ...] = ()
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    editions: tuple[Edition, ...] = ()
    """In a dry run, what would have been opened."""
    counts: Mapping[DeliveryState, int] = field(default_factory=dict)
    """What this pass had in hand, and editions without papers, by the state in which it left them; what waits as before
    is left out."""
    troubles: tuple[Outcome, ...] = ()
    """The first deliveries that were not accepted."""
    delivery_code: int = 0
    """The highest exit code that a delivery asks for, also of those that are not among the first."""
    failures: tuple[DigestError, ...] = ()
    """Subscribers for whom no edition could be chosen; what they are owed waits."""
    uncertain: tuple[EditionState, ...] = ()
    """Left by runs that died at the wrong moment."""
    waiting: int = 0
    """Deliveries in the outbox after this pass."""
    stopped_by: DeliverError | None = None
    """Why sending ended before the outbox was empty."""
    mismatch: MismatchError | None = None
    """What the ledger counts otherwise than this pass did."""
    problems: tuple[ConfigError, ...] = ()
    """Parts of the configuration that were left out, and templates that others stood in for."""
    notes: tuple[str, ...] = ()
    """What went without, and cost nobody a mail: sources that lack a key, texts that were not written."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 some deliveries or sources failed, 2 configuration, 3 the SMTP server refuses us, 5 the ledger
        counts otherwise.
        """
        errors = filter(None, (self.stopped_by, self.mismatch, *self.problems))
        worst = max((error.exit_code for error in errors), default=0)
        worst = max(worst, self.delivery_code)
        if worst > 1:
            return worst
        settled = {DeliveryState.ACCEPTED, DeliveryState.SKIPPED}
        all_well = (
            not worst
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
        stop: Looked at while sources are read and while messages are sent; what is in hand is finished, the rest waits.
    """
    run = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(2)}"
    with log_fields(run=run), span("run", run=run):
        check_clock(now)
        if backend:
            world.check_marker()
        with span("collect"):
            polls, recorded = collect(world, now, listener, stop) if choice.collect else ((), {})
        pass_by("after_collect")
        uncertain = clear_outbox(world, now) if backend else ()
        mailing = Mailing(world, now, choice, listener, stop, run=run)
        with span("deliver"):
            result = mailing.send(backend) if backend else DrainResult()
        editions = () if backend else mailing.rehearse()
        pass_by("before_summary")
        notes: tuple[str, ...] = ()
        if backend:
            world.write_marker()
            notes = back_up(world, now)
        return Report(
            run=run,
            polls=polls,
            recorded=recorded,
            editions=tuple(editions),
            counts={state: number for state, number in result.counts.items() if state is not DeliveryState.PENDING},
            troubles=result.troubles,
            delivery_code=result.exit_code,
            failures=tuple(mailing.failures),
            uncertain=tuple(uncertain),
            waiting=world.ledger.waiting(),
            stopped_by=result.stopped_by,
            mismatch=reconcile(world.ledger, run, result.counts) if backend else None,
            problems=tuple(mailing.problems),
            notes=(*world.skipped, *mailing.notes, *notes),
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
    uncertain = world.ledger.recover(world.clock(), resend=world.resends)
    world.ledger.expire((now - world.catch_up).date() - timedelta(days=1), now)
    return uncertain


def back_up(world: World, now: datetime) -> tuple[str, ...]:
    """Keep a copy of the database; what goes wrong is a note, as nothing is lost by it."""
    try:
        world.back_up(now)
    except StoreError as error:
        return (f"no copy of the database was kept: {error.where}: {error.problem}",)
    return ()


def reconcile(ledger: Ledger, run: str, counts: Mapping[DeliveryState, int]) -> MismatchError | None:
    """Compare what a pass did with what the ledger says of it.

    What the pass left waiting may have been taken on by another one since, and is then that one's; so may what it
    skipped, if papers came for it.
    """
    held = ledger.tally(run)
    states = sorted({*held, *counts} - _WAITING)
    differing = [
        state
        for state in states
        if held.get(state, 0) > counts.get(state, 0)
        or (held.get(state, 0) < counts.get(state, 0) and state is not DeliveryState.SKIPPED)
    ]
    if not differing and sum(held.get(each, 0) for each in _WAITING) <= sum(counts.get(each, 0) for each in _WAITING):
        return None
    differing = differing or sorted(_WAITING)
    told = ", ".join(f"{counts.get(state, 0)} {state} here and {held.get(state, 0)} there" for state in differing)
    return MismatchError(
        f"this run and the ledger differ: {told}",
        where=f"run {run}",
        hint="another program may have written to the database; see digest outbox list and digest db check",
    )
