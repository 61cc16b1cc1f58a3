import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.deliver.pace import Pace
from digest.errors import (
    BusyDomainError,
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
from digest.ports import Move
from digest.store.ledger import LEASE, SqlLedger
from tests.builders import NOW
from tests.deliver.evil_smtp import EvilSmtp, Rules
from tests.deliver.mail import a_backend, a_clock, compose, owe, states
from tests.deliver.outboxes import RUN, Drained, Scripted, drain_all


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


def drain_to(ledger: SqlLedger, port: int, minutes: float = 0, **changes: Any) -> Drained:
    backend = a_backend(port, **({"timeout_s": 0.5, "dot_timeout_s": 0.5, "connections": 1} | changes))
    return drain_all(ledger, backend, clock=a_clock(minutes))


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
        assert result.states == {"ada": state, "ben": "accepted"}
        # Whatever it was, a second run a minute later sends nothing twice.
        drain_to(ledger, server.port, minutes=1)

    assert Counter(server.recipients) == Counter({"ada@example.org": taken, "ben@example.org": 1})
    assert result.result.stopped_by is None


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

        assert type(result.result.stopped_by) is error
        assert set(result.states.values()) == {DeliveryState.PENDING}
        assert states(ledger) == {"ada": "pending", "ben": "pending"}
        assert [row.attempts for row in ledger.editions()] == [0, 0]
        assert server.said("AUTH") <= 1

    with EvilSmtp() as healthy:
        drain_to(ledger, healthy.port)
    assert states(ledger) == {"ada": "accepted", "ben": "accepted"}
    assert sorted(healthy.recipients) == ["ada@example.org", "ben@example.org"]


def test_d1_a_server_that_is_not_there_leaves_everything_waiting(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben", "Cleo")
    with EvilSmtp() as server:
        port = server.port

    drained = drain_to(ledger, port)

    assert isinstance(drained.result.stopped_by, UnreachableError)
    assert set(states(ledger).values()) == {"pending"}
    assert {row.attempts for row in ledger.editions()} == {0}


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
        drain_all(ledger, backend, clock=a_clock(hour * 60))

    assert len(backend.seen) == 5
    assert states(ledger) == {"ada": "failed"}
    assert ledger.editions()[0].detail == "given up after 5 tries: later"


def test_a20_a_delivery_that_kills_every_run_is_given_up(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben")
    now = NOW
    for _ in range(3):
        assert ledger.claim(now, run="dead", only=[SubscriberId("ada")])
        now += LEASE
        ledger.recover(now)

    drain_all(ledger, Scripted(), clock=lambda: now)

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

    result = drain_all(ledger, Scripted(), compose_all_but_ada, clock=a_clock())

    assert states(ledger) == {"ada": "failed", "ben": "accepted"}
    assert result.of("ada").detail == detail
    assert result.of("ada").error is error


@pytest.mark.parametrize("kind", [RenderError, ConfigError])
def test_what_the_operator_can_repair_waits_for_it(ledger: SqlLedger, kind: type[DigestError]) -> None:
    owe(ledger, "Ada", "Ben")
    error = kind("'papr' is undefined", where="body.mjml.j2:31")

    def compose_all_but_ada(delivery: Delivery) -> Message:
        if delivery.subscriber == "ada":
            raise error
        return compose(delivery)

    for tries in range(9):
        result = drain_all(ledger, Scripted(), compose_all_but_ada, clock=a_clock(tries * 6))
        assert states(ledger) == {"ada": "deferred", "ben": "accepted"}
        assert result.of("ada").detail == "body.mjml.j2:31: 'papr' is undefined"
        assert result.of("ada").error is error
    drain_all(ledger, Scripted(), clock=a_clock(60))

    assert states(ledger) == {"ada": "accepted", "ben": "accepted"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (TemporaryDeliverError("x"), DeliveryState.DEFERRED),
        (PermanentDeliverError("x"), DeliveryState.FAILED),
        (UncertainDeliverError("x"), DeliveryState.UNCERTAIN),
    ],
)
def test_outcomes_are_counted_and_troubles_are_kept(
    ledger: SqlLedger, error: DeliverError, state: DeliveryState
) -> None:
    owe(ledger, "Ada", "Ben")
    backend = Scripted({"ada": error})

    drained = drain_all(ledger, backend, clock=a_clock())

    assert drained.result.counts == {state: 1, DeliveryState.ACCEPTED: 1} == ledger.tally(RUN)
    assert drained.result.troubles == (drained.of("ada"),)
    assert drained.result.exit_code == error.exit_code
    assert backend.is_closed


def test_only_those_asked_for_are_sent(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben")

    drain_all(ledger, Scripted(), clock=a_clock(), only=[SubscriberId("ben")])

    assert states(ledger) == {"ada": "pending", "ben": "accepted"}


def test_why_the_run_was_stopped_is_kept_without_addresses(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")
    error = UnreachableError("no way to ada@example.org (timed out)")

    drain_all(ledger, Scripted({"ada": error}), clock=a_clock())

    [row] = ledger.editions()
    assert (row.state, row.detail) == (DeliveryState.PENDING, "no way to a***@*** (timed out)")


def test_asked_to_stop_it_finishes_what_is_in_hand(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben", "Cleo")
    backend = Scripted()

    drain_all(ledger, backend, clock=a_clock(), stop=lambda: len(backend.seen) == 2)

    assert states(ledger) == {"ada": "accepted", "ben": "accepted", "cleo": "pending"}


class FullLedger(SqlLedger):
    def move(self, moves: Sequence[Move]) -> Sequence[bool]:
        raise StoreError("the disk is full")


def test_a_ledger_that_cannot_be_written_ends_the_run_before_the_dot(engine: Engine) -> None:
    ledger = FullLedger(engine)
    owe(ledger, "Ada", "Ben")
    with EvilSmtp() as server, pytest.raises(StoreError, match="disk is full"):
        drain_to(ledger, server.port)

    assert server.accepted == []
    assert set(states(ledger).values()) <= {"claimed", "pending"}


def test_a_clock_that_moved_past_the_lease_sends_nothing_twice(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")

    def compose_while_another_run_takes_over(delivery: Delivery) -> Message:
        ledger.recover(NOW + LEASE)
        with ThreadPoolExecutor(1) as other:
            other.submit(drain_to, SqlLedger(ledger._engine), server.port).result()
        return compose(delivery)

    with EvilSmtp() as server:
        drained = drain_all(ledger, a_backend(server.port), compose_while_another_run_takes_over, clock=a_clock())

    assert server.recipients == ["ada@example.org"]
    assert states(ledger) == {"ada": "accepted"}
    assert all("another run" in outcome.detail for outcome in drained.outcomes)
    assert drained.result.counts == {}
    assert drained.result.exit_code == StoreError.exit_code


def test_what_is_in_hand_when_time_is_up_is_released_or_uncertain(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben", "Cleo")
    asked = iter([False] * 4)

    class Stuck(Scripted):
        async def deliver(self, message: Message, before_dot: Callable[[], Any]) -> Receipt:
            if message.recipient.startswith("ben"):
                await before_dot()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if message.recipient.startswith("ben"):
                    raise UncertainDeliverError("given up") from None
                raise
            raise AssertionError

    backend = Stuck()
    drained = drain_all(ledger, backend, clock=a_clock(), stop=lambda: next(asked, True), stop_s=0.3)

    assert states(ledger) == {"ada": "pending", "ben": "uncertain", "cleo": "pending"}
    assert [row.attempts for row in ledger.editions() if row.state == "pending"] == [0, 0]
    assert drained.result.counts == ledger.tally(RUN)


def test_an_address_that_was_suppressed_meanwhile_is_not_written_to(ledger: SqlLedger) -> None:
    owe(ledger, "Ada", "Ben")
    backend = Scripted()

    drain_all(
        ledger,
        backend,
        clock=a_clock(),
        suppressed=lambda delivery: "unsubscribed" if delivery.subscriber == "ada" else "",
    )

    assert states(ledger) == {"ada": "suppressed", "ben": "accepted"}
    assert backend.seen == ["ben"]


def test_what_nobody_knows_the_end_of_is_sent_once_more_if_so_chosen(ledger: SqlLedger) -> None:
    owe(ledger, "Ada")
    backend = Scripted({"ada": UncertainDeliverError("hung up after the dot")})

    seen = []
    for minutes in (0, 5, 60):
        drained = drain_all(ledger, backend, clock=a_clock(minutes), resend=True)
        seen.append((states(ledger)["ada"], drained.result.counts))

    assert seen == [("deferred", {"deferred": 1}), ("uncertain", {"uncertain": 1}), ("uncertain", {})]
    assert backend.seen == ["ada", "ada"]


class ShortHold(Pace):
    """Holds a domain for a tenth of a second, so that nobody has to wait."""

    def is_held(self, domain: str, now: float) -> float:
        return 0.1

    def take(self, domain: str, now: float) -> float:
        return 0.0


def test_a_busy_domain_delays_its_own_mail_and_fails_none(ledger: SqlLedger) -> None:
    names = [f"r{number}" for number in range(12)]
    owe(ledger, *names)

    class Busy(Scripted):
        async def deliver(self, message: Message, before_dot: Callable[[], Any]) -> Receipt:
            self.seen.append(message.recipient)
            if len(self.seen) in (3, 4, 9):
                raise BusyDomainError("recipient refused (450 4.7.0 too many)", code=450, enhanced="4.7.0")
            await before_dot()
            return Receipt(250, "ok")

    backend = Busy()
    drained = drain_all(
        ledger,
        backend,
        clock=lambda: datetime.now(UTC),  # noqa: TID251
        pace=ShortHold(None, {}, None),
    )

    assert set(states(ledger).values()) == {"accepted"}
    assert {row.attempts for row in ledger.editions()} == {1}
    assert len(backend.seen) == 15
    assert (drained.result.counts, drained.result.exit_code) == ({"accepted": 12}, 0), "each counts once, as it ended"


class Turns(Pace):
    """Every second message has to wait for a moment."""

    asked = 0

    def take(self, domain: str, now: float) -> float:
        self.asked += 1
        return 0.01 * (self.asked % 2)


def test_however_many_wait_for_their_turn_all_of_them_get_it(ledger: SqlLedger) -> None:
    owe(ledger, *(f"r{number}" for number in range(150)))

    drained = drain_all(ledger, Scripted(), clock=a_clock(), pace=Turns(None, {}, None), limit=100)

    assert drained.result.counts == {"accepted": 150}


class LongHold(Pace):
    """A domain that is always busy, for a minute each time."""

    def take(self, domain: str, now: float) -> float:
        return 61.0


def test_turns_are_not_waited_for_without_end(ledger: SqlLedger) -> None:
    """The clock moves on as nobody waits in fact."""
    owe(ledger, "Ada")
    now = NOW

    def clock() -> datetime:
        nonlocal now
        now += timedelta(minutes=8)
        return now

    drained = drain_all(ledger, Scripted(), clock=clock, pace=LongHold(None, {}, None))

    assert drained.result.counts == {"deferred": 1}
    assert len(drained.outcomes) <= 5


def test_what_nobody_has_begun_when_time_is_up_is_given_back(ledger: SqlLedger) -> None:
    owe(ledger, *(f"r{number}" for number in range(80)))
    asked = iter([False] * 9)

    class Stuck(Scripted):
        async def deliver(self, message: Message, before_dot: Callable[[], Any]) -> Receipt:
            await asyncio.Event().wait()
            raise AssertionError

    drained = drain_all(ledger, Stuck(), clock=a_clock(), stop=lambda: next(asked, True), stop_s=0.2, limit=80)

    assert set(states(ledger).values()) == {"pending"}
    assert drained.result.counts == {"pending": 80} == ledger.tally(RUN)


def test_a_ledger_that_fails_while_others_are_under_way_ends_the_drain(engine: Engine) -> None:
    class FailsOnce(SqlLedger):
        moves = 0

        def move(self, moves: Sequence[Move]) -> Sequence[bool]:
            self.moves += 1
            if self.moves == 2:
                raise StoreError("the disk is full")
            return super().move(moves)

    class Slow(Scripted):
        room = 6

        async def deliver(self, message: Message, before_dot: Callable[[], Any]) -> Receipt:
            await asyncio.sleep(0.01 * (len(self.seen) % 3))
            return await super().deliver(message, before_dot)

    ledger = FailsOnce(engine)
    owe(ledger, *(f"r{number}" for number in range(40)))

    with pytest.raises(StoreError, match="disk is full"):
        drain_all(ledger, Slow(), clock=a_clock())


def start(engine: Engine, server: EvilSmtp, failpoint: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.deliver.drainer", str(engine.url), str(server.port)]
    env = os.environ | {"DIGEST_FAILPOINT": failpoint}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


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
    ("failpoint", "at_death", "recovered", "copies"),
    [
        pytest.param("after_claim", "claimed", "accepted", 1, id="A7 after the claim"),
        pytest.param("mid_body", "claimed", "accepted", 1, id="A8 in the body"),
        pytest.param("after_dot_commit", "dot", "uncertain", 0, id="A9 before the dot goes out"),
        pytest.param("after_250", "dot", "uncertain", 1, id="A10 before the reply is stored"),
        pytest.param("after_accept_commit", "accepted", "accepted", 1, id="A11 after accepted"),
    ],
)
def test_a_killed_run_loses_nothing_and_sends_nothing_twice(
    ledger: SqlLedger, engine: Engine, failpoint: str, at_death: str, recovered: str, copies: int
) -> None:
    owe(ledger, "Ada", "Ben")
    with EvilSmtp() as server:
        process = start(engine, server, f"{failpoint}=kill")
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert states(ledger)["ada"] == at_death

        later = datetime.now(UTC) + LEASE  # noqa: TID251
        uncertain = ledger.recover(later)
        drain_all(ledger, a_backend(server.port), clock=lambda: later)

    assert states(ledger)["ada"] == recovered
    assert server.recipients.count("ada@example.org") == copies
    assert "ada" in [row.subscriber for row in uncertain] or recovered != "uncertain"
    ada = SubscriberId("ada")
    came_back = recovered == "uncertain"
    assert ledger.owed_since(ada) == (0 if came_back else 1)
    assert bool(ledger.sent_keys(ada)) is not came_back
