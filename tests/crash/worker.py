"""Real passes in processes of their own, forked from one that has imported and compiled everything.

It reads one job a line, as JSON, forks, and prints the fork's process id, and its exit code once it has ended. The job
says which moment the clock shows, which failpoint is set, and so on; see `Job`. The argument is a folder for an empty
database that each round begins with.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from digest import failpoints
from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.listener import Listener
from digest.model import Message, Poll, Security, Subscriber, Verdict
from digest.paths import shipped
from digest.pipeline import run_pass
from digest.ports import Backend
from digest.render.compile import Template, load_template
from digest.signals import signals_heard
from digest.store.bounces import Bounces
from digest.store.database import open_database
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.tokens import Keyring
from digest.world import Choice, World
from tests.builders import NOW, a_subscriber, an_entry
from tests.crash.baselines import DESIGNS
from tests.mornings import FakeBackend

_KEYRING = Keyring(b"a secret for tests only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a fork is to do."""

    folder: str
    """With the database."""
    at: str
    """What the clock shows at its start, as ISO 8601."""
    announce: tuple[int, ...] = ()
    """Papers to store, in place of a pass."""
    port: int = 0
    """Of the mail server."""
    readers: int = 0
    resend: bool = False
    failpoint: str = ""
    """As in ``DIGEST_FAILPOINT``."""
    poison: str = ""
    """The address whose mail kills the process that makes it."""
    design: str = ""
    """Another way to do it, from `tests.crash.baselines`, in place of a pass."""


def readers(count: int) -> list[Subscriber]:
    """Everyone who is owed an edition a day."""
    return [a_subscriber(f"r{number:03}") for number in range(count)]


def _announce(job: Job, empty: Path) -> int:
    path = Path(job.folder, empty.name)
    if not path.exists():
        shutil.copy(empty, path)
    engine = _open(job)
    entries = tuple(an_entry(number) for number in job.announce)
    Papers(engine).record(
        Poll(source="arxiv", verdict=Verdict.FRESH, entries=entries),
        datetime.fromisoformat(job.at),
    )
    engine.dispose()
    return 0


def _pass(job: Job, template: Template, backend: Backend | None = None) -> int:
    begun = time.monotonic()
    now = datetime.fromisoformat(job.at)

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - begun)

    world = _make_world(job, template, clock)
    settings = SmtpSettings(host="127.0.0.1", port=job.port, security=Security.NONE, timeout_s=30, dot_timeout_s=30)
    with signals_heard() as heard:
        backend = backend or SmtpBackend(settings)
        return run_pass(world, backend, now, Choice(), Listener(), lambda: bool(heard)).exit_code


def _make_world(job: Job, template: Template, clock: Callable[[], datetime]) -> World:
    def sign(message: Message) -> Message:
        if message.recipient == job.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        return message

    engine, limits = _open(job), Limits()
    return World(
        sources=(),
        subscribers=readers(job.readers),
        papers=Papers(engine),
        ledger=SqlLedger(engine),
        feedback=Feedbacks(engine),
        templates={("daily", "paper"): template},
        sender="Paperround <digest@example.org>",
        connect=lambda: Client(contact="https://example.org/paperround", limits=limits),
        limits=limits,
        catch_up=timedelta(days=3),
        resends=job.resend,
        suppressions=Bounces(engine),
        keyring=_KEYRING,
        sign=sign,
        clock=clock,
    )


def _open(job: Job) -> Engine:
    return open_database(f"sqlite:///{Path(job.folder, 'digest.sqlite3')}")


def _work(job: Job, template: Template, empty: Path) -> int:
    # In the fork, the failpoints are read anew.
    os.environ["DIGEST_FAILPOINT"] = job.failpoint
    importlib.reload(failpoints)
    if job.design:
        DESIGNS[job.design](Path(job.folder), job.port, [reader.email for reader in readers(job.readers)])
        return 0
    return _announce(job, empty) if job.announce else _pass(job, template)


def main(folder: str) -> None:
    """Fork at each request, until there are no more."""
    empty = Path(folder, "digest.sqlite3")
    open_database(f"sqlite:///{empty}").dispose()
    template = load_template("daily", [shipped("templates")])
    with tempfile.TemporaryDirectory() as warm:
        # What is found out once in a process is known in every fork.
        job = Job(folder=warm, at=NOW.isoformat(), announce=(1,), readers=1)
        _announce(job, empty)
        _pass(job, template, FakeBackend())
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            # Without the interpreter's own end, which takes longer than a short pass.
            code = 70
            try:
                code = _work(Job(**json.loads(line)), template, empty)
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
