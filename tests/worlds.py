"""A world for tests: real store, real templates, real sources on loopback; only people and clock are made up."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from digest.collect.client import Limits
from digest.model import Subscriber
from digest.paths import shipped
from digest.pipeline import World
from digest.ports import Source
from digest.render.compile import load_template
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers


def a_world(
    folder: Path,
    *,
    clock: Callable[[], datetime],
    sources: Sequence[Source] = (),
    subscribers: Sequence[Subscriber] = (),
) -> World:
    engine = open_database(f"sqlite:///{folder / 'digest.sqlite3'}")
    return World(
        sources=sources,
        subscribers=subscribers,
        papers=Papers(engine),
        ledger=SqlLedger(engine),
        templates={"daily": load_template("daily", [shipped("templates")])},
        sender="Paperround <digest@example.org>",
        contact="https://example.org/paperround",
        limits=Limits(),
        catch_up=timedelta(days=3),
        clock=clock,
    )
