"""The mail server as the doctor meets it; what is signed in to is no matter of these looks."""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.doctor import Finding, Level
from digest.doctor.server import look_at_server
from digest.model import Security
from tests.deliver.evil_smtp import EvilSmtp, make_certificate, server_context

NOW = datetime.now(UTC)  # noqa: TID251  the certificate is made now


def look(server: EvilSmtp, security: Security, now: datetime = NOW) -> list[Finding]:
    return list(look_at_server("127.0.0.1", server.port, security, now))


def said(findings: Sequence[Finding], level: Level) -> str:
    return "\n".join(finding.found for finding in findings if finding.level is level)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_server_in_order_is_left_without_a_sign_in() -> None:
    with EvilSmtp(credentials=("me", "word")) as server:
        findings = look(server, Security.NONE)
        commands = [line.partition(" ")[0] for _, line in server.commands]

    assert {finding.level for finding in findings} == {Level.OK}
    assert "offers PIPELINING, 8BITMIME, AUTH, SIZE 20000000" in said(findings, Level.OK)
    assert [command.upper() for command in commands] == ["EHLO", "QUIT"]


@pytest.mark.parametrize("implicit", [True, False])
def test_a_certificate_is_verified_and_its_end_is_told(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, implicit: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    security = Security.TLS if implicit else Security.STARTTLS
    with EvilSmtp(tls=server_context(certificate), implicit_tls=implicit) as server:
        findings = look(server, security, NOW + timedelta(hours=12))
        later = look(server, security, NOW - timedelta(days=30))

    assert "TLSv1.3" in said(findings, Level.OK)
    # It is made for two days.
    assert "1 days" in said(findings, Level.WARNING)
    assert said(later, Level.WARNING) == ""


def test_a_strange_certificate_is_an_error(certificate: Path) -> None:
    with EvilSmtp(tls=server_context(certificate), implicit_tls=True) as server:
        [finding] = look(server, Security.TLS)

    assert (finding.check, finding.level) == ("certificate", Level.ERROR)
    assert "is not to be trusted: self-signed certificate" in finding.found


def test_starttls_that_is_not_offered_is_an_error() -> None:
    with EvilSmtp() as server:
        [finding] = look(server, Security.STARTTLS)

    assert finding.level is Level.ERROR
    assert "does not offer STARTTLS" in finding.found


@pytest.mark.parametrize(
    ("rules", "features", "level", "found"),
    [
        ({"banner": "554 no ana@readers.test here|drop"}, (), Level.ERROR, "turns us away (554 no a***@*** here)"),
        ({"connect": "drop"}, (), Level.ERROR, "cannot be reached"),
        ({"quit": "421 busy|drop"}, ("PIPELINING",), Level.OK, "offers PIPELINING"),
        ({}, ("SIZE 50000", "PIPELINING"), Level.WARNING, "at most 50 kB"),
        ({}, ("8BITMIME",), Level.OK, "but no PIPELINING"),
    ],
    ids=["turned away", "hung up", "rude at the end", "small", "slow"],
)
def test_what_a_server_can_be_like(rules: dict[str, str], features: tuple[str, ...], level: Level, found: str) -> None:
    with EvilSmtp(rules, features=features) as server:
        findings = look(server, Security.NONE)

    assert found in said(findings, level)


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    [finding] = look_at_server("127.0.0.1", port, Security.NONE, NOW)

    assert finding.level is Level.ERROR
    assert "Connection refused" in finding.found
