"""Reports of servers by class, and who is meant by them."""

from datetime import timedelta
from email import message_from_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.inbox.mailbox import Arrival
from digest.inbox.outcome import Done
from digest.inbox.reports import ReportKind, find_report, find_tokens
from tests.builders import NOW
from tests.inbox.conftest import ADA, BEN, CLEO, Office
from tests.inbox.mails import a_complaint, a_dsn, a_mail, a_plain_bounce, wire

T = "x" * 22
GONE, FAILED, DELAYED = ReportKind.GONE, ReportKind.FAILED, ReportKind.DELAYED
QMAIL = """\
    Hi. This is the qmail-send program at mx.example.net.
    I'm afraid I wasn't able to deliver your message to the following addresses.

    <ada@example.org>:
    {said}

    --- Below this line is a copy of the message.

    Subject: 5.1.1 user unknown, a paper
    """
EXIM = """\
    This message was created automatically by mail delivery software.

    A message that you sent could not be delivered to one or more of its recipients.

      ada@example.org
        {said}
    """

REPORTS = {
    "D25 hard, Postfix": (a_dsn(T), GONE),
    "D25 hard, Exchange": (a_dsn(T, status="5.1.10", diagnostic="smtp;550 5.1.10 RecipientNotFound"), GONE),
    "D25 hard, no such domain": (
        a_dsn(T, status="5.1.2", diagnostic="X-Postfix; Host or domain name not found. Name service error"),
        GONE,
    ),
    "D25 hard, headers returned only": (a_dsn(T, returned="text/rfc822-headers"), GONE),
    "D25 hard, vague status, clear words": (
        a_dsn(T, status="5.0.0", diagnostic="smtp; 550 5.1.1 User unknown"),
        GONE,
    ),
    "hard, no code but words": (a_dsn(T, status="5.0.0", diagnostic="smtp; 550 No such user here"), GONE),
    "hard, no diagnostic": (a_dsn(T, diagnostic=""), GONE),
    "hard, capitals and remarks": (a_dsn(T, action="Failed", status="5.1.1 (bad destination)"), GONE),
    "a policy under the code of a bad address": (
        a_dsn(T, diagnostic="smtp; 550 5.1.1 message blocked as spam, see our policy"),
        FAILED,
    ),
    "D25 soft, mailbox full": (a_dsn(T, status="5.2.2", diagnostic="smtp; 552 5.2.2 mailbox full"), FAILED),
    "D25 soft, gave up after days": (a_dsn(T, status="4.4.7", diagnostic="smtp; 421 try later"), FAILED),
    "D25 policy": (a_dsn(T, status="5.7.1", diagnostic="smtp; 550 5.7.1 refused, unknown user reputation"), FAILED),
    "a permanent status with a temporary reply": (a_dsn(T, status="5.0.0", diagnostic="smtp; 450 4.2.0 no"), FAILED),
    "D25 delayed": (a_dsn(T, action="delayed", status="4.4.1", diagnostic="smtp; timed out"), DELAYED),
    "delayed, of a bad address": (a_dsn(T, action="delayed", status="4.1.1"), DELAYED),
    "delivered": (a_dsn(T, action="delivered", status="2.0.0", diagnostic=""), ReportKind.DELIVERED),
    "passed on": (a_dsn(T, action="relayed", status="2.0.0", diagnostic=""), ReportKind.DELIVERED),
    "D25 spam complaint": (a_complaint(T), ReportKind.COMPLAINT),
    "no spam": (a_complaint(T, kind="not-spam"), ReportKind.OTHER),
    "a virus": (a_complaint(T, kind="virus"), ReportKind.OTHER),
    "qmail, hard": (a_plain_bounce(T, QMAIL.format(said="550 5.1.1 sorry, no mailbox here by that name.")), GONE),
    "qmail, no code": (a_plain_bounce(T, QMAIL.format(said="Sorry, no mailbox here by that name.")), GONE),
    "qmail, full": (a_plain_bounce(T, QMAIL.format(said="552 5.2.2 over quota")), FAILED),
    "Exim, hard": (
        a_plain_bounce(T, EXIM.format(said="Unrouteable: user unknown"), head="X-Failed-Recipients: ada@example.org\n"),
        GONE,
    ),
    "Exim, still tried": (
        a_plain_bounce(T, EXIM.format(said="delayed 24 hours; it will be retried, 4.4.1 timed out")),
        DELAYED,
    ),
    "a daemon that says nothing": (a_plain_bounce(T, "Something happened."), None),
    "an answer that quotes a code": (a_mail("Re: your paper", body="I got 550 5.1.1 user unknown"), None),
    "D25 vacation": (a_mail("Automatic reply: 3 papers", head="Auto-Submitted: auto-replied\n"), None),
    "D25 challenge": (a_mail("Please confirm that you are a person", head="Precedence: bulk\n"), None),
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports_by_class(name: str) -> None:
    raw, kind = REPORTS[name]

    report = find_report(message_from_bytes(raw))

    assert (report.kind if report else None) is kind
    assert "@example.org" not in (report.detail if report else "")


def test_only_what_ends_an_address_changes_anything_and_only_for_whom_it_names(office: Office) -> None:
    desks = [office.desk(NOW + timedelta(days=day)) for day in (0, 1)]
    others = [office.facts(each) for each in (BEN, CLEO)]
    first_done = {GONE: Done.BOUNCED, ReportKind.COMPLAINT: Done.SUPPRESSED}
    for name, (raw, kind) in REPORTS.items():
        ours = raw.replace(T.encode(), office.token("bounce").encode())

        once, again = (desk.take(Arrival("1", NOW + timedelta(days=day), ours)) for day, desk in enumerate(desks))

        # What is no report, and was not sent to where bounces go, is not ours.
        other = Done.OTHER if kind is None and b"To: answers" in ours else Done.NOTED
        expected = first_done.get(kind, other) if kind else other
        assert once.done is expected, name
        assert again.done is (Done.SUPPRESSED if kind is GONE else expected), name
        assert set(office.suppressed) == ({ADA} if kind in first_done else set()), name
        office.suppressions.lift(ADA)
    assert [office.facts(each) for each in (BEN, CLEO)] == others


def test_what_is_forged_changes_nothing_and_is_left_alone(office: Office) -> None:
    before = [office.facts(each) for each in (ADA, BEN, CLEO)]
    desk = office.desk()
    for name, (raw, _) in REPORTS.items():
        for token in (T, office.token("pause"), office.token("bounce", links=2)):
            outcome = desk.take(Arrival("1", NOW, raw.replace(T.encode(), token.encode())))

            assert (outcome.done, outcome.subscriber) == (Done.OTHER, None), name
    assert [office.facts(each) for each in (ADA, BEN, CLEO)] == before


def test_one_bad_day_ends_nothing(office: Office) -> None:
    dsn = a_dsn(office.token("bounce"))

    said = office.take(dsn, dsn, dsn)

    assert {outcome.done for outcome in said} == {Done.BOUNCED}
    assert not office.suppressed


def test_a_server_may_have_turned_the_token_into_small_letters(office: Office) -> None:
    (outcome,) = office.take(a_dsn(office.token("bounce").lower()))

    assert outcome.subscriber == ADA


def test_a_complaint_is_known_by_what_it_returns(office: Office) -> None:
    (outcome,) = office.take(a_complaint(office.token("unsubscribe", "Ben"), unsubscribe=True))

    assert (outcome.done, outcome.subscriber) == (Done.SUPPRESSED, BEN)
    assert office.suppressed == {BEN: "called spam by its reader on 2026-11-20"}


def test_a_late_report_of_an_earlier_address_does_not_count(office: Office) -> None:
    for day in (0, 1):
        at = NOW + timedelta(days=day)
        (outcome,) = office.take(a_dsn(office.token("bounce"), to="ada.old@example.org"), at=at, now=at)
        assert outcome.done is Done.NOTED
        assert "earlier address" in outcome.text
    assert not office.suppressed


def test_a_report_with_tokens_of_two_readers_is_nobodys(office: Office) -> None:
    (outcome,) = office.take(a_dsn(office.token("bounce"), head=f"X-More: {office.token('bounce', 'Ben')}\n"))

    assert outcome.done is Done.OTHER


def test_automatic_replies_to_where_bounces_go_are_ours_and_nothing_more(office: Office) -> None:
    mail = a_mail(
        "Automatic reply", head=f"Auto-Submitted: auto-replied\nDelivered-To: b+{office.token('bounce')}@x.test\n"
    )

    (outcome,) = office.take(mail)

    assert (outcome.done, outcome.subscriber, outcome.text) == (Done.NOTED, ADA, "an automatic reply")


@given(st.sampled_from(list(REPORTS)), st.data())
def test_no_damage_makes_it_fail(name: str, data: st.DataObject) -> None:
    raw = REPORTS[name][0]
    cut = data.draw(st.integers(0, len(raw)))
    broken = raw[:cut] + data.draw(st.binary(max_size=40)) + raw[cut + data.draw(st.integers(0, 40)) :]

    find_report(message_from_bytes(broken))
    find_tokens(broken)


@given(st.binary(max_size=200))
@example(b"\r\n\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\nAction: \xff\r\nStatus: =?x?B?x?=\r\n")
@example(b"\r\n\r\n--B\r\nContent-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n")
def test_no_mail_is_too_much(raw: bytes) -> None:
    report = wire('From: mailer-daemon@x\nContent-Type: multipart/report; boundary="B"') + raw

    find_report(message_from_bytes(raw))
    find_report(message_from_bytes(report))
