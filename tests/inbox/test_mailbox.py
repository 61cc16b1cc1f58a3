"""Conversations with an IMAP server, and with Dovecot where it is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from digest.config.settings import Imap
from digest.errors import ConfigError
from digest.inbox.apply import Desk
from digest.inbox.mailbox import MailboxError, open_mailbox
from digest.inbox.outcome import Done, Outcome
from digest.inbox.read import read_mailbox
from digest.model import Security
from tests.builders import NOW
from tests.inbox.conftest import ADA, Office
from tests.inbox.imap_server import ImapServer
from tests.inbox.mails import a_dsn, a_mail

PASSWORD = "swordfish-canary"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer().running() as server:
        yield server


def a_setting(port: int, **changes: object) -> Imap:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.NONE,
        "username": "answers",
        "password": SecretStr(PASSWORD),
    }
    return Imap.model_validate(values | changes)


def read(server: ImapServer, desk: Desk, *, is_trial: bool = False) -> list[Outcome]:
    with open_mailbox(a_setting(server.port)) as mailbox:
        return read_mailbox(mailbox, desk, NOW, is_trial=is_trial)


def test_what_is_done_is_marked_and_everything_else_left_as_it_is(server: ImapServer, office: Office) -> None:
    token = office.token("unsubscribe")
    server.add(a_mail(f"unsubscribe {office.token('unsubscribe', 'Ben')}"), seen=True)
    lunch = server.add(a_mail("Lunch?"))
    wish = server.add(a_mail("please unsubscribe me"))
    done = server.add(a_mail(f"unsubscribe {token}", body="x" * 100_000))
    bounce = server.add(a_dsn(office.token("bounce", "Ben")), arrived="18-Nov-2026 23:30:00 -0500")
    forged = server.add(a_dsn("x" * 22))

    said = {int(each.uid): each for each in read(server, office.desk())}

    assert {uid: each.done for uid, each in said.items()} == {
        lunch: Done.OTHER,
        wish: Done.OPEN,
        done: Done.UNSUBSCRIBED,
        bounce: Done.NOTED,
        forged: Done.OTHER,
    }
    assert server.unseen == [lunch, wish, forged]
    assert office.active == {"ben"}
    assert not [line for line in server.commands if "EXPUNGE" in line.upper() or "DELETE" in line.upper()]
    assert {int(each.uid) for each in read(server, office.desk())} == {lunch, wish, forged}


def test_the_day_a_mail_arrived_is_the_servers(server: ImapServer, office: Office) -> None:
    for arrived in ("18-Nov-2026 23:30:00 -0500", " 9-Nov-2026 08:00:00 +0000"):
        server.add(a_dsn(office.token("bounce")), arrived=arrived)

    first, second = read(server, office.desk())

    assert first.done is Done.BOUNCED
    assert "last on 2026-11-09" in second.text


def test_a_trial_marks_nothing(server: ImapServer, office: Office) -> None:
    uid = server.add(a_mail(f"unsubscribe {office.token('unsubscribe')}"))

    (outcome,) = read(server, office.desk(is_trial=True), is_trial=True)

    assert outcome.done is Done.UNSUBSCRIBED
    assert server.unseen == [uid]
    assert office.active == {"ada", "ben"}


def test_of_a_huge_mail_only_the_start_is_read(server: ImapServer, office: Office) -> None:
    server.add(a_dsn(office.token("bounce")) + b"x" * 1_000_000)

    with open_mailbox(a_setting(server.port)) as mailbox:
        (head,) = mailbox.heads(NOW)
        whole = mailbox.read(head.uid, NOW)

    assert whole is not None
    assert len(whole.raw) == 256 * 1024
    assert office.desk().take(whole).subscriber == ADA


def test_hundreds_of_mails_are_read_in_their_order(server: ImapServer) -> None:
    for number in range(230):
        server.add(a_mail(f"Lunch {number}"))

    with open_mailbox(a_setting(server.port)) as mailbox:
        uids = [int(head.uid) for head in mailbox.heads(NOW)]

    assert uids == server.unseen
    assert sum("FETCH" in line for line in server.commands) == 3


def test_an_access_token_signs_in_where_there_is_no_password(server: ImapServer) -> None:
    server.token = "ya29.invented"

    with open_mailbox(a_setting(server.port, password=None), lambda: "ya29.invented") as mailbox:
        assert list(mailbox.heads(NOW)) == []
    with (
        pytest.raises(ConfigError, match="refused to sign us in"),
        open_mailbox(a_setting(server.port, password=None), lambda: "ya29.other"),
    ):
        pass


def test_a_password_may_hold_any_letter(server: ImapServer) -> None:
    server.password = "schlüssel-鍵"

    with open_mailbox(a_setting(server.port, password=SecretStr(server.password))) as mailbox:
        assert list(mailbox.heads(NOW)) == []


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"password": SecretStr("wrong")}, "refused to sign us in", id="password"),
        pytest.param({"host": None}, "no mailbox is set", id="no host"),
        pytest.param({"username": None}, "no mailbox is set", id="no user"),
        pytest.param({"password": None}, "nothing to sign in with", id="no password"),
        pytest.param({"host": "imap.example.org"}, "'none' is only for this machine", id="an open line"),
    ],
)
def test_settings_that_are_not_right_are_told(server: ImapServer, changes: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match) as error, open_mailbox(a_setting(server.port, **changes)):
        pass

    assert PASSWORD not in str(error.value)


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_server_without_tls_is_refused_before_the_password(server: ImapServer, security: Security) -> None:
    with pytest.raises(MailboxError), open_mailbox(a_setting(server.port, security=security)):
        pass

    assert not any("LOGIN" in line for line in server.commands)


@pytest.mark.parametrize("command", ["SELECT", "UID SEARCH", "UID FETCH", "UID STORE"])
def test_what_a_broken_connection_left_is_done_next_time(server: ImapServer, office: Office, command: str) -> None:
    server.add(a_mail(f"unsubscribe {office.token('unsubscribe')}"))
    server.breaks_at = command
    with pytest.raises(MailboxError, match=r"127\.0\.0\.1|connection broke"):
        read(server, office.desk())
    assert server.unseen

    server.breaks_at = ""
    (outcome,) = read(server, office.desk())

    assert (outcome.done, outcome.subscriber) == (Done.UNSUBSCRIBED, ADA)
    assert not server.unseen
    assert office.active == {"ben"}


@pytest.mark.parametrize(
    ("command", "error"),
    [("SELECT", ConfigError), ("UID SEARCH", MailboxError), ("UID FETCH", MailboxError), ("UID STORE", MailboxError)],
)
def test_refusals_are_told(server: ImapServer, office: Office, command: str, error: type[Exception]) -> None:
    server.add(a_mail(f"unsubscribe {office.token('unsubscribe')}"))
    server.refuses = command

    with pytest.raises(error):
        read(server, office.desk())


def test_nobody_listens() -> None:
    with pytest.raises(MailboxError, match="cannot be reached"), open_mailbox(a_setting(1)):
        pass


@pytest.fixture
def dovecot() -> Iterator[tuple[int, Path]]:
    """A real server: its port, and the folder where new mail is put."""
    program = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        if os.environ.get("CI") == "true" and program is None:
            pytest.fail("dovecot-imapd is not installed")
        pytest.skip("dovecot is not installed, or may not be started: apt-get install dovecot-imapd, as root")
    folder = Path(tempfile.mkdtemp(prefix="dovecot"))
    folder.chmod(0o755)
    new = folder / "mail" / "new"
    for name in ("new", "cur", "tmp"):
        (folder / "mail" / name).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "users").write_text(f"answers:{{PLAIN}}{PASSWORD}:1000:1000::{folder}\n")
    (folder / "dovecot.conf").write_text(DOVECOT.format(folder=folder, port=port))
    subprocess.run(["chown", "-R", "1000:1000", folder / "mail"], check=True)
    server = subprocess.Popen(
        [program, "-F", "-c", folder / "dovecot.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port, new
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{folder}/mail
first_valid_uid = 1000
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


def test_dovecot_agrees(dovecot: tuple[int, Path], office: Office) -> None:
    port, new = dovecot
    mails = [a_mail(f"unsubscribe {office.token('unsubscribe')}"), a_mail("Lunch?"), a_dsn(office.token("bounce"))]
    for number, mail in enumerate(mails):
        (new / f"{number}.x.y").write_bytes(mail)

    with open_mailbox(a_setting(port)) as mailbox:
        said = read_mailbox(mailbox, office.desk(), NOW)
    with open_mailbox(a_setting(port)) as mailbox:
        left = list(mailbox.heads(NOW))

    assert sorted(each.done for each in said) == [Done.BOUNCED, Done.OTHER, Done.UNSUBSCRIBED]
    assert len(left) == 1
    assert b"Lunch?" in left[0].raw
    assert len(list(new.parent.glob("cur/*"))) == 3
