"""Addresses and secrets stay where they belong: whatever is run, and however it fails, nothing prints or keeps them.

`Home` searches the output of every process for what its canaries are made of, and every file at its end.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.config.settings import Settings
from digest.preview.changes import Changes
from digest.preview.server import build_app
from digest.preview.studio import Studio
from tests.builders import NOW
from tests.cli.home import (
    FRIDAY,
    PASSWORD,
    SATURDAY,
    USERNAME,
    Done,
    Home,
    a_home,
    a_listing,
    address,
    arxiv,
    canaries_in,
    reader,
)
from tests.deliver.evil_smtp import EvilSmtp
from tests.preview.test_server import Client

COMMANDS: list[tuple[str, ...]] = [
    ("run", "--now", FRIDAY),
    ("status", "--json"),
    ("outbox", "list"),
    ("run", "--to-folder", "out", "--json", "--now", SATURDAY),
    ("check", "--json", "--queries"),
    ("doctor", "--offline"),
    ("export", "Ada", "--to", "public", "--json"),
    ("db", "backup", "copy.sqlite3"),
]
"""Run one after the other; add what is new."""


SECRETS = {
    "DIGEST_LOG": "json",
    "DIGEST_SECRET": "secret-canary-secret-canary",
    "DIGEST_DKIM__SELECTOR": "d1",
    "DIGEST_IMAP__HOST": "127.0.0.1",
    "DIGEST_IMAP__PORT": "1",
    "DIGEST_IMAP__USERNAME": "imap-canary",
    "DIGEST_IMAP__PASSWORD": "imap-canary-word",
    "DIGEST_KEYS__OPENALEX": "openalex-canary",
    "DIGEST_KEYS__SEMANTIC_SCHOLAR": "scholar-canary",
    "DIGEST_LLM__URL": "http://127.0.0.1:1/v1",
    "DIGEST_LLM__MODEL": "none",
    "DIGEST_LLM__KEY": "llm-canary",
    "DIGEST_PING_URL": "http://127.0.0.1:1/ping-canary",
    "DIGEST_BOUNCES": "bounces.canary@paperround.test",
    "DIGEST_OPERATOR": "operator.canary@paperround.test",
    "DIGEST_METRICS_FILE": "metrics.prom",
}


def key_pem() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


@pytest.fixture
def secretive(tmp_path: Path) -> Iterator[Home]:
    """Two readers, and every secret that there is; addresses are of a port that nobody listens at."""
    with a_listing(1, 2) as http, a_home(tmp_path / "home") as home:
        home.subscribe(reader("Ada"), reader("Ben"), sources=[arxiv(http)])
        home.env |= SECRETS | {"DIGEST_DKIM__KEY": key_pem()}
        yield home
        for path in home.folder.rglob("*"):
            if path.is_file() and path.suffix != ".eml":
                search(path.read_bytes().decode("latin-1"), home)


def search(text: str, home: Home) -> None:
    assert not canaries_in(text), text
    body = re.sub(r"-----.*?-----|\n", "", home.env["DIGEST_DKIM__KEY"])
    assert body not in text


def test_no_command_prints_or_keeps_them(secretive: Home) -> None:
    refusal = f"450 4.2.1 <{address('Ada')}> asks you to come back"
    with EvilSmtp({f"rcpt:{address('Ada')}": refusal}, credentials=(USERNAME, PASSWORD)) as smtp:
        secretive.mail_to(smtp, sign_in=True)
        # Each `Done` is searched as it is made.
        done = {words: secretive.digest(*words) for words in COMMANDS}

    for words, each in done.items():
        search(each.out + each.err, secretive)
        assert each.code in (0, 1), (words, each)
        for line in each.err.splitlines():
            assert json.loads(line)["level"] in ("info", "warning", "error"), line
    assert "4.2.1 <a***@***> asks you to come back" in done[("outbox", "list")].out
    sent = [path.read_text("latin-1") for path in (secretive.folder / "out").glob("*.eml")]
    # Or there was nothing to be found.
    assert any(address("Ada") in mail for mail in sent)
    with closing(sqlite3.connect(secretive.folder / "copy.sqlite3")) as copy:
        assert copy.execute("SELECT count(*) FROM edition").fetchone()[0] > 0


def test_a_crash_shows_none(secretive: Home) -> None:
    secretive.env |= {"DIGEST_FAILPOINT": "after_collect=raise"}
    secretive.mail_to(1, sign_in=True)
    # A fork would have read the failpoint already.
    with secretive.start("run", "--now", FRIDAY) as process:
        out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    [crash] = [line for line in map(json.loads, err.splitlines()) if line["level"] == "critical"]
    assert "FailpointError" in crash["traceback"]
    search(out + err, secretive)


def test_a_server_that_refuses_the_sign_in_shows_none(secretive: Home) -> None:
    with EvilSmtp(
        {"auth": f"535 5.7.8 {USERNAME} <{address('Ada')}> is not welcome"}, credentials=(USERNAME, PASSWORD)
    ) as smtp:
        secretive.mail_to(smtp, sign_in=True)
        done: Done = secretive.digest("run", "--now", FRIDAY)

    assert done.code == 3
    search(done.out + done.err, secretive)


def test_the_preview_in_the_browser_shows_none(secretive: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in secretive.env.items():
        if name.endswith("_EMAIL"):
            monkeypatch.setenv(name, value)
    settings = Settings.model_construct(
        subscribers=secretive.folder / "subscribers.yaml",
        database_url=f"sqlite:///{secretive.folder / 'digest.sqlite3'}",
    )
    client = Client(build_app(Studio(settings, lambda: NOW), Changes((), (), lambda _: None)))

    answers = [client.get(path) for path in ("/", "/choices", "/mail?subscriber=ada", "/frame?subscriber=ada")]

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        search(answer.text + str(answer.headers), secretive)
