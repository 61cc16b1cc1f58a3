import logging
import signal
import subprocess
import sys
import threading
import time

import pytest

from digest.schedule.ticker import serve


def test_the_first_tick_comes_at_once() -> None:
    stop, started = threading.Event(), time.monotonic()

    serve(stop.set, every_s=60, stop=stop)

    assert time.monotonic() - started < 30


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


def test_ticks_never_overlap() -> None:
    stop, running, most, count = threading.Event(), 0, 0, 0

    def tick() -> None:
        nonlocal running, most, count
        running += 1
        most, count = max(most, running), count + 1
        time.sleep(1.3)
        running -= 1
        if count == 2:
            stop.set()

    serve(tick, every_s=1, stop=stop)

    assert most == 1


def test_serving_works_outside_the_main_thread() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(stop.set,), kwargs={"stop": stop})

    thread.start()
    thread.join(timeout=10)

    assert not thread.is_alive()


SERVICE = """
import threading, time
from digest.schedule.ticker import serve

stop = threading.Event()

def tick():
    print("tick began", flush=True)
    stop.wait(10)
    time.sleep(0.3)
    print("tick ended", flush=True)

serve(tick, stop=stop)
print("served", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_running_tick_and_ends(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "tick began\n"

        service.send_signal(number)
        rest, _ = service.communicate(timeout=20)

    assert rest == "tick ended\nserved\n"
    assert service.returncode == 0


def test_a_second_signal_does_not_wait() -> None:
    program = SERVICE.replace("time.sleep(0.3)", "time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "tick began\n"

        service.send_signal(signal.SIGTERM)
        time.sleep(0.8)
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=20)

    assert service.returncode == -signal.SIGTERM
