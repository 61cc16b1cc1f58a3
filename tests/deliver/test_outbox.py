import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.deliver.outbox import DrainResult, Outcome, drain
from digest.errors import (
    ConfigError,
    DeliverError,
    DigestError,
    PermanentDeliverError,
    RenderError,
    SmtpRefusedError,
    StoreError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Delivery, DeliveryState, Message, Receipt, SubscriberId
from digest.store.ledger import LEASE, SqlLedger
from tests.builders import NOW
from tests.deliver.evil_smtp import EvilSmtp, Rules
from tests.deliver.mail import a_backend, a_clock, compose, owe, states


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


def drain_to(ledger: SqlLedger, port: int, minutes: float = 0, **changes: Any) -> DrainResult:
    return drain(ledger, a_backend(port, timeout_s=0.5, dot_timeout_s=0.5, **changes), compose, clock=a_clock(minutes))


class Scripted:
    """A backend that raises what it is told, by recipient."""

    def __init__(self, errors: Mapping[str, Exception] | None = None) -> None:
        self.errors = errors or {}
        self.seen: list[str] = []
        self.is_closed = False

    def deliver(self, message: Message, before_dot: Callable[[], None]) -> Receipt:
        name = message.recipient.partition("@")[0]
        self.seen.append(name)
        before_dot()
        if name in self.errors:
            raise self.errors[name]
        return Receipt(250, "ok")

    def close(self) -> None:
        self.is_closed = True


# For Ada, of Ada and Ben: the state the ledger must hold, and how often the server has her message.
MATRIX = [
    pytest.param({"mail": ["451 4.3.0 later"]}, "deferred", 0, id="D8 MAIL 451"),
    pytest.param({"mail": ["552 5.3.4 size"]}, "failed", 0, id="D8 MAIL 552"),
    pytest.param({"rcpt": ["450 4.7.1 greylisted"]}, "deferred", 0, id="D9 greylisted"),
    pytest.param({"rcpt": ["550 5.1.1 no such user"]}, "failed", 0, id="D10 no such user"),
    pytest.param({"rcpt": ["550 5.7.26 DMARC"]}, "failed", 0, id="D11 our sender"),
    pytest.param({"rcpt": ["452 4.5.3 too many"]}, "deferred", 0, id="D12 too many"),
    pytest.param({"rcpt": ["421 4.7.0 bye|drop"]}, "deferred", 0, id="D12 421"),
    pytest.param({"data": ["451 4.3.0 later"]}, "deferred", 0, id="D13 DATA 451"),
    pytest.param({"data": ["554 5.6.0 no"]}, "failed", 0, id="D13 DATA 554"),
    pytest.param({"dot": ["451 4.3.0 later"]}, "deferred", 0, id="D13 dot 451"),
    pytest.param({"dot": ["554 5.6.0 spam"]}, "failed", 0, id="D13 dot 554"),
    pytest.param({"data": ["drop"]}, "deferred", 0, id="D14 drop before 354"),
    pytest.param({"dot": ["drop"]}, "uncertain", 0, id="D14 drop after the dot"),
    pytest.param({"dot": ["accept|drop"]}, "uncertain", 1, id="D14 taken, then drop"),
    pytest.param({"dot": ["accept|250 ok|drop"]}, "accepted", 1, id="D15 250 then drop"),
    pytest.param({"quit": "421 bye|drop"}, "accepted", 1, id="D15 QUIT 421"),
    pytest.param({"quit": "hang"}, "accepted", 1, id="D15 QUIT hangs"),
    pytest.param({"quit": "drop"}, "accepted", 1, id="D15 QUIT drops"),
    pytest.param({"dot": ["accept|hang"]}, "uncertain", 1, id="D16 no reply to the dot"),
    pytest.param({"dot": ["accept|250 ok\r\n550 no"]}, "accepted", 1, id="D18 a stray reply"),
    pytest.param({"rcpt": ["550-" + "x" * 9_000 + "\r\n550 \0\xff"]}, "failed", 0, id="D17 long and odd"),
]


@pytest.mark.parametrize(("rules", "state", "taken"), MATRIX)
def test_the_ledger_says_what_became_of_it_and_the_next_one_goes_out(
    ledger: SqlLedger, rules: Rules, state: str, taken: int
) -> None:
    owe(ledger, "Ada", "Ben")

    with EvilSmtp(rules) as server:
        result = drain_to(ledger, server.port)
        assert states(ledger) == {"ada": state, "ben": "accepted"}
        assert [outcome.state for outcome in result.outcomes] == [state, "accepted"]
        # Whatever it was, a second run a minute later sends nothing twice.
        drain_to(ledger, server.port, minutes=1)

    assert Counter(server.recipients) == Counter({"ada@example.org": taken, "ben@example.org": 1})
    assert result.stopped_by is None


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        pytest.param({"banner": "421 4.3.2 no|drop"}, UnreachableError, id="D2 banner 421"),
        pytest.param({"banner": "554 5.7.1 no|drop"}, SmtpRefusedError, id="D2 banner 554"),
        pytest.param({"banner": "hang"}, UnreachableError, id="D3 no banner"),
        pytest.param({"auth": "535 5.7.8 no"}, SmtpRefusedError, id="D7 AUTH 535"),
        pytest.param({"auth": "454 4.7.0 no"}, SmtpRefusedError, id="D7 AUTH 454"),
        pytest.param({"mail": "530 5.7.0 no"}, SmtpRefusedError, id="D8 MAIL 530"),
        pytest.param({"mail": "553 5.7.1 no"}, SmtpRefusedError, id="D8 MAIL 553"),
        pytest.param({"dot": "550 5.4.5 daily limit"}, SmtpRefusedError, id="D8 sending limit after the dot"),
    ],
)
def test_a_server_that_refuses_us_ends_the_run_and_changes_no_row(
    ledger: SqlLedger, rules: Rules, error: type[DeliverError]
) -> None:
    owe(ledger, "Ada", "Ben")

    with EvilSmtp(rules, credentials=("u", "p")) as server:
        result = drain_to(ledger, server.port, username="u", password="p")

        assert type(result.stopped_by) is error
        assert result.outcomes == ()
        assert states(ledger) == {"ada": "pending", "ben": "pending"}
        assert [row.attempts for row in ledger.editions()] == [0, 0]
        assert server.said("AUTH") <= 1

    with EvilSmtp() as healthy:
        drain_to(ledger, healthy.port)
    assert states(ledger) == {"ada": "accepted", "ben": "accepted"}
    assert sorted(healthy.recipients) == ["ada@example.org", "ben@example.org"]


def test_d1_a_server_that_vanishes_leaves_the_rest_waiting(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben", "Cleo")
    with EvilSmtp() as server:
        backend = a_backend(server.port)

        def compose_and_unplug(delivery: Delivery) -> Message:
            if delivery.subscriber == "ben":
                server.__exit__(None, None, None)
            return compose(delivery)

        result = drain(ledger, backend, compose_and_unplug, clock=a_clock())

    assert isinstance(result.stopped_by, UnreachableError)
    assert states(ledger) == {"ada": "accepted", "ben": "pending", "cleo": "pending"}


def test_a_greylisted_one_goes_out_later_and_once(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")
    with EvilSmtp({"rcpt": ["450 4.7.1 greylisted for <ada@example.org>"]}) as server:
        drain_to(ledger, server.port)
        (row,) = ledger.editions()
        assert (row.next_try_at, row.detail) == (
            NOW + timedelta(minutes=5),
            "recipient refused (450 4.7.1 greylisted for <a***@***>)",
        )
        drain_to(ledger, server.port, minutes=4)
        assert server.recipients == []
        drain_to(ledger, server.port, minutes=5)

    assert server.recipients == ["ada@example.org"]
    assert states(ledger) == {"ada": "accepted"}


def test_trying_ends_after_five_times(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")
    backend = Scripted({"ada": TemporaryDeliverError("later")})
    for hour in range(0, 100, 10):
        drain(ledger, backend, compose, clock=a_clock(hour * 60))

    assert len(backend.seen) == 5
    assert states(ledger) == {"ada": "failed"}
    assert ledger.editions()[0].detail == "given up after 5 tries: later"


def test_a20_a_delivery_that_kills_every_run_is_given_up(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben")
    now = NOW
    for _ in range(5):
        assert ledger.claim(now, [SubscriberId("ada")])
        now += LEASE
        ledger.recover(now)

    drain(ledger, Scripted(), compose, clock=lambda: now)

    assert states(ledger) == {"ada": "failed", "ben": "accepted"}


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (PermanentDeliverError("this is no address", where="ada"), "ada: this is no address"),
        (KeyError("ada@example.org"), "cannot be composed (KeyError: 'a***@***')"),
    ],
)
def test_one_that_cannot_be_composed_fails_alone(ledger: SqlLedger, error: Exception, detail: str) -> None:
    owe(ledger, "Ada", "Ben")

    def compose_all_but_ada(delivery: Delivery) -> Message:
        if delivery.subscriber == "ada":
            raise error
        return compose(delivery)

    result = drain(ledger, Scripted(), compose_all_but_ada, clock=a_clock())

    assert states(ledger) == {"ada": "failed", "ben": "accepted"}
    assert result.outcomes[0].detail == detail
    assert result.outcomes[0].error is error


@pytest.mark.parametrize("kind", [RenderError, ConfigError])
def test_what_the_operator_can_repair_waits_for_it(ledger: SqlLedger, kind: type[DigestError]) -> None:
    owe(ledger, "Ada", "Ben")
    error = kind("'papr' is undefined", where="body.mjml.j2:31")

    def compose_all_but_ada(delivery: Delivery) -> Message:
        if delivery.subscriber == "ada":
            raise error
        return compose(delivery)

    for tries in range(9):
        result = drain(ledger, Scripted(), compose_all_but_ada, clock=a_clock(tries * 6))
        assert states(ledger) == {"ada": "deferred", "ben": "accepted"}
        assert result.outcomes[0].detail == "body.mjml.j2:31: 'papr' is undefined"
        assert result.outcomes[0].error is error
    drain(ledger, Scripted(), compose, clock=a_clock(60))

    assert states(ledger) == {"ada": "accepted", "ben": "accepted"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (TemporaryDeliverError("x"), DeliveryState.DEFERRED),
        (PermanentDeliverError("x"), DeliveryState.FAILED),
        (UncertainDeliverError("x"), DeliveryState.UNCERTAIN),
    ],
)
def test_outcomes_are_told_as_they_come(ledger: SqlLedger, error: DeliverError, state: DeliveryState) -> None:
    owe(ledger, "Ada", "Ben")
    told: list[Outcome] = []
    backend = Scripted({"ada": error})

    result = drain(ledger, backend, compose, clock=a_clock(), on_outcome=told.append)

    assert told == list(result.outcomes)
    assert [outcome.state for outcome in told] == [state, DeliveryState.ACCEPTED]
    assert backend.is_closed


def test_only_those_asked_for_are_sent(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben")

    drain(ledger, Scripted(), compose, clock=a_clock(), only=[SubscriberId("ben")])

    assert states(ledger) == {"ada": "pending", "ben": "accepted"}


def test_why_the_run_was_stopped_is_kept_without_addresses(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")
    error = UnreachableError("no way to ada@example.org (timed out)")

    drain(ledger, Scripted({"ada": error}), compose, clock=a_clock())

    [row] = ledger.editions()
    assert (row.state, row.detail) == (DeliveryState.PENDING, "no way to a***@*** (timed out)")


def test_asked_to_stop_it_finishes_what_is_in_hand(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben", "Cleo")
    backend = Scripted()

    drain(ledger, backend, compose, clock=a_clock(), stop=lambda: len(backend.seen) == 2)

    assert states(ledger) == {"ada": "accepted", "ben": "accepted", "cleo": "pending"}


def test_a_ledger_that_cannot_be_written_ends_the_run_before_the_dot(engine: Engine) -> None:
    class FullLedger(SqlLedger):
        def mark_dot(self, delivery: Delivery, now: datetime) -> None:
            raise StoreError("the disk is full")

    ledger = FullLedger(engine)
    owe(ledger, "Ada", "Ben")
    with EvilSmtp() as server, pytest.raises(StoreError):
        drain_to(ledger, server.port)

    assert server.accepted == []
    assert states(ledger) == {"ada": "claimed", "ben": "pending"}


def test_a_clock_that_moved_past_the_lease_sends_nothing_twice(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")

    def compose_while_another_run_takes_over(delivery: Delivery) -> Message:
        ledger.recover(NOW + LEASE)
        drain_to(SqlLedger(ledger._engine), server.port)
        return compose(delivery)

    with EvilSmtp() as server, pytest.raises(StoreError, match="another run"):
        drain(ledger, a_backend(server.port), compose_while_another_run_takes_over, clock=a_clock())

    assert server.recipients == ["ada@example.org"]
    assert states(ledger) == {"ada": "accepted"}


def start(engine: Engine, server: EvilSmtp, where: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.deliver.drainer", str(engine.url), str(server.port), where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_b1_runs_at_the_same_time_share_the_work(ledger: SqlLedger, engine: Engine) -> None:
    names = [f"r{number:03}" for number in range(120)]
    owe(ledger, *names)
    with EvilSmtp() as server:
        processes = [start(engine, server) for _ in range(3)]
        done = [int(process.communicate()[0]) for process in processes]

    assert sum(done) == 120
    assert Counter(server.recipients) == Counter(f"{name}@example.org" for name in names)
    assert set(states(ledger).values()) == {"accepted"}


@pytest.mark.parametrize(
    ("where", "at_death", "recovered", "copies"),
    [
        pytest.param("after claim", "claimed", "accepted", 1, id="A7 after the claim"),
        pytest.param("before the dot goes out", "dot", "uncertain", 0, id="A9 before the dot goes out"),
        pytest.param("before the reply is stored", "dot", "uncertain", 1, id="A10 before the reply is stored"),
        pytest.param("after accepted", "accepted", "accepted", 1, id="A11 after accepted"),
    ],
)
def test_a_killed_run_loses_nothing_and_sends_nothing_twice(
    ledger: SqlLedger, engine: Engine, where: str, at_death: str, recovered: str, copies: int
) -> None:
    owe(ledger, "Ada", "Ben")
    with EvilSmtp() as server:
        process = start(engine, server, where)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert states(ledger) == {"ada": at_death, "ben": "pending"}

        later = datetime.now(UTC) + LEASE  # noqa: TID251
        uncertain = ledger.recover(later)
        drain(ledger, a_backend(server.port), compose, clock=lambda: later)

    assert states(ledger) == {"ada": recovered, "ben": "accepted"}
    assert Counter(server.recipients) == Counter({"ada@example.org": copies, "ben@example.org": 1})
    assert [row.subscriber for row in uncertain] == (["ada"] if recovered == "uncertain" else [])
    ada = SubscriberId("ada")
    came_back = recovered == "uncertain"
    assert ledger.owed_since(ada) == (0 if came_back else 1)
    assert bool(ledger.sent_keys(ada)) is not came_back
