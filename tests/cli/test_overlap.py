"""Runs that overlap or die: each edition is delivered once, and what nobody can know is said."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.cli.home import FRIDAY, SATURDAY, Home, address, announce, arxiv, ended, papers_in, reader
from tests.collect.evil_http import EvilHttp
from tests.deliver.evil_smtp import EvilSmtp

NAMES = [f"Reader{number}" for number in range(30)]


@pytest.mark.parametrize("runs", [pytest.param(2, marks=pytest.mark.soak), 4])
def test_runs_at_the_same_time_deliver_each_edition_once(runs: int, home: Home, http: EvilHttp) -> None:
    home.subscribe(*map(reader, NAMES), sources=[arxiv(http)])
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        done = [ended(process) for process in [home.start("run", "--now", SATURDAY) for _ in range(runs)]]

    assert [each.code for each in done] == [0] * runs, "".join(each.out + each.err for each in done)
    assert sorted(smtp.recipients) == sorted(map(address, NAMES))
    assert {tuple(papers_in(smtp.accepted, name)) for name in NAMES} == {("2611.00001", "2611.00002")}


def test_a_run_that_is_asked_to_end_finishes_its_message_and_leaves_the_others(home: Home, http: EvilHttp) -> None:
    names = [f"Reader{number}" for number in range(100)]
    home.subscribe(*map(reader, names), sources=[arxiv(http)])
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        process = home.start("run", "--now", FRIDAY)
        wait_for(lambda: smtp.accepted)
        process.send_signal(signal.SIGTERM)
        first = ended(process)
        accepted = len(smtp.accepted)
        second = home.run()

    assert first.code == 128 + signal.SIGTERM
    assert "messages waiting" in first.last_line
    assert 0 < accepted < 100
    assert second.code == 0
    assert sorted(smtp.recipients) == sorted(map(address, names))


def test_an_edition_of_which_nobody_knows_whether_it_arrived_is_not_sent_again(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), sources=[arxiv(http)])
    with EvilSmtp({"dot": ["accept|hang"]}) as smtp:
        home.mail_to(smtp)
        with home.running("run", "--now", FRIDAY):
            wait_for(lambda: smtp.accepted)
        # It was killed when the block ended.

        meanwhile = home.run()
        assert meanwhile.code == 0
        assert state(home) == "dot"

        # The lease is kept by the real clock, whatever --now says, and lasts twenty minutes.
        with closing(sqlite3.connect(home.folder / "var" / "digest.sqlite3")) as database:
            database.execute("UPDATE edition SET lease_until = '2000-01-01 00:00:00.000000'")
            database.commit()
        later = home.run()
        again = home.run()
        assert len(smtp.accepted) == 1

        announce(http, 1, 2, 3)
        saturday = home.run(now=SATURDAY)

    assert later.code == 1
    assert "uncertain ada 2026-11-20: an earlier run died while sending; not sent again" in later.out
    assert (again.code, saturday.code) == (0, 0)
    assert papers_in(smtp.accepted[1:]) == ["2611.00001", "2611.00002", "2611.00003"]
    status = json.loads(home.digest("status", "--json").out)
    assert [edition["state"] for edition in status["editions"]] == ["accepted", "uncertain"]


def state(home: Home) -> str:
    with closing(sqlite3.connect(home.folder / "var" / "digest.sqlite3")) as database:
        [[found]] = database.execute("SELECT state FROM edition")
        return str(found)


def wait_for(condition: Callable[[], object], timeout_s: float = 30) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
