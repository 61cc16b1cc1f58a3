"""What a mail server's reply means, and who must act on it: pure functions."""

import re
from typing import Literal, NamedTuple

from digest.errors import (
    BadAddressError,
    BusyDomainError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
)
from digest.text.masking import mask_addresses

Step = Literal["sender", "recipient", "message"]
"""What was refused: at MAIL, at RCPT, or at DATA and after it."""

WRONG_PORT = "port 465 wants DIGEST_SMTP__SECURITY=tls, port 587 wants starttls"

_SHOWN_CHARS = 300
_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

_SIGN_IN_CODES = (530, 534, 535, 538)
_SENDING_LIMIT = "5.4.5"
_TOO_BIG = ("5.3.4", "5.2.3")
_BAD_ADDRESS = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
_BAD_ADDRESS_CODES = (550, 551, 553)
_GREYLISTED = re.compile(r"gr[ae]y.?list", re.IGNORECASE)
_RATE = re.compile(
    r"rate.?limit|too (?:many|much|fast|frequent)|throttl|(?:unusual|sending|message) rate", re.IGNORECASE
)
# About one mailbox, or one conversation: mail to others at the same provider is not concerned.
_NOT_THE_DOMAIN = ("4.2.1", "4.2.2", "4.5.3")

_SENDER_HINT = (
    "the server judges the sender, not this reader: check DIGEST_SENDER, and SPF, DKIM and DMARC of its domain"
)
_SIGN_IN_HINT = "the server wants a sign-in first: set DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD"
_LIMIT_HINT = "the provider's sending limit is reached; the rest goes out when it lets us send again"
_WAITS = "every message waits for the next run"


class Reply(NamedTuple):
    """What the server answered."""

    code: int
    raw: bytes
    """The text of all its lines, joined with line feeds; anything may be in there."""

    @property
    def text(self) -> str:
        """Fit to be shown: one line, without addresses."""
        return show(self.raw)

    @property
    def enhanced(self) -> str:
        """The enhanced status code at its start (RFC 3463), or empty."""
        found = _ENHANCED.match(self.raw)
        return found[1].decode() if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def show(raw: bytes) -> str:
    """What a server said, fit to be shown."""
    text = raw.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return (mask_addresses(text) if "@" in text else text)[:_SHOWN_CHARS]


def judge(step: Step, reply: Reply) -> tuple[type[DeliverError], str]:
    """Who must act on a reply that says no, with a hint for the next step, or an empty one."""
    code, enhanced = reply.code, reply.enhanced
    if code in _SIGN_IN_CODES:
        return SmtpRefusedError, _SIGN_IN_HINT
    if enhanced == _SENDING_LIMIT:
        return SmtpRefusedError, _LIMIT_HINT
    if code < 500:
        busy = step != "sender" and _is_domain_busy(step, reply)
        return (BusyDomainError, "") if busy else (TemporaryDeliverError, "")
    if step == "sender" and code != 552 and enhanced not in _TOO_BIG:
        return SmtpRefusedError, _SENDER_HINT
    if step == "recipient" and code in _BAD_ADDRESS_CODES and enhanced in _BAD_ADDRESS:
        return BadAddressError, ""
    return PermanentDeliverError, _SENDER_HINT if enhanced.startswith("5.7.") else ""


def _is_domain_busy(step: Step, reply: Reply) -> bool:
    """Whether the recipient's provider takes no more from us for now."""
    enhanced = reply.enhanced
    if reply.code < 400 or enhanced in _NOT_THE_DOMAIN:
        return False
    text = reply.raw.decode("utf-8", "replace")
    if enhanced.startswith("4.7."):
        return not _GREYLISTED.search(text)
    if reply.code == 421 and step == "recipient" and not enhanced.startswith("4.3."):
        return True
    return _RATE.search(text) is not None


def sign_in_hint(reply: Reply, host: str, *, with_token: bool) -> str:
    """What to do about a sign-in that was refused."""
    host = host.lower()
    if with_token:
        return f"check DIGEST_SMTP__USERNAME, and make a new DIGEST_OAUTH__REFRESH_TOKEN; {_WAITS}"
    if reply.enhanced == "5.7.139" or "5.7.139" in reply.text:
        return (
            "Outlook no longer takes passwords over SMTP for this account: sign in with DIGEST_OAUTH__REFRESH_TOKEN,"
            " or use another provider"
        )
    if reply.code == 534 or reply.enhanced == "5.7.9" or "gmail" in host or "google" in host:
        return "Google wants an app password here: https://myaccount.google.com/apppasswords"
    if any(name in host for name in ("yahoo", "aol", "mail.me.com")):
        return f"this provider wants an app password, made in the security settings of the account; {_WAITS}"
    return f"check DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD; {_WAITS}"
