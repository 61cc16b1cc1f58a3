"""Whoever watches runs hears of each: the operator by mail, a service that waits for pings, and Prometheus."""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digest.cli.common import read_clock
from digest.cli.notice import Notices
from digest.errors import ConfigError, DigestError

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.metrics import RunFigures
    from digest.pipeline import Report
    from digest.ports import SourceState

log = logging.getLogger("digest")


class Watch:
    """What the settings name of them."""

    def __init__(self, settings: "Settings", folder: Path | None, command: str, *, port: int | None = None) -> None:
        """Watch the runs of a command.

        Args:
            settings: Name who watches.
            folder: Where messages go instead of SMTP.
            command: What runs: ``digest run``.
            port: Where figures are shown.

        Raises:
            ConfigError: Figures cannot be kept.
        """
        self._notices = Notices(settings, folder, command)
        self._ping_url = settings.ping_url
        self._metrics = None
        if settings.metrics_file or port:
            from digest.metrics import Metrics

            self._metrics = Metrics(settings.metrics_file, port)

    def began(self) -> None:
        """A run begins."""
        if self._ping_url:
            from digest.telemetry.ping import ping_start

            ping_start(self._ping_url)

    def ended(self, trouble: "Report | Exception", started: datetime, sources: Sequence["SourceState"] = ()) -> None:
        """A run did this, or ended with this; nothing that goes wrong here ends anything.

        Args:
            trouble: What it did.
            started: When it began; also the time of notices.
            sources: What is remembered of sources after it.
        """
        if isinstance(trouble, Exception) and not isinstance(trouble, DigestError):
            # What it says may be anything, and of anybody.
            trouble = DigestError(
                f"a mistake of this program's: {type(trouble).__name__}", hint="the log shows where it happened"
            )
        self._notices.tell(trouble, started)
        if self._ping_url:
            from digest.telemetry.ping import ping_end

            ping_end(self._ping_url, trouble.exit_code)
        if self._metrics:
            try:
                self._metrics.record_run(_figures(trouble, started, sources))
            except ConfigError as error:
                log.error("%s", error)  # noqa: TRY400 - it says what to do; a traceback says where we are

    def close(self) -> None:
        """Stop showing figures."""
        if self._metrics:
            self._metrics.close()


def _figures(trouble: "Report | DigestError", started: datetime, sources: Sequence["SourceState"]) -> "RunFigures":
    from digest.metrics import RunFigures, SourceFigures

    if isinstance(trouble, DigestError):
        return RunFigures(started=started, ended=read_clock(), exit_code=trouble.exit_code, waiting=None)
    polls = {poll.source: poll for poll in trouble.polls}
    return RunFigures(
        started=started,
        ended=read_clock(),
        exit_code=trouble.exit_code,
        deliveries={str(state): number for state, number in trouble.counts.items()},
        waiting=trouble.waiting,
        sources={
            state.name: SourceFigures(
                last_good=state.last_good_at,
                is_good=polls[state.name].is_good,
                took_s=state.took_s,
                new=trouble.recorded[state.name].new if state.name in trouble.recorded else 0,
            )
            for state in sources
            if state.name in polls
        },
    )
