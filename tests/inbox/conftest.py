from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from digest.config.edit import RosterFile
from digest.config.subscribers import Roster, load_subscribers
from digest.inbox.apply import Desk
from digest.inbox.mailbox import Arrival
from digest.inbox.outcome import Outcome
from digest.model import Poll, Subscriber, SubscriberId, Verdict
from digest.store.bounces import Bounces
from digest.store.database import open_database
from digest.store.feedback import Feedbacks
from digest.store.papers import Papers
from digest.tokens import Keyring
from tests.builders import NOW, a_subscriber, an_entry

ADA, BEN, CLEO = map(SubscriberId, ("ada", "ben", "cleo"))
PEOPLE = """\
sources:
  - arxiv: [cs.CL]
subscribers:
  - name: Ada  # first
    email: ada@example.org
    timezone: Europe/Berlin
    topics: [{name: T, any: [fog]}]
  - name: Ben
    email: Ben@Example.org
    topics: [{name: T, any: [fog]}]
  - name: Cleo
    email: cleo@example.org
    topics: [{name: T, any: [fog]}]
    paused: true
"""


@dataclass
class Office:
    """A subscribers file and a database, and what is done with mails there."""

    path: Path
    papers: Papers
    feedback: Feedbacks
    suppressions: Bounces
    keyring: Keyring = field(default_factory=lambda: Keyring(b"a secret for tests only"))

    def token(self, purpose: str, reader: str = "Ada", links: int = 1) -> str:
        return self.keyring.token(a_subscriber(reader, links=links), purpose)

    def desk(self, now: datetime = NOW, **options: bool) -> Desk:
        return Desk(
            subscribers=self.roster.subscribers,
            file=RosterFile(self.path),
            keyring=self.keyring,
            suppressions=self.suppressions,
            feedback=self.feedback,
            papers=self.papers,
            now=now,
            **options,
        )

    def take(self, *mails: bytes, at: datetime = NOW, now: datetime = NOW, **options: bool) -> list[Outcome]:
        desk = self.desk(now, **options)
        arrivals = [Arrival(str(number), at, raw) for number, raw in enumerate(mails, 1)]
        return desk.finish([desk.take(arrival) for arrival in arrivals])

    @property
    def roster(self) -> Roster:
        return load_subscribers(self.path, {})

    @property
    def reader(self) -> Subscriber:
        """Ada."""
        return next(each for each in self.roster.subscribers if each.id == ADA)

    @property
    def active(self) -> set[str]:
        return {each.id for each in self.roster.subscribers}

    @property
    def suppressed(self) -> dict[str, str]:
        return {each.subscriber: each.reason for each in self.suppressions.suppressions()}

    def facts(self, subscriber: SubscriberId) -> tuple[object, ...]:
        """Everything that may change of one subscriber."""
        entry = RosterFile(self.path).written[subscriber]
        said = tuple(self.feedback.of(subscriber))
        return entry.is_paused, entry.quiet, said, self.suppressed.get(subscriber)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """With two papers; made once, as that takes longer than a test."""
    path = tmp_path_factory.mktemp("inbox") / "digest.sqlite3"
    engine = open_database(f"sqlite:///{path}")
    Papers(engine).record(Poll(source="arxiv:cs.CL", verdict=Verdict.FRESH, entries=(an_entry(1), an_entry(2))), NOW)
    engine.dispose()
    return path.read_bytes()


@pytest.fixture
def office(tmp_path: Path, database: bytes) -> Iterator[Office]:
    path = tmp_path / "subscribers.yaml"
    path.write_text(PEOPLE)
    (tmp_path / "digest.sqlite3").write_bytes(database)
    engine = open_database(f"sqlite:///{tmp_path / 'digest.sqlite3'}")
    yield Office(path, Papers(engine), Feedbacks(engine), Bounces(engine))
    engine.dispose()
