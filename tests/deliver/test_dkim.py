import re
import shutil
import subprocess
import traceback
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.deliver.dkim import Signer, public_record
from digest.errors import ConfigError
from digest.model import Message
from digest.paths import shipped
from digest.render.compile import load_template
from digest.render.compose import Composer
from tests.builders import NOW, a_match, a_paper, an_edition
from tests.deliver.mail import a_message

Key = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 1024)
KEYS = [pytest.param(ED25519, id="ed25519"), pytest.param(RSA, id="rsa")]

SIMPLE = a_message(
    raw=b"From: Paperround <digest@example.org>\r\nTo: ada@example.net\r\nSubject: Two papers,\r\n and more\r\n"
    b"Date: Fri, 20 Nov 2026 08:30:00 +0100\r\nMessage-ID: <1@example.org>\r\nX-Free: yes\r\n"
    b"List-Unsubscribe: <https://example.org/u?t=1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Feedback-ID: 1:daily:paperround\r\n\r\nTwo papers.\r\n..\r\n\r\n\r\n"
)


def pem(key: Key, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def signer(key: Key = ED25519) -> Signer:
    return Signer("example.org", "paper", pem(key))


def is_valid(raw: bytes, key: Key = ED25519) -> bool:
    asked: list[bytes] = []

    def answer(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return public_record(pem(key)).encode()

    verified: bool = dkim.verify(raw, dnsfunc=answer)
    assert asked == [b"paper._domainkey.example.org."]
    return verified


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(load_template("daily", [shipped("templates")]), sender="Päperround <digest@example.org>")


def composed(composer: Composer, *titles: str) -> Message:
    matched = tuple(a_match(a_paper(number, title=title)) for number, title in enumerate(titles, 1))
    return composer.compose(an_edition(matched=matched), NOW)


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=25, deadline=None)
@given(titles=st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=3))
def test_another_implementation_believes_every_message(composer: Composer, key: Key, titles: list[str]) -> None:
    message = composed(composer, *titles)

    signed = signer(key).sign(message)

    assert signed.raw.endswith(b"\r\n" + message.raw)
    assert replace(signed, raw=message.raw) == message
    assert is_valid(signed.raw, key)
    assert max(len(line) for line in signed.raw.partition(message.raw)[0].split(b"\r\n")) <= 78


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"x", b"x\r\n", b" \r\n", b"x \t y\r\n\r\n"])
def test_bodies_may_end_in_any_way(key: Key, body: bytes) -> None:
    head = SIMPLE.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    assert is_valid(signer(key).sign(replace(SIMPLE, raw=head + body)).raw, key)


def test_what_is_signed() -> None:
    signature = signer().sign(SIMPLE).raw.partition(b"\r\nFrom:")[0]
    tags = dict(tag.split("=", 1) for tag in re.sub(r"\s", "", signature.decode().partition(":")[2]).split(";"))

    names = ["from", "from", "to", "subject", "date", "message-id"]
    assert sorted(tags["h"].split(":")) == sorted([*names, "feedback-id", "list-unsubscribe", "list-unsubscribe-post"])
    assert {name: tags[name] for name in "vacdst"} == {
        "v": "1",
        "a": "ed25519-sha256",
        "c": "relaxed/simple",
        "d": "example.org",
        "s": "paper",
        "t": str(int(NOW.timestamp())),
    }


def test_a_composed_mail_has_all_but_one_field_signed(composer: Composer) -> None:
    """Which is not worth it: it steers automatic answers of one server."""
    raw = signer().sign(composed(composer, "A title")).raw
    listed = re.search(rb"h=([^;]*);", raw)
    assert listed
    names = raw.partition(b"\r\nFrom:")[2].partition(b"\r\n\r\n")[0]
    there = {name.lower() for name in re.findall(rb"(?m)^([A-Za-z-]+):", b"From:" + names)}

    assert there - set(re.sub(rb"\s", b"", listed[1]).split(b":")) == {b"x-auto-response-suppress"}


def refolded(raw: bytes) -> bytes:
    """As relays write headers anew: folded at other blanks, with tabs, names in capitals."""
    head, end, body = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    anew = []
    for field in fields:
        name, _, value = field.partition(b":")
        words = value.replace(b"\r\n", b"").split()
        anew.append(name.upper() + b":  " + b"\r\n\t".join(words) + b" ")
    return b"Received: from a by b;\r\n Fri, 20 Nov 2026 07:31:00 +0000\r\n" + b"\r\n".join(anew) + end + body


@pytest.mark.parametrize("key", KEYS)
def test_a_relay_may_write_headers_anew(composer: Composer, key: Key) -> None:
    raw = signer(key).sign(composed(composer, "Ein Überblick " * 12, "B")).raw

    assert is_valid(refolded(raw), key)


@given(where=st.integers(0, 10_000_000), bit=st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_one_changed_bit_is_noticed(composer: Composer, where: int, bit: int) -> None:
    raw = bytearray(signer().sign(composed(composer, "A title")).raw)
    start = raw.index(b"\r\n\r\n") + 4
    raw[start + where % (len(raw) - 2 - start)] ^= 1 << bit

    assert not is_valid(bytes(raw))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"Subject: Two", b"Subject: Ten"),
        lambda raw: raw.replace(b"To: ada", b"To: eve"),
        lambda raw: raw.replace(b"u?t=1", b"u?t=2"),
        lambda raw: raw.replace(b"=One-Click", b"=No-Click"),
        lambda raw: raw.replace(b"From: P", b"From: Q"),
        lambda raw: b"From: Evil <evil@example.com>\r\n" + raw,
        lambda raw: raw.replace(b"t=1795159800", b"t=1795159801"),
    ],
    ids=["subject", "recipient", "link", "one click", "sender", "second sender", "time"],
)
def test_a_changed_field_is_noticed(change: Callable[[bytes], bytes]) -> None:
    raw = signer().sign(SIMPLE).raw
    changed = change(raw)
    assert changed != raw

    assert is_valid(raw)
    assert not is_valid(changed)
    assert is_valid(raw.replace(b"X-Free: yes", b"X-Free: no"))


def test_the_same_message_has_the_same_signature() -> None:
    assert signer().sign(SIMPLE) == signer().sign(SIMPLE)


@pytest.mark.parametrize(
    "raw", [b"From: a@example.org\r\n\r\nx", b"Date: Fri, 20 Nov 2026 08:30:00 +0100\r\n\r\nx", b"x"]
)
def test_what_is_no_whole_message_is_not_signed(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"From|date|subsection"):
        signer().sign(a_message(raw=raw))


@pytest.mark.parametrize(
    "text",
    [
        pem(RSA),
        pem(RSA, PrivateFormat.TraditionalOpenSSL),
        pem(RSA).replace("\n", "\\n"),
        pem(RSA).replace("\n", "\r\n"),
        f"\n  {pem(RSA)}  \n",
    ],
    ids=["PKCS 8", "PKCS 1", "one line", "CRLF", "blanks"],
)
def test_keys_may_be_written_in_several_ways(text: str) -> None:
    signed = Signer("example.org", "paper", text).sign(SIMPLE)

    assert is_valid(signed.raw, RSA)
    assert public_record(text) == public_record(pem(RSA))


def test_records_are_as_the_dns_wants_them() -> None:
    assert public_record(pem(ED25519)) == (
        f"v=DKIM1; k=ed25519; p={b64encode(ED25519.public_key().public_bytes_raw()).decode()}"
    )
    assert re.fullmatch(r"v=DKIM1; k=rsa; p=MIGf[A-Za-z0-9+/]+={0,2}", public_record(pem(RSA)))


LOCKED = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a private key in PEM"),
        ("MC4CAQAwBQYDK2VwBCIEIA==", "not a private key in PEM"),
        (pem(ED25519)[:60], "not a private key in PEM"),
        (pem(ED25519).replace("PRIVATE", "PUBLIC"), "not a private key in PEM"),
        (LOCKED, "protected by a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
    ],
    ids=["nothing", "no PEM", "cut off", "public", "locked", "elliptic curve"],
)
def test_a_wrong_key_is_told_and_not_shown(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Signer("example.org", "paper", text)

    assert caught.value.where == "DIGEST_DKIM__KEY"
    told = "".join(traceback.format_exception(caught.value))
    assert not any(line in told for line in text.splitlines() if line)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_a_short_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run(["openssl", "genrsa", "-out", path, "768"], check=True, capture_output=True)

    with pytest.raises(ConfigError, match="768 bits"):
        public_record(path.read_text())


@pytest.mark.parametrize(
    ("domain", "selector", "where"),
    [
        ("example..org", "paper", "DIGEST_DKIM__DOMAIN"),
        ("example.org; x=1", "paper", "DIGEST_DKIM__DOMAIN"),
        ("", "paper", "DIGEST_DKIM__DOMAIN"),
        ("example.org", "pa per", "DIGEST_DKIM__SELECTOR"),
        ("example.org", "", "DIGEST_DKIM__SELECTOR"),
        ("example.org", "a\r\nb", "DIGEST_DKIM__SELECTOR"),
    ],
)
def test_wrong_names_are_told(domain: str, selector: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Signer(domain, selector, pem(ED25519))
    assert caught.value.where == where


def test_names_become_what_the_dns_knows() -> None:
    assert Signer("Bücher.Example", "Paper.2026", pem(ED25519)).domain == "xn--bcher-kva.example"
    assert Signer("Bücher.Example", "Paper.2026", pem(ED25519)).selector == "paper.2026"
