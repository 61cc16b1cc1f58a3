import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.errors import RenderError
from digest.render import headers
from tests.render.conftest import bodies, read_back

SMUGGLER = "=?UTF-8?Q?x=0D=0ABcc:_evil@x?="
NAMES = ["From", "To", "Subject", "MIME-Version", "Content-Type"]


def a_message(subject: str = "s", name: str = "Paperround", text: str = "t", html: str = "<p>h</p>") -> bytes:
    return headers.write_message(
        (
            ("From", headers.encode_mailbox(name, "digest@example.org")),
            ("To", "ada@example.org"),
            ("Subject", headers.encode_text(subject, "Subject")),
        ),
        text=text,
        html=html,
        boundary="=_b",
    )


anything = st.text(st.characters(), max_size=300) | st.text("=?UTF-8Qb=0D0A\r\n:_ \x00\u202eé界", max_size=80)


@given(anything)
@example(SMUGGLER)
@example("=" + SMUGGLER + "?")
@example("a" * 300)
@example("é" * 300)
@example("ends with backslash\\")
@example('quote " and , comma')
@settings(max_examples=400, deadline=None)
def test_no_text_in_a_header_makes_another_header(text: str) -> None:
    message = read_back(a_message(subject=text, name=text))

    assert message.keys() == NAMES
    assert message["Subject"] == headers.header_text(text)
    (mailbox,) = message["From"].addresses
    assert mailbox.addr_spec == "digest@example.org"
    # Python's parser leaves spaces between encoded words of a name, against RFC 2047 section 6.2.
    assert mailbox.display_name.replace(" ", "") == headers.header_text(text).replace(" ", "")


@given(anything | st.text("=?.\r\nFrom ", max_size=400))
@example(".\r\n.")
@example("." * 100)
@example("\nFrom me\n.x" + "y" * 75)
@settings(max_examples=400, deadline=None)
def test_bodies_survive_and_the_bytes_are_well_formed(text: str) -> None:
    raw = a_message(text=text, html=text)

    readable = text.encode("utf-8", "replace").decode()
    expected = re.sub(r"\r\n|\r|\n", "\n", readable)
    assert [body.removesuffix("\n") for body in bodies(raw)] == [expected.removesuffix("\n")] * 2
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
    assert read_back(a_message(subject="鹊桥" * 60))["Subject"] == "鹊桥" * 60


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
    ],
)
def test_a_header_that_is_not_what_it_says_is_refused(value: str) -> None:
    with pytest.raises(RenderError):
        headers.write_message((("To", "a@example.org"), ("X", value)), text="t", html="h", boundary="=_b")
