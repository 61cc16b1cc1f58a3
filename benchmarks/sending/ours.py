"""The product's own delivery, wired as for a pass, for readers who are made up as they are wanted."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from sqlalchemy import text

from benchmarks.render import FOLDERS, NOW, SHOWN, VARIANTS, a_score, reasons
from benchmarks.sending.servers import HOST
from digest.app import Config, build_world
from digest.cli.common import read_clock
from digest.config.settings import Settings
from digest.config.subscribers import Roster
from digest.deliver.outcome import Outcome
from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.listener import Listener
from digest.mailing import Mailing
from digest.model import DeliveryState, Edition, Match, Paper, Schedule, Security, Subscriber, SubscriberId
from digest.ports import Backend, OwedEdition
from digest.render.compile import load_template
from digest.store.database import open_database
from digest.world import Choice, World

_FULL = 2
"""``PRAGMA synchronous``: every commit reaches the disk before it returns."""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What one sending came to."""

    whole: float
    """Messages a second, from the first to the last one."""
    steady: float
    """The same after the first quarter, in which connections are made and papers met."""
    durable: bool


class Meter(Listener):
    """Looks at the clock when so many deliveries have ended."""

    def __init__(self, marks: Mapping[int, Callable[[], None]]) -> None:
        """Call each of these when so many have ended."""
        self._marks = marks
        self._count = 0

    def settled(self, outcome: Outcome) -> None:  # noqa: ARG002
        """One more."""
        self._count += 1
        if mark := self._marks.get(self._count):
            mark()


def make_readers(count: int) -> Iterator[Subscriber]:
    """As the subscribers file would name them, each made when it is asked for: a list of them is the roster's size, not
    that of delivery.
    """
    zone, schedule = ZoneInfo("UTC"), Schedule("daily at 07:30", "30 7 * * *")
    for number in range(1, count + 1):
        yield Subscriber(
            id=SubscriberId(f"reader-{number}"),
            name=f"Reader {number}",
            email=f"reader-{number}@example.org",
            zone=zone,
            schedule=schedule,
        )


def make_editions(papers: Sequence[Paper], count: int, seed: int) -> Iterator[OwedEdition]:
    """An edition of 20 papers for each of so many readers, made when it is asked for.

    What matched is made once for each paper and reason, as a pass does for all the readers of a topic.
    """
    rng = random.Random(seed)
    matches = [
        [Match(paper=paper, topics=reasons(paper, variant), score=a_score(paper, variant, None)) for paper in papers]
        for variant in range(VARIANTS)
    ]
    places, day = range(len(papers)), NOW.date()
    for reader in make_readers(count):
        chosen = rng.sample(places, SHOWN)
        start = rng.randrange(VARIANTS)
        matched = tuple([matches[(start + place) % VARIANTS][place] for place in chosen])
        yield OwedEdition(edition=Edition(subscriber=reader, date=day, matched=matched), since_seq=0, through_seq=1)


def database_url(folder: Path) -> str:
    """Of a world's database."""
    return f"sqlite:///{folder / 'ledger.sqlite3'}"


@contextmanager
def open_world(folder: Path) -> Iterator[World]:
    """A world with a database of its own, as ``digest run`` makes it, but without sources."""
    settings = Settings(database_url=database_url(folder), _env_file=None)  # type: ignore[call-arg]
    config = Config(settings=settings, roster=Roster(sources=(), subscribers=(), problems=(), files=()))
    world = build_world(config, read_clock)
    yield replace(
        world,
        sender="Paperround <digest@example.org>",
        templates={("daily", "paper"): load_template("daily", FOLDERS)},
    )


def to_sink(port: int, connections: int = 4, security: Security = Security.NONE) -> SmtpBackend:
    """The product's SMTP, to a server on this machine."""
    return SmtpBackend(SmtpSettings(host=HOST, port=port, security=security, connections=connections))


def send(
    world: World,
    backend: Backend,
    papers: Sequence[Paper],
    count: int,
    seed: int,
    marks: Mapping[int, Callable[[], None]],
) -> float:
    """Send an edition to each of so many readers, each recorded in the ledger.

    Args:
        world: Whose ledger and templates.
        backend: How.
        count: Readers.
        papers: What they get twenty of, each their own.
        seed: Chooses.
        marks: What to call when so many deliveries have ended.

    Returns:
        Messages a second, from the first to the last one.

    Raises:
        RuntimeError: Not all were accepted.
    """
    mailing = Mailing(world, NOW, Choice(), Meter(marks), lambda: False, run="bench")
    began = time.perf_counter()
    result = mailing.send_editions(make_editions(papers, count, seed), backend)
    if result.counts != {DeliveryState.ACCEPTED: count}:
        raise RuntimeError(f"of {count} messages {dict(result.counts)}; {result.stopped_by} {result.troubles[:1]}")
    return count / (time.perf_counter() - began)


def send_all(
    port: int,
    papers: Sequence[Paper],
    count: int,
    *,
    connections: int = 4,
    security: Security = Security.NONE,
    seed: int = 1,
) -> Sending:
    """Send to so many readers, with a new ledger."""
    times: list[float] = []
    first = count // 4
    marks = {number: lambda: times.append(time.perf_counter()) for number in (first, count)}
    with TemporaryDirectory(prefix="paperround-") as name, open_world(Path(name)) as world:
        whole = send(world, to_sink(port, connections, security), papers, count, seed, marks)
        return Sending(
            whole=whole,
            steady=(count - first) / (times[1] - times[0]),
            durable=is_durable(Path(name), count),
        )


def is_durable(folder: Path, accepted: int) -> bool:
    """Whether the ledger is as it should be, and says of so many that they were accepted."""
    engine = open_database(database_url(folder))
    with engine.connect() as connection:
        mode = connection.scalar(text("PRAGMA journal_mode"))
        synchronous = connection.scalar(text("PRAGMA synchronous"))
        rows = connection.scalar(text("SELECT count(*) FROM edition WHERE state = 'accepted'"))
    engine.dispose()
    return mode == "wal" and synchronous == _FULL and rows == accepted
