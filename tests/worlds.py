"""A world for tests: real store, real templates, real sources on loopback; only people and clock are made up."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.model import Subscriber
from digest.paths import shipped
from digest.ports import Source
from digest.render.compile import Template, load_template
from digest.store.bounces import Bounces
from digest.store.database import open_database
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.tokens import Keyring
from digest.world import World

KEYRING = Keyring(b"a secret for tests only")
_OPEN: list[Engine] = []


@cache
def daily() -> Template:
    """Compiled once; a template holds nothing of those who use it."""
    return load_template("daily", [shipped("templates")])


def close_worlds() -> None:
    """Let go of every database; from Python 3.13 on, an open one that is forgotten is a warning."""
    while _OPEN:
        _OPEN.pop().dispose()


def a_world(
    folder: Path,
    *,
    clock: Callable[[], datetime],
    sources: Sequence[Source] = (),
    subscribers: Sequence[Subscriber] = (),
) -> World:
    engine = open_database(f"sqlite:///{folder / 'digest.sqlite3'}")
    _OPEN.append(engine)
    limits = Limits()
    return World(
        sources=sources,
        subscribers=subscribers,
        papers=Papers(engine),
        ledger=SqlLedger(engine),
        feedback=Feedbacks(engine),
        templates={("daily", "paper"): daily()},
        sender="Paperround <digest@example.org>",
        connect=lambda: Client(contact="https://example.org/paperround", limits=limits),
        limits=limits,
        catch_up=timedelta(days=3),
        clock=clock,
        suppressions=Bounces(engine),
        keyring=KEYRING,
    )
