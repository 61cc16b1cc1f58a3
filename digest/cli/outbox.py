"""``digest outbox``: what waits, what failed and why, and what to do about it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from digest.cli.common import NameArgument, console, examples, find_subscriber, number_of, read_clock, table
from digest.cli.report import coloured
from digest.errors import ConfigError
from digest.model import DeliveryState, SubscriberId
from digest.ports import EditionState

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from digest.app import Config
    from digest.config.edit import Written
    from digest.store.desk import Desk, Filed

EPILOG = examples(
    "digest outbox list --state failed",
    "digest outbox show Ada 2026-11-20",
    "digest outbox retry Ada                # try it with the next run, not when its time comes",
    "digest outbox retry Ada 2026-11-20 --yes  # also if it may have arrived",
    "digest outbox drop Ada --yes           # what waits for Ada is never sent",
    "digest outbox lift Ada                 # write to Ada again, after mail to them came back",
)

_LIMIT = 100

app = typer.Typer(
    rich_markup_mode="rich",
    no_args_is_help=True,
    epilog=EPILOG,
    help="Show what waits and what was not delivered, and try it again, drop it, or write to an address again.",
)

DateArgument = Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="Of the edition.")]
MaybeDateArgument = Annotated[
    datetime | None, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="Of the edition; the newest without it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.command("list", epilog=examples("digest outbox list", "digest outbox list --state uncertain --json"))
def list_(
    state: Annotated[
        list[DeliveryState] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    subscriber: Annotated[
        str | None, typer.Option("--subscriber", metavar="NAME", help="Only theirs, by name or id.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, the newest first, and count them all by state."""
    with _open_desk() as place:
        who = place.identify(subscriber) if subscriber else None
        rows = place.desk.deliveries(state or None, who, _LIMIT)
        counts = place.desk.counts()
    if as_json:
        _print_json({"states": counts, "deliveries": [asdict(row) for row in rows]})
        return
    shown = table("Deliveries", "subscriber", "date", "state", "papers", "tries", "next try (UTC)", "detail")
    for row in rows:
        again = f"{row.next_try_at:%Y-%m-%d %H:%M}" if row.next_try_at else ""
        numbers = (str(row.papers), str(row.attempts))
        shown.add_row(escape(row.subscriber), str(row.date), coloured(row.state), *numbers, again, escape(row.why))
    if rows:
        console.print(shown)
    if len(rows) == _LIMIT:
        console.print(f"these are the newest {_LIMIT}; --state and --subscriber find others")
    console.print(say_counts(counts))


@app.command("show", epilog=examples("digest outbox show Ada 2026-11-20"))
def show(name: NameArgument, day: DateArgument, as_json: JsonOption = False) -> None:
    """Show one delivery: its state, its tries, what the server said, and what it holds."""
    from digest.store.papers import Papers

    with _open_desk() as place:
        found = place.find(name, day)
        places = place.desk.places(found.id)
        papers = Papers(place.engine).papers([each.paper for each in places])
        is_suppressed = place.is_suppressed(found.subscriber)
    titles = {key: paper.title for paper in papers for key in (paper.key, *paper.ids)}
    if as_json:
        held = [{"section": each.section, "paper": each.paper, "title": titles.get(each.paper)} for each in places]
        _print_json({**asdict(found), "contents": held})
        return
    console.print(f"[bold]{escape(found.subscriber)} {found.date}[/bold]: {coloured(found.state)}")
    rows = [
        ("tries", str(found.attempts)),
        ("detail", found.why),
        ("since", f"{found.updated_at:%Y-%m-%d %H:%M} UTC"),
    ]
    if found.resends:
        rows.append(("sent again", f"{found.resends} times, though it may have arrived"))
    if found.next_try_at:
        rows.append(("next try", f"{found.next_try_at:%Y-%m-%d %H:%M} UTC"))
    rows.append(("what helps", advise(found, is_suppressed=is_suppressed)))
    for what, said in rows:
        if said:
            console.print(f"{what}: {escape(said)}")
    shown = table("Papers", "section", "title", "paper")
    for each in places:
        shown.add_row(each.section, escape(titles.get(each.paper, "")), escape(each.paper))
    if places:
        console.print(shown)


@app.command("retry", epilog=examples("digest outbox retry Ada", "digest outbox retry Ada 2026-11-20 --yes"))
def retry(
    name: NameArgument,
    day: MaybeDateArgument = None,
    yes: Annotated[bool, typer.Option("--yes", help="Also if it may have arrived, and then comes twice.")] = False,
) -> None:
    """Let the next run try a delivery that failed or was put off, as if for the first time."""
    from digest.store.desk import RETRYABLE

    with _open_desk() as place:
        found = place.find(name, day, RETRYABLE)
        if place.is_suppressed(found.subscriber):
            raise ConfigError(
                "the address is written to no more, and nothing would be sent",
                where=f"{found.subscriber} {found.date}",
                hint=f"digest outbox lift {found.subscriber} writes to it again",
            )
        if found.state is DeliveryState.UNCERTAIN and not yes:
            raise ConfigError(
                f"the message may have arrived: {number_of(found.papers, 'paper')} may then come twice",
                where=f"{found.subscriber} {found.date}",
                hint="leave it, and its papers come with the next edition; --yes sends this one again",
            )
        _refuse(found, "tried again", place.desk.retry(found.id, read_clock(), may_double=yes))
    console.print(
        f"{escape(found.subscriber)} {found.date}: {number_of(found.papers, 'paper')} to be sent by the next run"
    )


@app.command("drop", epilog=examples("digest outbox drop Ada --yes"))
def drop(
    name: NameArgument,
    day: MaybeDateArgument = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: these papers are never sent.")] = False,
) -> None:
    """Never send what waits for a subscriber; its papers count as handled."""
    from digest.store.claims import WAITING

    with _open_desk() as place:
        found = place.find(name, day, WAITING)
        if not yes:
            raise ConfigError(
                f"{number_of(found.papers, 'paper')} would never be sent",
                where=f"{found.subscriber} {found.date}",
                hint="--yes drops them",
            )
        _refuse(found, "dropped", place.desk.drop(found.id, read_clock()))
    console.print(f"{escape(found.subscriber)} {found.date}: dropped, {number_of(found.papers, 'paper')} never sent")


@app.command("lift", epilog=examples("digest outbox lift Ada"))
def lift(name: NameArgument) -> None:
    """Write to a subscriber again: forget that mail came back, and that their address is written to no more."""
    from digest.store.bounces import Bounces

    with _open_desk() as place:
        who = place.identify(name)
        bounces = Bounces(place.engine)
        came_back = bounces.count(who)
        lifted = bounces.lift(who)
        paused = say_paused(place.written.get(who))
    addresses = f"{lifted or 'no'} suppressed {'address' if lifted == 1 else 'addresses'}"
    console.print(f"{escape(who)}: {addresses} and {number_of(came_back, 'bounce')} forgotten{escape(paused)}")


def say_paused(written: "Written | None") -> str:
    """What an entry of the subscribers file does to keep mail away, as the end of a sentence; empty if nothing."""
    if written is None or not written.is_paused:
        return ""
    return f"; paused: true in their entry (line {written.line}) keeps mail away, too"


def advise(found: EditionState, *, is_suppressed: bool) -> str:
    """What somebody can do about a delivery; empty if there is nothing to be done.

    Args:
        found: The delivery.
        is_suppressed: Whether its subscriber's address is written to no more.
    """
    state, subscriber, day = found.state, found.subscriber, found.date
    lifts = f"digest outbox lift {subscriber}, then digest outbox retry {subscriber} {day}"
    match state:
        case DeliveryState.UNCERTAIN | DeliveryState.FAILED | DeliveryState.DEFERRED if is_suppressed:
            return lifts
        case DeliveryState.UNCERTAIN:
            return (
                f"its papers come with the next edition; digest outbox retry {subscriber} {day} --yes sends it again,"
                " though it may have arrived"
            )
        case DeliveryState.FAILED:
            return f"its papers come with the next edition; digest outbox retry {subscriber} {day} tries it again"
        case DeliveryState.SUPPRESSED:
            return lifts
        case DeliveryState.DEFERRED:
            return f"digest outbox retry {subscriber} tries it with the next run, digest outbox drop {subscriber} never"
        case _:
            return ""


def say_counts(counts: Mapping[DeliveryState, int]) -> str:
    """How many deliveries there are, by state, in one line."""
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "no deliveries yet"


@dataclass(frozen=True, slots=True)
class _Place:
    """The database with the names that people use."""

    config: "Config"
    engine: "Engine"
    desk: "Desk"

    def identify(self, name: str) -> SubscriberId:
        """Whom a name means; an id in the ledger counts, too, of somebody who is no subscriber any more.

        Raises:
            ConfigError: Nobody.
        """
        from digest.config.subscribers import subscriber_id

        if self._is_known(SubscriberId(name)):
            return SubscriberId(name)
        try:
            return find_subscriber(self.config.roster.subscribers, name).id
        except ConfigError:
            # Paused, or no subscriber any more.
            who = subscriber_id(name)
            if who in self.written or self._is_known(who):
                return who
            raise

    @property
    def written(self) -> "Mapping[SubscriberId, Written]":
        """The entries of the subscribers file, those who are paused among them."""
        from digest.config.edit import RosterFile

        return RosterFile(self.config.settings.subscribers).written

    def _is_known(self, who: SubscriberId) -> bool:
        return bool(self.desk.deliveries(subscriber=who, limit=1))

    def is_suppressed(self, who: SubscriberId) -> bool:
        """Whether the address that a subscriber has now is written to no more."""
        from digest.app import load_keyring
        from digest.store.bounces import Bounces

        theirs = [each for each in Bounces(self.engine).suppressions() if each.subscriber == who]
        person = next((each for each in self.config.roster.subscribers if each.id == who), None)
        if not theirs or person is None:
            return bool(theirs)
        return load_keyring(self.config.settings).know(person.email) in {each.address for each in theirs}

    def find(self, name: str, day: datetime | None, states: Sequence[DeliveryState] | None = None) -> "Filed":
        """Their delivery of this date, else their newest in one of these states.

        Raises:
            ConfigError: There is none.
        """
        from digest.store.claims import IN_HAND

        who = self.identify(name)
        found = self.desk.find(who, day.date()) if day else next(iter(self.desk.deliveries(states, who, 1)), None)
        if found is None:
            held = None if day else next(iter(self.desk.deliveries(IN_HAND, who, 1)), None)
            if held:
                raise ConfigError(f"it is {held.why}", where=f"{who} {held.date}", hint="the next run then settles it")
            problem = f"there is no edition of {day:%Y-%m-%d}" if day else f"none is {' or '.join(states or ())}"
            raise ConfigError(problem, where=who, hint=f"digest outbox list --subscriber {who} shows what there is")
        return found


@contextmanager
def _open_desk() -> Iterator[_Place]:
    from digest.app import load_config
    from digest.store.database import open_database
    from digest.store.desk import Desk

    config = load_config()
    engine = open_database(config.settings.database_url)
    try:
        yield _Place(config, engine, Desk(engine))
    finally:
        engine.dispose()


def _refuse(found: "Filed", what: str, reason: str) -> None:
    """Say why nothing was done, if there is a reason.

    Raises:
        ConfigError: There is.
    """
    if reason:
        raise ConfigError(f"it cannot be {what}: {reason}", where=f"{found.subscriber} {found.date}")


def _print_json(view: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(view, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
