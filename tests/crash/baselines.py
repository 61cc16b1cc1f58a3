"""Obvious ways to send a mail to everyone on a list, for comparison: each goes on after a crash as well as it can."""

import json
import smtplib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

_BATCH = 10


@contextmanager
def _sender(port: int) -> Iterator[Callable[[str], None]]:
    with smtplib.SMTP("127.0.0.1", port) as smtp:

        def send(address: str) -> None:
            message = EmailMessage()
            message["From"] = "digest@example.org"
            message["To"] = address
            message["Message-ID"] = f"<2026-11-20.{address}>"
            message.set_content("Invented Paper 1")
            smtp.send_message(message)

        yield send


def send_then_save(folder: Path, port: int, addresses: Sequence[str]) -> None:
    """Send to everyone, and then write down that it is done."""
    done = folder / "done"
    if done.exists():
        return
    with _sender(port) as send:
        for address in addresses:
            send(address)
    done.touch()


def bookmark(folder: Path, port: int, addresses: Sequence[str]) -> None:
    """Take ten at a time, write down how far that is, and send."""
    path = folder / "bookmark"
    start = json.loads(path.read_text()) if path.exists() else 0
    with _sender(port) as send:
        for at in range(start, len(addresses), _BATCH):
            new = path.with_suffix(".new")
            new.write_text(json.dumps(at + _BATCH))
            new.replace(path)
            for address in addresses[at : at + _BATCH]:
                send(address)


def commit_each(folder: Path, port: int, addresses: Sequence[str]) -> None:
    """Write each down, durably, after the server has taken it."""
    connection = sqlite3.connect(folder / "sent.sqlite3", isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS sent (address TEXT PRIMARY KEY)")
    sent = {row[0] for row in connection.execute("SELECT address FROM sent")}
    with _sender(port) as send:
        for address in addresses:
            if address not in sent:
                send(address)
                connection.execute("INSERT INTO sent VALUES (?)", (address,))


DESIGNS: dict[str, Callable[[Path, int, Sequence[str]], None]] = {
    "send_then_save": send_then_save,
    "bookmark": bookmark,
    "commit_each": commit_each,
}
