"""Passes that are killed, stopped and asked to end at any moment: no paper is lost, and no mail is sent twice."""

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from digest.failpoints import NAMES
from tests.crash.rounds import (
    Blow,
    Counts,
    Lane,
    Round,
    Workshop,
    a_lane,
    a_workshop,
    at_random,
    each_failpoint,
    strike_rounds,
)

SEED = 20261122


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with a_lane(tmp_path_factory.mktemp("crash")) as lane:
        yield lane


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """For a second pass at the same time."""
    with a_workshop(tmp_path_factory.mktemp("other")) as workshop:
        yield workshop


def check(counts: Counts, *, resend: bool = False) -> None:
    """What holds whenever and however often passes die."""
    assert counts.owed
    assert counts.lost_silently == 0
    assert counts.unrecorded == 0
    assert counts.papers_lost == 0
    assert counts.unflagged_duplicates == 0
    assert counts.wrong_ends == 0
    assert counts.duplicates <= (counts.uncertain if resend else 0)
    # Whoever has no mail of the first day is named.
    assert counts.owed - counts.accepted <= counts.uncertain - counts.uncertain_accepted + counts.failed


@pytest.mark.parametrize("resend", [pytest.param(False, id="A1-A13 hold"), pytest.param(True, id="A1-A13 resend")])
def test_a_pass_may_die_at_every_failpoint(lane: Lane, resend: bool) -> None:
    before = Counter(lane.struck)

    counts = strike_rounds(lane, each_failpoint(), readers=10, resend=resend)

    assert set(lane.struck - before) == set(NAMES)
    assert counts.kills == len(NAMES)
    # After the dot was committed nobody knows, whatever the server has.
    assert counts.uncertain > 0
    check(counts, resend=resend)


@pytest.mark.parametrize("resend", [pytest.param(False, id="A13 hold"), pytest.param(True, id="A13 resend")])
def test_a_pass_may_die_at_any_moment(lane: Lane, resend: bool) -> None:
    counts = strike_rounds(lane, at_random(Random(SEED), 12), kills=8, readers=12, resend=resend)

    assert counts.kills >= 8
    check(counts, resend=resend)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("resend", "kills"), [pytest.param(False, 1_000, id="A13 hold"), pytest.param(True, 250, id="A13 resend")]
)
def test_a_pass_may_die_at_any_moment_a_thousand_times(lane: Lane, resend: bool, kills: int) -> None:
    counts = strike_rounds(lane, at_random(Random(SEED), 120), kills=kills, resend=resend)

    assert counts.kills >= kills
    check(counts, resend=resend)


def asked_to_end(lane: Lane, times: int) -> Counts:
    random = Random(SEED)
    blows = (Blow(after_s=random.uniform(0, 0.6), signal=signal.SIGTERM) for _ in range(times))
    return strike_rounds(lane, iter(lambda: list(islice(blows, 4)), []), readers=24)


def test_a17_a_pass_that_is_asked_to_end_does_so_and_leaves_nothing_in_hand(lane: Lane) -> None:
    counts = asked_to_end(lane, 8)

    check(counts)
    assert counts.stops == 8
    assert (counts.uncertain, counts.failed) == (0, 0)


@pytest.mark.soak
def test_a17_at_two_hundred_moments(lane: Lane) -> None:
    counts = asked_to_end(lane, 200)

    check(counts)
    assert counts.stops == 200
    assert (counts.uncertain, counts.failed) == (0, 0)


ASLEEP = [
    # Where it falls asleep; whether it may still end its mail once it wakes up, as nobody knows whether it did before.
    pytest.param("after_open", False, id="after it opened editions"),
    pytest.param("after_compose", False, id="with a mail in hand"),
    pytest.param("mid_body", False, id="in the body"),
    pytest.param("before_dot", False, id="before it asks for the dot"),
    pytest.param("after_dot_commit", True, id="with the dot committed"),
    pytest.param("after_dot", True, id="after the dot"),
    pytest.param("after_250", True, id="after the reply"),
]


@pytest.mark.parametrize(("failpoint", "may_be_uncertain"), ASLEEP)
def test_a19_a_pass_that_sleeps_past_its_lease_sends_nothing_twice(
    lane: Lane, other: Workshop, failpoint: str, may_be_uncertain: bool
) -> None:
    one, pid = asleep(lane, other, failpoint)
    one.move_past_lease()
    try:
        one.finish()
    finally:
        os.kill(pid, signal.SIGCONT)
        code = other.wait()
    states = Counter(one.states().values())
    counts = one.judge()

    check(counts)
    # It says that another pass took its mail over: in the outcome, or in what the ledger counts.
    assert code == 4
    assert set(states) <= ({"accepted", "uncertain"} if may_be_uncertain else {"accepted"})


def asleep(lane: Lane, other: Workshop, failpoint: str) -> tuple[Round, int]:
    """A round with a pass that stopped there, and its process; its ledger was not writing at that moment."""
    for _ in range(10):
        one = Round(lane, readers=8)
        pid = other.start(one.job(f"{failpoint}=stop"))
        wait_until_stopped(pid)
        with closing(sqlite3.connect(one.folder / "digest.sqlite3", timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                # Asleep inside a transaction it keeps everybody out, and they say by which process.
                os.kill(pid, signal.SIGCONT)
                other.wait()
            else:
                return one, pid
    pytest.fail("it was writing each time")


def wait_until_stopped(pid: int) -> None:
    for _ in range(600):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.02)
    pytest.fail("it never came by the failpoint")


def test_a20_a_mail_that_kills_every_pass_is_given_up_and_the_others_go_out(lane: Lane) -> None:
    one = Round(lane, readers=20, poison="r007@example.org")
    deaths = 0
    while one.strike(Blow(signal=0)):
        deaths += 1
        assert deaths <= 3
    states = one.states()
    counts = one.judge()

    assert deaths == 3
    assert states["r007"] == "failed"
    # A pass dies with all that it has in hand, and of some it had asked for the dot.
    assert {state for reader, state in states.items() if reader != "r007"} <= {"accepted", "uncertain"}
    check(counts)
