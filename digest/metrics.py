"""A run's figures for Prometheus, of the extra ``metrics``: in a file for the textfile collector, and on a port.

No figure is kept for single subscribers: who reads what, and when, is nobody else's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digest.errors import ConfigError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """How the last poll of a source went."""

    last_good: datetime | None
    """Until when it was read completely."""
    is_good: bool
    took_s: float
    new: int
    """Papers never seen before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What a run came to; times are aware."""

    started: datetime
    ended: datetime
    exit_code: int
    deliveries: Mapping[str, int] = field(default_factory=dict)
    """How many came to each state in this run."""
    waiting: int | None
    """Deliveries that are not settled, if that is known."""
    sources: Mapping[str, SourceFigures] = field(default_factory=dict)
    """By name; those that were polled in this run."""


class Metrics:
    """The figures of all runs so far: counts go on from what the file holds."""

    def __init__(self, file: Path | None = None, port: int | None = None) -> None:
        """Begin, and listen on the port if there is one, on this machine only.

        Raises:
            ConfigError: The extra is missing, the file cannot be read or the port is in use.
        """
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, start_http_server
        except ImportError as exc:
            where = "DIGEST_METRICS_FILE" if file else "DIGEST_METRICS_PORT"
            hint = "pip install 'paperround[metrics]'"
            raise ConfigError("prometheus-client is not installed", where=where, hint=hint) from exc
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._file = file
        self._registry = registry = CollectorRegistry()
        self._deliveries = Counter(
            "paperround_deliveries", "Deliveries by the state they came to.", ["state"], registry=registry
        )
        self._papers = Counter(
            "paperround_papers", "New papers, by the source that listed them first.", ["source"], registry=registry
        )
        self._runs = Counter("paperround_runs", "Runs by exit code.", ["exit_code"], registry=registry)
        self._waiting = Gauge("paperround_outbox_waiting", "Deliveries that wait for another try.", registry=registry)
        self._duration = Gauge("paperround_run_duration_seconds", "Of the last run.", registry=registry)
        self._last_run = Gauge("paperround_last_run_timestamp_seconds", "When the last run ended.", registry=registry)
        self._last_success = Gauge(
            "paperround_last_success_timestamp_seconds", "When the last run with exit code 0 ended.", registry=registry
        )
        self._source_good = Gauge(
            "paperround_source_last_good_timestamp_seconds",
            "Until when a source was read completely.",
            ["source"],
            registry=registry,
        )
        self._source_up = Gauge(
            "paperround_source_up", "Whether the last poll of a source was good.", ["source"], registry=registry
        )
        self._source_took = Gauge(
            "paperround_source_poll_duration_seconds", "Of the last poll.", ["source"], registry=registry
        )
        self._go_on()
        self._server = None
        if port:
            try:
                self._server, self._thread = start_http_server(port, "127.0.0.1", registry)
            except OSError as exc:
                raise ConfigError(
                    f"port {port} cannot be listened on ({exc.strerror})",
                    where="DIGEST_METRICS_PORT",
                    hint="set another one",
                ) from exc

    def record_run(self, run: RunFigures) -> None:
        """Count a run in, and write the file.

        Raises:
            ConfigError: The file cannot be written.
        """
        for state, count in run.deliveries.items():
            self._deliveries.labels(state).inc(count)
        self._runs.labels(str(run.exit_code)).inc()
        if run.waiting is not None:
            self._waiting.set(run.waiting)
        self._duration.set((run.ended - run.started).total_seconds())
        self._last_run.set(run.ended.timestamp())
        if run.exit_code == 0:
            self._last_success.set(run.ended.timestamp())
        for name, source in run.sources.items():
            self._papers.labels(name).inc(source.new)
            self._source_up.labels(name).set(source.is_good)
            self._source_took.labels(name).set(source.took_s)
            if source.last_good:
                self._source_good.labels(name).set(source.last_good.timestamp())
        if self._file:
            _write(self._registry, self._file)

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def _go_on(self) -> None:
        """Begin with what the file holds: each `digest run` is a process of its own, and counts never fall."""
        if not self._file or not self._file.exists():
            return
        from prometheus_client.parser import text_string_to_metric_families

        counters = {"paperround_deliveries": self._deliveries, "paperround_papers": self._papers}
        counters["paperround_runs"] = self._runs
        gauges = {
            "paperround_last_success_timestamp_seconds": self._last_success,
            "paperround_source_last_good_timestamp_seconds": self._source_good,
            "paperround_source_up": self._source_up,
        }
        try:
            families = list(text_string_to_metric_families(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it holds something else"
            raise ConfigError(
                f"the file '{self._file}' cannot be read ({reason})",
                where="DIGEST_METRICS_FILE",
                hint="name a file of its own, or delete this one",
            ) from exc
        for family in families:
            for sample in family.samples:
                if counter := counters.get(family.name):
                    counter.labels(**sample.labels).inc(sample.value)
                elif gauge := gauges.get(family.name):
                    (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)


def _write(registry: "CollectorRegistry", file: Path) -> None:
    from prometheus_client import write_to_textfile

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(file), registry)
    except OSError as exc:
        raise ConfigError(
            f"the file '{file}' cannot be written ({exc.strerror})",
            where="DIGEST_METRICS_FILE",
            hint="check the permissions of its folder",
        ) from exc
