"""Several processes with one ledger: runs that begin at the same time, and one that slept for too long."""

import os
import signal
from collections import Counter
from multiprocessing import get_context
from multiprocessing.connection import Connection

from sqlalchemy import Engine

from digest.model import Delivery, DeliveryState
from digest.ports import Move, OwedEdition
from digest.store.database import connect_database
from digest.store.ledger import LEASE, SqlLedger
from tests.builders import NOW, a_subscriber, an_edition
from tests.store.ledgers import RUN, claimed, move

S = DeliveryState
READERS = [a_subscriber(f"Reader {number}") for number in range(200)]
PROCESSES = 8

# They are forked from one that has read this module, has a single thread, and no database open.
PROCESS = get_context("forkserver")
PROCESS.set_forkserver_preload([__name__])


def deliver_all(url: str, name: str, pipe: Connection) -> None:
    """Open everybody's edition, or try to, and deliver what can be claimed; tells what was delivered."""
    engine = connect_database(url)
    ledger = SqlLedger(engine)
    owed = [OwedEdition(edition=an_edition(reader), since_seq=0, through_seq=1) for reader in READERS]
    sent: list[int] = []

    def deliver(claims: list[Delivery]) -> None:
        for state in (S.DOT, S.ACCEPTED):
            assert all(ledger.move([Move(delivery=each, state=state, now=NOW) for each in claims]))
        sent.extend(each.id for each in claims)

    pipe.recv()
    for start in range(0, len(owed), 40):
        opened = ledger.open_editions(owed[start : start + 40], NOW, run=name, claim=start % 80 > 0)
        deliver([each.delivery for each in opened if each.delivery])
        deliver([*ledger.claim(NOW, run=name, limit=7)])
    while claims := ledger.claim(NOW, run=name, limit=7):
        deliver([*claims])
    pipe.send((sent, ledger.tally(name)))
    engine.dispose()


def hold(url: str, pipe: Connection) -> None:
    """Claim one, and go on after a while as if nothing had been."""
    engine = connect_database(url)
    ledger = SqlLedger(engine)
    delivery = claimed(ledger)
    pipe.send("claimed")
    pipe.recv()
    pipe.send([move(ledger, delivery, state) for state in (S.DOT, S.ACCEPTED, S.PENDING)])
    engine.dispose()


def test_b1_b3_of_eight_runs_at_once_each_edition_is_sent_by_one(engine: Engine, url: str) -> None:
    pipes = [PROCESS.Pipe() for _ in range(PROCESSES)]
    runs = [
        PROCESS.Process(target=deliver_all, args=(url, f"run {number}", theirs))
        for number, (_, theirs) in enumerate(pipes)
    ]
    for run in runs:
        run.start()
    for ours, _ in pipes:
        ours.send("go")
    told = [ours.recv() for ours, theirs in pipes if ours.poll(60)]
    for run in runs:
        run.join()

    assert [run.exitcode for run in runs] == [0] * PROCESSES
    times_sent = Counter(number for sent, _ in told for number in sent)
    assert len(times_sent) == len(READERS)
    assert set(times_sent.values()) == {1}
    assert [tally.get(S.ACCEPTED, 0) for _, tally in told] == [len(sent) for sent, _ in told]
    assert {row.state for row in SqlLedger(engine).editions(limit=999)} == {S.ACCEPTED}


def test_a19_a_run_that_was_stopped_past_its_lease_can_write_nothing(engine: Engine, url: str) -> None:
    ledger = SqlLedger(engine)
    owed = OwedEdition(edition=an_edition(), since_seq=0, through_seq=1)
    ledger.open_editions([owed], NOW, run=RUN, claim=False)
    ours, theirs = PROCESS.Pipe()
    sleeper = PROCESS.Process(target=hold, args=(url, theirs))
    sleeper.start()
    assert ours.recv() == "claimed"
    assert sleeper.pid
    os.kill(sleeper.pid, signal.SIGSTOP)
    ours.send("go on")
    ledger.recover(NOW + LEASE)
    other = claimed(ledger)
    assert move(ledger, other, S.DOT)
    assert not ours.poll()
    os.kill(sleeper.pid, signal.SIGCONT)

    assert ours.poll(30)
    assert ours.recv() == [False, False, False]
    sleeper.join()
    assert move(ledger, other, S.ACCEPTED)
    assert [row.attempts for row in ledger.editions()] == [2]
