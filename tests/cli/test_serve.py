"""The service, as a process of its own."""

import signal
import threading
import time
from collections.abc import Callable

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


def until(condition: Callable[[], bool], log: list[str], timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "".join(log)
        time.sleep(0.05)
