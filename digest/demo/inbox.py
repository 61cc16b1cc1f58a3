"""A local inbox: takes every message over SMTP and puts it into a folder."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any


@contextmanager
def serve_inbox(folder: Path) -> Iterator[int]:
    """Accept mail on 127.0.0.1 until the block ends.

    Args:
        folder: Where each message goes, as ``<nn>-<recipient>.eml``, with its parts beside it as ``.html`` and
            ``.txt``; made if it is missing.

    Returns:
        The port.
    """
    from aiosmtpd.smtp import SMTP

    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.new_event_loop()
    handler = _Keeper(folder)
    # aiosmtpd's own Controller connects to the port it was given, which must not be 0.
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_close(server))
        loop.close()


async def _close(server: asyncio.Server) -> None:
    """Hang up, also on clients that have not said good-bye."""
    server.close()
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    # Connections end in the next round of the loop.
    await asyncio.sleep(0)


class _Keeper:
    """What aiosmtpd tells of each message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802  aiosmtpd's name
        for recipient in envelope.rcpt_tos:
            _keep(self._folder, recipient, envelope.original_content)
        return "250 2.0.0 kept"


def _keep(folder: Path, recipient: str, raw: bytes) -> None:
    number = max((int(file.name.split("-")[0]) for file in folder.glob("[0-9][0-9]*-*.eml")), default=0) + 1
    mailbox = re.sub(r"[^A-Za-z0-9._-]+", "-", recipient.rpartition("@")[0])
    file = folder / f"{number:02d}-{mailbox}.eml"
    file.write_bytes(raw)
    message = message_from_bytes(raw, policy=default)
    for kind, suffix in (("html", ".html"), ("plain", ".txt")):
        part = message.get_body((kind,))
        if part:
            file.with_name(file.stem + suffix).write_text(part.get_content(), encoding="utf-8")
