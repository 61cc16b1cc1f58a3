"""Serves the invented listings over loopback HTTP, at the paths and with the validators that the real ones have."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import parse_qs, unquote, urlsplit

from digest.demo.listings import InventedPaper, arxiv_rss, daily_papers, journal_rss


@contextmanager
def serve_listings(papers: Sequence[InventedPaper], day: datetime) -> Iterator[str]:
    """Serve ``/rss/<categories>``, ``/api/daily_papers?date=…`` and ``/journal.xml`` until the block ends.

    Args:
        papers: What is listed.
        day: When it is announced; Hugging Face's lists of other days are empty.

    Returns:
        The address before these paths: ``http://127.0.0.1:…``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = _answer(self.path, papers, day)
            if found is None:
                self.send_error(404)
                return
            media_type, body = found
            etag = f'"{sha256(body).hexdigest()[:16]}"'
            is_known = self.headers["If-None-Match"] == etag
            self.send_response(304 if is_known else 200)
            self.send_header("ETag", etag)
            if not is_known:
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not is_known:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as in the base class
            """Keep the terminal for the run itself."""

    # Not HTTPServer, which looks the machine's name up in the DNS.
    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _answer(path: str, papers: Sequence[InventedPaper], day: datetime) -> tuple[str, bytes] | None:
    """Media type and body of what is at this path."""
    parts = urlsplit(path)
    if parts.path.startswith("/rss/"):
        categories = unquote(parts.path).removeprefix("/rss/").split("+")
        return "application/rss+xml; charset=utf-8", arxiv_rss(papers, categories, day)
    if parts.path == "/api/daily_papers":
        today = day.astimezone(UTC).date()
        is_today = parse_qs(parts.query).get("date") == [today.isoformat()]
        return "application/json; charset=utf-8", daily_papers(papers if is_today else (), today)
    if parts.path == "/journal.xml":
        return "application/rss+xml; charset=utf-8", journal_rss(papers, day)
    return None
