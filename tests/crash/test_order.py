"""The order of what goes to the disk and what goes to the mail server, as the operating system sees it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import owe, states

NAMES = [f"Reader {number}" for number in range(6)]
_NAMES = {"Subject:": "body"}
_CALL = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")


def events(trace: str) -> list[str]:
    """In their order: ``sync`` and ``synced`` around a durable write to the ledger's log; of each connection, by its
    number, what of a mail goes out (``MAIL``, ``body``, ``dot``), and ``QUIT``; ``250`` for a whole mail.
    """
    found = []
    for line in trace.splitlines():
        if not (call := _CALL.match(line)):
            continue
        resumed, name, rest = call[2], call[3], call[4]
        if resumed == "fdatasync" or (name == "fdatasync" and "-wal>" in rest):
            if name:
                found.append("sync")
            if "unfinished" not in rest:
                found.append("synced")
        elif name == "sendto" and (said := re.match(r'(\d+)<[^>]*>, "(\.?)(?:\\r\\n)?(MAIL|Subject:|QUIT)?', rest)):
            number, dot, what = said.groups()
            if dot:
                found.append(f"dot {number}")
            if what:
                found.append(f"{_NAMES.get(what, what)} {number}")
        elif (name or resumed) == "recvfrom" and "250 2.0.0 queued" in rest:
            found.append("250")
    return found


@pytest.fixture
def strace() -> str:
    path = shutil.which("strace")
    if path is None and os.environ.get("CI"):
        pytest.fail("strace is missing")
    if path is None:
        pytest.skip("strace is missing")
    return path


def test_a15_the_ledger_is_durable_before_mail_before_the_dot_and_after_the_reply(strace: str, tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/digest.sqlite3")
    ledger = SqlLedger(engine)
    owe(ledger, *NAMES)
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,sendto,recvfrom"
    command = [strace, "-f", "-y", "-s", "24", "--seccomp-bpf", "-o", str(trace), "-e", calls]
    with EvilSmtp() as server:
        drainer = [sys.executable, "-m", "tests.deliver.drainer", str(engine.url), str(server.port)]
        subprocess.run([*command, *drainer], check=True, capture_output=True, timeout=60)
    assert set(states(ledger).values()) == {"accepted"}
    engine.dispose()

    seen = events(trace.read_text())
    assert [sum(each.startswith(what) for each in seen) for what in ("MAIL", "body", "dot", "250")] == [len(NAMES)] * 4
    for number, at in enumerate((at for at, each in enumerate(seen) if each.startswith("MAIL")), 1):
        # They are claimed one by one.
        assert seen[:at].count("synced") >= number
    for at, each in enumerate(seen):
        if each.startswith("dot"):
            body = max(place for place in range(at) if seen[place] == f"body {each.removeprefix('dot ')}")
            assert "sync" in seen[body:at]
            assert "synced" in seen[body + seen[body:at].index("sync") : at]
    last = len(seen) - 1 - seen[::-1].index("250")
    end = next(at for at, each in enumerate(seen) if each.startswith("QUIT"))
    assert "sync" in seen[last:end]
    assert "synced" in seen[last + seen[last:].index("sync") : end]
