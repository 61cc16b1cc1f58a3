import random
import re
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.errors import RenderError
from digest.render import headers

SMUGGLER = "=?UTF-8?Q?x=0D=0ABcc:_evil@x?="
NAMES = ["From", "To", "Subject"]


def head(subject: str = "s", name: str = "Paperround") -> bytes:
    return headers.write_headers(
        (
            ("From", headers.encode_mailbox(name, "digest@example.org")),
            ("To", "ada@example.org"),
            ("Subject", headers.encode_text(subject, "Subject")),
        )
    )


def read_head(raw: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(raw + b"\r\n")
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def check_head(text: str) -> None:
    """Whoever reads these headers finds three, and the text."""
    raw = head(subject=text, name=text)
    message = read_head(raw)
    old = BytesParser(policy=policy.compat32).parsebytes(raw + b"\r\n")

    assert message.keys() == old.keys() == NAMES
    assert message.get_payload() == old.get_payload() == ""
    wanted = headers.header_text(text)
    assert message["Subject"] == wanted
    assert str(make_header(decode_header(old["Subject"].replace("\r\n ", " ")))) == wanted
    (mailbox,) = message["From"].addresses
    assert mailbox.addr_spec == "digest@example.org"
    # Python's parser leaves spaces between encoded words of a name, against RFC 2047 section 6.2.
    assert mailbox.display_name.replace(" ", "") == wanted.replace(" ", "")
    assert raw.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


anything = st.text(st.characters(), max_size=300) | st.text("=?UTF-8Qb=0D0A\r\n:_ \x00\u202eé界", max_size=80)


@given(anything)
@example(SMUGGLER)
@example("=" + SMUGGLER + "?")
@example("a" * 300)
@example("é" * 300)
@example("ends with backslash\\")
@example('quote " and , comma')
@settings(max_examples=300, deadline=None)
def test_no_text_in_a_header_makes_another_header(text: str) -> None:
    # Nothing at all is refused, as below.
    check_head(text if headers.header_text(text) else "x")


def test_ten_thousand_random_titles_make_no_other_header() -> None:
    rng = random.Random(7)
    pieces = [
        *("=?", "?=", "=?utf-8?q?", "=?utf-8?b?", "=0D=0A", "\r\n", "\n", "\r", "\u2028", "\x85", "\0", ": ", "Bcc:"),
        *("\\", "<", ">", "@", "\ud800", "\u202e", "é", "界", "🧪", " ", "  ", "\t", "\xa0", "_", "?", "=", ",", '"'),
    ]

    for _ in range(10_000):
        drawn = rng.choices(pieces, k=rng.randint(0, 12)) + [chr(rng.randrange(0x11_0000)) for _ in range(4)]
        rng.shuffle(drawn)
        text = "".join(("x", *drawn))
        raw = head(subject=text, name=text)

        for each in (policy.default, policy.compat32):
            message = BytesParser(policy=each).parsebytes(raw + b"\r\n")
            assert message.keys() == NAMES, (text, raw)
            assert message.get_payload() == "", (text, raw)


@given(st.lists(anything | st.text("=?.\r\nFrom ", max_size=400) | st.text(". From é", max_size=90), max_size=5))
@example([".\r\n."])
@example(["." * 100])
@example(["\nFrom me\n.x" + "y" * 75])
@example(["." + "x" * 70 + "..."])
@example(["x" * 72, ".", "From me", "", ". "])
@settings(max_examples=400, deadline=None)
def test_pieces_survive_in_any_order_and_the_bytes_are_well_formed(texts: list[str]) -> None:
    raw = b"".join(map(headers.encode_piece, texts))

    message = BytesParser(policy=policy.default).parsebytes(
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + raw
    )
    assert isinstance(message, EmailMessage)
    # A text that ends with a carriage return is followed by whatever comes next, so each is taken for itself.
    lines = "".join(re.sub(r"\r\n|\r|\n", "\r\n", text) for text in texts)
    assert message.get_payload(decode=True) == lines.encode("utf-8", "replace")
    assert raw.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    for line in raw.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("12 papers", "12 papers", id="ASCII as it is"),
        pytest.param("Erdős and friends", "=?utf-8?q?Erd=C5=91s_and_friends?=", id="mostly ASCII stays readable"),
        pytest.param("鹊桥", "=?utf-8?b?6bmK5qGl?=", id="other scripts in base64"),
        pytest.param(SMUGGLER, "= ?UTF-8?Q?x=0D=0ABcc:_evil@x?=", id="encoded words are only text"),
    ],
)
def test_unstructured_text(text: str, line: str) -> None:
    assert headers.encode_text(text, "Subject") == line


def test_encoded_words_part_between_characters() -> None:
    words = headers.encode_text("鹊桥" * 60, "Subject").split("\r\n ")

    assert len(words) > 1
    assert all(len(word) <= 75 for word in words)
    assert read_head(head(subject="鹊桥" * 60))["Subject"] == "鹊桥" * 60


@pytest.mark.parametrize(
    ("address", "written"),
    [
        pytest.param("ada@example.org", "ada@example.org", id="plain"),
        pytest.param("ada+papers@bücher.example", "ada+papers@xn--bcher-kva.example", id="IDN"),
        pytest.param("ada@straße.example", "ada@xn--strae-oqa.example", id="IDNA 2008 keeps ß"),
        pytest.param("root@localhost", "root@localhost", id="no dot"),
    ],
)
def test_addresses_are_written_in_ascii(address: str, written: str) -> None:
    assert headers.ascii_address(address) == written


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("ädä@example.org", id="local part is not ASCII"),
        pytest.param("ada@example.org\r\nBcc: x@example.org", id="line end"),
        pytest.param("ada@example.org\n", id="line end at the end"),
        pytest.param("ada@exa mple.org", id="space"),
        pytest.param("ada@-example.org", id="hyphen first"),
        pytest.param("a..b@example.org", id="two dots"),
        pytest.param("<ada@example.org>", id="angle brackets"),
        pytest.param("a" * 65 + "@example.org", id="local part of 65 characters"),
        pytest.param("example.org", id="no at"),
        pytest.param("ada@", id="no domain"),
        pytest.param("", id="empty"),
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"ASCII|valid|address"):
        headers.ascii_address(address)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x\r\nBcc: evil@example.org", id="another header"),
        pytest.param("x\nBcc: evil@example.org", id="bare line end"),
        pytest.param("x\r\n\r\nbody", id="end of headers"),
        pytest.param("x" * 1000, id="long line"),
        pytest.param("ä", id="not ASCII"),
        pytest.param("x\0", id="NUL"),
        pytest.param("x\r\n y\r\n", id="line end at the end"),
        pytest.param("x\r\n\r\n y", id="empty line within"),
    ],
)
def test_a_header_that_is_not_what_it_says_is_refused(value: str) -> None:
    with pytest.raises(RenderError):
        headers.write_headers((("To", "a@example.org"), ("X", value)))
