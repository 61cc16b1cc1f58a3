"""The oracle: an SMTP server in a process of its own, which outlives whoever talks to it.

It writes down what it accepts before it says so, and keeps it when the client is gone by then. Its argument is the file
to write to; it prints its port, and ends with its standard input.
"""

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_REPLY_S = 0.002
"""What a server takes that writes a mail to its disk before it says 250."""
_LARGEST = 2**24


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was accepted."""

    recipient: str
    message_id: str
    papers: tuple[int, ...]
    """The numbers of the invented papers that it shows."""


def read_taken(path: Path, offset: int = 0) -> list[Taken]:
    """What was written down from this byte on."""
    with path.open("rb") as file:
        file.seek(offset)
        rows = [json.loads(line) for line in file]
    return [Taken(recipient, message_id, tuple(papers)) for recipient, message_id, papers in rows]


def _describe(recipient: str, data: bytes) -> str:
    whole = re.sub(rb"=\r\n", b"", data)
    found = re.search(rb"^Message-ID: (<.*?>)\r$", data, re.MULTILINE)
    assert found, "a message without Message-ID"
    papers = sorted({int(number) for number in re.findall(rb"Invented Paper (\d+)", whole)})
    return json.dumps([recipient, found[1].decode(), papers]) + "\n"


class _Oracle:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""
        writer.write(b"220 sink.test ESMTP\r\n")
        try:
            while line := await reader.readline():
                match line[:4].upper():
                    case b"EHLO":
                        writer.write(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                    case b"RCPT":
                        recipient = line.partition(b"<")[2].partition(b">")[0].decode()
                        writer.write(b"250 ok\r\n")
                    case b"DATA":
                        writer.write(b"354 go on\r\n")
                        data = await reader.readuntil(b"\r\n.\r\n")
                        self._file.write(_describe(recipient, data))
                        self._file.flush()
                        await asyncio.sleep(_REPLY_S)
                        writer.write(b"250 2.0.0 queued\r\n")
                    case b"QUIT":
                        writer.write(b"221 bye\r\n")
                        break
                    case _:
                        writer.write(b"250 ok\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _main(path: Path) -> None:
    with path.open("a") as file:
        server = await asyncio.start_server(_Oracle(file).serve, "127.0.0.1", 0, limit=_LARGEST)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
