"""Work that may hang, in threads that nobody waits for at the end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Value = TypeVar("_Value")


async def run_aside(name: str, work: Callable[[], _Value]) -> _Value:
    """Wait for work in a daemon thread of its own.

    ``asyncio.run`` and Python's exit wait for the threads of executors, so that work that hangs would keep the process
    from ending long after everybody stopped waiting for it. This one is left behind.
    """
    done: Future[_Value] = Future()

    def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(work())
        except BaseException as exc:  # noqa: BLE001  whatever it is belongs to who waits
            done.set_exception(exc)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(done)
