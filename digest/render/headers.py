"""Our own writer of mail headers and bytes.

``EmailMessage`` is not used for three reasons, all measured: it folds a long ``List-Unsubscribe`` into encoded words,
which mail clients then ignore; on CPython 3.12.1 and older an encoded word in a title smuggles in header lines; and it
picks the transfer encoding by content, so the same mail has different sizes on different days.
"""

import binascii
import re
from base64 import b64encode
from collections.abc import Sequence
from email import policy
from email.parser import BytesParser
from string import ascii_letters, digits

import idna

from digest.errors import RenderError
from digest.render.words import plain

_LINE = 76
_Q_SAFE = frozenset(ascii_letters + digits + "!*+-/")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def header_text(text: str) -> str:
    """Make untrusted text fit for a header: one line, at most 200 characters, and nothing that decodes to more."""
    # Old Pythons and many mail programs decode an encoded word wherever it stands, line ends in it included.
    return plain(text, 200).replace("=?", "= ?")


def encode_text(text: str, name: str = "") -> str:
    """Write unstructured text for the header ``name``: ASCII as it is, anything else as encoded words (RFC 2047)."""
    text = header_text(text)
    if text.isascii():
        return _fold(text, len(name) + 2)
    return "\r\n ".join(_encoded_words(text, first=_LINE - len(name) - 2))


def split_address(text: str) -> tuple[str, str]:
    """Split ``Paperround <digest@example.org>`` into its name and the bare address in ASCII.

    Raises:
        ValueError: There is no address, or one that cannot be written in ASCII.
    """
    # Not parseaddr, which takes a comma in the name for the end of an address.
    name, _, address = text.rpartition("<")
    return header_text(name.strip(' "')), ascii_address(address.rstrip("> ").strip())


def ascii_address(address: str) -> str:
    """The address with its domain in punycode.

    Raises:
        ValueError: It is no plain address, or its local part is not ASCII.
    """
    local, _, domain = address.rpartition("@")
    if local and not local.isascii():
        raise ValueError("the part before @ is not ASCII")
    try:
        domain = idna.encode(domain, uts46=True).decode("ascii") if not domain.isascii() else domain
    except idna.IDNAError as exc:
        raise ValueError("the domain is not valid") from exc
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("this is not a mail address")
    return f"{local}@{domain}"


def encode_mailbox(name: str, address: str) -> str:
    """Write a mailbox for From: quoted where needed, encoded where it is not ASCII."""
    name = header_text(name)
    if not name:
        return address
    if not name.isascii():
        return "\r\n ".join((*_encoded_words(name, first=_LINE - 6), f"<{address}>"))
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address}>"


def write_message(headers: Sequence[tuple[str, str]], *, text: str, html: str, boundary: str) -> bytes:
    """Write a ``multipart/alternative`` message: CRLF line ends, ASCII only, both parts quoted-printable.

    Args:
        headers: Names and values in order, values encoded already; those of MIME are added.
        text: The plain part, with any line ends.
        html: The rich part.
        boundary: Begins with ``=_``, which quoted-printable text cannot hold.

    Raises:
        RenderError: Read back, the bytes do not say what was asked for.
    """
    mime = ("MIME-Version", "1.0"), ("Content-Type", f'multipart/alternative; boundary="{boundary}"')
    lines = [f"{name}: {value}" for name, value in (*headers, *mime)] + [""]
    for subtype, body in (("plain", text), ("html", html)):
        lines += (
            f"--{boundary}",
            f"Content-Type: text/{subtype}; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            quoted_printable(body),
        )
    lines += (f"--{boundary}--", "")
    try:
        raw = "\r\n".join(lines).encode("ascii")
    except UnicodeEncodeError as exc:
        raise RenderError("a header of the message is not ASCII") from exc
    _check(raw, [name for name, _ in (*headers, *mime)])
    return raw


def quoted_printable(text: str) -> str:
    """Encode text with CRLF line ends, no line over 76 characters, ending without a line end."""
    data = "\r\n".join(re.split(r"\r\n|\r|\n", text)).encode("utf-8", "replace") + b"\r\n"
    # Only because the data holds a CRLF does b2a_qp end its soft breaks with one.
    lines = binascii.b2a_qp(data, istext=True).decode("ascii")[:-2].split("\r\n")
    return "\r\n".join(map(_shielded, lines))


def _shielded(line: str) -> str:
    """Encode what transports change at the start of a line: a dot (SMTP) and ``From`` (mbox)."""
    if not line.startswith((".", "From ")):
        return line
    first = f"={ord(line[0]):02X}"
    rest = line[1:]
    return first + rest if len(line) <= _LINE - 2 else f"{first}=\r\n{_shielded(rest)}"


def _encoded_words(text: str, first: int) -> list[str]:
    """Encoded words of whole characters, the first at most ``first`` long, the others 75."""
    # Base64 hides what little is not ASCII from people who look at the source, and spam filters dislike it.
    is_mostly_ascii = sum(not char.isascii() for char in text) * 6 < len(text)
    kind, encode = ("q", _q_encode) if is_mostly_ascii else ("b", _b_encode)
    words = []
    chunk = ""
    room = min(first, 75)
    for char in text:
        if len(encode(chunk + char)) + len("=?utf-8?q??=") > room:
            words.append(chunk)
            chunk, room = "", 75
        chunk += char
    return [f"=?utf-8?{kind}?{encode(word)}?=" for word in (*words, chunk)]


def _b_encode(text: str) -> str:
    return b64encode(text.encode("utf-8")).decode("ascii")


def _q_encode(text: str) -> str:
    return "".join(
        chr(code) if chr(code) in _Q_SAFE else "_" if code == 32 else f"={code:02X}" for code in text.encode("utf-8")
    )


def _fold(text: str, used: int) -> str:
    lines = [""]
    room = _LINE - used
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _check(raw: bytes, names: Sequence[str]) -> None:
    """Refuse bytes that a reader would take for another message than the one meant."""
    lines = raw.split(b"\r\n")
    if max(map(len, lines)) > 998 or re.search(rb"[\r\n\0]", b"".join(lines)):
        raise RenderError("the message holds a bare line end, a NUL or a line over 998 octets")
    parsed = BytesParser(policy=policy.default).parsebytes(raw)
    if [name.lower() for name in parsed.keys()] != [name.lower() for name in names]:  # noqa: SIM118 - not a dict
        raise RenderError(f"the message would carry other headers than meant: {', '.join(parsed.keys())}")
    kinds = [part.get_content_type() for part in parsed.iter_parts()]
    if parsed.defects or kinds != ["text/plain", "text/html"]:
        raise RenderError(f"the message does not read back: parts {kinds}, defects {parsed.defects}")
