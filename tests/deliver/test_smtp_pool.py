"""How many connections there are, and what becomes of the messages when one goes."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from digest.deliver.smtp import SmtpBackend
from digest.errors import BadAddressError, SmtpRefusedError, TemporaryDeliverError, UnreachableError
from digest.model import Receipt, Security
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import a_backend, a_message, deliver_together, no_wait

NAMES = [f"r{number}" for number in range(30)]
ADDRESSES = sorted(f"{name}@example.org" for name in NAMES)


def kinds(results: list[Any]) -> Counter[type]:
    return Counter(type(result) for result in results)


@pytest.mark.parametrize("connections", [1, 2, 4])
def test_there_are_as_many_connections_as_allowed_and_no_more(connections: int) -> None:
    at_the_dot = 0
    full = asyncio.Event()

    async def wait_for_the_others() -> None:
        nonlocal at_the_dot
        at_the_dot += 1
        if at_the_dot == connections:
            full.set()
        await full.wait()

    async def scenario(backend: SmtpBackend) -> None:
        for address in ADDRESSES[:3]:
            await backend.deliver(a_message(address), no_wait)
        assert server.connections == 1
        await asyncio.gather(*(backend.deliver(a_message(each), wait_for_the_others) for each in ADDRESSES[3:]))
        assert backend.room > connections
        await backend.close()

    with EvilSmtp() as server:
        asyncio.run(asyncio.wait_for(scenario(a_backend(server.port, connections=connections)), 20))

    assert sorted(server.recipients) == ADDRESSES
    assert server.connections == connections == server.said("QUIT")


def test_the_second_connection_waits_for_the_first_success() -> None:
    with EvilSmtp({"rcpt": "550 5.1.1 no"}) as server:
        results = deliver_together(server.port, *NAMES, connections=4)

    assert kinds(results) == {BadAddressError: 30}
    assert server.connections == 1


@pytest.mark.parametrize("places", [1, 2, 3])
def test_a_connection_too_many_costs_nothing(places: int) -> None:
    with EvilSmtp(places=places) as server:
        results = deliver_together(server.port, *NAMES, connections=8)

    assert kinds(results) == {Receipt: 30}
    assert sorted(server.recipients) == ADDRESSES


def test_a_sign_in_too_many_is_not_tried_again() -> None:
    rules = {"auth": ["235 ok"] + ["454 4.7.0 too many sign-ins"] * 100}
    with EvilSmtp(rules, credentials=("ada", "secret")) as server:
        results = deliver_together(server.port, *NAMES, connections=4, username="ada", password="secret")

    assert kinds(results) == {Receipt: 30}
    assert server.said("AUTH") <= 4


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("features", [("PIPELINING",), ()])
def test_d12_d21_a_limit_of_messages_for_each_connection(connections: int, features: tuple[str, ...]) -> None:
    with EvilSmtp(per_connection=4, features=features) as server:
        results = deliver_together(server.port, *NAMES, connections=connections)

    assert kinds(results) == {Receipt: 30}
    assert sorted(server.recipients) == ADDRESSES
    assert server.connections >= 8


def test_without_any_connection_everybody_is_told() -> None:
    with EvilSmtp({"banner": "421 4.3.2 closed|drop"}) as server:
        results = deliver_together(server.port, *NAMES, connections=4)

    assert kinds(results) == {UnreachableError: 30}
    assert len({id(result) for result in results}) == 30


def test_when_the_last_connection_goes_and_none_is_to_be_had_everybody_is_told() -> None:
    rules = {"banner": ["220 hello"] + ["421 4.3.2 closed|drop"] * 50, "dot": ["accept|250 ok", "accept|250 ok|drop"]}
    with EvilSmtp(rules) as server:
        results = deliver_together(server.port, *NAMES, connections=1)

    assert kinds(results) == {Receipt: 2, UnreachableError: 28}
    assert len(server.accepted) == 2


def test_d7_a_refused_sign_in_is_not_repeated_before_the_next_run() -> None:
    async def twice(backend: SmtpBackend) -> list[Any]:
        results = await asyncio.gather(
            *(backend.deliver(a_message(address), no_wait) for address in ADDRESSES[:5]), return_exceptions=True
        )
        results += await asyncio.gather(backend.deliver(a_message(), no_wait), return_exceptions=True)
        await backend.close()
        return results

    with EvilSmtp({"auth": "535 5.7.8 no"}, credentials=("ada", "secret")) as server:
        backend = a_backend(server.port, username="ada", password="secret")
        assert kinds(asyncio.run(twice(backend))) == {SmtpRefusedError: 6}
        assert server.said("AUTH") == 1
        assert kinds(asyncio.run(twice(backend))) == {SmtpRefusedError: 6}
        assert server.said("AUTH") <= 4


def test_the_backend_lives_in_one_event_loop_after_another() -> None:
    async def once(backend: SmtpBackend) -> Receipt:
        receipt = await backend.deliver(a_message(), no_wait)
        await backend.close()
        return receipt

    with EvilSmtp() as server:
        backend = a_backend(server.port)
        for _ in range(3):
            assert asyncio.run(once(backend)).code == 250

    assert server.connections == 3


def test_after_close_messages_under_way_are_not_completed() -> None:
    async def scenario(backend: SmtpBackend) -> list[Any]:
        asked = asyncio.Event()

        async def wait() -> None:
            asked.set()
            await asyncio.Event().wait()

        under_way = [asyncio.create_task(backend.deliver(a_message(name), wait)) for name in ADDRESSES[:3]]
        await asked.wait()
        await backend.close()
        return await asyncio.gather(*under_way, return_exceptions=True)

    with EvilSmtp() as server:
        results = asyncio.run(scenario(a_backend(server.port)))

    assert kinds(results) == {TemporaryDeliverError: 3}
    assert not server.accepted


class TestLmtp:
    def test_over_a_unix_socket(self, tmp_path: Path) -> None:
        with EvilSmtp({"rcpt:r3@example.org": "550 5.1.1 no"}, path=tmp_path / "lmtp") as server:
            results = deliver_together(0, *NAMES[:5], host=str(server.path), lmtp=True, connections=1)

        assert kinds(results) == {Receipt: 4, BadAddressError: 1}
        assert sorted(server.recipients) == ADDRESSES_WITHOUT_3
        assert (server.said("LHLO"), server.said("EHLO"), server.said("HELO")) == (1, 0, 0)
        assert results[3].where == str(server.path)

    @pytest.mark.parametrize("security", Security)
    def test_a_unix_socket_needs_no_tls(self, tmp_path: Path, security: Security) -> None:
        with EvilSmtp(path=tmp_path / "smtp") as server:
            deliver_together(0, "ada", host=str(server.path), security=security)

        assert server.recipients == ["ada@example.org"]

    def test_a_server_that_knows_no_lmtp_is_refused(self) -> None:
        with EvilSmtp({"ehlo": "500 5.5.1 what?"}) as server:
            (result,) = deliver_together(server.port, "ada", lmtp=True)

        assert isinstance(result, SmtpRefusedError)
        assert server.said("HELO") == 0

    def test_nobody_listens_at_the_socket(self, tmp_path: Path) -> None:
        (result,) = deliver_together(0, "ada", host=str(tmp_path / "nothing"), lmtp=True)

        assert isinstance(result, UnreachableError)


ADDRESSES_WITHOUT_3 = [f"r{number}@example.org" for number in (0, 1, 2, 4)]
