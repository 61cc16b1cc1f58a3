"""An SMTP server with STARTTLS that takes every message and keeps none.

``python -m benchmarks.sending.tls_sink CERTIFICATE KEY`` prints the port it listens on.
"""

import socket
import ssl
import sys
from contextlib import suppress
from threading import Thread

_END = b"\r\n.\r\n"


def converse(sock: socket.socket, context: ssl.SSLContext) -> None:  # noqa: C901 - a case for each command
    """Say yes to everything, until the other side hangs up."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"220 sink ESMTP\r\n")
    unread, is_content, offers = b"", False, b"250-STARTTLS\r\n"
    while received := sock.recv(262_144):
        unread += received
        replies = []
        while True:
            if is_content:
                # Of a message only the last bytes matter.
                _, end, rest = unread.partition(_END)
                if not end:
                    unread = unread[-len(_END) :]
                    break
                is_content, unread = False, rest
                replies.append(b"250 2.0.0 taken\r\n")
                continue
            line, end, rest = unread.partition(b"\r\n")
            if not end:
                break
            unread = rest
            match line[:4].upper():
                case b"EHLO":
                    replies.append(b"250-sink\r\n" + offers + b"250-PIPELINING\r\n250 8BITMIME\r\n")
                case b"DATA":
                    # The line end of the command may be that before the final dot.
                    is_content, unread = True, b"\r\n" + unread
                    replies.append(b"354 go on\r\n")
                case b"STAR":
                    sock.sendall(b"220 go on\r\n")
                    sock, offers = context.wrap_socket(sock, server_side=True), b""
                case b"QUIT":
                    replies.append(b"221 bye\r\n")
                case _:
                    replies.append(b"250 2.0.0 ok\r\n")
        if replies:
            sock.sendall(b"".join(replies))


def main(certificate: str, key: str) -> None:
    """Listen until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            sock, _ = server.accept()

            def serve(sock: socket.socket = sock) -> None:
                with suppress(OSError):
                    converse(sock, context)

            Thread(target=serve, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
