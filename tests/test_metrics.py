"""A run's figures for Prometheus: counts go on from run to run, and nothing names a subscriber."""

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from digest.errors import ConfigError
from digest.metrics import Metrics, RunFigures, SourceFigures

START = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)


def a_run(exit_code: int = 0, *, day: int = 0, accepted: int = 3) -> RunFigures:
    started = START + timedelta(days=day)
    good = started if exit_code == 0 else None
    return RunFigures(
        started=started,
        ended=started + timedelta(seconds=42),
        exit_code=exit_code,
        deliveries={"accepted": accepted, "deferred": 1},
        waiting=2,
        sources={"arxiv:cs.CL": SourceFigures(last_good=good, is_good=exit_code == 0, took_s=1.5, new=10)},
    )


def read(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "textfiles" / "paperround.prom"

    Metrics(file).record_run(a_run())

    ended = (START + timedelta(seconds=42)).timestamp()
    assert read(file.read_text()) == {
        "paperround_deliveries_total accepted": 3,
        "paperround_deliveries_total deferred": 1,
        "paperround_papers_total arxiv:cs.CL": 10,
        "paperround_runs_total 0": 1,
        "paperround_outbox_waiting": 2,
        "paperround_run_duration_seconds": 42,
        "paperround_last_run_timestamp_seconds": ended,
        "paperround_last_success_timestamp_seconds": ended,
        "paperround_source_last_good_timestamp_seconds arxiv:cs.CL": START.timestamp(),
        "paperround_source_up arxiv:cs.CL": 1,
        "paperround_source_poll_duration_seconds arxiv:cs.CL": 1.5,
    }
    # Nothing is left of how it was written.
    assert list(file.parent.iterdir()) == [file]


def test_counts_go_on_from_process_to_process(tmp_path: Path) -> None:
    file = tmp_path / "paperround.prom"
    Metrics(file).record_run(a_run())

    Metrics(file).record_run(a_run(1, day=1, accepted=4))

    figures = read(file.read_text())
    assert figures["paperround_deliveries_total accepted"] == 7
    assert (figures["paperround_runs_total 0"], figures["paperround_runs_total 1"]) == (1, 1)
    # The last success and the last good reading are those of the day before.
    assert figures["paperround_last_success_timestamp_seconds"] == (START + timedelta(seconds=42)).timestamp()
    assert figures["paperround_source_last_good_timestamp_seconds arxiv:cs.CL"] == START.timestamp()
    assert figures["paperround_source_up arxiv:cs.CL"] == 0
    assert figures["paperround_last_run_timestamp_seconds"] > figures["paperround_last_success_timestamp_seconds"]


def test_a_port_shows_the_same_on_this_machine_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    metrics = Metrics(port=port)
    try:
        metrics.record_run(a_run())
        figures = read(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        listening = Path("/proc/net/tcp").read_text().split() if Path("/proc/net/tcp").exists() else []
    finally:
        metrics.close()

    assert figures["paperround_deliveries_total accepted"] == 3
    assert f"00000000:{port:04X}" not in listening
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} cannot be listened on") as told:
            Metrics(port=port)
    assert told.value.where == "DIGEST_METRICS_PORT"


@pytest.mark.parametrize("content", ["paperround_runs_total{exit_code=\n", "no figures at all {{{\n"])
def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes.prom"
    file.write_text(content)

    with pytest.raises(ConfigError, match="it holds something else"):
        Metrics(file)
    assert file.read_text() == content


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    metrics = Metrics(tmp_path / "file" / "paperround.prom")

    with pytest.raises(ConfigError, match="cannot be written"):
        metrics.record_run(a_run())


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from digest.errors import ConfigError; from digest.metrics import Metrics\n"
        "try: Metrics(port=9)\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("DIGEST_METRICS_PORT: prometheus-client is not installed")
    assert "paperround[metrics]" in done.stdout
