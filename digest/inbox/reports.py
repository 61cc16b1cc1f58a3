"""What mail servers report of mail that was sent: what could not be delivered (RFC 3464), and complaints (RFC 5965).

Of what was bounced without a report, the words of common servers are read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_string
from email.message import Message as Mail
from email.utils import parseaddr
from enum import StrEnum
from typing import Final

from digest.inbox.answers import header_of, sender_of
from digest.text.masking import mask_addresses

_GONE: Final = ("5.1.1", "5.1.2", "5.1.3", "5.1.10")
"""No such mailbox, no such domain, no such address, or a domain without mail (RFC 3463 section 3.2, RFC 7505)."""
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_NOBODY = re.compile(
    r"user (?:is )?unknown|unknown (?:user|recipient|local part)|no such (?:user|mailbox|recipient|address|person)"
    r"|(?:address|account|mailbox|user|recipient)[^.]{0,60}(?:does ?n[o']t exist|not found|unknown)"
    r"|no mailbox here|invalid (?:recipient|mailbox)|wasn't found at|host or domain name not found",
    re.IGNORECASE,
)
_OPINION = re.compile(
    r"spam|blocked|black ?list|block ?list|reputation|policy|unsolicited|(?<![\d.])5\.7\.\d", re.IGNORECASE
)
"""The server knows the address and does not want the mail, or says nothing of the address."""
_LATER = re.compile(
    r"\bdelayed\b|\bwarning\b|will (?:be retried|keep trying|retry)|do not need to resend", re.IGNORECASE
)
_SENDERS = re.compile(r"mailer-daemon|postmaster|mail-?delivery|mdaemon", re.IGNORECASE)
_COMPLAINTS: Final = ("abuse", "fraud", "opt-out", "opt-out-list", "miscategorized")
_TEXT_CHARS: Final = 20_000
_TOKEN = re.compile(rb"(?:(?<![A-Za-z0-9_-])|(?<=%20))[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")


class ReportKind(StrEnum):
    """What became of a mail."""

    GONE = "gone"
    """The address does not exist."""
    FAILED = "failed"
    """It could not be delivered for another reason: a full mailbox, a policy, a server that was never reached."""
    DELAYED = "delayed"
    """It is still tried."""
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    """The reader called it spam."""
    OTHER = "other"
    """A report of something else: that it is no spam, say."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a server says of one mail; nobody has looked yet whether it was ours."""

    kind: ReportKind
    detail: str = ""
    """The server's words, without addresses."""
    recipient: str = field(default="", repr=False)
    """To whom the mail was written, if it was returned."""


def may_be_report(mail: Mail) -> bool:
    """Whether a mail looks like a report, by its head alone."""
    return (
        mail.get_content_type() == "multipart/report"
        or mail["X-Failed-Recipients"] is not None
        or _SENDERS.search(sender_of(mail).partition("@")[0]) is not None
    )


def find_report(mail: Mail) -> Report | None:
    """What a mail reports; ``None`` if it is no report. Never raises, whatever it holds."""
    if not may_be_report(mail):
        return None
    for part in mail.walk():
        match part.get_content_type():
            case "message/feedback-report":
                return _complaint(_blocks(part))
            case "message/delivery-status" | "message/global-delivery-status":
                return replace(_of_blocks(_blocks(part)), recipient=_recipient(mail))
    return _of_text(_text(mail))


def find_tokens(raw: bytes) -> tuple[str, ...]:
    """Everything in a mail that may be a token: of where it was sent to, and of what it returns."""
    found = _TOKEN.findall(raw.replace(b"=\r\n", b"").replace(b"=\n", b""))
    return tuple(dict.fromkeys(text.decode("ascii") for text in found))


def _blocks(part: Mail) -> list[Mail]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Mail)] if isinstance(payload, list) else []


def _recipient(mail: Mail) -> str:
    """To whom the returned mail was written."""
    for part in mail.walk():
        match part.get_content_type(), part.get_payload():
            case "message/rfc822" | "message/global", [Mail() as returned, *_]:
                return parseaddr(header_of(returned, "To"))[1]
            case "text/rfc822-headers" | "message/global-headers", str(head):
                return parseaddr(header_of(message_from_string(head), "To"))[1]
    return ""


def _complaint(blocks: list[Mail]) -> Report:
    kinds = [header_of(block, "Feedback-Type").lower() for block in blocks]
    kind = next(filter(None, kinds), "")
    return Report(ReportKind.COMPLAINT if kind in _COMPLAINTS else ReportKind.OTHER, _short(f"feedback: {kind}"))


def _of_blocks(blocks: list[Mail]) -> Report:
    found = [_of_block(block) for block in blocks if block["Action"] is not None or block["Status"] is not None]
    # Our mail has one recipient; where a list passed it on to several, one of them is not the whole address.
    order = list(ReportKind)
    return max(found, key=lambda report: order.index(report.kind), default=Report(ReportKind.OTHER))


def _of_block(block: Mail) -> Report:
    action = header_of(block, "Action").lower().partition(" ")[0]
    status, said = header_of(block, "Status"), header_of(block, "Diagnostic-Code")
    detail = _short(f"{status} {said.partition(';')[2].strip() or said}".strip() or action)
    if action in ("delivered", "relayed", "expanded"):
        return Report(ReportKind.DELIVERED, detail)
    if action == "delayed":
        return Report(ReportKind.DELAYED, detail)
    return Report(_kind(_statuses(f"{status} "), said), detail)


def _of_text(text: str) -> Report | None:
    """Of a server that sends no report: Exim, qmail and others of old."""
    found = _STATUS.search(text)
    is_final = found is not None and found[1].startswith("5")
    line = next((line for line in text.splitlines() if _NOBODY.search(line) or _STATUS.search(line)), "")
    if not is_final and _LATER.search(text):
        return Report(ReportKind.DELAYED, _short(line))
    if found is None and not line:
        return None
    return Report(_kind(_statuses(line), line), _short(line))


def _kind(statuses: list[str], said: str) -> ReportKind:
    # A status that says nothing but "no" is made up for by the server's own words.
    vague = all(status.endswith(".0.0") or status == "5.1.0" for status in statuses)
    known = [*([] if vague else statuses), *_statuses(said)]
    if any(status.startswith("4") for status in known[:1]) or _OPINION.search(said):
        return ReportKind.FAILED
    is_gone = any(status in _GONE for status in known[:1]) or (not known and _NOBODY.search(said) is not None)
    return ReportKind.GONE if is_gone else ReportKind.FAILED


def _statuses(text: str) -> list[str]:
    return _STATUS.findall(text)


def _text(mail: Mail) -> str:
    """What the server says, without the mail that it returns."""
    for part in _text_parts(mail):
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            said = payload[:_TEXT_CHARS].decode("utf-8", "replace")
            return re.split(r"\n-{3,}.{0,80}(?:copy|original|below this line)", said, maxsplit=1, flags=re.IGNORECASE)[
                0
            ]
    return ""


def _text_parts(mail: Mail) -> Iterator[Mail]:
    return (part for part in mail.walk() if part.get_content_type() == "text/plain")


def _short(text: str) -> str:
    return mask_addresses(" ".join(text.split()))[:200]
