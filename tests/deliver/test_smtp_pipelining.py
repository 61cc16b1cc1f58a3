"""Commands in groups (RFC 2920): who gets which reply, and what happens when one of them is a no."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.deliver.smtp import SmtpBackend
from digest.errors import (
    BadAddressError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
    UncertainDeliverError,
)
from digest.model import Receipt
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import RAW, a_backend, a_message, deliver_together, no_wait
from tests.deliver.test_smtp import BIG

ONE_BY_ONE = ("SIZE 20000000",)
GROUPS = ("PIPELINING", "SIZE 20000000")


def test_an_envelope_takes_one_round_trip() -> None:
    # Nothing is said before DATA has come.
    with EvilSmtp({"mail": "", "rcpt": "", "data": "250 ok\r\n250 ok\r\n354 go on"}) as server:
        (result,) = deliver_together(server.port, "ada")

    assert isinstance(result, Receipt)


def test_the_end_of_a_message_and_the_next_envelope_take_one_round_trip() -> None:
    rules = {
        "dot": ["accept", "accept|250 2.0.0 second"],
        "mail": ["250 ok", ""],
        "rcpt": ["250 ok", ""],
        "data": ["354 go on", "250 2.0.0 first\r\n250 ok\r\n250 ok\r\n354 go on"],
    }
    with EvilSmtp(rules) as server:
        results = deliver_together(server.port, "ada", "ben", connections=1)

    assert results == [Receipt(250, "2.0.0 first"), Receipt(250, "2.0.0 second")]
    assert server.recipients == ["ada@example.org", "ben@example.org"]


@pytest.mark.parametrize(("features", "grouped"), [(ONE_BY_ONE, 0), (("PIPELINING",), 10), ((), 0)])
def test_commands_come_in_groups_only_where_the_server_takes_them(features: Sequence[str], grouped: int) -> None:
    with EvilSmtp(features=features) as server:
        deliver_together(server.port, *"abcde", connections=1)

    assert len(server.accepted) == 5
    assert server.grouped == grouped


# What the server does with one message, and what must come of it.
FATES: Mapping[str, tuple[Mapping[str, str], type[DeliverError] | None]] = {
    "taken": ({}, None),
    "unknown": ({"rcpt": "550 5.1.1 not {name}"}, BadAddressError),
    "later": ({"rcpt": "450 4.2.0 later {name}"}, TemporaryDeliverError),
    "unknown, and the server goes ahead": (
        {"rcpt": "550 5.1.1 not {name}", "data": "354 go on", "dot": "554 5.5.1 nobody"},
        BadAddressError,
    ),
    "no data": ({"data": "554 5.6.0 not {name}"}, PermanentDeliverError),
    "spam": ({"dot": "554 5.7.1 spam for {name}"}, PermanentDeliverError),
    "tempfail": ({"dot": "451 4.3.0 busy with {name}"}, TemporaryDeliverError),
    "shutting down": ({"dot": "421 4.3.2 bye {name}|drop"}, TemporaryDeliverError),
    "lost": ({"dot": "drop"}, UncertainDeliverError),
}


@given(
    st.lists(st.sampled_from(sorted(FATES)), min_size=1, max_size=8),
    st.sampled_from([GROUPS, ONE_BY_ONE]),
    st.integers(1, 3),
)
@example(["unknown", "unknown, and the server goes ahead", "taken", "no data", "taken"], GROUPS, 1)
@example(["lost", "taken", "shutting down", "unknown", "taken"], GROUPS, 1)
@settings(max_examples=25)
def test_everybody_gets_their_own_verdict(fates: list[str], features: Sequence[str], connections: int) -> None:
    rules: dict[str, str] = {}
    for number, fate in enumerate(fates):
        address = f"r{number}@example.org"
        rules |= {f"{step}:{address}": text.format(name=f"r{number}") for step, text in FATES[fate][0].items()}
    names = [f"r{number}" for number in range(len(fates))]
    with EvilSmtp(rules, features=features) as server:
        results = deliver_together(server.port, *names, connections=connections)

    assert [type(result) for result in results] == [FATES[fate][1] or Receipt for fate in fates]
    for name, fate, result in zip(names, fates, results, strict=True):
        if isinstance(result, DeliverError) and fate != "lost":
            assert name in result.problem
    assert sorted(server.recipients) == [f"r{n}@example.org" for n, fate in enumerate(fates) if fate == "taken"]


def test_a_refused_sender_is_not_the_next_ones() -> None:
    with EvilSmtp({"mail": ["553 5.7.1 not yours"]}) as server:
        results = deliver_together(server.port, "ada", "ben", connections=1)

    assert [type(result) for result in results] == [SmtpRefusedError, Receipt]
    assert server.said("RSET") == 0


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        pytest.param({"dot": ["drop"]}, ["ben", "cleo"], id="drops at the end of the first"),
        pytest.param({"dot": ["accept|drop"]}, ["ada", "ben", "cleo"], id="takes the first and drops"),
        pytest.param({"dot": ["accept|what?"]}, ["ada", "ben", "cleo"], id="garbage"),
    ],
)
def test_only_the_message_whose_end_was_sent_is_uncertain(rules: Mapping[str, Any], taken: list[str]) -> None:
    with EvilSmtp(rules) as server:
        results = deliver_together(server.port, "ada", "ben", "cleo", connections=1)

    assert [type(result) for result in results] == [UncertainDeliverError, Receipt, Receipt]
    assert server.recipients == [f"{name}@example.org" for name in taken]


@pytest.mark.parametrize(
    "stray", ["250 2.0.0 queued\r\n250 again", "250 2.0.0 queued\r\n550 5.1.1 not you", "250 ok\r\n354 go on"]
)
def test_a_reply_too_many_is_nobodys(stray: str) -> None:
    """D18: it comes before the replies to the next envelope, which has been sent."""
    with EvilSmtp({"dot": [f"accept|{stray}"]}) as server:
        results = deliver_together(server.port, "ada", "ben", "cleo", connections=1)

    assert [type(result) for result in results] == [Receipt, Receipt, Receipt]
    assert server.recipients == ["ada@example.org", "ben@example.org", "cleo@example.org"]
    assert server.connections == 2


def test_a_server_that_goes_ahead_after_refusing_the_sender_gets_nothing() -> None:
    rules = {"mail": ["553 5.7.1 no"], "rcpt": ["250 ok"], "data": ["354 go on"]}
    with EvilSmtp(rules) as server:
        results = deliver_together(server.port, "ada", "ben", connections=1)

    assert [type(result) for result in results] == [SmtpRefusedError, Receipt]
    assert server.recipients == ["ben@example.org"]


def test_the_ledger_writes_while_the_message_is_on_its_way() -> None:
    asked = []

    async def ask() -> None:
        asked.append(True)

    async def once(backend: SmtpBackend) -> None:
        with pytest.raises(TemporaryDeliverError, match="inside the message"):
            await backend.deliver(a_message(raw=BIG), ask)
        await backend.close()

    # It reads no more than the beginning.
    with EvilSmtp({"body": "hang"}) as server:
        asyncio.run(once(a_backend(server.port, timeout_s=0.3)))

    assert asked
    assert not server.accepted


def test_a_cancelled_message_is_not_completed_and_the_others_are() -> None:
    async def scenario(backend: SmtpBackend) -> list[Any]:
        asked, release = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            asked.set()
            await release.wait()

        ada = asyncio.create_task(backend.deliver(a_message("ada@example.org", RAW), wait))
        await asked.wait()
        ben = asyncio.create_task(backend.deliver(a_message("ben@example.org"), no_wait))
        cleo = asyncio.create_task(backend.deliver(a_message("cleo@example.org"), no_wait))
        await asyncio.sleep(0)
        ada.cancel()
        cleo.cancel()
        await asyncio.sleep(0)
        release.set()
        results = await asyncio.gather(ada, ben, cleo, return_exceptions=True)
        await backend.close()
        return list(results)

    with EvilSmtp() as server:
        results = asyncio.run(scenario(a_backend(server.port, connections=1)))

    assert [type(result) for result in results] == [asyncio.CancelledError, Receipt, asyncio.CancelledError]
    assert server.recipients == ["ben@example.org"]
