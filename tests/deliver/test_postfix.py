"""Through a relay of the real world: Postfix, as an instance of its own on loopback, which hands on to a sink."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.deliver.outbox import send_alone
from digest.deliver.sendmail import SendmailBackend
from digest.model import Delivery, DeliveryState, Message
from digest.paths import shipped
from digest.render.compile import load_template
from digest.render.compose import Composer
from digest.store.ledger import SqlLedger
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import a_backend, owe, states
from tests.deliver.outboxes import Drained, drain_all
from tests.deliver.test_dkim import is_valid, signer

POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/local/sbin:/usr/bin")
pytestmark = [
    pytest.mark.skipif(not POSTFIX and os.environ.get("CI") != "true", reason="no Postfix"),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="Postfix wants to be started by root"),
]

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = relay.paperround.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_host_lookup = native
disable_dns_lookups = yes
"""


class Relay:
    def __init__(self, folder: Path, sink: int) -> None:
        self._folder = folder
        self.conf = folder / "conf"
        self.conf.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (self.conf / "main.cf").write_text(MAIN.format(folder=folder, sink=sink))
        services = [
            f"127.0.0.1:{self.port} inet n - n - - smtpd",
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "postlog unix-dgram n - n - 1 postlogd",
            "rewrite unix - - n - - trivial-rewrite",
            *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
            *(f"{name} unix - - n - - smtp" for name in ("smtp", "relay")),
            *(f"{name} unix - - n - - error" for name in ("error", "retry")),
            *(f"{name} unix - - n - 1 {name}" for name in ("anvil", "scache", "proxymap")),
        ]
        (self.conf / "master.cf").write_text("\n".join(services) + "\n")
        for name in ("queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        self._run(str(POSTFIX), "-c", str(self.conf), "check")
        self._master = Path(self._run("postconf", "-c", str(self.conf), "-h", "daemon_directory").strip()) / "master"

    def start(self) -> None:
        self._run(str(self._master), "-c", str(self.conf), "-w")

    def stop(self) -> None:
        self._run(str(POSTFIX), "-c", str(self.conf), "stop")

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    @staticmethod
    def _run(*command: str) -> str:
        ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def sink() -> Iterator[EvilSmtp]:
    with EvilSmtp() as sink:
        yield sink


@pytest.fixture(scope="module")
def relay(sink: EvilSmtp) -> Iterator[Relay]:
    # Not below pytest's own folder, which other users may not look into.
    with tempfile.TemporaryDirectory(prefix="postfix") as name:
        folder = Path(name)
        folder.chmod(0o755)
        relay = Relay(folder, sink.port)
        try:
            relay.start()
            yield relay
        finally:
            subprocess.run([str(POSTFIX), "-c", str(relay.conf), "abort"], check=False, capture_output=True)


class Mails:
    """Real mails, signed, each with papers of its own."""

    def __init__(self) -> None:
        self._composer = Composer(
            load_template("daily", [shipped("templates")]), sender="Päperround <digest@example.org>"
        )
        self._signer = signer()
        self.by_recipient: dict[str, Message] = {}

    def compose(self, delivery: Delivery) -> Message:
        return self.write(delivery.subscriber)

    def write(self, name: str) -> Message:
        subscriber = a_subscriber(name)
        first = 8 * int(subscriber.id.removeprefix("reader-"))
        matched = tuple(a_match(a_paper(first + number)) for number in range(8))
        message = self._signer.sign(self._composer.compose(an_edition(subscriber, matched=matched), NOW))
        return self.by_recipient.setdefault(message.recipient, message)


def arrived(sink: EvilSmtp, mails: Mails) -> Counter[str]:
    """How often each came, checked byte by byte and by its signature."""
    for accepted in list(sink.accepted):
        raw = re.sub(rb"(?m)^\.\.", b".", accepted.data)
        sent = mails.by_recipient[accepted.recipient]
        added = raw.removesuffix(sent.raw)
        assert raw == added + sent.raw
        assert re.fullmatch(rb"(Received: [^\r\n]+\r\n([ \t][^\r\n]+\r\n)*)+", added)
        assert is_valid(raw)
    return Counter(accepted.recipient for accepted in sink.accepted)


NUMBERS = [100, pytest.param(1_000, marks=pytest.mark.soak)]


@pytest.mark.parametrize("number", NUMBERS)
def test_bytes_and_signatures_survive_a_relay_that_is_restarted(
    number: int, engine: Engine, sink: EvilSmtp, relay: Relay
) -> None:
    ledger, mails = SqlLedger(engine), Mails()
    sink.accepted.clear()
    owe(ledger, *(f"reader-{index}" for index in range(number)))

    def drain(minutes: int, compose: Callable[[Delivery], Message]) -> Drained:
        now = NOW + timedelta(minutes=minutes)
        return drain_all(ledger, a_backend(relay.port), compose, clock=lambda: now)

    def compose_and_stop(delivery: Delivery) -> Message:
        message = mails.compose(delivery)
        if len(mails.by_recipient) == number // 2:
            relay.stop()
        return message

    first = drain(0, compose_and_stop)
    assert first.result.stopped_by
    assert 0 < first.result.counts[DeliveryState.ACCEPTED] < number
    relay.start()
    drain(60, mails.compose)

    # Whatever broke off after its final dot is told, and may have come or not; nothing else is in doubt.
    became = Counter(states(ledger).values())
    assert set(became) <= {"accepted", "uncertain"}
    assert became["uncertain"] <= 20
    accepted = {f"{name}@example.org" for name, state in states(ledger).items() if state == "accepted"}
    wait_until(lambda: accepted <= {each.recipient for each in sink.accepted}, relay)
    came = arrived(sink, mails)
    assert set(came.values()) == {1}
    assert len(accepted) + became["uncertain"] == number


def test_the_sendmail_command_of_a_relay(sink: EvilSmtp, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its headers come back with CRLF, the body byte by byte, and the signature holds."""
    monkeypatch.setenv("MAIL_CONFIG", str(relay.conf))
    mails = Mails()
    sink.accepted.clear()
    message = mails.write("reader-7")

    receipt = send_alone(SendmailBackend(), message)

    assert receipt.code == 250
    wait_until(lambda: bool(sink.accepted), relay)
    assert arrived(sink, mails) == {message.recipient: 1}
    assert sink.accepted[0].sender == message.sender


def wait_until(is_done: Callable[[], bool], relay: Relay) -> None:
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline, relay.log[-3_000:]
        time.sleep(0.05)
