"""A world whose clock and announcements the test moves on."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from digest.errors import UncertainDeliverError
from digest.listener import Listener
from digest.model import Entry, Message, Poll, Receipt, Subscriber, Verdict
from digest.pipeline import Report, run_pass
from digest.world import Choice, World
from tests.builders import NOW
from tests.worlds import a_world


class FakeBackend:
    """Keeps what it is given; a text in ``errors`` is raised for that recipient."""

    room = 1

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.errors: dict[str, Exception] = {}

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        error = self.errors.get(message.recipient)
        if isinstance(error, UncertainDeliverError):
            await before_dot()
        if error:
            raise error
        await before_dot()
        self.sent.append(message)
        return Receipt(250, "ok")

    async def close(self) -> None:
        pass


class Morning:
    """A world whose clock and announcements the test moves on."""

    def __init__(self, folder: Path, *subscribers: Subscriber) -> None:
        self.now = NOW
        self.backend = FakeBackend()
        self.world: World = a_world(folder, clock=lambda: self.now, subscribers=subscribers)

    def announce(self, *entries: Entry, source: str = "arxiv") -> None:
        self.world.papers.record(Poll(source=source, verdict=Verdict.FRESH, entries=entries), self.now)

    def run(self, *, everyone: bool = False) -> Report:
        return run_pass(self.world, self.backend, self.now, Choice(everyone=everyone), Listener())

    def titles(self) -> list[str]:
        """The titles of all papers mailed so far, in order."""
        return [
            line.partition(". ")[2]
            for message in self.backend.sent
            for line in message.text.splitlines()
            if "Invented Paper" in line and ". " in line
        ]
