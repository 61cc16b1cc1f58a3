"""A real SMTP server on loopback that can be told to misbehave, and that keeps what it accepted.

Rules name a step and say what to do there in a tiny language::

    EvilSmtp({"rcpt:ana@example.org": "550 5.1.1 no such user", "dot": ["accept|drop", "accept|250 ok"]})

Steps: ``connect banner helo ehlo starttls auth mail rcpt data body dot rset noop quit``. After a colon an address
limits a rule of ``rcpt data body dot`` to the messages for it, of ``mail`` to those from it. A list is used up one by
one, then the step behaves well again; a text holds for ever. Actions are joined with ``|``: a reply to send
(``\\r\\n`` inside makes several lines; an empty one sends nothing), ``accept`` (keep the message), ``pause`` (for
0.8 s), ``drop`` (hang up), ``reset`` (hang up with RST), ``hang`` (say nothing until the server is stopped), ``drip``
(one byte of a reply each 20 ms, endlessly), ``slow REPLY`` (one byte each 5 ms), ``part REPLY`` (without its line end),
``long REPLY`` (with 100,000 letters more in its line).

Commands may come in groups (RFC 2920): they are answered in order, and DATA without a recipient is refused, unless a
rule of ``data`` goes ahead; the message is then refused in place of it. LHLO is answered as EHLO.
"""

import re
import socket
import ssl
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

Rules = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Accepted:
    sender: str
    recipient: str
    data: bytes
    """As it came over the wire, before dots are unstuffed, without the final dot."""


class _HangUpError(Exception):
    pass


@dataclass
class _Talk:
    """One connection."""

    sock: socket.socket
    number: int
    unread: bytes = b""
    sender: str = ""
    recipient: str = ""
    data: bytes = b""
    in_transaction: bool = False
    has_recipient: bool = False
    messages: int = 0

    def line(self) -> bytes:
        while b"\r\n" not in self.unread:
            self.more()
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def more(self) -> None:
        try:
            received = self.sock.recv(65_536)
        except OSError as exc:
            raise _HangUpError from exc
        if not received:
            raise _HangUpError
        self.unread += received


@dataclass
class EvilSmtp:
    rules: Rules = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    features: Sequence[str] = ("PIPELINING", "SIZE 20000000", "8BITMIME")
    """STARTTLS is added while it can be used."""
    credentials: tuple[str, str] | None = None
    """Announces AUTH (after TLS if there is any)."""
    auth: str = "PLAIN LOGIN"
    accepted: list[Accepted] = field(default_factory=list)
    commands: list[tuple[int, str]] = field(default_factory=list)
    """Number of the connection, and the line; the lines of messages are left out."""
    grouped: int = 0
    """Commands behind which another one had come already."""
    host: str = "127.0.0.1"
    path: Path | None = None
    """A Unix socket to listen at, in place of the host."""
    places: int | None = None
    """So many connections at a time; the next are told 421, and closed."""
    per_connection: int | None = None
    """So many messages over one connection; then MAIL is told 421, and it is closed."""

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._queues = {step: list(rule) for step, rule in self.rules.items() if not isinstance(rule, str)}
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._inside = 0
        if self.path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.path))
            self._listener.listen()
            self.port = 0
        else:
            self._listener = socket.create_server((self.host, 0))
            self.port = self._listener.getsockname()[1]
        self._start(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def recipients(self) -> list[str]:
        return [message.recipient for message in self.accepted]

    @property
    def connections(self) -> int:
        return len({number for number, _ in self.commands})

    def said(self, verb: str) -> int:
        """How often a command was given."""
        return sum(line.upper().startswith(verb) for _, line in self.commands)

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        number = 0
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if not self.path:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(sock)
            number += 1
            talk = _Talk(sock, number)
            self._start(lambda talk=talk: self._serve(talk))  # type: ignore[misc]

    def _serve(self, talk: _Talk) -> None:
        with self._lock:
            self._inside += 1
            is_full = self.places is not None and self._inside > self.places
        try:
            self._do(talk, "connect", "")
            if self.implicit_tls:
                self._encrypt(talk)
            if is_full:
                self._act(talk, "421 4.7.0 too many connections|drop")
            self._do(talk, "banner", "220 evil.test ESMTP")
            while True:
                line = talk.line().decode("latin-1")
                with self._lock:
                    self.commands.append((talk.number, line))
                    self.grouped += bool(talk.unread)
                self._command(talk, *line.partition(" ")[::2])
        except (_HangUpError, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._inside -= 1
            talk.sock.close()

    def _command(self, talk: _Talk, verb: str, argument: str) -> None:
        match verb.upper():
            case "STARTTLS":
                if self._do(talk, "starttls", "220 go ahead")[220]:
                    self._encrypt(talk)
            case "AUTH":
                self._sign_in(talk, argument)
            case "MAIL" | "RCPT":
                self._envelope(talk, verb.lower(), argument.partition("<")[2].partition(">")[0])
            case "DATA":
                usual = "354 go on" if talk.has_recipient else "503 5.5.1 no valid recipients"
                if self._do(talk, "data", usual, talk.recipient)[354]:
                    self._message(talk)
            case "EHLO" | "LHLO":
                self._do(talk, "ehlo", self._greeting(talk))
            case "QUIT":
                self._do(talk, "quit", "221 bye|drop")
            case "HELO" | "RSET" | "NOOP":
                talk.in_transaction &= verb.upper() == "NOOP"
                self._do(talk, verb.lower(), "250 ok")
            case _:
                talk.sock.sendall(b"502 what?\r\n")

    def _envelope(self, talk: _Talk, step: str, address: str) -> None:
        if step == "rcpt":
            talk.recipient = address
            usual = "250 ok" if talk.in_transaction else "503 5.5.1 MAIL first"
            talk.has_recipient = max(self._do(talk, step, usual, address), default=0) < 400
        elif talk.in_transaction:
            talk.sock.sendall(b"503 5.5.1 nested MAIL\r\n")
        else:
            talk.sender = address
            is_worn = self.per_connection is not None and talk.messages >= self.per_connection
            usual = "421 4.7.0 too many messages|drop" if is_worn else "250 ok"
            talk.has_recipient = False
            talk.in_transaction = max(self._do(talk, step, usual, address), default=0) < 400

    def _message(self, talk: _Talk) -> None:
        rule = self._rule("body", talk.recipient)
        if rule is not None:
            talk.more()
            self._act(talk, rule)
        while b"\r\n.\r\n" not in b"\r\n" + talk.unread:
            talk.more()
        talk.data, _, talk.unread = (b"\r\n" + talk.unread).partition(b"\r\n.\r\n")
        talk.data = talk.data.removeprefix(b"\r\n") + b"\r\n"
        talk.in_transaction = False
        talk.messages += 1
        usual = "accept|250 2.0.0 queued" if talk.has_recipient else "554 5.5.1 no valid recipients"
        self._do(talk, "dot", usual, talk.recipient)

    def _greeting(self, talk: _Talk) -> str:
        is_safe = isinstance(talk.sock, ssl.SSLSocket)
        features = list(self.features)
        if self.tls and not is_safe:
            features.append("STARTTLS")
        if self.credentials and (is_safe or not self.tls):
            features.append(f"AUTH {self.auth}")
        lines = ["evil.test", *features]
        return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    def _sign_in(self, talk: _Talk, argument: str) -> None:
        from base64 import b64decode, b64encode

        assert self.credentials
        rule = self._rule("auth", "")
        if rule is not None:
            self._act(talk, rule)
            return
        mechanism, _, given = argument.partition(" ")
        if mechanism == "PLAIN":
            user, password = b64decode(given).decode().split("\0")[1:]
        elif mechanism == "XOAUTH2":
            fields = dict(part.split("=", 1) for part in b64decode(given).decode().split("\1") if part)
            user, password = fields["user"], fields["auth"].removeprefix("Bearer ")
            if (user, password) != self.credentials:
                talk.sock.sendall(b"334 " + b64encode(b'{"status":"400"}') + b"\r\n")
                talk.line()
        else:
            answers = [b64decode(given).decode()] if given else []
            for question in (b"Username:", b"Password:")[len(answers) :]:
                talk.sock.sendall(b"334 " + b64encode(question) + b"\r\n")
                answers.append(b64decode(talk.line()).decode())
            user, password = answers
        good = (user, password) == self.credentials
        talk.sock.sendall(b"235 2.7.0 welcome\r\n" if good else b"535 5.7.8 bad credentials\r\n")

    def _do(self, talk: _Talk, step: str, usual: str, address: str = "") -> Counter[int]:
        """The codes that were replied."""
        rule = self._rule(step, address)
        actions = usual if rule is None else rule
        self._act(talk, actions)
        return Counter(int(code) for code in re.findall(r"(?:^|\||\n)(\d{3})(?!\d)", actions))

    def _rule(self, step: str, address: str) -> str | None:
        for name in (f"{step}:{address}", step):
            if name in self._queues:
                with self._lock:
                    if self._queues[name]:
                        return self._queues[name].pop(0)
            elif name in self.rules:
                rule = self.rules[name]
                assert isinstance(rule, str)
                return rule
        return None

    def _act(self, talk: _Talk, actions: str) -> None:
        for action in actions.split("|"):
            match action:
                case "accept":
                    with self._lock:
                        self.accepted.append(Accepted(talk.sender, talk.recipient, talk.data))
                case "pause":
                    self._stopping.wait(0.8)
                case "drop":
                    raise _HangUpError
                case "reset":
                    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    raise _HangUpError
                case "hang":
                    self._stopping.wait()
                    raise _HangUpError
                case "drip":
                    while not self._stopping.wait(0.02):
                        talk.sock.sendall(b"2")
                case "":
                    pass
                case _:
                    self._say(talk, action)

    def _say(self, talk: _Talk, action: str) -> None:
        how, _, reply = action.partition(" ")
        match how:
            case "slow":
                for byte in (reply + "\r\n").encode("latin-1"):
                    talk.sock.sendall(bytes((byte,)))
                    self._stopping.wait(0.005)
            case "part":
                talk.sock.sendall(reply.encode("latin-1"))
            case "long":
                talk.sock.sendall(reply.encode("latin-1") + b"x" * 100_000 + b"\r\n")
            case _:
                talk.sock.sendall(action.encode("latin-1") + b"\r\n")

    def _encrypt(self, talk: _Talk) -> None:
        assert self.tls
        talk.sock = self.tls.wrap_socket(talk.sock, server_side=True)
        self._open.append(talk.sock)


def make_certificate(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
    """A self-signed certificate and its key in one file."""
    path = folder / "server.pem"
    key = folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=evil.test", "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(path)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + key.read_text())
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
