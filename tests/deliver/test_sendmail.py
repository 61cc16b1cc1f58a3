import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.deliver.sendmail import SendmailBackend
from digest.errors import (
    BadAddressError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    StoreError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Message, Receipt
from tests.deliver.mail import RAW, a_message

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no sendmail")

Program = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A command of this machine that does what a line of shell says."""

    def write(line: str) -> Path:
        path = tmp_path / "sendmail"
        path.write_text(f"#!/bin/sh\ncd {tmp_path}\n{line}\n")
        path.chmod(0o755)
        return path

    return write


async def agree() -> None:
    pass


def deliver(program: Path, message: Message | None = None, *, timeout_s: float = 30) -> Receipt:
    async def once() -> Receipt:
        backend = SendmailBackend(program, timeout_s=timeout_s)
        try:
            return await backend.deliver(message or a_message(), agree)
        finally:
            await backend.close()

    return asyncio.run(once())


def test_the_command_gets_the_message_with_the_machines_line_ends(program: Program, tmp_path: Path) -> None:
    receipt = deliver(program('printf "%s\\n" "$@" > asked; cat > got'))

    assert receipt == Receipt(250, "handed to sendmail")
    assert (tmp_path / "got").read_bytes() == RAW.replace(b"\r\n", b"\n")
    assert (tmp_path / "asked").read_text().split() == [
        "-i",
        "-odb",
        "-f",
        "digest@paperround.test",
        "--",
        "ada@example.org",
    ]


def test_an_address_is_never_an_option(program: Program, tmp_path: Path) -> None:
    deliver(program('for last; do :; done; printf "%s" "$last" > asked'), a_message("-oQ/tmp@example.org"))

    assert (tmp_path / "asked").read_text() == "-oQ/tmp@example.org"


def test_secrets_stay_with_us(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PASSWORD", "hunter2")
    monkeypatch.setenv("MSMTPRC", "/etc/msmtprc")

    deliver(program("env > got"))

    assert "hunter2" not in (tmp_path / "got").read_text()
    assert "MSMTPRC=/etc/msmtprc" in (tmp_path / "got").read_text()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, TemporaryDeliverError),
        (64, SmtpRefusedError),
        (65, PermanentDeliverError),
        (66, PermanentDeliverError),
        (67, BadAddressError),
        (68, TemporaryDeliverError),
        (69, TemporaryDeliverError),
        (70, TemporaryDeliverError),
        (71, TemporaryDeliverError),
        (72, UnreachableError),
        (73, UnreachableError),
        (74, TemporaryDeliverError),
        (75, TemporaryDeliverError),
        (76, TemporaryDeliverError),
        (77, SmtpRefusedError),
        (78, SmtpRefusedError),
        (127, TemporaryDeliverError),
    ],
)
def test_exit_codes_say_who_must_act(program: Program, code: int, kind: type[DeliverError]) -> None:
    command = program(f"cat > /dev/null; echo 'ada@example.org: no, \033[31mnever' >&2; exit {code}")
    with pytest.raises(DeliverError) as caught:
        deliver(command)

    assert type(caught.value) is kind
    assert caught.value.where == str(command)
    assert f"ended with {code}" in caught.value.problem
    assert "(a***@***: no, [31mnever)" in caught.value.problem


def test_a_command_that_was_killed_may_have_sent_it(program: Program) -> None:
    with pytest.raises(UncertainDeliverError, match=f"signal {signal.SIGKILL}"):
        deliver(program("cat > /dev/null; kill -9 $$"))


def test_a_command_that_does_not_end_may_have_sent_it(program: Program) -> None:
    with pytest.raises(UncertainDeliverError, match="did not end in time"):
        deliver(program("exec sleep 60"), timeout_s=0.3)


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "not executable"])
def test_a_command_that_cannot_be_run_stops_the_run(tmp_path: Path, missing: bool) -> None:
    path = tmp_path / "sendmail"
    if not missing:
        path.touch(0o644)

    with pytest.raises(UnreachableError, match="cannot be run"):
        deliver(path)


def test_a_large_message_that_nobody_reads_is_no_trouble(program: Program) -> None:
    assert deliver(program("exit 0"), a_message(raw=b"x" * 70 + b"\r\n" * 500_000)).code == 250


def test_without_a_durable_ledger_the_command_is_not_run(program: Program, tmp_path: Path) -> None:
    async def fail() -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        asyncio.run(SendmailBackend(program("touch got")).deliver(a_message(), fail))
    assert not (tmp_path / "got").exists()


def test_so_many_run_at_a_time(program: Program, tmp_path: Path) -> None:
    command = program("cat > got.$$; ls got.* | wc -l >> counts; sleep 0.1; rm got.$$")

    async def deliver_all() -> None:
        backend = SendmailBackend(command)
        await asyncio.gather(*[backend.deliver(a_message(), agree) for _ in range(12)])
        await backend.close()

    asyncio.run(deliver_all())

    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 12
    assert 2 <= max(counts) <= SendmailBackend.room


def test_a_command_that_hangs_is_left_behind(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")

    async def give_up() -> None:
        backend = SendmailBackend(program("read line < go"))
        hanging = asyncio.create_task(backend.deliver(a_message(), agree))
        await asyncio.sleep(0.05)
        hanging.cancel()
        with pytest.raises(UncertainDeliverError, match="still running"):
            await hanging
        await backend.close()

    asyncio.run(give_up())

    hanging = [thread for thread in threading.enumerate() if thread.name == "sendmail"]
    assert len(hanging) == 1
    assert hanging[0].daemon
    (tmp_path / "go").write_text("on\n")
    hanging[0].join()
