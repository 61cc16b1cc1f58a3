"""Log lines for people and machines: ids are in them, addresses and secrets are not."""

import json
import logging
import os
import string
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

import digest
from digest.cli.common import set_up_logging
from digest.config.settings import Dkim, Imap, Keys, Settings, Smtp
from digest.telemetry.logs import JsonFormatter, Redactor, TextFormatter, find_secrets, log_fields
from digest.telemetry.ping import ping_end, ping_start
from digest.telemetry.spans import span
from tests.collect.evil_http import Answer, EvilHttp

SECRETS = ("pass-canary word", "dkim-canary\nline-two-canary", "key-canary", "https://ping.test/uuid-canary")


def secret_settings() -> Settings:
    return Settings.model_construct(
        smtp=Smtp.model_construct(username="me", password=SecretStr(SECRETS[0])),
        dkim=Dkim.model_construct(selector="s", key=SecretStr(SECRETS[1])),
        imap=Imap(),
        keys=Keys(openalex=SecretStr(SECRETS[2])),
        ping_url=SECRETS[3],
        database_url="sqlite:///var/digest.sqlite3",
    )


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, StringIO]]:
    """A logger of its own whose lines are JSON."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(Redactor(find_secrets(secret_settings()))))
    logger = logging.getLogger("digest.of_a_test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, stream
    logger.removeHandler(handler)


def test_every_secret_of_the_settings_is_known() -> None:
    assert set(find_secrets(secret_settings())) == set(SECRETS)


def test_a_line_is_one_object_with_its_fields(lines: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = lines
    with log_fields(run="2026-11-22T06:37:01Z-4f2a"), log_fields(source="arxiv"):
        logger.warning("%d of\n%s", 3, "five", extra={"subscriber": "ada", "papers": 7})
    logger.info("later")

    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "warning", "logger": "digest.of_a_test", "message": "3 of\nfive", "run": "2026-11-22T06:37:01Z-4f2a",
        "source": "arxiv", "subscriber": "ada", "papers": 7,
    }  # fmt: skip
    assert "run" not in second


def test_no_secret_is_in_a_line_or_its_traceback(lines: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = lines

    def fail(password: str) -> None:
        raise RuntimeError(f"535 for ana.canary@readers.test with {password} at {SECRETS[3]}")

    try:
        fail(SECRETS[0])
    except RuntimeError:
        logger.exception("failed for %s", "<ana.canary@readers.test>", extra={"where": SECRETS[2]})

    line = json.loads(stream.getvalue())
    assert "canary" not in stream.getvalue()
    assert "in fail" in line["traceback"]
    assert line["where"] == "***"


@pytest.mark.parametrize(
    "shown",
    [
        "key-canary",
        "?api_key=key-canary&x",
        "pass-canary%20word",
        "cGFzcy1jYW5hcnkgd29yZA==",
        "line-two-canary",
        "a@canary.test",
    ],
    ids=["plain", "inside", "quoted", "base64", "part of a key", "address"],
)
def test_a_secret_is_known_in_every_form(shown: str) -> None:
    redacted = Redactor(find_secrets(secret_settings())).redact(f"before {shown} after")

    assert "***" in redacted
    assert "canary" not in redacted
    assert "cGFzcy1j" not in redacted
    assert redacted.startswith("before ")


@given(st.text(string.ascii_letters + string.digits, min_size=4), st.text(max_size=30), st.text(max_size=30))
def test_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    redacted = Redactor([secret]).redact(before + secret + after)

    assert secret not in redacted


def test_lines_for_people_are_masked_too() -> None:
    formatter = TextFormatter("%(levelname)s %(message)s", Redactor(["swordfish"]))
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "ana@readers.test swordfish"})

    assert formatter.format(record) == "INFO a***@*** ***"


def test_attempts_to_come_are_no_lines_of_ours() -> None:
    stamina = logging.getLogger("stamina")
    before = stamina.level, logging.root.level, logging.root.handlers[:]
    try:
        set_up_logging()
        assert not stamina.isEnabledFor(logging.WARNING)
    finally:
        stamina.setLevel(before[0])
        logging.root.setLevel(before[1])
        logging.root.handlers[:] = before[2]


def run_python(code: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    path = str(Path(digest.__file__).parents[1])
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=base | env, capture_output=True, text=True, timeout=60, check=True
    )


def test_a_crash_is_told_without_secrets(tmp_path: Path) -> None:
    code = (
        "from digest.cli.common import errors, show_crash\n"
        "errors.print('[red]error[/red] what came before')\n"
        "def send(to): raise RuntimeError(f'{to} said swordfish-canary')\n"
        "try: send('ana.canary@readers.test')\n"
        "except RuntimeError as error: show_crash(error)\n"
    )
    env = {"DIGEST_SMTP__USERNAME": "me", "DIGEST_SMTP__PASSWORD": "swordfish-canary"}

    done = run_python(code, tmp_path, DIGEST_LOG="json", **env)

    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["level"], line["message"].partition(":")[0]) for line in lines] == [
        ("error", "what came before"), ("critical", "a mistake of this program's"),
    ]  # fmt: skip
    assert "RuntimeError: a***@*** said ***" in lines[1]["traceback"]
    assert "canary" not in done.stderr + done.stdout


def test_a_ping_tells_start_success_and_failure(caplog: pytest.LogCaptureFixture) -> None:
    with EvilHttp().running() as http:
        for path in ("/uuid", "/uuid/start", "/uuid/4"):
            http.answers(path, b"OK")
        ping_start(f"{http.url}/uuid")
        ping_end(f"{http.url}/uuid", 0)
        ping_end(f"{http.url}/uuid/", 4)
        assert http.paths() == ["/uuid/start", "/uuid", "/uuid/4"]
    assert caplog.messages == []


def test_a_ping_that_fails_is_a_line_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="digest")
    with EvilHttp().running() as http:
        http.answers("/uuid-canary/start", Answer(b"", 503))
        ping_start(f"{http.url}/uuid-canary")
        url = http.url
    ping_end(f"{url}/uuid-canary", 0)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("digest")]
    assert ours == ["DIGEST_PING_URL: answered with HTTP 503", "DIGEST_PING_URL: not reached (ConnectError)"]


def test_spans_are_nothing_unless_asked_for() -> None:
    with span("run", run="x"), span("collect"):
        pass
    with pytest.raises(ValueError, match="it"), span("source"):
        raise ValueError("it")


def test_spans_nest_and_tell_no_more_than_the_kind_of_a_failure(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk")
    code = (
        "from contextlib import suppress\n"
        "from digest.telemetry.spans import span\n"
        "with suppress(RuntimeError), span('run', run='r1'), span('deliver', messages=2):\n"
        "    raise RuntimeError('ana.canary@readers.test')\n"
    )

    done = run_python(code, tmp_path, OTEL_TRACES_EXPORTER="console")

    decoder, text, spans = json.JSONDecoder(), done.stderr.strip(), []
    while text:
        found, end = decoder.raw_decode(text)
        spans.append(found)
        text = text[end:].strip()
    inner, outer = spans
    assert (inner["name"], outer["name"]) == ("deliver", "run")
    assert inner["parent_id"] == outer["context"]["span_id"]
    assert inner["attributes"] == {"messages": 2}
    assert inner["status"] == {"status_code": "ERROR", "description": "RuntimeError"}
    assert inner["resource"]["attributes"]["service.name"] == "paperround"
    assert "canary" not in done.stderr + done.stdout
