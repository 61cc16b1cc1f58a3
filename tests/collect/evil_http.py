"""A real HTTP server on the loopback that answers as it is told, also against the rules."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    at: float


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claims: int | None = None
    """A ``Content-Length`` that may be a lie."""
    drip_s: float = 0.0
    """Pause after each byte of the body."""


class EvilHttp:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        evil = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                evil._serve(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answers(self, path: str, *answers: Answer | bytes) -> str:
        """Script a path: one answer after the other, the last one for ever. Returns its address."""
        self._answers[path] = [Answer(answer) if isinstance(answer, bytes) else answer for answer in answers]
        return self.url + path

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Request(handler.path, headers, time.monotonic()))
        script = self._answers.get(handler.path) or self._answers.get(handler.path.partition("?")[0])
        answer = (script.pop(0) if len(script) > 1 else script[0]) if script else Answer(b"no such page", 404)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.status != 304:
            handler.send_header("Content-Length", str(len(answer.body) if answer.claims is None else answer.claims))
        handler.end_headers()
        try:
            if answer.drip_s:
                for number in range(len(answer.body)):
                    handler.wfile.write(answer.body[number : number + 1])
                    time.sleep(answer.drip_s)
            else:
                handler.wfile.write(answer.body)
        except OSError:
            pass
        handler.close_connection = True

    @contextmanager
    def running(self) -> Iterator["EvilHttp"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
