"""A real HTTP server on the loopback that answers as it is told, also against the rules, and a proxy."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    at: float
    method: str = "GET"
    body: bytes = b""


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claims: int | None = None
    """A ``Content-Length`` that may be a lie."""
    drip_s: float = 0.0
    """Pause after each byte."""
    raw: bytes | None = None
    """Sent as it is, in the place of status, headers and body."""
    stalls: bool = False
    """Whether the connection stays open and silent at the end."""
    resets: bool = False
    """Whether the connection is reset at the end."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or wants no part of our certificate, is what tests are about."""


class EvilHttp:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        self._ended = threading.Event()
        evil = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                evil._serve(self)

            do_POST = do_GET  # noqa: N815  the name is the protocol's

            def log_message(self, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def answers(self, path: str, *answers: Answer | bytes) -> str:
        """Script a path: one answer after the other, the last one for ever. Returns its address."""
        self._answers[path] = [Answer(answer) if isinstance(answer, bytes) else answer for answer in answers]
        return self.url + path

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        self.requests.append(Request(handler.path, headers, time.monotonic(), handler.command, body))
        script = self._answers.get(handler.path) or self._answers.get(handler.path.partition("?")[0])
        answer = (script.pop(0) if len(script) > 1 else script[0]) if script else Answer(b"no such page", 404)
        handler.close_connection = True
        with suppress(OSError):
            self._send(handler, answer)

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.raw is None:
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            if answer.status != 304:
                handler.send_header("Content-Length", str(len(answer.body) if answer.claims is None else answer.claims))
            handler.end_headers()
        sent = answer.body if answer.raw is None else answer.raw
        if answer.drip_s:
            for number in range(len(sent)):
                handler.wfile.write(sent[number : number + 1])
                time.sleep(answer.drip_s)
        else:
            handler.wfile.write(sent)
        if answer.stalls:
            self._ended.wait(60)
        if answer.resets:
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()

    @contextmanager
    def running(self) -> Iterator["EvilHttp"]:
        with _serving(self._server):
            try:
                yield self
            finally:
                self._ended.set()


class Proxy:
    """Sends everything to one port of this machine, whatever name it is asked for."""

    def __init__(self, port: int, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.asked.append(f"GET {self.path}")
                path = "/" + self.path.partition("://")[2].partition("/")[2]
                with socket.create_connection(("127.0.0.1", port)) as server:
                    head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                    server.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
                    _copy(server, self.connection)
                self.close_connection = True

            def do_CONNECT(self) -> None:
                proxy.asked.append(f"CONNECT {self.path}")
                self.close_connection = True
                if refuses:
                    self.send_error(407)
                    return
                self.send_response(200)
                self.end_headers()
                with socket.create_connection(("127.0.0.1", port)) as server:
                    back = threading.Thread(target=_copy, args=(server, self.connection), daemon=True)
                    back.start()
                    _copy(self.connection, server)
                    back.join(5)

            def log_message(self, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        with _serving(self._server):
            yield self


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
