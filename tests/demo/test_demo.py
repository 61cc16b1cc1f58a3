import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import NamedTuple

import pytest

HOSTILE = {
    "DIGEST_SMTP__HOST": "smtp.invalid",
    "DIGEST_SMTP__PORT": "1",
    "DIGEST_SENDER": "not an address",
    "DIGEST_SUBSCRIBERS": "/nowhere/subscribers.yaml",
    "DIGEST_DATABASE_URL": "sqlite:///readers.sqlite3",
    "DIGEST_TEMPLATES": "/nowhere",
    "VISION_GROUP_EMAIL": "somebody@victim.example",
    "HTTP_PROXY": "http://127.0.0.1:1",
}
DOTENV = "DIGEST_SMTP__HOST=smtp.invalid\nDIGEST_CATCH_UP_DAYS=many\nNADIA_EMAIL=somebody@victim.example\n"


class Demo(NamedTuple):
    cwd: Path
    done: subprocess.CompletedProcess[str]

    @property
    def folder(self) -> Path:
        return self.cwd / "var" / "demo"

    @property
    def inbox(self) -> Mapping[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / "inbox").iterdir()}

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=default) for name, raw in self.inbox.items() if name.endswith(".eml")]


def run(cwd: Path, *options: str, env: Mapping[str, str] = {}) -> Demo:
    done = subprocess.run(
        [sys.executable, "-m", "digest", "demo", *options],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "COLUMNS": "120", **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    return Demo(cwd, done)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    cwd = tmp_path_factory.mktemp("demo")
    (cwd / ".env").write_text(DOTENV)
    return run(cwd, env=HOSTILE)


@pytest.fixture
def again(first: Demo, tmp_path: Path) -> Path:
    """A folder in which the demo ran once."""
    shutil.copytree(first.cwd, tmp_path / "again")
    return tmp_path / "again"


def test_it_ends_well_and_says_where_to_look(first: Demo) -> None:
    assert first.done.returncode == 0, first.done.stdout + first.done.stderr
    assert first.done.stderr == ""
    [address] = re.findall(r"file://(\S+\.html)", first.done.stdout)
    assert Path(address) in (first.folder / "inbox").resolve().iterdir()
    assert "digest init" in first.done.stdout


def test_every_subscriber_of_the_example_gets_a_message(first: Demo) -> None:
    recipients = {str(message["To"]) for message in first.messages}

    assert recipients == {"vision-group@example.org", "nadia@example.org", "reading-group@example.org"}
    assert sorted(first.inbox) == sorted(
        f"{Path(name).stem}.{suffix}" for name in first.inbox for suffix in ("eml", "html", "txt") if "eml" in name
    )


def test_every_message_parses_and_shows_papers(first: Demo) -> None:
    for message in first.messages:
        assert message.defects == []
        for kind in ("html", "plain"):
            part = message.get_body((kind,))
            assert part is not None
            assert part.defects == []
            assert part.get_content().count("arxiv.org/abs/2611.99") >= 3


def test_settings_and_addresses_of_the_operator_are_not_used(first: Demo) -> None:
    assert sorted(file.name for file in first.cwd.iterdir()) == [".env", "var"]
    assert [file.name for file in (first.cwd / "var").iterdir()] == ["demo"]
    for content in first.inbox.values():
        assert b"victim" not in content
    assert all(str(message["From"]).endswith("<demo@example.org>") for message in first.messages)


def test_a_second_run_owes_nothing(again: Path, first: Demo) -> None:
    second = run(again)

    assert second.done.returncode == 0, second.done.stdout + second.done.stderr
    assert "nothing is owed" in second.done.stdout
    assert second.inbox == first.inbox


def test_another_day_brings_no_new_papers(again: Path, first: Demo) -> None:
    later = datetime.fromtimestamp((first.folder / "DEMO.txt").stat().st_mtime, UTC) + timedelta(days=3)

    third = run(again, "--now", later.isoformat())

    assert third.done.returncode == 0, third.done.stdout + third.done.stderr
    assert "nothing is owed" in third.done.stdout
    assert third.inbox == first.inbox


def test_fresh_sends_again_and_deletes_only_what_the_demo_made(again: Path, first: Demo) -> None:
    notes = again / "var" / "demo" / "inbox" / "notes.txt"
    notes.write_text("mine")

    fresh = run(again, "--fresh")

    assert fresh.done.returncode == 0, fresh.done.stdout + fresh.done.stderr
    assert notes.read_text() == "mine"
    assert sorted(fresh.inbox) == sorted({*first.inbox, "notes.txt"})
    assert len(fresh.messages) == len(first.messages)


@pytest.mark.parametrize("options", [(), ("--fresh",)])
def test_a_folder_that_is_no_demo_is_left_alone(options: tuple[str, ...], tmp_path: Path) -> None:
    database = tmp_path / "var" / "digest.sqlite3"
    database.parent.mkdir()
    database.write_text("readers")

    refused = run(tmp_path, "--dir", "var", *options)

    assert refused.done.returncode == 2
    assert "'var' was not made by digest demo" in refused.done.stderr
    assert database.read_text() == "readers"
    assert list(database.parent.iterdir()) == [database]
