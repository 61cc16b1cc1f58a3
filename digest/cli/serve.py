"""``digest serve``: the same pass as ``digest run``, woken by a clock."""

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.common import examples, number_of, read_clock, set_up_logging
from digest.cli.report import sum_up
from digest.cli.watch import Watch
from digest.errors import DigestError
from digest.listener import Listener
from digest.model import DeliveryState

if TYPE_CHECKING:
    from digest.deliver.outcome import Outcome
    from digest.model import Edition, Poll, Recorded
    from digest.pipeline import Report

log = logging.getLogger("digest")

_LEVELS = {
    DeliveryState.FAILED: logging.ERROR,
    DeliveryState.DEFERRED: logging.WARNING,
    DeliveryState.SUPPRESSED: logging.WARNING,
    DeliveryState.UNCERTAIN: logging.WARNING,
}

EPILOG = examples("digest serve", "digest serve --to-folder outbox    # .eml files, no mail server")


class Logger(Listener):
    """One log line for each step; ids, never addresses."""

    def polled(self, poll: "Poll", recorded: "Recorded | None") -> None:
        """What a source listed, and each of its problems."""
        new = recorded.new if recorded else 0
        log.info("%s %s: %d listed, %d new", poll.verdict, poll.source, len(poll.entries), new)
        for problem in poll.problems:
            log.warning("%s: %s", poll.source, problem)

    def opened(self, edition: "Edition") -> None:
        """What a subscriber is owed."""
        who = {"subscriber": edition.subscriber.id, "edition": edition.date}
        log.info("due %s %s: %d papers", edition.subscriber.id, edition.date, len(edition.papers), extra=who)

    def settled(self, outcome: "Outcome") -> None:
        """What became of a delivery."""
        delivery = outcome.delivery
        who: dict[str, Any] = {"subscriber": delivery.subscriber, "edition": delivery.date, "state": outcome.state}
        if outcome.next_try_at:
            who["next_try"] = outcome.next_try_at.isoformat()
        level = _LEVELS.get(outcome.state, logging.INFO)
        log.log(level, "%s %s %s %s", outcome.state, delivery.subscriber, delivery.date, outcome.detail, extra=who)


def serve(
    to_folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Deliver as .eml files into DIR instead of SMTP.")
    ] = None,
    collect_hours: Annotated[
        float, typer.Option(min=0.25, help="Read the sources at least this often, so that no listing is missed.")
    ] = 3,
    # How often the clock is looked at; only tests have no minute to wait.
    tick_seconds: Annotated[int, typer.Option(min=1, hidden=True)] = 60,
) -> None:
    """Stay, and send to every subscriber at their time; Ctrl-C or SIGTERM finishes what is in flight and leaves.

    The subscribers file may be edited while serving: it is read again within a minute when it or .env changes, and a
    file that cannot be read leaves everything as it was. Other settings need a restart.
    """
    from digest.app import LiveWorld, build_backend
    from digest.schedule.ticker import serve as run_ticker
    from digest.service import Service
    from digest.telemetry.logs import log_fields

    stop = threading.Event()
    live = LiveWorld(read_clock)
    settings = live.config.settings
    set_up_logging(settings)
    watch = Watch(settings, to_folder, "digest serve", port=settings.metrics_port)
    service = Service(
        live.load,
        build_backend(settings, to_folder),
        timedelta(hours=collect_hours),
        stop.is_set,
        watch.began,
    )

    def tick() -> None:
        now = read_clock()
        try:
            report = service.tick(now, Logger())
        except Exception as error:
            watch.ended(error, now)
            if not isinstance(error, DigestError):
                raise
            log.error("%s", error)  # noqa: TRY400 - it says what to do; a traceback says where we are
            return
        if report is None:
            return
        with log_fields(run=report.run):
            log_end(report)
        if not stop.is_set():
            report = replace(report, problems=(*live.config.roster.problems, *report.problems))
            watch.ended(report, now, live.load().papers.source_states())

    roster = live.config.roster
    log.info(
        "serving %s from %s",
        number_of(len(roster.subscribers), "subscriber"),
        number_of(len(roster.sources), "source"),
    )
    try:
        run_ticker(tick, every_s=tick_seconds, stop=stop)
    finally:
        watch.close()
    log.info("stopped")


def log_end(report: "Report") -> None:
    """The last lines of a pass: what went wrong, and one with counts and the exit code."""
    for note in report.notes:
        log.info("note: %s", note)
    for each in report.uncertain:
        log.warning("%s %s %s %s", each.state, each.subscriber, each.date, each.detail)
    for error in filter(None, (*report.failures, *report.problems, report.stopped_by, report.mismatch)):
        log.error("%s", error)
    counts = {str(state): number for state, number in report.counts.items()}
    figures = {"exit_code": report.exit_code, "waiting": report.waiting, **counts}
    log.info("ended with %d: %s", report.exit_code, sum_up(report), extra=figures)
