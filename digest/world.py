"""What a pass works with, what it was asked to do, and what it chooses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.deliver.pace import Pace
from digest.looks import Look
from digest.match.panel import Panel
from digest.model import CatchUp, Message, Paper, PaperKey, Subscriber, SubscriberId, Wording
from digest.ports import Embedder, FeedbackStore, Ledger, PaperStore, Source, Suppressions
from digest.render.compile import Template
from digest.render.plan import Answers
from digest.tokens import Keyring


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
    feedback: FeedbackStore
    templates: Mapping[Look, Template]
    fallbacks: Mapping[Look, Template] = field(default_factory=dict)
    """What stands in for a template that fails while it is filled in; empty if its readers' mail shall wait."""
    answers: Answers = field(default_factory=Answers)
    """Where readers' answers go."""
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
    embedder: Embedder | None = None
    """Compares by meaning; words are compared without it."""
    panel: Panel = field(default_factory=Panel)
    """The topics of all subscribers, kept from pass to pass."""
    catch_up: timedelta
    """A send time older than this is not made up for."""
    catch_up_policy: CatchUp = CatchUp.MERGE
    """What becomes of editions whose time passed while nothing ran."""
    resends: bool = False
    """Whether a mail that may have arrived is sent once more."""
    suppressions: Suppressions
    """Addresses that are written to no more."""
    keyring: Keyring
    """For tokens, and to know addresses again."""
    check_marker: Callable[[], None] = lambda: None
    """Raises `StoreError` where the ledger has forgotten what was sent."""
    write_marker: Callable[[], None] = lambda: None
    """Notes what the ledger knows, outside of it."""
    back_up: Callable[[datetime], None] = lambda now: None  # noqa: ARG005
    """Keeps a copy of the database, once a day."""
    sign: Callable[[Message], Message] | None = None
    """Signs a message for its sender's domain (DKIM)."""
    make_pace: Callable[[datetime], Pace | None] = lambda now: None  # noqa: ARG005
    """When the next message may go to which domain, for one pass that begins now."""
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
