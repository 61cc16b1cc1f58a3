"""The sending job with the real program: triggers that are late or dropped cost no paper and double no mail."""

import json
import random
import re
import socketserver
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.cli.forked import run_forked
from tests.cli.home import text_of
from tests.collect.evil_http import EvilHttp
from tests.collect.pages import feed
from tests.deliver.evil_smtp import EvilSmtp
from tests.workflows.runner import Job
from tests.workflows.site import SECRET, Site
from tests.workflows.test_jobs import SET, WORKFLOW, objects

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
PASSWORD = "swordfish-canary"
READERS = {"Ada Quux": "ada.canary@readers.test", "Ben Quux": "ben.canary@readers.test"}

# Hands its words to a process that has everything imported.
PROGRAM = f"""#!{sys.executable} -SE
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ['HOME'] + '/digest.sock')
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b'\\n')
    code, out, err = json.loads(server.makefile().readline())
sys.stderr.write(err)
sys.stdout.write(out)
sys.exit(code)
"""


def a_post(number: int) -> str:
    date = format_datetime(MONDAY + timedelta(days=number - 1, hours=1))
    return (
        f"<item><title>Invented Paper {number}</title><link>https://blog.test/{number:05}</link>"
        f"<guid>{number}</guid><pubDate>{date}</pubDate><description>We invent.</description></item>"
    )


@dataclass
class Clock:
    now: datetime = MONDAY


@contextmanager
def real_program(site: Site) -> Iterator[Clock]:
    """``digest`` on the path is the real one, at a time of ours."""
    clock = Clock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words, cwd, env = json.loads(self.rfile.readline())
            if words[0] in ("run", "check", "status"):
                words += ["--now", clock.now.isoformat()]
            self.wfile.write(json.dumps(run_forked(words, Path(cwd), env)).encode() + b"\n")

    site.program("digest", PROGRAM)
    with socketserver.UnixStreamServer(str(site.folder / "digest.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield clock
        finally:
            server.shutdown()


@dataclass
class Repository:
    """A repository with a secret list of two readers, a source, and a mail server."""

    site: Site
    http: EvilHttp
    smtp: EvilSmtp
    clock: Clock

    def run(self, now: datetime, password: str = PASSWORD) -> Job:
        """One scheduled run on a new machine; every day has one post, and the feed shows the last five."""
        self.site.forget()
        (self.site.clone / "subscribers.yaml").unlink(missing_ok=True)
        self.clock.now = now
        day = (now - MONDAY).days + 1
        self.http.answers("/feed", feed(*(a_post(number) for number in range(max(1, day - 4), day + 1))))
        job = Job(self.site, WORKFLOW, "send", secrets=self.secrets(password), variables=SET).run()
        shown = job.log + job.summary + "".join(job.annotations)
        assert not [word for word in ("canary", "quux", SECRET) if word in shown.lower()], shown
        return job

    def secrets(self, password: str) -> dict[str, str]:
        topic = {"name": "Inventions", "any": ["invent*"]}
        people = [
            {"name": name, "email": address, "schedule": "daily at 06:00", "topics": [topic]}
            for name, address in READERS.items()
        ]
        source = {"feed": f"{self.http.url}/feed", "name": "blog", "allow_private": True}
        return {
            "DIGEST_SUBSCRIBERS_YAML": json.dumps({"sources": [source], "subscribers": people}, indent=1),
            "DIGEST_SECRET": SECRET,
            "DIGEST_SENDER": "digest@paperround.test",
            "DIGEST_SMTP__HOST": "127.0.0.1",
            "DIGEST_SMTP__PORT": str(self.smtp.port),
            "DIGEST_SMTP__SECURITY": "none",
            "DIGEST_SMTP__USERNAME": "digest",
            "DIGEST_SMTP__PASSWORD": password,
        }

    def received(self, name: str) -> list[str]:
        """The posts a reader was sent, in order, each as often as a mail brought it."""
        texts = [text_of(mail) for mail in self.smtp.accepted if mail.recipient == READERS[name]]
        return [number for text in texts for number in sorted(set(re.findall(r"blog\.test/(\d+)", text)))]


@pytest.fixture
def repository(site: Site) -> Iterator[Repository]:
    with (
        EvilHttp().running() as http,
        EvilSmtp(credentials=("digest", PASSWORD)) as smtp,
        real_program(site) as clock,
    ):
        yield Repository(site, http, smtp, clock)


def at(day: int, hour: int) -> datetime:
    """A slot of a day, from 0."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=37)


def posts(days: int) -> list[str]:
    return [f"{number:05}" for number in range(1, days + 1)]


def test_days_with_a_dropped_trigger_a_late_run_and_a_wrong_password(repository: Repository) -> None:
    first = repository.run(at(0, 6))
    # The day between was dropped, and this one comes in the evening.
    refused = repository.run(at(2, 18), password="expired-canary")
    repaired = repository.run(at(2, 22))

    assert [job.codes["Check and run"] for job in (first, refused, repaired)] == [0, 3, 0]
    assert {job.codes["Save the ledger"] for job in (first, refused, repaired)} == {0}
    assert refused.summary.startswith("### The mail server refuses us")
    assert [line.startswith("::error title=The mail server refuses us") for line in refused.annotations] == [True]
    assert repaired.summary.startswith("### Done")
    for name in READERS:
        assert repository.received(name) == posts(3)
    check_what_is_public(repository.site)


@pytest.mark.soak
def test_sixty_days_with_a_third_of_the_triggers_dropped_and_the_others_late(repository: Repository) -> None:
    dice = random.Random(60)
    slots = [at(day, hour) for day in range(60) for hour in (6, 10)]
    came = sorted(slot + timedelta(hours=dice.random() * 12) for slot in slots if dice.random() > 0.3)

    for now in (*came, at(60, 6)):
        assert repository.run(now).codes["Check and run"] == 0

    for name in READERS:
        assert repository.received(name) == posts(61)
    check_what_is_public(repository.site)


def check_what_is_public(site: Site) -> None:
    """No canary is in anything that can be fetched."""
    public = [site.published(), *(site.at_origin("cat-file", "-p", name) for name in objects(site))]
    assert b"Invented Paper" in public[0]
    words: Sequence[bytes] = (b"canary", b"quux", SECRET.encode())
    assert not [word for word in words for data in public if word in data.lower()]
