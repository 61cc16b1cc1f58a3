import threading
from datetime import timedelta

from sqlalchemy import Engine

from digest.ports import HostTurns
from digest.store.database import open_database
from digest.store.turns import SqlHostTurns
from tests.builders import NOW

SPACING = timedelta(seconds=3)
HOST = "export.arxiv.org"


def test_turns_begin_a_spacing_apart_and_never_in_the_past(engine: Engine) -> None:
    turns: HostTurns = SqlHostTurns(engine)

    begins = [turns.take(HOST, SPACING, NOW) for _ in range(3)]
    later = turns.take(HOST, SPACING, NOW + timedelta(minutes=1))

    assert begins == [NOW, NOW + SPACING, NOW + 2 * SPACING]
    assert later == NOW + timedelta(minutes=1)


def test_hosts_do_not_wait_for_each_other(engine: Engine) -> None:
    turns = SqlHostTurns(engine)
    turns.take(HOST, SPACING, NOW)

    assert turns.take("huggingface.co", SPACING, NOW) == NOW


def test_a_host_that_asked_for_it_is_left_alone_until_then(engine: Engine) -> None:
    turns = SqlHostTurns(engine)
    turns.hold(HOST, NOW + timedelta(hours=1))
    turns.hold(HOST, NOW + timedelta(minutes=1))

    assert turns.take(HOST, SPACING, NOW) == NOW + timedelta(hours=1)
    assert turns.take(HOST, SPACING, NOW) == NOW + timedelta(hours=1) + SPACING


def test_turns_outlast_the_run(url: str, engine: Engine) -> None:
    SqlHostTurns(engine).take(HOST, SPACING, NOW)

    again = open_database(url)

    assert SqlHostTurns(again).take(HOST, SPACING, NOW) == NOW + SPACING
    again.dispose()


def test_a_clock_that_was_wrong_for_years_keeps_no_host_from_being_asked(engine: Engine) -> None:
    turns = SqlHostTurns(engine)
    turns.take(HOST, SPACING, NOW + timedelta(days=4000))

    assert [turns.take(HOST, SPACING, NOW) for _ in range(2)] == [NOW, NOW + SPACING]


def test_runs_at_the_same_time_share_the_turns(url: str) -> None:
    begins = []

    def ask() -> None:
        engine = open_database(url)
        turns = SqlHostTurns(engine)
        begins.extend([turns.take(HOST, SPACING, NOW) for _ in range(8)])
        engine.dispose()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(begins) == [NOW + number * SPACING for number in range(32)]
