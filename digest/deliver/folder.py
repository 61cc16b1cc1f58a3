"""Writes messages to a folder in place of sending them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from digest.errors import UnreachableError
from digest.model import Message, Receipt

_NAME_CHARS = 100


class FolderBackend:
    """A ``Backend`` that writes each message as ``.eml``, with its ``.html`` and ``.txt`` beside it.

    Files are named after the Message-ID, so that the same edition written again replaces itself.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, message: Message, before_dot: Callable[[], None]) -> Receipt:
        """Write one message; its ``.eml`` appears whole, and last."""
        name = _file_name(message.message_id)
        contents = {".txt": message.text.encode(), ".html": message.html.encode(), ".eml": message.raw}
        written = {self._folder / f".{name}{ending}.part": self._folder / f"{name}{ending}" for ending in contents}
        try:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                for part, content in zip(written, contents.values(), strict=True):
                    _write_durably(part, content)
                before_dot()
                for part, path in written.items():
                    part.replace(path)
            finally:
                for part in written:
                    part.unlink(missing_ok=True)
        except OSError as exc:
            raise UnreachableError(
                f"cannot be written ({exc.strerror})",
                where=str(self._folder),
                hint="check its owner, permissions and free space; every message waits for the next run",
            ) from exc
        return Receipt(250, f"written to {name}.eml")

    def close(self) -> None:
        """Nothing is held open."""


def _file_name(message_id: str) -> str:
    local = message_id.strip("<>").partition("@")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", local)[:_NAME_CHARS].strip("-") or "message"


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
