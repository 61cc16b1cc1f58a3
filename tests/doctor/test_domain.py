"""What the DNS says of the sender's domain, from a server of our own."""

from collections.abc import Mapping, Sequence
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.deliver.dkim import public_record
from digest.doctor import Level
from digest.doctor.domain import Key, Resolver, look_at_domain, read_tags
from tests.doctor.dns_stub import serve_texts

DOMAIN = "papers.digest-test.org"
AT = f"d1._domainkey.{DOMAIN}"
GOOD = {
    DOMAIN: ["google-site-verification=x", "v=spf1 include:mail.test ~all"],
    f"_dmarc.{DOMAIN}": ["v=DMARC1; p=none"],
}


@cache
def pem(kind: str) -> str:
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def look(
    records: Mapping[str, Sequence[str]], *, key: Key | None = None, fails: bool = False, envelope: str = ""
) -> dict[str, tuple[Level, str, str]]:
    with serve_texts(records, fails=fails) as server:
        findings = list(look_at_domain(DOMAIN, Resolver(server), envelope=envelope, key=key))
    return {finding.check: (finding.level, finding.found, finding.hint) for finding in findings}


def test_a_domain_in_order() -> None:
    found = look(GOOD)

    assert {check: level for check, (level, _, _) in found.items()} == dict.fromkeys(("SPF", "DKIM", "DMARC"), Level.OK)
    assert found["SPF"][1] == f"{DOMAIN}: v=spf1 include:mail.test ~all"


@pytest.mark.parametrize(
    ("records", "level", "said"),
    [
        ([], Level.WARNING, "has no record"),
        (["v=spf10 -all"], Level.WARNING, "has no record"),
        (["v=spf1 -all", "V=SPF1 mx ~all"], Level.ERROR, "has 2 records"),
        (["v=spf1 mx"], Level.WARNING, "v=spf1 mx"),
        (["v=spf1 mx +all"], Level.WARNING, "+all"),
        (["v=spf1 ip4:192.0.2.1 -ALL"], Level.OK, "-ALL"),
        (["v=spf1 redirect=_spf.mail.test"], Level.OK, "redirect"),
        ([f"v=spf1 {' '.join(f'include:{n}.test' for n in range(8))} a mx exists:x.test -all"], Level.ERROR, "11"),
        ([f"v=spf1 {' '.join(f'include:{n}.test' for n in range(8))} a mx all.test -all"], Level.OK, "include:7.test"),
    ],
)  # fmt: skip
def test_spf(records: list[str], level: Level, said: str) -> None:
    found = look(GOOD | {DOMAIN: records})["SPF"]

    assert found[0] is level
    assert said in found[1]
    assert bool(found[2]) is (level is not Level.OK)


def test_spf_is_asked_of_the_domain_that_mail_comes_back_to() -> None:
    found = look(GOOD | {"bounces.digest-test.org": ["v=spf1 mx -all"]}, envelope="bounces.digest-test.org")

    assert found["SPF"][1] == "bounces.digest-test.org: v=spf1 mx -all"


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_dkim_key_that_fits(kind: str) -> None:
    found = look(GOOD | {AT: [public_record(pem(kind))]}, key=Key(DOMAIN, "d1", pem(kind)))

    assert found["DKIM"] == (Level.OK, f"{AT} fits DIGEST_DKIM__KEY ({kind})", "")


@pytest.mark.parametrize(
    ("records", "level", "said"),
    [
        ([], Level.ERROR, "has no key"),
        (["v=DKIM1; p="], Level.ERROR, "is revoked"),
        (["other", "v=DKIM1; k=ed25519; p=AAAA"], Level.ERROR, "does not fit"),
        (["p=AAAA", "p=BBBB"], Level.ERROR, "has 2 records"),
        (["v=DKIM1; t=s:y; k=ed25519; p=OURS"], Level.WARNING, "only on trial"),
        (["p = OURS ; k=ed25519"], Level.OK, "fits"),
        # Without its kind a key is RSA's.
        (["v=DKIM1; p=OURS"], Level.ERROR, "does not fit"),
    ],
)
def test_dkim(records: list[str], level: Level, said: str) -> None:
    ours = read_tags(public_record(pem("ed25519")))["p"]
    records = [record.replace("OURS", ours) for record in records]

    found = look(GOOD | {AT: records}, key=Key(DOMAIN, "d1", pem("ed25519")))["DKIM"]

    assert found[0] is level
    assert said in found[1]
    if "key" in said or ("fit" in said and level is Level.ERROR):
        assert found[2] == f"publish as TXT record of {AT}: v=DKIM1; k=ed25519; p={ours}"


@pytest.mark.parametrize(("domain", "counts"), [("digest-test.org", True), ("mail-digest-test.org", False)])
def test_a_signature_counts_for_related_domains(domain: str, counts: bool) -> None:
    key = Key(domain, "d1", pem("ed25519"))
    with serve_texts(GOOD | {f"d1._domainkey.{domain}": [public_record(key.pem)]}) as server:
        said = [finding.found for finding in look_at_domain(DOMAIN, Resolver(server), key=key)]

    assert any("do not count" in each for each in said) is not counts


def test_a_signature_that_does_not_count_is_told_of_a_name_for_tests_too() -> None:
    found = list(look_at_domain("lab.example", Resolver(), key=Key("other.example", "d1", pem("ed25519"))))

    assert [(each.check, each.level) for each in found] == [("DKIM", Level.WARNING), ("domain", Level.OK)]
    assert found[0].found == "signatures of other.example do not count for lab.example"


@pytest.mark.parametrize(
    ("records", "level", "said"),
    [
        ({}, Level.WARNING, "has no record"),
        ({DOMAIN: ["v=DMARC1; p=reject"]}, Level.OK, "p=reject"),
        ({DOMAIN: ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}, Level.ERROR, "has 2 records"),
        ({DOMAIN: ["v=DMARC1; rua=mailto:x@y.test"]}, Level.ERROR, "has no policy"),
        ({"digest-test.org": ["v=DMARC1;p=quarantine"]}, Level.OK, "_dmarc.digest-test.org"),
        ({"digest-test.org": ["v=DMARC1;p=none;sp=often"]}, Level.ERROR, "has no policy"),
        ({"org": ["v=DMARC1;p=none"]}, Level.WARNING, "has no record"),
    ],
)
def test_dmarc(records: dict[str, list[str]], level: Level, said: str) -> None:
    spf = {DOMAIN: GOOD[DOMAIN]}

    found = look(spf | {f"_dmarc.{name}": texts for name, texts in records.items()})["DMARC"]

    assert found[0] is level
    assert said in found[1]


def test_a_dns_that_fails_is_no_verdict() -> None:
    [(level, found, _)] = look({}, fails=True).values()

    assert level is Level.WARNING
    assert "the DNS does not answer" in found


def test_names_for_tests_are_not_looked_up() -> None:
    [finding] = look_at_domain("paperround.test", Resolver(("127.0.0.1", 9)))

    assert finding.level is Level.OK
