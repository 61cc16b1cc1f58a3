"""Tells the page in the browser when a file was saved."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from pathlib import Path

from watchfiles import awatch

log = logging.getLogger("digest")

_QUIET_MS = 50
"""A save is over once nothing happened for so long: editors write, rename and delete."""
_ALIVE_S = 15.0


class Changes:
    """Watches folders and files, and wakes whoever listens."""

    def __init__(
        self, folders: Sequence[Path], files: Sequence[Path], changed: Callable[[Sequence[Path]], None]
    ) -> None:
        """Nothing is watched before `watch`.

        Args:
            folders: With all that is in them.
            files: Whether they are there or not.
            changed: Called with the files that were saved, before the listeners are told.
        """
        self._folders = folders
        self._files = tuple(path.absolute() for path in files)
        self._changed = changed
        self._listeners: set[asyncio.Queue[bool]] = set()
        self._stop = asyncio.Event()

    async def watch(self) -> None:
        """Watch until `close`."""
        # A file that is replaced is another file: its folder is watched, without what is deeper.
        around = {path.parent for path in self._files}
        await asyncio.gather(self._watch(self._folders), self._watch(around, only=self._files))

    async def _watch(self, folders: Iterable[Path], only: Collection[Path] | None = None) -> None:
        there = [folder for folder in folders if folder.is_dir()]
        if not there:
            return
        try:
            await self._follow(there, only, polling=None)
        except (OSError, RuntimeError) as exc:
            # The system allows a user so many watches.
            log.warning("files cannot be watched (%s), so they are looked at again and again", exc)
            await self._follow(there, only, polling=True)

    async def _follow(self, folders: Sequence[Path], only: Collection[Path] | None, *, polling: bool | None) -> None:
        watched = awatch(*folders, step=_QUIET_MS, stop_event=self._stop, recursive=only is None, force_polling=polling)
        async for changes in watched:
            saved = [Path(path) for _, path in changes]
            if only is not None:
                saved = [path for path in saved if path in only]
            if saved:
                self._changed(saved)
                self._wake(goes_on=True)

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events: ``change`` for each save, until `close`."""
        queue: asyncio.Queue[bool] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield "retry: 500\n\n"
            while True:
                try:
                    goes_on = await asyncio.wait_for(queue.get(), _ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if not goes_on:
                    return
                yield "event: change\ndata: \n\n"
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Let go of everybody."""
        self._stop.set()
        self._wake(goes_on=False)

    def _wake(self, *, goes_on: bool) -> None:
        for queue in self._listeners:
            queue.put_nowait(goes_on)
