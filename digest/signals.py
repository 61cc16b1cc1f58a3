"""Hears the signals that ask a process to end, so that what is in hand can be finished."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_heard() -> Iterator[list[int]]:
    """A list that fills with SIGTERM and SIGINT as they arrive; the second of a kind does what it always did.

    Signals are only heard in the main thread; elsewhere the list stays empty.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        # No more than this: a lock taken here could be held by the very code that was interrupted.
        heard.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, hear)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
