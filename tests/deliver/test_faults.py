"""Mail servers that take mail and do not say so, and connections that break at random: over many runs."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from digest.store.ledger import SqlLedger
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import a_backend, a_clock, owe, states
from tests.deliver.outboxes import drain_all

NAMES = tuple(f"r{number}" for number in range(8))
MINUTES = (0, 10, 30, 120, 600, 1200)
"""When runs come: all times of a next try lie between."""


def run_all(ledger: SqlLedger, port: int, *, resend: bool) -> None:
    for minutes in MINUTES:
        backend = a_backend(port, timeout_s=5, dot_timeout_s=5, connections=2)
        drain_all(ledger, backend, clock=a_clock(minutes), resend=resend)
        if not ledger.waiting():
            break


@pytest.mark.parametrize(("resend", "copies"), [(False, 1), (True, 2)], ids=["D24 hold", "D24 resend"])
def test_a_server_that_takes_every_mail_and_breaks_off_gets_none_for_ever(
    engine: Engine, resend: bool, copies: int
) -> None:
    ledger = SqlLedger(engine)
    owe(ledger, *NAMES)

    with EvilSmtp({"dot": "accept|drop"}) as server:
        run_all(ledger, server.port, resend=resend)

    assert set(Counter(server.recipients).values()) == {copies}
    assert len({message.data for message in server.accepted}) == 1
    assert set(states(ledger).values()) == {"uncertain"}
    assert ledger.waiting() == 0


BREAKS = st.sampled_from(["250 ok", "drop", "reset", "421 4.4.2 idle|drop", "451 4.3.0 later", "slow 250 ok"])
ENDS = st.sampled_from(
    ["accept|250 ok", "accept|drop", "accept|reset", "drop", "451 4.3.0 later", "accept|slow 250 ok"]
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BREAKS, max_size=12), st.lists(BREAKS, max_size=12), st.lists(ENDS, max_size=12))
def test_d19_connections_that_break_at_random_lose_and_double_nothing(
    engine: Engine, mail: list[str], rcpt: list[str], dot: list[str]
) -> None:
    ledger = SqlLedger(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM edition_paper")
        connection.exec_driver_sql("DELETE FROM edition")
    owe(ledger, *NAMES)

    with EvilSmtp({"mail": mail, "rcpt": rcpt, "dot": dot}) as server:
        run_all(ledger, server.port, resend=False)

    copies = Counter(address.partition("@")[0] for address in server.recipients)
    for name, state in states(ledger).items():
        assert state in ("accepted", "uncertain", "failed")
        assert copies[name] <= 1
        assert state == "uncertain" or (copies[name] == 1) == (state == "accepted")
