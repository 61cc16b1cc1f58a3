import asyncio
import io
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from digest.deliver.console import ConsoleBackend
from digest.errors import StoreError, UnreachableError
from tests.deliver.mail import a_message

RAW = (
    "From: Paperround <digest@paperround.test>\r\nTo: ada@example.org\r\nSubject: =?utf-8?q?Zw=C3=B6lf?= papers,\r\n of"
    " =?utf-8?q?=1B[2J?=\r\nMessage-ID: <1@x>\r\nList-Unsubscribe: <https://example.org/u?t=secret>\r\nContent-Type:"
    " text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFor ada@example.org:\r\n\r\nZwölf\x1b[2J\r\n"
)


async def agree() -> None:
    pass


def shown(out: TextIO, raw: str = RAW) -> str:
    receipt = asyncio.run(ConsoleBackend(out).deliver(a_message(raw=raw.encode()), agree))
    assert receipt.code == 250
    out.seek(0)
    return out.read()


def test_what_people_read_is_shown() -> None:
    assert shown(io.StringIO()).splitlines() == [
        "From: Paperround <digest@paperround.test>",
        "To: a***@***",
        "Subject: Zwölf papers, of [2J",
        "Message-ID: <1@x>",
        "",
        "For a***@***:",
        "",
        "Zwölf[2J",
        "",
        "-" * 72,
    ]


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    with io.TextIOWrapper(io.BytesIO(), encoding="ascii") as out:
        assert "Subject: Zw?lf papers" in shown(out)


def test_without_a_durable_ledger_nothing_is_shown() -> None:
    async def fail() -> None:
        raise StoreError("the disk is full")

    out = io.StringIO()
    with pytest.raises(StoreError):
        asyncio.run(ConsoleBackend(out).deliver(a_message(), fail))
    assert out.getvalue() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_output_that_is_gone_stops_the_run() -> None:
    # What could not be written is tried once more when it is closed.
    with suppress(OSError), Path("/dev/full").open("w", encoding="utf-8") as out:
        with pytest.raises(UnreachableError, match="No space left"):
            asyncio.run(ConsoleBackend(out).deliver(a_message(), agree))
        assert not out.closed
