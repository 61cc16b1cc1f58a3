"""``digest serve``: the same pass as ``digest run``, woken by a clock."""

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.common import examples, number_of, read_clock, set_up_logging
from digest.cli.notice import Notices
from digest.errors import DigestError

if TYPE_CHECKING:
    from digest.deliver.outbox import Outcome
    from digest.model import Edition, Poll, Recorded
    from digest.pipeline import Report

log = logging.getLogger("digest")

EPILOG = examples("digest serve", "digest serve --to-folder outbox    # .eml files, no mail server")


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
    from digest.listener import Listener
    from digest.schedule.ticker import serve as run_ticker
    from digest.service import Service

    class Logger(Listener):
        """One log line for each step; ids, never addresses."""

        def polled(self, poll: "Poll", recorded: "Recorded | None") -> None:
            new = recorded.new if recorded else 0
            log.info("%s %s: %d listed, %d new", poll.verdict, poll.source, len(poll.entries), new)
            for problem in poll.problems:
                log.warning("%s: %s", poll.source, problem)

        def opened(self, edition: "Edition") -> None:
            log.info("due %s %s: %d papers", edition.subscriber.id, edition.date, len(edition.papers))

        def settled(self, outcome: "Outcome") -> None:
            log.info("%s %s %s %s", outcome.state, outcome.delivery.subscriber, outcome.delivery.date, outcome.detail)

    set_up_logging()
    stop = threading.Event()
    live = LiveWorld(read_clock)
    service = Service(
        live.load,
        build_backend(live.config.settings, to_folder),
        timedelta(hours=collect_hours),
        stop.is_set,
    )
    notices = Notices(live.config.settings, to_folder, "digest serve")

    def tick() -> None:
        now = read_clock()
        try:
            report = service.tick(now, Logger())
        except DigestError as error:
            log.error("%s", error)  # noqa: TRY400 - it says what to do; a traceback says where we are
            notices.tell(error, now)
            return
        if report:
            _log_end(report)
        if report and not stop.is_set():
            notices.tell(replace(report, problems=(*live.config.roster.problems, *report.problems)), now)

    roster = live.config.roster
    log.info(
        "serving %s from %s",
        number_of(len(roster.subscribers), "subscriber"),
        number_of(len(roster.sources), "source"),
    )
    run_ticker(tick, every_s=tick_seconds, stop=stop)
    log.info("stopped")


def _log_end(report: "Report") -> None:
    for note in report.notes:
        log.info("note: %s", note)
    for problem in report.problems:
        log.error("%s", problem)
    if report.stopped_by:
        log.error("%s", report.stopped_by)
