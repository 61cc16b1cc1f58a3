"""Our own writer of mail headers and bytes.

``EmailMessage`` is not used for three reasons, all measured: it folds a long ``List-Unsubscribe`` into encoded words,
which mail clients then ignore; on CPython 3.12.1 and older an encoded word in a title smuggles in header lines; and it
picks the transfer encoding by content, so the same mail has different sizes on different days.
"""

import binascii
import re
from base64 import b64encode
from collections.abc import Sequence
from string import ascii_letters, digits

import idna

from digest.errors import RenderError
from digest.render.words import plain

_LINE = 76
_AROUND = len("=?utf-8?q??=")
_SHIELDED = re.compile(rb"^(?:\.|From )", re.MULTILINE)
"""What transports change at the start of a line."""
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


def write_headers(headers: Sequence[tuple[str, str]]) -> bytes:
    """Write header lines, each ending in CRLF.

    Args:
        headers: Names and values in order; values encoded and folded already.

    Raises:
        RenderError: A value would be read as something else: more headers, or the end of them.
    """
    raw = "".join([f"{name}: {value}\r\n" for name, value in headers])
    values = "".join([value for _, value in headers]).replace("\r\n ", "")
    lines = raw.split("\r\n")[:-1]
    if not (values.isascii() and values.isprintable() and all(line.strip() and len(line) <= 998 for line in lines)):
        raise RenderError("a header of the message holds a line end, a control character or anything but ASCII")
    return raw.encode("ascii")


def encode_piece(text: str) -> bytes:
    """Encode a piece of a text as quoted-printable (RFC 2045 section 6.7) such that any other piece may follow.

    Line ends become CRLF, no line is over 76 characters, and none starts with what transports change: a dot (SMTP) or
    ``From`` (mbox).
    """
    if not text:
        return b""
    if "\n" not in text and "\r" not in text:
        line = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True)
        if not _SHIELDED.search(line) and len(line) - line.rfind(b"\n") - 1 < _LINE:
            return line.replace(b"\n", b"\r\n") + b"=\r\n"
    data = "\r\n".join(re.split(r"\r\n|\r|\n", text)).encode("utf-8", "replace")
    # Only because the data holds a CRLF does b2a_qp end its soft breaks with one; and what comes before it, blanks
    # included, is encoded as the end of a line.
    lines = binascii.b2a_qp(data + b"\r\n", istext=True).decode("ascii")[:-2].split("\r\n")
    shielded = "\r\n".join(map(_shielded, lines))
    last = shielded.rpartition("\r\n")[2]
    if len(last) >= _LINE:
        cut = len(shielded) - 3
        # Not within an encoded byte.
        cut = next((cut - back for back in (1, 2) if shielded[cut - back] == "="), cut)
        shielded = f"{shielded[:cut]}=\r\n{_shielded(shielded[cut:])}"
    return (f"{shielded}=\r\n" if last else shielded).encode("ascii")


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
    words = [""]
    used, room = 0, min(first, 75) - _AROUND
    for char in text:
        # Base64 makes four characters of three bytes.
        size = len(_q_encode(char)) if is_mostly_ascii else len(char.encode("utf-8"))
        if used + size > (room if is_mostly_ascii else room // 4 * 3):
            words.append("")
            used, room = 0, 75 - _AROUND
        words[-1] += char
        used += size
    return [f"=?utf-8?{kind}?{encode(word)}?=" for word in words]


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
