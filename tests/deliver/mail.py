"""Messages, editions and a backend for the tests of this folder."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from digest.deliver.smtp import SmtpBackend, SmtpSettings
from digest.model import Delivery, Message, Security, Subscriber
from digest.ports import Ledger, OwedEdition
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition

RAW = b"Subject: Paperround\r\nMessage-ID: <ada-1@paperround.test>\r\n\r\nTwo papers.\r\n"


def a_message(recipient: str = "ada@example.org", raw: bytes = RAW, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "message_id": f"<{recipient.partition('@')[0]}-1@paperround.test>",
        "sender": "digest@paperround.test",
        "recipient": recipient,
        "subject": "Paperround",
        "raw": raw,
        "html_bytes": 0,
    }
    return Message(**(values | changes))


async def no_wait() -> None:
    """A ledger that has nothing to write."""


def compose(delivery: Delivery) -> Message:
    return a_message(f"{delivery.subscriber}@example.org")


def a_backend(port: int, **changes: Any) -> SmtpBackend:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.NONE,
        "timeout_s": 5,
        "dot_timeout_s": 5,
    }
    return SmtpBackend(SmtpSettings(**(values | changes)))


def deliver_together(port: int, *names: str, **changes: Any) -> list[Any]:
    """What became of a message for each name, all handed over at once."""

    async def all_of_them() -> list[Any]:
        backend = a_backend(port, **changes)
        messages = [a_message(f"{name}@example.org") for name in names]
        results = await asyncio.gather(*(backend.deliver(each, no_wait) for each in messages), return_exceptions=True)
        await backend.close()
        return list(results)

    return asyncio.run(all_of_them())


def owe(ledger: Ledger, *names: str) -> None:
    """Open an edition with one paper for each of these subscribers."""
    for number, name in enumerate(names, 1):
        subscriber: Subscriber = a_subscriber(name)
        edition = an_edition(subscriber, date=NOW.date(), matched=(a_match(a_paper(number)),))
        owed = OwedEdition(edition=edition, since_seq=0, through_seq=number)
        (opened,) = ledger.open_editions([owed], NOW, run="owe", claim=False)
        assert opened.is_written


def states(ledger: Ledger) -> dict[str, str]:
    return {row.subscriber: str(row.state) for row in ledger.editions(limit=100_000)}


def a_clock(minutes: float = 0) -> Callable[[], Any]:
    return lambda: NOW + timedelta(minutes=minutes)
