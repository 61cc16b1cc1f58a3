"""An SMTP server with STARTTLS that takes every message and keeps none.

``python -m benchmarks.sending.tls_sink CERTIFICATE KEY`` prints the port it listens on.
"""

import asyncio
import ssl
import sys

_END = b"\r\n.\r\n"


class Conversation(asyncio.Protocol):
    """Says yes to everything."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_encrypted = False
        self._is_content = False
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, once: the transport for TLS calls this, too."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Take commands and contents out of what arrived."""
        assert self._transport
        self._unread += data
        replies = []
        while True:
            if self._is_content:
                # Of a message only the last bytes matter.
                _, end, rest = self._unread.partition(_END)
                if not end:
                    self._unread = self._unread[-len(_END) :]
                    break
                self._is_content, self._unread = False, rest
                replies.append(b"250 2.0.0 taken\r\n")
                continue
            line, end, rest = self._unread.partition(b"\r\n")
            if not end:
                break
            self._unread = rest
            verb = line[:4].upper()
            if verb == b"EHLO":
                offers = b"" if self._is_encrypted else b"250-STARTTLS\r\n"
                replies.append(b"250-sink\r\n" + offers + b"250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                # The line end of the command may be that before the final dot.
                self._is_content, self._unread = True, b"\r\n" + self._unread
                replies.append(b"354 go on\r\n")
            elif verb == b"STAR":
                self._transport.write(b"220 go on\r\n")
                self._transport.pause_reading()
                task = asyncio.get_running_loop().create_task(self._encrypt())
                self._tasks.add(task)
                # What goes wrong is told on stderr.
                task.add_done_callback(asyncio.Task.result)
                return
            else:
                replies.append(b"221 bye\r\n" if verb == b"QUIT" else b"250 2.0.0 ok\r\n")
        if replies:
            self._transport.write(b"".join(replies))

    async def _encrypt(self) -> None:
        assert self._transport
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, self._context, server_side=True)
        self._is_encrypted = True


async def main(certificate: str, key: str) -> None:
    """Listen until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(context), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
