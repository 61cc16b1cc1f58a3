"""Who must act on a reply: the words are those of real servers, without addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.deliver.replies import Reply, Step, judge, show, sign_in_hint
from digest.errors import (
    BadAddressError,
    BusyDomainError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
)

STEPS: list[Step] = ["sender", "recipient", "message"]

TABLE = [
    # The address does not exist: at RCPT, with a code that says so.
    ("recipient", "550 5.1.1 The email account that you tried to reach does not exist", BadAddressError),
    ("recipient", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", BadAddressError),
    ("recipient", "550 5.1.2 Host unknown", BadAddressError),
    ("recipient", "553 5.1.3 Invalid address", BadAddressError),
    ("recipient", "551 5.1.6 Recipient has moved", BadAddressError),
    ("recipient", "550 No such user here", PermanentDeliverError),
    ("recipient", "554 5.1.1 odd code", PermanentDeliverError),
    ("recipient", "550 5.1.11 not one of them", PermanentDeliverError),
    ("recipient", "550 5.1.8 bad sender's system address", PermanentDeliverError),
    ("message", "550 5.1.1 said too late", PermanentDeliverError),
    ("recipient", "550 5.2.1 The account is disabled", PermanentDeliverError),
    ("recipient", "552 5.2.2 Mailbox full", PermanentDeliverError),
    ("recipient", "450 4.1.1 unverified address", TemporaryDeliverError),
    # The sender is judged, never the reader.
    ("recipient", "550 5.7.1 Relaying denied", PermanentDeliverError),
    ("message", "550 5.7.26 This mail has been blocked because the sender is unauthenticated", PermanentDeliverError),
    ("recipient", "550 5.7.515 Access denied, sending domain does not meet the level", PermanentDeliverError),
    ("sender", "553 5.7.1 Sender address rejected: not owned by user", SmtpRefusedError),
    ("sender", "501 5.1.7 Bad sender address", SmtpRefusedError),
    ("sender", "552 5.3.4 Message size exceeds fixed limit", PermanentDeliverError),
    ("sender", "552 too big", PermanentDeliverError),
    # The provider takes no more for now.
    ("message", "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", BusyDomainError),
    ("message", "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail", BusyDomainError),
    ("recipient", "451 4.7.650 The mail server has been temporarily rate limited", BusyDomainError),
    ("recipient", "451 4.7.500 Server busy. Please try again later", BusyDomainError),
    ("recipient", "421 Too many messages, slow down", BusyDomainError),
    ("recipient", "421 bye", BusyDomainError),
    ("recipient", "454 4.7.0 Throttling failure: Maximum sending rate exceeded", BusyDomainError),
    ("recipient", "450 rate limit exceeded", BusyDomainError),
    ("message", "450 4.3.2 too many connections from your host", BusyDomainError),
    # One reader, one moment, or the whole server: this message waits.
    ("recipient", "450 4.7.1 Greylisted, see the postmaster's page", TemporaryDeliverError),
    ("recipient", "451 4.7.1 Graylisting in action", TemporaryDeliverError),
    ("recipient", "450 4.2.1 The user is receiving mail at a rate that prevents delivery", TemporaryDeliverError),
    ("recipient", "452 4.2.2 The account is over quota", TemporaryDeliverError),
    ("recipient", "452 4.5.3 too many recipients", TemporaryDeliverError),
    ("recipient", "421 4.3.2 shutting down", TemporaryDeliverError),
    ("message", "421 bye", TemporaryDeliverError),
    ("message", "451 4.3.0 queue file write error", TemporaryDeliverError),
    ("sender", "452 4.3.1 Insufficient system storage", TemporaryDeliverError),
    ("sender", "421 4.7.0 too many messages", TemporaryDeliverError),
    ("message", "354 go on", TemporaryDeliverError),
    # We may not send, or no more today.
    ("sender", "530 5.7.0 Must issue a STARTTLS command first", SmtpRefusedError),
    ("recipient", "530 5.7.57 Client not authenticated", SmtpRefusedError),
    ("recipient", "550 5.4.5 Daily user sending limit exceeded", SmtpRefusedError),
    ("message", "452 5.4.5 limit", SmtpRefusedError),
]


def a_reply(text: str) -> Reply:
    return Reply(int(text[:3]), text[4:].encode())


@pytest.mark.parametrize(("step", "text", "kind"), TABLE)
def test_who_must_act(step: Step, text: str, kind: type[DeliverError]) -> None:
    assert judge(step, a_reply(text))[0] is kind


@pytest.mark.parametrize("code", ["5.7.0", "5.7.1", "5.7.26", "5.7.515", "5.7.999"])
@pytest.mark.parametrize("step", STEPS)
def test_d11_a_refusal_of_the_sender_never_counts_against_the_reader(step: Step, code: str) -> None:
    kind, hint = judge(step, a_reply(f"550 {code} no"))

    assert not issubclass(kind, BadAddressError)
    assert "DIGEST_SENDER" in hint


@given(st.sampled_from(STEPS), st.integers(200, 599), st.binary(max_size=60))
def test_every_reply_has_its_error(step: Step, code: int, raw: bytes) -> None:
    kind, _ = judge(step, Reply(code, raw))

    assert issubclass(kind, (TemporaryDeliverError, PermanentDeliverError, SmtpRefusedError))
    if code >= 500:
        assert not issubclass(kind, TemporaryDeliverError)
    if kind is BadAddressError:
        assert step == "recipient"


@given(st.binary(max_size=600))
def test_what_is_shown_is_one_line_without_addresses(raw: bytes) -> None:
    shown = show(raw + b" ada@example.org\r\n" + raw)

    assert shown.isprintable()
    assert len(shown) <= 300
    assert "ada@example.org" not in shown


@pytest.mark.parametrize(
    ("text", "enhanced"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("550 5.1.10", "5.1.10"),
        ("550 5.1.1-no", "5.1.1"),
        ("550 #5.1.1 no", ""),
        ("550 version 5.1.1", ""),
        ("550 5.1.1.1 an address", ""),
        ("550 no", ""),
    ],
)
def test_the_enhanced_code_stands_at_the_start(text: str, enhanced: str) -> None:
    assert a_reply(text).enhanced == enhanced


@pytest.mark.parametrize(
    ("host", "text", "word"),
    [
        ("smtp.gmail.com", "535 5.7.8 Username and Password not accepted", "apppasswords"),
        ("smtp.example.org", "534 5.7.9 Application-specific password required", "apppasswords"),
        ("smtp.office365.com", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled", "OAUTH"),
        ("smtp.mail.yahoo.com", "535 5.7.0 authentication rejected", "app password"),
        ("smtp.example.org", "535 5.7.8 bad credentials", "DIGEST_SMTP__PASSWORD"),
    ],
)
def test_a_refused_sign_in_names_the_next_step(host: str, text: str, word: str) -> None:
    assert word in sign_in_hint(a_reply(text), host, with_token=False)
    assert "DIGEST_OAUTH__REFRESH_TOKEN" in sign_in_hint(a_reply(text), host, with_token=True)
