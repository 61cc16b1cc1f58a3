"""A folder in which real ``digest`` processes run, as a user has it: two files, an environment, and a mail server.

Addresses and the password are canaries: every process's output is searched for them, and at the end every file.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import digest
from tests.cli.forked import run_forked
from tests.collect.evil_http import EvilHttp
from tests.collect.pages import rss, rss_item
from tests.deliver.evil_smtp import Accepted, EvilSmtp

FRIDAY, SATURDAY, SUNDAY = (f"2026-11-{day}T08:00" for day in (20, 21, 22))
PASSWORD = "swordfish-canary"
USERNAME = "digest-login"
_CANARIES = [
    re.compile(re.escape(text), re.IGNORECASE)
    for text in (
        "canary",
        b64encode(PASSWORD.encode()).decode(),
        b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode(),
    )
]


def address(name: str) -> str:
    return f"{name.lower()}.canary@readers.test"


def canaries_in(text: str) -> list[str]:
    return [found[0] for canary in _CANARIES for found in canary.finditer(text)]


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert not canaries_in(self.out + self.err), self.out + self.err
        assert "Traceback" not in self.err, self.err

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]


@dataclass
class Home:
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.env |= {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            # This checkout, whatever is installed.
            "PYTHONPATH": str(Path(digest.__file__).parents[1]),
            "DIGEST_SENDER": "Paperround <digest@paperround.test>",
        }

    def subscribe(self, *readers: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> None:
        """Write the subscribers file; JSON is YAML too."""
        people = [{"email": f"${{{each['name'].upper()}_EMAIL}}"} | dict(each) for each in readers]
        self.env |= {f"{each['name'].upper()}_EMAIL": address(each["name"]) for each in readers}
        # Replaced, not overwritten: a service may be reading it.
        draft = self.folder / "draft.yaml"
        draft.write_text(json.dumps({"sources": list(sources), "subscribers": people}, indent=1))
        draft.replace(self.folder / "subscribers.yaml")

    def forget_holds(self) -> None:
        """Hosts that wanted to be left alone were left alone for long enough: that is measured by the real clock."""
        with closing(sqlite3.connect(self.folder / "var/digest.sqlite3")) as connection, connection:
            connection.execute("DELETE FROM host")

    def mail_to(self, smtp: EvilSmtp | int, security: str = "none", *, sign_in: bool = False) -> None:
        self.env |= {
            "DIGEST_SMTP__HOST": "127.0.0.1",
            "DIGEST_SMTP__PORT": str(smtp if isinstance(smtp, int) else smtp.port),
            "DIGEST_SMTP__SECURITY": security,
        }
        if sign_in:
            self.env |= {"DIGEST_SMTP__USERNAME": USERNAME, "DIGEST_SMTP__PASSWORD": PASSWORD}

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """A process, which does not outlive the block."""
        process = self.start(*words)
        with process:
            try:
                yield process
            finally:
                process.kill()

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "digest", *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def digest(self, *words: str, now: str | None = None) -> Done:
        return Done(*run_forked([*words, *(["--now", now] if now else [])], self.folder, self.env))

    def run(self, *words: str, now: str = FRIDAY) -> Done:
        return self.digest("run", *words, now=now)

    def search_files(self) -> None:
        """Look for canaries in every file but the messages themselves and ``.env``."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.suffix != ".eml" and path.name != ".env":
                assert not canaries_in(path.read_bytes().decode("latin-1")), path


def ended(process: "subprocess.Popen[str]", timeout_s: float = 60) -> Done:
    """Wait for the end of a process, and kill it if that does not come."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Done(process.returncode, out, err)


@contextmanager
def a_home(folder: Path) -> Iterator[Home]:
    home = Home(folder)
    yield home
    home.search_files()


@contextmanager
def a_listing(*numbers: int) -> Iterator[EvilHttp]:
    """A mirror of arXiv that announces these invented papers at first; see `announce`."""
    with EvilHttp().running() as http:
        announce(http, *numbers)
        yield http


def announce(http: EvilHttp, *numbers: int) -> None:
    http.answers("/rss/cs.CL", rss(*(rss_item(number, title=f"Invented Paper {number}") for number in numbers)))


def arxiv(http: EvilHttp, path: str = "/rss", **keys: Any) -> dict[str, Any]:
    return {"arxiv": ["cs.CL"], "url": http.url + path, "allow_private": True, **keys}


def reader(name: str, **keys: Any) -> dict[str, Any]:
    return {
        "name": name,
        "schedule": "daily at 07:30",
        "topics": [{"name": "Inventions", "any": ["invent*"]}],
        **keys,
    }


def parsed(mail: Accepted) -> EmailMessage:
    message = message_from_bytes(mail.data, policy=default)
    assert not message.defects
    return message


def text_of(mail: Accepted) -> str:
    part = parsed(mail).get_body(("plain",))
    assert part
    return str(part.get_content())


def papers_in(mails: Sequence[Accepted], name: str = "") -> list[str]:
    """The arXiv ids in the mails, to one reader if a name is given."""
    return [
        paper
        for mail in mails
        if not name or mail.recipient == address(name)
        for paper in re.findall(r"arxiv\.org/abs/([\w.-]+)", text_of(mail))
    ]
