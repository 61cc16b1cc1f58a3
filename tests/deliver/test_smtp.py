import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.errors import (
    BadAddressError,
    BusyDomainError,
    ConfigError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    StoreError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Receipt, Security
from digest.text.masking import mask_addresses
from tests.deliver.evil_smtp import EvilSmtp, make_certificate, server_context
from tests.deliver.mail import RAW, a_backend, a_message, no_wait

BIG = RAW + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000


def deliver(
    port: int, raw: bytes = RAW, before_dot: Callable[[], Awaitable[None]] = no_wait, **changes: Any
) -> Receipt:
    async def once() -> Receipt:
        backend = a_backend(port, **changes)
        try:
            return await backend.deliver(a_message(raw=raw), before_dot)
        finally:
            await backend.close()

    return asyncio.run(once())


def deliver_each(port: int, *names: str, **changes: Any) -> list[Receipt | BaseException]:
    """Over one backend, one after the other."""

    async def all_of_them() -> list[Receipt | BaseException]:
        backend = a_backend(port, **changes)
        results: list[Receipt | BaseException] = []
        for name in names:
            results += await asyncio.gather(
                backend.deliver(a_message(f"{name}@example.org"), no_wait), return_exceptions=True
            )
        await backend.close()
        return results

    return asyncio.run(all_of_them())


def kinds(results: Sequence[object]) -> list[type]:
    return [type(result) for result in results]


def test_the_message_arrives_unchanged() -> None:
    with EvilSmtp() as server:
        receipt = deliver(server.port)

    (message,) = server.accepted
    assert (message.sender, message.recipient) == ("digest@paperround.test", "ada@example.org")
    assert message.data == RAW
    assert (receipt.code, receipt.text) == (250, "2.0.0 queued")
    assert message_from_bytes(message.data)["subject"] == "Paperround"


@given(st.text("a.\r\n", max_size=40).map(str.encode))
def test_no_content_ends_the_message_early(content: bytes) -> None:
    raw = b"Subject: x\r\n\r\n" + content
    with EvilSmtp() as server:
        deliver(server.port, raw)

    (message,) = server.accepted
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    assert message.data == b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


def test_many_messages_share_one_connection() -> None:
    with EvilSmtp() as server:
        deliver_each(server.port, *(f"r{number}" for number in range(20)))

    assert len(server.accepted) == 20
    assert server.connections == 1
    assert server.said("QUIT") == 1


# What must come of the message, and how often the server may have it.
CASES = [
    pytest.param("D2", {"banner": "421 4.3.2 shutting down|drop"}, UnreachableError, 0, id="D2 banner 421"),
    pytest.param("D2", {"banner": "554 5.7.1 go away|drop"}, SmtpRefusedError, 0, id="D2 banner 554"),
    pytest.param("D2", {"banner": "drop"}, UnreachableError, 0, id="D2 hangs up before the banner"),
    pytest.param("D3", {"banner": "hang"}, UnreachableError, 0, id="D3 no banner"),
    pytest.param("D4", {"ehlo": "502 5.5.1 unknown"}, None, 1, id="D4 knows HELO only"),
    pytest.param("D4", {"ehlo": "421 4.3.2 busy|drop"}, UnreachableError, 0, id="D4 EHLO 421"),
    pytest.param("D4", {"ehlo": "502 no", "helo": "550 no"}, SmtpRefusedError, 0, id="D4 neither EHLO nor HELO"),
    pytest.param("D8", {"mail": "451 4.3.0 later"}, TemporaryDeliverError, 0, id="D8 MAIL 451"),
    pytest.param("D8", {"mail": "552 5.3.4 too big"}, PermanentDeliverError, 0, id="D8 MAIL 552 size"),
    pytest.param("D8", {"mail": "552 too big"}, PermanentDeliverError, 0, id="D8 MAIL 552 without an enhanced code"),
    pytest.param("D8", {"mail": "530 5.7.0 sign in first"}, SmtpRefusedError, 0, id="D8 MAIL 530"),
    pytest.param("D8", {"mail": "553 5.7.1 not your address"}, SmtpRefusedError, 0, id="D8 MAIL 553"),
    pytest.param("D8", {"mail": "550 5.4.5 daily limit"}, SmtpRefusedError, 0, id="D8 sending limit"),
    pytest.param("D8", {"rcpt": "452 5.4.5 limit"}, SmtpRefusedError, 0, id="D8 sending limit at RCPT"),
    pytest.param("D8", {"dot": "550 5.4.5 limit"}, SmtpRefusedError, 0, id="D8 sending limit at the dot"),
    pytest.param("D9", {"rcpt": "450 4.7.1 greylisted"}, TemporaryDeliverError, 0, id="D9 greylisted"),
    pytest.param("D10", {"rcpt": "550 5.1.1 no such user"}, BadAddressError, 0, id="D10 RCPT 5.1.1"),
    pytest.param("D11", {"rcpt": "550 5.7.26 no DMARC"}, PermanentDeliverError, 0, id="D11 RCPT 5.7.26"),
    pytest.param("D12", {"rcpt": "452 4.5.3 too many"}, TemporaryDeliverError, 0, id="D12 RCPT 452"),
    pytest.param("D12", {"rcpt": "421 4.7.0 bye|drop"}, BusyDomainError, 0, id="D12 RCPT 421"),
    pytest.param("D13", {"data": "451 4.3.0 later"}, TemporaryDeliverError, 0, id="D13 DATA 451"),
    pytest.param("D13", {"data": "554 5.6.0 no"}, PermanentDeliverError, 0, id="D13 DATA 554"),
    pytest.param("D13", {"dot": "451 4.3.0 later"}, TemporaryDeliverError, 0, id="D13 dot 451"),
    pytest.param("D13", {"dot": "554 5.6.0 spam"}, PermanentDeliverError, 0, id="D13 dot 554"),
    pytest.param("D13", {"dot": "421 4.3.2 bye|drop"}, TemporaryDeliverError, 0, id="D13 dot 421"),
    pytest.param("D14", {"data": "drop"}, TemporaryDeliverError, 0, id="D14 drop before 354"),
    pytest.param("D14", {"dot": "drop"}, UncertainDeliverError, 0, id="D14 drop after the dot, not taken"),
    pytest.param("D14", {"dot": "accept|reset"}, UncertainDeliverError, 1, id="D14 reset after the dot, taken"),
    pytest.param("D15", {"dot": "accept|250 ok|drop"}, None, 1, id="D15 250 then drop"),
    pytest.param("D15", {"quit": "421 4.3.2 bye|drop"}, None, 1, id="D15 QUIT 421"),
    pytest.param("D15", {"quit": "hang"}, None, 1, id="D15 QUIT hangs"),
    pytest.param("D15", {"quit": "drop"}, None, 1, id="D15 QUIT drops"),
    pytest.param("D16", {"dot": "accept|hang"}, UncertainDeliverError, 1, id="D16 no reply to the dot"),
    pytest.param("D17", {"mail": "250-a\r\n250-b\r\n250 c"}, None, 1, id="D17 several lines"),
    pytest.param("D17", {"mail": "250 " + "x" * 10_000}, None, 1, id="D17 10 kB line"),
    pytest.param("D17", {"mail": "250 " + "x" * 100_000}, TemporaryDeliverError, 0, id="D17 100 kB line"),
    pytest.param("D17", {"mail": "250-ok\r\n" * 20_000}, TemporaryDeliverError, 0, id="D17 reply without end"),
    pytest.param("D17", {"rcpt": "550 5.1.1 n\xe3o\0\x1b[31m"}, BadAddressError, 0, id="D17 NUL and non-ASCII"),
    pytest.param("D17", {"mail": "what?"}, TemporaryDeliverError, 0, id="D17 no code"),
    pytest.param("D17", {"dot": "accept|what?"}, UncertainDeliverError, 1, id="D17 no code after the dot"),
    pytest.param("D17", {"dot": "354 go on"}, UncertainDeliverError, 0, id="D17 nonsense after the dot"),
    pytest.param("D18", {"mail": "250 ok\r\n250 ok"}, TemporaryDeliverError, 0, id="D18 a reply too many"),
    pytest.param("D19", {"mail": "drip"}, TemporaryDeliverError, 0, id="D19 drips a reply"),
    pytest.param("D19", {"dot": "accept|drip"}, UncertainDeliverError, 1, id="D19 drips the reply to the dot"),
]


@pytest.mark.parametrize(("row", "rules", "error", "taken"), CASES)
def test_every_reply_says_who_must_act(
    row: str, rules: Mapping[str, str], error: type[DeliverError] | None, taken: int
) -> None:
    with EvilSmtp(rules) as server:
        caught: DeliverError | None = None
        try:
            deliver(server.port, timeout_s=0.5, dot_timeout_s=0.5)
        except DeliverError as exc:
            caught = exc

    assert type(caught) is (error or type(None))
    assert len(server.accepted) == taken
    if caught:
        assert str(caught).startswith(f"127.0.0.1:{server.port}: ")
        assert caught.problem.isprintable()


@pytest.mark.parametrize("ending", ["drop", "reset", "421 4.3.2 shutting down|drop"])
def test_a_connection_lost_inside_the_message_is_known_not_to_be_taken(ending: str) -> None:
    # Larger than what the sockets of both sides hold, so that the loss is noticed before the dot.
    with EvilSmtp({"body": ending}) as server, pytest.raises(TemporaryDeliverError):
        deliver(server.port, BIG)

    assert not server.accepted


def test_a_connection_lost_while_the_ledger_writes_is_known_not_to_be_taken() -> None:
    with EvilSmtp({"body": "drop"}) as server:

        async def wait_for_the_loss() -> None:
            await asyncio.to_thread(server._threads[-1].join)

        with pytest.raises(TemporaryDeliverError):
            deliver(server.port, before_dot=wait_for_the_loss)

    assert not server.accepted


def test_a_complaint_inside_the_message_is_its_reply() -> None:
    with EvilSmtp({"body": "552 5.3.4 too big for ada@example.org|drop"}) as server:

        async def wait_for_the_complaint() -> None:
            await asyncio.to_thread(server._threads[-1].join)

        with pytest.raises(PermanentDeliverError, match="too big for a"):
            deliver(server.port, RAW, wait_for_the_complaint)


def test_without_a_durable_ledger_the_message_is_not_completed() -> None:
    async def fail() -> None:
        raise StoreError("the disk is full")

    async def first_fails(backend: SmtpBackend) -> None:
        with pytest.raises(StoreError):
            await backend.deliver(a_message(), fail)
        await backend.deliver(a_message("ben@example.org"), no_wait)
        await backend.close()

    with EvilSmtp() as server:
        asyncio.run(first_fails(a_backend(server.port)))

    assert server.recipients == ["ben@example.org"]
    assert server.connections == 2


def test_the_reply_to_the_dot_has_a_time_limit_of_its_own() -> None:
    with EvilSmtp({"dot": "accept|pause|250 ok"}) as server:
        receipt = deliver(server.port, timeout_s=0.5, dot_timeout_s=30)

    assert (receipt.code, server.recipients) == (250, ["ada@example.org"])


def test_the_ledger_is_asked_between_body_and_dot() -> None:
    seen: list[int] = []
    with EvilSmtp() as server:

        async def look() -> None:
            seen.append(len(server.accepted))

        deliver(server.port, before_dot=look)

    assert seen == [0]
    assert len(server.accepted) == 1


def test_one_refusal_leaves_the_connection_good_for_the_next() -> None:
    with EvilSmtp({"rcpt:bad@example.org": "550 5.1.1 no", "dot:spam@example.org": "554 5.7.1 spam"}) as server:
        results = deliver_each(server.port, "bad", "spam", "ada")

    assert kinds(results) == [BadAddressError, PermanentDeliverError, Receipt]
    assert server.recipients == ["ada@example.org"]
    assert server.connections == 1
    # Only what was refused before its content is still open; the server would refuse another MAIL inside of it.
    assert server.said("RSET") == 1


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"mail": ["250 ok", "421 4.7.0 too many messages|drop"]}, id="D12 421 after one"),
        pytest.param({"rcpt": ["250 ok", "drop"]}, id="D12 drop after one"),
        pytest.param({"dot": ["accept|250 ok|drop"]}, id="D21 closed silently after one"),
        pytest.param({"dot": ["accept|250 ok|421 4.4.2 idle|drop"]}, id="D21 says 421 and closes after one"),
        pytest.param({"dot": ["accept|250 ok\r\n250 ok"]}, id="D18 a late second 250"),
        pytest.param({"dot": ["accept|250 ok\r\n550 no"]}, id="D18 a late 550"),
    ],
)
def test_a_kept_connection_that_went_bad_is_replaced(rules: Mapping[str, list[str]]) -> None:
    with EvilSmtp(rules) as server:
        deliver_each(server.port, "ada", "ben", "cleo")

    assert server.recipients == ["ada@example.org", "ben@example.org", "cleo@example.org"]
    assert server.connections == 2


def test_d1_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(UnreachableError, match="cannot connect"):
        deliver(port)


def test_d1_no_such_host() -> None:
    with pytest.raises(UnreachableError, match=r"nosuch\.invalid:587: cannot connect"):
        deliver(587, host="nosuch.invalid", security=Security.TLS)


def test_d1_a_look_up_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released, ended = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(5)
        ended.set()

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    with pytest.raises(UnreachableError, match="no answer in time"):
        deliver(587, host="slow.example", security=Security.TLS, timeout_s=0.05)

    assert not ended.is_set()
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    released.set()


def test_an_address_that_nobody_listens_at_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with EvilSmtp() as server, socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], server.port]
        taken.close()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        deliver(server.port)

    assert len(server.accepted) == 1


class TestSafety:
    def test_with_starttls_the_password_goes_through_tls(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with EvilSmtp(tls=server_context(certificate), credentials=("ada", "päss")) as server:
            deliver(server.port, security=Security.STARTTLS, username="ada", password="päss")

        assert len(server.accepted) == 1
        verbs = [line.split()[0].upper() for _, line in server.commands]
        assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]

    @pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "XOAUTH2 LOGIN"])
    def test_implicit_tls(self, certificate: Path, monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with EvilSmtp(
            tls=server_context(certificate), implicit_tls=True, credentials=("ada", "secret"), auth=auth
        ) as server:
            deliver_each(server.port, "ada", "ben", security=Security.TLS, username="ada", password="secret")

        assert len(server.accepted) == 2
        assert server.connections == 1

    @pytest.mark.parametrize(
        ("rules", "has_tls"),
        [
            pytest.param({}, False, id="D5 not offered or stripped"),
            pytest.param({"starttls": "454 4.7.0 no TLS now"}, True, id="D5 454"),
            pytest.param({"starttls": "220 go ahead\r\n250 injected"}, True, id="D5 injected reply"),
            pytest.param({}, True, id="D6 self-signed"),
        ],
    )
    def test_without_good_tls_the_password_is_not_sent(
        self, certificate: Path, rules: Mapping[str, str], has_tls: bool
    ) -> None:
        tls = server_context(certificate) if has_tls else None
        with (
            EvilSmtp(rules, tls=tls, credentials=("ada", "secret")) as server,
            pytest.raises(SmtpRefusedError) as caught,
        ):
            deliver(server.port, security=Security.STARTTLS, username="ada", password="secret")

        assert server.said("AUTH") == server.said("MAIL") == 0
        assert caught.value.exit_code == 3
        assert caught.value.hint

    def test_d5_what_came_along_outside_of_tls_is_not_believed(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        injected = "250-evil.test\r\n250 AUTH XOAUTH2\r\n235 welcome\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken"
        with EvilSmtp(
            {"starttls": f"220 go ahead\r\n{injected}"}, tls=server_context(certificate), credentials=("ada", "secret")
        ) as server:
            receipt = deliver(server.port, security=Security.STARTTLS, username="ada", password="secret")

        assert receipt.text == "2.0.0 queued"
        assert len(server.accepted) == 1
        assert [line.split()[0] for _, line in server.commands][1:4] == ["STARTTLS", "EHLO", "AUTH"]

    def test_d6_the_certificate_must_be_for_this_host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = make_certificate(tmp_path, "DNS:mail.example.org")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with (
            EvilSmtp(tls=server_context(certificate)) as server,
            pytest.raises(SmtpRefusedError, match="not to be trusted: IP address mismatch"),
        ):
            deliver(server.port, security=Security.STARTTLS)

    def test_d6_old_tls_is_refused(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        context = server_context(certificate)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with EvilSmtp(tls=context) as server, pytest.raises(SmtpRefusedError, match="no TLS connection"):
            deliver(server.port, security=Security.STARTTLS)

    def test_tls_to_a_port_that_wants_starttls_says_so(self) -> None:
        with EvilSmtp() as server, pytest.raises(SmtpRefusedError) as caught:
            deliver(server.port, security=Security.TLS)

        assert "port 587 wants starttls" in caught.value.hint

    def test_starttls_to_a_port_that_wants_tls_says_so(self, certificate: Path) -> None:
        with (
            EvilSmtp(tls=server_context(certificate), implicit_tls=True) as server,
            pytest.raises(UnreachableError) as caught,
        ):
            deliver(server.port, security=Security.STARTTLS, timeout_s=0.3)

        assert "port 465 wants DIGEST_SMTP__SECURITY=tls" in caught.value.hint

    @pytest.mark.parametrize(
        ("reply", "hint"),
        [
            ("535 5.7.8 no", "DIGEST_SMTP__PASSWORD"),
            ("454 4.7.0 later", "DIGEST_SMTP__PASSWORD"),
            ("534-5.7.9 Application-specific\r\n534 5.7.9 password required", "app password"),
            ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled", "Outlook"),
        ],
    )
    def test_d7_one_attempt_to_sign_in(self, reply: str, hint: str) -> None:
        with (
            EvilSmtp({"auth": reply}, credentials=("ada@example.org", "secret")) as server,
            pytest.raises(SmtpRefusedError) as caught,
        ):
            deliver(server.port, username="ada@example.org", password="secret")

        assert server.said("AUTH") == 1
        assert hint in caught.value.hint
        assert caught.value.problem.startswith("sign-in refused for 'a***@***' (")

    def test_d7_wrong_password_and_line_ends_in_it(self) -> None:
        with EvilSmtp(credentials=("ada", "secret")) as server:
            for password in ("wrong", "secret\r\n"):
                with pytest.raises(SmtpRefusedError, match="535"):
                    deliver(server.port, username="ada", password=password)

        assert server.said("AUTH") == 2

    def test_d7_no_mechanism_we_know(self) -> None:
        with (
            EvilSmtp(credentials=("a", "b"), auth="XOAUTH2") as server,
            pytest.raises(SmtpRefusedError, match="offers XOAUTH2"),
        ):
            deliver(server.port, username="a", password="b")

    @pytest.mark.parametrize("host", ["smtp.example.org", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org"])
    def test_without_tls_only_to_this_machine(self, host: str) -> None:
        with pytest.raises(ConfigError, match="in the clear"):
            SmtpSettings(host=host, port=25, security=Security.NONE)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1"])
    def test_this_machine(self, host: str) -> None:
        SmtpSettings(host=host, port=25, security=Security.NONE)

    def test_the_password_is_not_in_the_repr(self) -> None:
        assert "secret" not in repr(
            SmtpSettings(host="h", port=587, security=Security.TLS, username="u", password="secret")
        )


class TestWords:
    def test_servers_that_repeat_the_address_do_not_leak_it(self) -> None:
        with (
            EvilSmtp({"rcpt": "550 5.1.1 <ada@example.org>: ADA@EXAMPLE.ORG unknown"}) as server,
            pytest.raises(PermanentDeliverError) as caught,
        ):
            deliver(server.port)

        assert caught.value.problem == "recipient refused (550 5.1.1 <a***@***>: A***@*** unknown)"
        assert caught.value.code == 550

    @pytest.mark.parametrize("code", ["5.7.1", "5.7.26", "5.7.515"])
    def test_d11_a_refusal_of_our_sender_names_the_setting(self, code: str) -> None:
        with EvilSmtp({"rcpt": f"550 {code} no"}) as server, pytest.raises(PermanentDeliverError) as caught:
            deliver(server.port)

        assert "DIGEST_SENDER" in caught.value.hint

    @given(st.text())
    def test_masked_text_holds_no_address(self, text: str) -> None:
        masked = mask_addresses(f"{text} ada@example.org {text}")

        assert "example.org" not in masked
        assert "ada@" not in masked

    def test_masking_keeps_the_rest(self) -> None:
        assert mask_addresses("to=<ana@example.org>, code 5.1.1: no") == "to=<a***@***>, code 5.1.1: no"
        assert mask_addresses("@@ -17,0 +18 @@ me @ home") == "@@ -17,0 +18 @@ me @ home"
        assert mask_addresses('ana@[192.0.2.1] "ana b"@example.org') == 'a***@***[192.0.2.1] "ana b"***@***'


@pytest.mark.parametrize(
    "recipient",
    ["jörg@example.org", "a b@example.org", "a>b@example.org", "a\r\nRCPT TO:<evil@x>@example.org", "nobody"],
)
def test_d22_an_address_that_cannot_be_written_to_is_one_failure(recipient: str) -> None:
    with EvilSmtp() as server, pytest.raises(PermanentDeliverError, match="cannot be written to"):
        asyncio.run(a_backend(server.port).deliver(a_message(recipient), no_wait))

    assert not server.commands


def test_d22_an_address_that_was_not_written_in_ascii_is_refused() -> None:
    with EvilSmtp(features=()) as server, pytest.raises(PermanentDeliverError, match="cannot be written to"):
        asyncio.run(a_backend(server.port).deliver(a_message("ada@bücher.example"), no_wait))

    assert not server.commands


def test_d23_a_message_over_the_servers_limit_is_not_begun() -> None:
    with EvilSmtp(features=("SIZE 50",)) as server, pytest.raises(PermanentDeliverError, match="at most 50"):
        deliver(server.port)

    assert server.said("MAIL") == 0


def test_check_signs_in_and_sends_nothing() -> None:
    with EvilSmtp(credentials=("ada", "secret")) as server:
        protection = asyncio.run(a_backend(server.port, username="ada", password="secret").check())

    assert protection == "no TLS"
    assert [line.split()[0].upper() for _, line in server.commands] == ["EHLO", "AUTH", "NOOP", "QUIT"]


def test_check_reports_a_server_that_hangs_up() -> None:
    with EvilSmtp({"noop": "drop"}) as server, pytest.raises(UnreachableError):
        asyncio.run(a_backend(server.port).check())
