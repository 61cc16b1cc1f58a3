"""Writes messages to a folder in place of sending them."""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from digest.errors import UnreachableError
from digest.model import Message, Receipt

_NAME_CHARS = 100


class FolderBackend:
    """A ``Backend`` that writes each message as ``.eml``, with its ``.html`` and ``.txt`` beside it.

    Files are named after the Message-ID, so that the same edition written again replaces itself.
    """

    room = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        """Write one message; its ``.eml`` appears whole, and last."""
        name = _file_name(message.message_id)
        contents = {".txt": message.text.encode(), ".html": message.html.encode(), ".eml": message.raw}
        parts = {self._folder / f".{name}{ending}.part": content for ending, content in contents.items()}
        try:
            try:
                _write_durably(self._folder, parts)
                await before_dot()
                for ending, part in zip(contents, parts, strict=True):
                    part.replace(self._folder / f"{name}{ending}")
                _sync(self._folder)
            finally:
                for part in parts:
                    part.unlink(missing_ok=True)
        except OSError as exc:
            raise UnreachableError(
                f"cannot be written ({exc.strerror})",
                where=str(self._folder),
                hint="check its owner, permissions and free space; every message waits for the next run",
            ) from exc
        return Receipt(250, f"written to {name}.eml")

    async def close(self) -> None:
        """Nothing is held open."""


def _file_name(message_id: str) -> str:
    local = message_id.strip("<>").partition("@")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", local)[:_NAME_CHARS].strip("-") or "message"


def _write_durably(folder: Path, contents: Mapping[Path, bytes]) -> None:
    """Only for ourselves: addresses and tokens are in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, content in contents.items():
        with open(path, "wb", opener=partial(os.open, mode=0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make new names in a folder durable, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
