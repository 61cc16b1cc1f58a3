"""A line with latency: a TCP proxy that holds back what goes through it, but never slows the flow.

``python -m benchmarks.sending.proxy PORT MS`` prints the port it listens on; each direction takes so many milliseconds.
"""

import asyncio
import sys
from collections import deque


class Side(asyncio.Protocol):
    """One end of a connection: what it receives goes to the other end later."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._held: deque[bytes | None] = deque()
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._hold(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See ``asyncio.Protocol``; the end takes as long as the data before it."""
        self._hold(None)

    def _hold(self, data: bytes | None) -> None:
        self._held.append(data)
        self._loop.call_later(self._delay_s, self._pass_on)

    def _pass_on(self) -> None:
        # Timers of the same moment may come in any order; what was first goes first.
        data = self._held.popleft()
        if self.other is None or self.other.transport is None:
            self._held.appendleft(data)
            self._loop.call_later(self._delay_s, self._pass_on)
        elif data is None:
            self.other.transport.close()
        else:
            self.other.transport.write(data)


async def main(port: int, delay_s: float) -> None:
    """Listen until killed."""
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[None]] = set()

    async def connect(near: Side) -> None:
        _, far = await loop.create_connection(lambda: Side(delay_s), "127.0.0.1", port)
        near.other, far.other = far, near

    def accept() -> Side:
        near = Side(delay_s)
        task = loop.create_task(connect(near))
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
