"""The clock of ``digest serve``: APScheduler wakes the program, and `digest.schedule.due` decides what is due."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from digest.signals import signals_heard

log = logging.getLogger(__name__)

_LOOK_S = 0.2


def serve(tick: Callable[[], None], *, every_s: int = 60, stop: threading.Event) -> None:
    """Call ``tick`` at once and then at this interval, until ``stop`` is set or SIGTERM or SIGINT arrives.

    Ticks never overlap, and a tick that fails is logged and does not end the service. A tick that runs when the end
    comes is finished first; a second signal does not wait for it. Signals are only heard in the main thread.

    Args:
        tick: Called in a worker thread.
        every_s: Seconds from the start of one tick to the start of the next.
        stop: Set by the first signal, so that a long tick can look at it.
    """

    def guarded() -> None:
        try:
            tick()
        except Exception:
            log.exception("tick failed")

    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        guarded,
        "interval",
        seconds=every_s,
        next_run_time=datetime.now(UTC),  # noqa: TID251 - the scheduler's clock; what is due is decided by the tick's
        # The defaults drop a run that wakes a second late, as every laptop does that slept.
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )
    with signals_heard() as heard:
        scheduler.start()
        try:
            while not stop.is_set() and not heard:
                stop.wait(_LOOK_S)
            stop.set()
        finally:
            scheduler.shutdown(wait=True)
