import logging
import signal
import subprocess
import sys
import threading

import pytest

from digest.schedule.ticker import serve


def test_a_tick_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    stop, count = threading.Event(), 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise RuntimeError("invented failure")
        stop.set()

    with caplog.at_level(logging.ERROR):
        serve(tick, every_s=1, stop=stop)

    assert count == 2
    assert "tick failed" in caplog.text
    assert "invented failure" in caplog.text


def test_ticks_never_overlap(caplog: pytest.LogCaptureFixture) -> None:
    stop, second_was_due, running, most = threading.Event(), threading.Event(), 0, 0

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "maximum number of running instances" in record.getMessage():
                second_was_due.set()

    def tick() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            second_was_due.set()
        second_was_due.wait(60)
        running -= 1
        stop.set()

    scheduler_log, listening = logging.getLogger("apscheduler.scheduler"), Listening()
    scheduler_log.addHandler(listening)
    try:
        with caplog.at_level(logging.WARNING, logger=scheduler_log.name):
            serve(tick, every_s=1, stop=stop)
    finally:
        scheduler_log.removeHandler(listening)

    assert second_was_due.is_set()
    assert most == 1


def test_the_first_tick_comes_at_once_also_outside_the_main_thread() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(stop.set,), kwargs={"every_s": 86_400, "stop": stop}, daemon=True)

    thread.start()
    thread.join(timeout=60)

    assert not thread.is_alive()


SERVICE = """
import sys, threading
from digest.schedule.ticker import serve

stop = threading.Event()

def tick():
    print("tick began", flush=True)
    stop.wait(60)
    print("told to stop", flush=True)
    sys.stdin.readline()
    print("tick ended", flush=True)

serve(tick, stop=stop)
print("served", flush=True)
"""


def a_service() -> "subprocess.Popen[str]":
    """A service whose tick, told to stop, still waits for a line."""
    command = [sys.executable, "-c", SERVICE]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_running_tick_and_ends(number: signal.Signals) -> None:
    with a_service() as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "tick began\n"
        service.send_signal(number)
        assert service.stdout.readline() == "told to stop\n"

        rest, _ = service.communicate("\n", timeout=60)

    assert rest == "tick ended\nserved\n"
    assert service.returncode == 0


def test_a_second_signal_does_not_wait() -> None:
    with a_service() as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "tick began\n"

        service.send_signal(signal.SIGTERM)
        assert service.stdout.readline() == "told to stop\n"
        service.send_signal(signal.SIGTERM)
        service.wait(60)

    assert service.returncode == -signal.SIGTERM
