"""Mails in the shapes that servers and mail programs give them; all people and words in them are invented."""

from textwrap import dedent

RETURNED = "From: Paperround <digest@paperround.test>\nTo: {to}\nSubject: 3 papers\nMessage-ID: <1@paperround.test>\n"


def wire(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def a_mail(subject: str = "", *, head: str = "", body: str = "Hello.", sender: str = "Ada <ada@example.org>") -> bytes:
    return wire(
        f"From: {sender}\nTo: answers@paperround.test\nSubject: {subject}\n{head}"
        f"Date: Fri, 20 Nov 2026 08:00:00 +0000\n\n{body}\n"
    )


def a_dsn(
    token: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 <ada@example.org> no such user",
    to: str = "ada@example.org",
    returned: str = "message/rfc822",
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.example.net>",
    head: str = "",
) -> bytes:
    """RFC 3464, as Postfix writes it."""
    said = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return wire(
        dedent(
            f"""\
            Return-Path: <>
            From: {sender}
            To: bounces+{token}@paperround.test
            Subject: Undelivered Mail Returned to Sender
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status; boundary="B"
            """
        )
        + f"{head}\n--B\nContent-Type: text/plain\n\nThis is the mail system. Your message could not be delivered.\n\n"
        + "--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        + f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n{said}\n"
        + f"--B\nContent-Type: {returned}\n\n{RETURNED.format(to=to)}\n--B--\n"
    )


def a_complaint(token: str, *, kind: str = "abuse", unsubscribe: bool = False) -> bytes:
    """RFC 5965, as feedback loops send it: to an address of the operator's, and not where bounces go."""
    ours = (
        f"List-Unsubscribe: <mailto:answers@paperround.test?subject=unsubscribe%20{token}>\n"
        if unsubscribe
        else f"Return-Path: <bounces+{token}@paperround.test>\n"
    )
    return wire(
        "From: <feedbackloop@isp.example>\nTo: abuse@paperround.test\nSubject: FW: 3 papers\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="B"\n\n'
        "--B\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n"
        f"--B\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nUser-Agent: Loop/1\nVersion: 1\n\n"
        f"--B\nContent-Type: message/rfc822\n\n{ours}{RETURNED.format(to='redacted@isp.example')}\n--B--\n"
    )


def a_plain_bounce(token: str, said: str, *, sender: str = "MAILER-DAEMON@mx.example.net", head: str = "") -> bytes:
    """From before there were reports."""
    return wire(
        f"Return-Path: <>\nFrom: {sender}\nTo: bounces+{token}@paperround.test\nSubject: failure notice\n{head}\n"
        f"{dedent(said)}\n"
    )
