"""The mail server as a stranger meets it: TCP, TLS, its certificate, and what it offers. Nothing is signed in to."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta

from digest.doctor import Finding, Level
from digest.model import Security
from digest.text.masking import mask_addresses

_LIMIT_S = 15
_SOON = timedelta(days=14)
_SIZE_BYTES = 1_000_000
"""More than any edition has."""


def look_at_server(host: str, port: int, security: Security, now: datetime, *, lmtp: bool = False) -> Iterator[Finding]:
    """Connect as a run would, read what is offered, and leave."""
    place = f"{host}:{port}"
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _leaving(_connect(host, port, security, context, lmtp=lmtp)) as server:
            server.ehlo_or_helo_if_needed()
            if security is Security.STARTTLS:
                if not server.has_extn("starttls"):
                    hint = "port 465 wants DIGEST_SMTP__SECURITY=tls; a stranger on the way may have taken it out"
                    yield Finding("mail server", Level.ERROR, f"{place} does not offer STARTTLS", hint)
                    return
                server.starttls(context=context)
                server.ehlo()
            yield Finding("mail server", Level.OK, f"{place} answers, {_protection(server)}")
            yield from _certificate(server, now)
            yield from _offers(server)
    except ssl.SSLCertVerificationError as exc:
        hint = "DIGEST_SMTP__HOST must be a name in the certificate; SSL_CERT_FILE can name a private authority"
        found = f"the certificate of {place} is not to be trusted: {exc.verify_message}"
        yield Finding("certificate", Level.ERROR, found, hint)
    except smtplib.SMTPResponseException as exc:
        said = mask_addresses(str(exc.smtp_error, "utf-8", "replace") if isinstance(exc.smtp_error, bytes) else "")
        yield Finding("mail server", Level.ERROR, f"{place} turns us away ({exc.smtp_code} {said})")
    except (OSError, UnicodeError) as exc:
        hint = "check DIGEST_SMTP__HOST and _PORT; many networks block ports 25, 465 and 587: ask your provider"
        reason = getattr(exc, "strerror", None) or mask_addresses(str(exc)) or type(exc).__name__
        yield Finding("mail server", Level.ERROR, f"{place} cannot be reached ({reason})", hint)


def _connect(host: str, port: int, security: Security, context: ssl.SSLContext, *, lmtp: bool) -> smtplib.SMTP:
    # With a name given, smtplib does not look for its own in the DNS.
    own = socket.gethostname()
    if security is Security.TLS:
        return smtplib.SMTP_SSL(host, port, own, timeout=_LIMIT_S, context=context)
    return (smtplib.LMTP if lmtp else smtplib.SMTP)(host, port, own, timeout=_LIMIT_S)


@contextmanager
def _leaving(server: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    """Say good-bye at the end; what is answered to that changes nothing."""
    with closing(server):
        yield server
        with suppress(OSError):
            server.quit()


def _protection(server: smtplib.SMTP) -> str:
    return (isinstance(server.sock, ssl.SSLSocket) and server.sock.version()) or "without TLS"


def _certificate(server: smtplib.SMTP, now: datetime) -> Iterator[Finding]:
    if not isinstance(server.sock, ssl.SSLSocket):
        return
    ends = (server.sock.getpeercert() or {}).get("notAfter")
    if not isinstance(ends, str):
        return
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    found = f"valid until {until:%Y-%m-%d}, {(until - now).days} days"
    if until - now < _SOON:
        yield Finding("certificate", Level.WARNING, found, "renew it: without it nothing is sent")
    else:
        yield Finding("certificate", Level.OK, found)


def _offers(server: smtplib.SMTP) -> Iterator[Finding]:
    offered = server.esmtp_features
    names = [name.upper() for name in ("pipelining", "8bitmime", "smtputf8", "chunking", "auth") if name in offered]
    size = offered.get("size", "").strip()
    if size.isdecimal() and 0 < int(size) < _SIZE_BYTES:
        hint = "larger editions are refused: give subscribers a smaller limit"
        yield Finding("mail server", Level.WARNING, f"it takes at most {int(size) / 1000:.0f} kB a message", hint)
    if "pipelining" not in offered:
        hint = "sending takes longer; nothing else is wrong"
        yield Finding("mail server", Level.OK, f"offers {', '.join(names) or 'nothing'}, but no PIPELINING", hint)
    else:
        yield Finding("mail server", Level.OK, f"offers {', '.join(names)}{f', SIZE {size}' if size else ''}")
