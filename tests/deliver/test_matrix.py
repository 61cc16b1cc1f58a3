"""Whatever goes wrong at whichever step of a conversation: the ledger says what became of each mail, and none is lost
or sent twice.

Three mails go over one connection, and the second one meets the fault; where a step is not about one mail, all do.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.errors import DeliverError, SmtpRefusedError, UnreachableError
from digest.model import DeliveryState, Security
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from tests.deliver.evil_smtp import EvilSmtp, server_context
from tests.deliver.mail import a_backend, a_clock, owe, states
from tests.deliver.outboxes import drain_all

NAMES = ("Ada", "Ben", "Cleo")
HIT = "ben@example.org"
HANG_S, TIMEOUT_S = 2.0, 20.0
"""What a server that hangs is given, and any other: that much nothing takes on the slowest machine."""
FAULTS = ("4xx", "421", "5xx", "drop", "hang", "garbage", "slow", "partial", "over-long")
GOOD = {
    "connect": "220 evil.test",
    "ehlo": "250-evil.test\r\n250 {features}",
    "starttls": "220-go\r\n220 ahead",
    "auth": "235 2.7.0 welcome",
    "data": "354-go\r\n354 on",
}
"""What a slow server says; 250 at the other steps."""
ALL_WELL = ("accepted", "accepted", "accepted")
ALL_WAIT = ("pending", "pending", "pending")
_LEFT_IN_THE_END = {"pending": "accepted", "deferred": "accepted"}


@dataclass(frozen=True, slots=True)
class Cell:
    step: str
    fault: str

    @property
    def action(self) -> str:
        """What the server does at this step."""
        good = GOOD.get(self.step, "250 2.0.0 ok")
        said = {
            "4xx": "451 4.3.0 later",
            "421": "421 4.3.2 closing|drop",
            "5xx": "550 5.1.1 no such user" if self.step == "rcpt" else "554 5.0.0 no",
            "drop": "drop",
            "hang": "hang",
            "garbage": "what is it",
            "slow": f"slow {good}",
            "partial": "part 25|drop",
            "over-long": "long 250 ok",
        }[self.fault]
        # What ends in no reply that can be read may have been taken, and what is taken is never sent again.
        is_taken = self.step == "dot" and self.fault not in ("4xx", "421", "5xx")
        return f"accept|{said}" if is_taken else said

    def rules(self, features: str) -> dict[str, list[str]]:
        action = self.action.format(features=features)
        match self.step:
            case "connect":
                return {"banner": [action]}
            case "mail":
                return {"mail": ["250 ok", action]}
            case "rcpt" | "data" | "dot":
                return {f"{self.step}:{HIT}": [action]}
            case "rset":
                # Said after a message that was refused.
                return {f"rcpt:{HIT}": ["550 5.1.1 no such user"], "rset": [action]}
        return {self.step: [action]}

    @property
    def expected(self) -> tuple[tuple[str, ...], type[DeliverError] | None]:
        """The states after the first run, and what ended it."""
        if self.step in _SIGN_IN:
            return self._expected_of_sign_in
        match self.step, self.fault:
            case ("rset", _):
                return ("accepted", "failed", "accepted"), None
            case ("quit", _) | (_, "slow"):
                return ALL_WELL, None
            case ("mail", "5xx"):
                return ("accepted", "pending", "accepted"), SmtpRefusedError  # What is in hand is finished.
            case (_, "4xx") | ("dot", "421"):
                return ("accepted", "deferred", "accepted"), None
            case (_, "5xx"):
                return ("accepted", "failed", "accepted"), None
            case ("dot", _):
                return ("accepted", "uncertain", "accepted"), None
        # The server has nothing of the message: it goes over another connection.
        return ALL_WELL, None

    @property
    def _expected_of_sign_in(self) -> tuple[tuple[str, ...], type[DeliverError] | None]:
        # A server that does not know EHLO is greeted with HELO.
        if self.fault == "slow" or (self.step, self.fault) == ("ehlo", "5xx"):
            return ALL_WELL, None
        # Whatever else is said to STARTTLS, without TLS there is no going on with these settings.
        refusing = {"connect": ("5xx",), "auth": ("4xx", "421", "5xx")}
        refusing["starttls"] = ("4xx", "421", "5xx", "garbage", "over-long")
        is_refused = self.fault in refusing.get(self.step, ())
        return ALL_WAIT, SmtpRefusedError if is_refused else UnreachableError


_SIGN_IN = ("connect", "ehlo", "starttls", "auth")
STEPS = (*_SIGN_IN, "mail", "rcpt", "data", "dot", "rset", "quit")
CELLS = [Cell(step, fault) for step in STEPS for fault in FAULTS]


class Matrix:
    """Runs cells, each with a database of its own."""

    def __init__(self, folder: Path, certificate: Path, features: tuple[str, ...]) -> None:
        self._folder = folder
        self._tls = server_context(certificate)
        self._features = features
        self._empty = folder / "empty.sqlite3"
        engine = open_database(f"sqlite:///{self._empty}")
        owe(SqlLedger(engine), *NAMES)
        engine.dispose()
        self._engines: list[Engine] = []
        self._lock = Lock()

    def close(self) -> None:
        for engine in self._engines:
            engine.dispose()

    def wrong(self, cell: Cell) -> list[str]:
        """What is not as it should be."""
        path = self._folder / f"{cell.step}-{cell.fault}.sqlite3"
        shutil.copy(self._empty, path)
        engine = open_database(f"sqlite:///{path}")
        with self._lock:
            self._engines.append(engine)
        ledger = SqlLedger(engine)
        rules = cell.rules("\r\n250 ".join(self._features[-1:]))
        is_safe = cell.step == "starttls"
        is_signed_in = cell.step == "auth"
        with EvilSmtp(
            rules,
            tls=self._tls if is_safe else None,
            features=self._features,
            credentials=("u", "p") if is_signed_in else None,
        ) as server:
            changes: dict[str, Any] = {"security": Security.STARTTLS} if is_safe else {}
            if is_signed_in:
                changes |= {"username": "u", "password": "p"}
            limit_s = HANG_S if cell.fault == "hang" else TIMEOUT_S
            backend = a_backend(server.port, timeout_s=limit_s, dot_timeout_s=limit_s, connections=1, **changes)
            drained = drain_all(ledger, backend, clock=a_clock())
            first = tuple(states(ledger)[name.lower()] for name in NAMES)
            stopped = type(drained.result.stopped_by) if drained.result.stopped_by else None
            found = [*self._invariants(first, server)]
            if (first, stopped) != cell.expected:
                found.append(f"{first} {stopped}, not {cell.expected}: {drained.result.stopped_by or ''}")
            if drained.result.counts != Counter(map(DeliveryState, first)):
                found.append(f"the run counts {dict(drained.result.counts)}")
            # Without the fault, and later, all that waits goes out.
            drain_all(ledger, backend, clock=a_clock(minutes=10))
            last = tuple(states(ledger)[name.lower()] for name in NAMES)
            if last != tuple(_LEFT_IN_THE_END.get(state, state) for state in first):
                found.append(f"{first} became {last}")
            found += self._invariants(last, server)
        return found

    def _invariants(self, states: tuple[str, ...], server: EvilSmtp) -> Iterator[str]:
        copies = Counter(server.recipients)
        for name, state in zip(NAMES, states, strict=True):
            number = copies[f"{name.lower()}@example.org"]
            if number > 1:
                yield f"{name} has {number} copies"
            if state != "uncertain" and (state == "accepted") != (number == 1):
                yield f"{name} is {state} with {number} copies"


@pytest.mark.parametrize(
    "features",
    [
        pytest.param(("8BITMIME", "PIPELINING"), id="grouped"),
        pytest.param(("8BITMIME",), id="one by one", marks=pytest.mark.soak),
    ],
)
def test_every_fault_at_every_step(
    features: tuple[str, ...], certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    matrix = Matrix(tmp_path, certificate, features)
    with ThreadPoolExecutor(12) as pool:
        found = dict(zip(CELLS, pool.map(matrix.wrong, CELLS), strict=True))
    matrix.close()

    assert len(found) == 90
    assert {f"{cell.step} {cell.fault}": wrong for cell, wrong in found.items() if wrong} == {}
