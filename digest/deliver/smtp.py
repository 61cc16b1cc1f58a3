"""Sends over SMTP: one connection for many messages, and every reply turned into who must act."""

import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from digest.deliver.session import Reply, Session
from digest.errors import (
    ConfigError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Message, Receipt, Security
from digest.text.masking import mask_addresses

_WRONG_PORT = "port 465 wants DIGEST_SMTP__SECURITY=tls, port 587 wants starttls"
_SENDER = "the server judges the sender, not this reader: check DIGEST_SENDER, and SPF, DKIM and DMARC of its domain"

# Replies that say the same to every recipient.
_SIGN_IN_CODES = (530, 534, 535, 538)
_ENVELOPE = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_SENDING_LIMIT = "5.4.5"
_TOO_BIG = ("5.3.4", "5.2.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """How to reach the server.

    Raises:
        ConfigError: Without TLS to another machine.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 60
    """For each step; the reply to the final dot has its own."""
    dot_timeout_s: float = 600
    """RFC 5321 section 4.5.3.2.6: giving up sooner makes duplicates."""

    def __post_init__(self) -> None:
        if not self.security.permits(self.host):
            raise ConfigError(
                f"security 'none' would send mail and password in the clear to {self.host!r}",
                where="DIGEST_SMTP__SECURITY",
                hint="use starttls or tls; none is for a server on this machine",
            )


class SmtpBackend:
    """A ``Backend`` that talks to one SMTP server."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._where = f"{settings.host}:{settings.port}"
        self._session: Session | None = None
        self._in_transaction = False

    def deliver(self, message: Message, before_dot: Callable[[], None]) -> Receipt:
        """Hand over one message; see ``Backend.deliver``."""
        sender = _envelope(message.sender, SmtpRefusedError)
        recipient = _envelope(message.recipient, PermanentDeliverError)
        body = _on_the_wire(message.raw)
        session = self._kept_session()
        if session:
            try:
                self._announce(session, sender, recipient, len(body))
            except OSError:
                # Servers close connections after some time or some messages; nothing was handed over yet.
                self._drop()
                session = None
        if not session:
            session = self._connect()
            try:
                self._announce(session, sender, recipient, len(body))
            except OSError as exc:
                self._drop()
                raise self._error(TemporaryDeliverError, f"the connection broke ({_said(exc)})") from exc
        return self._hand_over(session, body, before_dot)

    def check(self) -> str:
        """Connect, encrypt and sign in, but send nothing.

        Returns:
            How the connection is secured, for people.

        Raises:
            DeliverError: One of these steps failed.
        """
        session = self._connect()
        protection = session.protection
        try:
            reply = session.ask("NOOP")
            if reply.code != 250:
                raise self._error(UnreachableError, f"the server does not work ({reply})", code=reply.code)
        except OSError as exc:
            raise self._error(UnreachableError, f"the connection broke ({_said(exc)})") from exc
        finally:
            self.close()
        return protection

    def close(self) -> None:
        """Say good-bye and hang up; what the server answers to that changes nothing."""
        if self._session:
            self._session.timeout = min(5, self._settings.timeout_s)
            with suppress(OSError):
                self._session.docmd("QUIT")
        self._drop()

    def _kept_session(self) -> Session | None:
        session = self._session
        if session is None:
            return None
        try:
            if session.is_quiet() and (not self._in_transaction or session.ask("RSET").code == 250):
                self._in_transaction = False
                return session
        except OSError:
            pass
        self._drop()
        return None

    def _announce(self, session: Session, sender: str, recipient: str, size_bytes: int) -> None:
        """Say for whom the message is, up to the server's go-ahead for its content.

        Raises:
            OSError: The connection is lost; the server has nothing of the message.
            DeliverError: The server said no.
        """
        option = ""
        if session.has_extn("size"):
            limit = session.esmtp_features["size"].strip()
            if limit.isdecimal() and 0 < int(limit) < size_bytes:
                raise self._error(
                    PermanentDeliverError, f"the message has {size_bytes} bytes, and the server takes at most {limit}"
                )
            option = f" SIZE={size_bytes}"
        self._in_transaction = True
        steps = (
            ("sender", "MAIL", f"FROM:<{sender}>{option}", (250,)),
            ("recipient", "RCPT", f"TO:<{recipient}>", (250, 251, 252)),
            ("message", "DATA", "", (354,)),
        )
        for what, command, argument, wanted in steps:
            reply = session.ask(command, argument)
            if reply.code == 421:
                raise ConnectionResetError(str(reply))
            if reply.code not in wanted:
                raise self._refusal(what, reply)

    def _hand_over(self, session: Session, body: bytes, before_dot: Callable[[], None]) -> Receipt:
        try:
            session.send_bytes(body)
        except OSError as exc:
            self._drop()
            raise self._error(TemporaryDeliverError, f"the connection broke inside the message ({_said(exc)})") from exc
        try:
            before_dot()
        except BaseException:
            self._drop()
            raise
        if not session.is_quiet():
            raise self._early_end(session)
        try:
            session.send_bytes(b".\r\n")
            reply = session.read_reply(self._settings.dot_timeout_s)
        except OSError as exc:
            self._drop()
            raise self._error(
                UncertainDeliverError, f"the connection broke after the whole message was sent ({_said(exc)})"
            ) from exc
        self._in_transaction = False
        if reply.code == 250:
            return Receipt(reply.code, reply.text)
        if reply.code < 400:
            self._drop()
            raise self._error(UncertainDeliverError, f"the reply to the message makes no sense ({reply})")
        raise self._refusal("message", reply)

    def _early_end(self, session: Session) -> DeliverError:
        """Why the server hung up or replied before the final dot: known not to be accepted, as it was not sent."""
        try:
            reply = session.read_reply(self._settings.timeout_s)
        except OSError as exc:
            return self._error(TemporaryDeliverError, f"the connection broke inside the message ({_said(exc)})")
        finally:
            self._drop()
        return self._refusal("message", reply)

    def _refusal(self, what: str, reply: Reply) -> DeliverError:
        """Who must act on a reply that says no to the ``sender``, the ``recipient`` or the ``message``."""
        problem = f"{what} refused ({reply})"
        enhanced = reply.text.partition(" ")[0]
        if reply.code in _SIGN_IN_CODES:
            hint = "the server wants a sign-in first: set DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD"
            return self._error(SmtpRefusedError, problem, code=reply.code, hint=hint)
        if enhanced == _SENDING_LIMIT:
            hint = "the provider's sending limit is reached; the rest goes out when it lets us send again"
            return self._error(SmtpRefusedError, problem, code=reply.code, hint=hint)
        if reply.code < 500:
            if reply.code < 400 or reply.code == 421:
                self._drop()
            return self._error(TemporaryDeliverError, problem, code=reply.code)
        if what == "sender" and reply.code != 552 and enhanced not in _TOO_BIG:
            return self._error(SmtpRefusedError, problem, code=reply.code, hint=_SENDER)
        hint = _SENDER if enhanced.startswith("5.7.") else ""
        return self._error(PermanentDeliverError, problem, code=reply.code, hint=hint)

    def _connect(self) -> Session:
        settings = self._settings
        try:
            sock = socket.create_connection((settings.host, settings.port), settings.timeout_s)
        except (OSError, UnicodeError) as exc:
            said = _said(exc) if isinstance(exc, OSError) else "this is no name of a host"
            raise self._error(
                UnreachableError, f"cannot connect ({said})", hint="every message waits for the next run"
            ) from exc
        # Without it every message over TLS waits 40 ms for Nagle's algorithm and the delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(sock, settings.timeout_s)
        try:
            self._greet(session)
            self._sign_in(session)
        except ssl.SSLError as exc:
            session.drop()
            raise self._tls_error(exc) from exc
        except OSError as exc:
            session.drop()
            hint = _WRONG_PORT if isinstance(exc, TimeoutError) else ""
            raise self._error(UnreachableError, f"the server does not work ({_said(exc)})", hint=hint) from exc
        except DeliverError:
            session.drop()
            raise
        self._session, self._in_transaction = session, False
        return session

    def _greet(self, session: Session) -> None:
        """Exchange names, inside TLS unless the server is on this machine."""
        settings = self._settings
        if settings.security is Security.TLS:
            session.encrypt(_tls_context(), settings.host)
        self._expect(session.read_reply(settings.timeout_s), 220)
        self._say_hello(session)
        if settings.security is not Security.STARTTLS:
            return
        no_tls = "the password was not sent; " + _WRONG_PORT
        if not session.has_extn("starttls"):
            raise self._error(SmtpRefusedError, "the server does not offer STARTTLS", hint=no_tls)
        reply = session.ask("STARTTLS")
        # What comes along with the reply could be a stranger's, and would be read as if it had come through TLS.
        if reply.code != 220 or not session.is_quiet():
            raise self._error(SmtpRefusedError, f"STARTTLS failed ({reply})", code=reply.code, hint=no_tls)
        session.encrypt(_tls_context(), settings.host)
        self._say_hello(session)

    def _say_hello(self, session: Session) -> None:
        code, text = session.ehlo()
        if 500 <= code < 600:
            code, text = session.helo()
        self._expect(session.shown(code, text), 250)

    def _expect(self, reply: Reply, code: int) -> None:
        if reply.code != code:
            kind = SmtpRefusedError if reply.code >= 500 else UnreachableError
            raise self._error(kind, f"the server turns us away ({reply})", code=reply.code)

    def _sign_in(self, session: Session) -> None:
        """Sign in, with one attempt only: more would lock the account."""
        username, password = self._settings.username, self._settings.password or ""
        if not username:
            return
        offered = session.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            reply = session.ask("AUTH", f"PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
        elif "LOGIN" in offered:
            reply = session.ask("AUTH", "LOGIN")
            for answer in (username, password):
                if reply.code == 334:
                    reply = session.ask(_base64(answer))
        else:
            raise self._error(
                SmtpRefusedError,
                f"no way to sign in: the server offers {' '.join(offered) or 'none'}",
                hint="this release knows PLAIN and LOGIN; if the server needs no sign-in, unset DIGEST_SMTP__USERNAME",
            )
        if reply.code != 235:
            raise self._error(
                SmtpRefusedError,
                f"sign-in refused for {mask_addresses(username)!r} ({reply})",
                code=reply.code,
                hint=self._sign_in_hint(reply),
            )

    def _sign_in_hint(self, reply: Reply) -> str:
        if "5.7.139" in reply.text:
            return "Outlook no longer takes passwords over SMTP for this account; use another provider"
        if reply.code == 534 or "5.7.9" in reply.text or "gmail" in self._settings.host.lower():
            return "Google wants an app password here: https://myaccount.google.com/apppasswords"
        return "check DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD; every message waits for the next run"

    def _tls_error(self, exc: ssl.SSLError) -> DeliverError:
        if isinstance(exc, ssl.SSLCertVerificationError):
            hint = "DIGEST_SMTP__HOST must be a name in the certificate; SSL_CERT_FILE can name a private authority"
            return self._error(
                SmtpRefusedError, f"the certificate is not to be trusted: {exc.verify_message}", hint=hint
            )
        return self._error(SmtpRefusedError, f"no TLS connection ({_said(exc)})", hint=_WRONG_PORT)

    def _error(
        self, kind: type[DeliverError], problem: str, *, code: int | None = None, hint: str = ""
    ) -> DeliverError:
        return kind(problem, where=self._where, hint=hint, code=code)

    def _drop(self) -> None:
        if self._session:
            self._session.drop()
        self._session = None


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _on_the_wire(raw: bytes) -> bytes:
    """The content between DATA and the final dot (RFC 5321 section 4.5.2).

    Line ends are made CRLF first: a bare one before a dot could pass for the end of the message.
    """
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    stuffed = re.sub(rb"(?m)^\.", b"..", lines)
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _envelope(address: str, kind: type[DeliverError]) -> str:
    """The address as it goes into a command."""
    if _ENVELOPE.fullmatch(address):
        return address
    raise kind(
        f"{mask_addresses(address)!r} cannot be written to",
        hint="before the @ it may hold ASCII letters, digits and signs only, no spaces",
    )


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _said(exc: OSError) -> str:
    return "no answer in time" if isinstance(exc, TimeoutError) else exc.strerror or str(exc) or type(exc).__name__
