"""``digest serve``: the same pass as ``digest run``, woken by a clock."""

import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.common import read_clock, set_up_logging

if TYPE_CHECKING:
    from digest.deliver.outbox import Outcome
    from digest.model import Edition, Poll, Recorded

log = logging.getLogger("digest")


def serve(
    to_folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Deliver as .eml files into DIR instead of SMTP.")
    ] = None,
    collect_hours: Annotated[
        float, typer.Option(min=0.25, help="Read the sources at least this often, so that no listing is missed.")
    ] = 3,
) -> None:
    """Stay, and send to every subscriber at their time; Ctrl-C or SIGTERM finishes what is in flight and leaves.

    The subscribers file may be edited while serving; it is read again when it changes.
    """
    from digest.app import LiveWorld, build_backend, load_config
    from digest.pipeline import Listener
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
    config = load_config()
    for problem in config.roster.problems:
        log.warning("%s", problem)
    service = Service(
        LiveWorld(config, read_clock).load,
        build_backend(config.settings, to_folder),
        timedelta(hours=collect_hours),
        stop.is_set,
    )

    def tick() -> None:
        report = service.tick(read_clock(), Logger())
        if report and report.stopped_by:
            log.error("%s", report.stopped_by)

    log.info("serving %d subscribers from %d sources", len(config.roster.subscribers), len(config.roster.sources))
    run_ticker(tick, stop=stop)
