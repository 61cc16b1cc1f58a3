"""Recorded days served again over loopback HTTP, in the formats they were recorded in."""

import gzip
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ARXIV_CATEGORIES = ("cs.CL", "cs.CV", "cs.MM", "cs.LG", "cs.SI")


class Replay:
    """A mirror of arXiv's feed and of Hugging Face's list; ``day`` is the day it is there."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.day = ""
        self.base = ""
        self.hits: list[str] = []
        self._arxiv: dict[str, bytes] = {}

    def arxiv(self) -> bytes:
        """The day's announcement of the first recorded feed."""
        if self.day not in self._arxiv:
            folder = self._data / "arxiv-rss"
            day = folder / "days" / f"{self.day}.json.gz"
            command = [sys.executable, str(folder / "rebuild_rss.py"), str(day), "0"]
            self._arxiv[self.day] = subprocess.run(command, check=True, capture_output=True).stdout
        return self._arxiv[self.day]

    def huggingface(self, date: str) -> bytes | None:
        """The list of one day, or nothing for a day that has not come or was not recorded."""
        path = self._data / "hf-daily" / "raw" / f"{date}.json.gz"
        return gzip.decompress(path.read_bytes()) if date <= self.day and path.exists() else None

    def announced(self) -> dict[str, dict[str, Any]]:
        """The recorded entries of the day that are new or cross-listed, by arXiv id without version."""
        recorded = json.loads(gzip.decompress((self._data / "arxiv-rss/days" / f"{self.day}.json.gz").read_bytes()))
        entries = next(iter(recorded.values()))["entries"]
        return {
            re.sub(r"v\d+$", "", entry["id"].rpartition(":")[2]): entry
            for entry in entries
            if re.search(r"Announce Type: (new|cross)\b", entry["summary"])
        }


@contextmanager
def replaying(data: Path) -> Iterator[Replay]:
    """Serve recorded days on loopback."""
    replay = Replay(data)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            replay.hits.append(self.path)
            body: bytes | None
            if url.path.startswith("/rss/"):
                body, kind = replay.arxiv(), "application/rss+xml"
            else:
                body, kind = replay.huggingface(parse_qs(url.query)["date"][0]), "application/json"
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            """Keep the test's output to the point."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    replay.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield replay
    finally:
        server.shutdown()
        server.server_close()
