"""One connection to an SMTP server: the standard library's client, with its replies read more carefully."""

import re
import smtplib
import socket
import ssl
from time import monotonic
from typing import NamedTuple

from digest.text.masking import mask_addresses

_REPLY_LINE = re.compile(rb"[2-5]\d\d(?:[ -]|$)")
_REPLY_BYTES = 65_536
_SHOWN_CHARS = 300
_CHUNK_BYTES = 16_384


class Reply(NamedTuple):
    """What the server answered, ready to be shown: one line, without addresses."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class Session(smtplib.SMTP):
    """An SMTP conversation over a socket that is already connected.

    Unlike its base it limits the time of a whole reply, so that a server that drips single bytes cannot stretch it, and
    it notices bytes that no command asked for, so that no reply is taken for the next one's. Every method raises
    ``OSError`` (``smtplib.SMTPException`` is one) when the connection cannot be used any more.
    """

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        # With a name given, smtplib does not look for its own in the DNS.
        super().__init__(local_hostname=_own_name(sock), timeout=timeout_s)
        self.sock: socket.socket = sock
        self._unread = b""

    def ask(self, command: str, argument: str = "") -> Reply:
        """Send one command and read its reply."""
        return self.shown(*self.docmd(command, argument))

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send one command, unless the server said something unasked or hung up."""
        if not self.is_quiet():
            said = _shown(self._unread) or "it hung up"
            raise smtplib.SMTPServerDisconnected(f"the server spoke out of turn: {said}")
        line = f"{cmd} {args}".rstrip()
        if "\r" in line or "\n" in line:
            raise ValueError("a command is one line")
        self.send_bytes(line.encode("ascii") + b"\r\n")

    def send_bytes(self, data: bytes) -> None:
        """Send part of a message; the time limit is for each chunk, so that a slow line may take its time."""
        self.sock.settimeout(self.timeout)
        for start in range(0, len(data), _CHUNK_BYTES):
            self.sock.sendall(data[start : start + _CHUNK_BYTES])

    def is_quiet(self) -> bool:
        """Whether the connection is open and nothing has arrived that was not read."""
        if self._unread:
            return False
        self.sock.settimeout(0)
        try:
            self._unread = self.sock.recv(_CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply within the usual time limit."""
        return self._read_reply(self.timeout)

    def read_reply(self, timeout_s: float) -> Reply:
        """Read one reply within this time limit."""
        return self.shown(*self._read_reply(timeout_s))

    @staticmethod
    def shown(code: int, text: bytes) -> Reply:
        """A reply, fit to be shown."""
        return Reply(code, _shown(text))

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on inside TLS, and forget what the server said outside of it."""
        self.sock.settimeout(self.timeout)
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    @property
    def protection(self) -> str:
        """What guards the connection, for people."""
        return (isinstance(self.sock, ssl.SSLSocket) and self.sock.version()) or "no TLS"

    def drop(self) -> None:
        """Close the connection without a word; a message without its final dot is thrown away by the server."""
        self.sock.close()

    def _read_reply(self, timeout_s: float) -> tuple[int, bytes]:
        deadline = monotonic() + timeout_s
        lines: list[bytes] = []
        while True:
            line = self._read_line(deadline)
            lines.append(line[4:])
            if not _REPLY_LINE.match(line) or sum(map(len, lines)) > _REPLY_BYTES:
                raise smtplib.SMTPServerDisconnected(f"this is no SMTP reply: {_shown(line)!r}")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def _read_line(self, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            left_s = deadline - monotonic()
            if left_s <= 0:
                raise TimeoutError("timed out")
            if len(self._unread) > _REPLY_BYTES:
                raise smtplib.SMTPServerDisconnected("the reply does not end")
            self.sock.settimeout(left_s)
            received = self.sock.recv(_CHUNK_BYTES)
            if not received:
                raise smtplib.SMTPServerDisconnected("the server hung up")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r")


def _shown(text: bytes) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text.decode("utf-8", "replace"))
    return mask_addresses(" ".join(printable.split()))[:_SHOWN_CHARS]


def _own_name(sock: socket.socket) -> str:
    """A name for EHLO; where the machine has no full one, its address (RFC 5321 section 4.1.4)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
