"""The service, as a process of its own, and what it says in its log."""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from digest.cli.serve import Logger, log_end
from digest.deliver.outcome import Outcome
from digest.errors import SmtpRefusedError
from digest.model import Delivery, DeliveryState, SubscriberId
from digest.pipeline import Report
from digest.telemetry.logs import JsonFormatter, Redactor
from tests.builders import NOW
from tests.cli.home import Done, Home, address, arxiv, papers_in, reader
from tests.collect.evil_http import EvilHttp
from tests.deliver.evil_smtp import EvilSmtp


def test_it_sends_follows_the_file_and_leaves_when_told(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), sources=[arxiv(http)])
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        with home.running("serve", "--tick-seconds", "1") as process:
            assert process.stderr
            lines: list[str] = []
            reading = threading.Thread(target=lines.extend, args=(process.stderr,))
            reading.start()
            until(lambda: smtp.recipients == [address("Ada")], lines)

            (home.folder / "subscribers.yaml").write_text("subscribers: [")
            until(lambda: "going on with the subscribers as last read" in "".join(lines), lines)

            home.subscribe(reader("Ada"), reader("Ben"), sources=[arxiv(http)])
            until(lambda: "the environment variable BEN_EMAIL is not set" in "".join(lines), lines)
            (home.folder / ".env").write_text(f"BEN_EMAIL={address('Ben')}\n")
            until(lambda: address("Ben") in smtp.recipients, lines)

            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
            reading.join()

    Done(code, "", "".join(lines))
    assert code == 0
    assert smtp.recipients == [address("Ada"), address("Ben")]
    assert papers_in(smtp.accepted, "Ben") == ["2611.00001", "2611.00002"]
    assert len(http.requests) == 1
    log = "".join(lines)
    assert "serving 1 subscriber from 1 source" in log
    assert "subscribers.yaml:1:" in log
    assert "accepted ben" in log
    assert "alembic" not in log
    assert lines[-1].endswith("INFO stopped\n")


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (DeliveryState.ACCEPTED, "info"),
        (DeliveryState.PENDING, "info"),
        (DeliveryState.DEFERRED, "warning"),
        (DeliveryState.SUPPRESSED, "warning"),
        (DeliveryState.UNCERTAIN, "warning"),
        (DeliveryState.FAILED, "error"),
    ],
)
def test_a_line_is_as_loud_as_what_it_tells(state: DeliveryState, level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "digest")
    delivery = Delivery(id=1, subscriber=SubscriberId("ada"), date=date(2026, 11, 20), token="t", attempts=1)
    again = NOW + timedelta(minutes=5) if state is DeliveryState.DEFERRED else None

    Logger().settled(Outcome(delivery=delivery, state=state, detail="said so", next_try_at=again))

    [line] = (json.loads(JsonFormatter(Redactor()).format(record)) for record in caplog.records)
    assert (line["level"], line["subscriber"], line["state"]) == (level, "ada", state)
    assert line.get("next_try") == (again.isoformat() if again else None)


def test_the_last_line_of_a_pass_counts_and_says_how_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "digest")
    counts = {DeliveryState.ACCEPTED: 2, DeliveryState.SKIPPED: 1}

    log_end(Report(counts=counts, waiting=4, stopped_by=SmtpRefusedError("535 sign-in refused")))

    refused, last = (json.loads(JsonFormatter(Redactor()).format(record)) for record in caplog.records)
    assert (refused["level"], refused["message"]) == ("error", "535 sign-in refused")
    assert last["message"].startswith("ended with 3: no sources read, no new papers; 2 accepted, 1 skipped; 4 messages")
    assert {name: last[name] for name in ("exit_code", "waiting", "accepted", "skipped")} == {
        "exit_code": 3, "waiting": 4, "accepted": 2, "skipped": 1,
    }  # fmt: skip


def until(condition: Callable[[], bool], log: list[str], timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "".join(log)
        time.sleep(0.05)
