"""What collecting costs, as ratios that hold on any machine: parsing, storing, memory, and slow hosts side by side.

All of it on recorded days; see README.md in this folder for what each figure means.
"""

import argparse
import asyncio
import cProfile
import gc
import json
import os
import pstats
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import feedparser

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.collect.poll import poll_sources
from digest.collect.sources import Arxiv, Feed
from digest.merge import merge_entry
from digest.model import Paper, Poll, Verdict
from digest.ports import Page, Window
from digest.store.database import open_database, writing
from digest.store.papers import Papers
from digest.store.record import merge_entries

DATA = Path(__file__).parents[2] / "shared" / "data"
NOW = datetime(2025, 7, 1, tzinfo=UTC)
CATEGORIES = (("cs.CL", "cs.CV", "cs.MM", "cs.LG", "cs.SI"), ("cs.SD", "eess.AS"))
TRIES = 5
WARM_UP_DAYS = 5
DELAYS_S = tuple(0.2 * number for number in range(1, 11))


def main() -> None:
    """Measure, and print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    parser.add_argument(
        "--profile", action="store_true", help="print where parsing and storing spend their time instead"
    )
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"no recorded data at {options.data}; name its folder with --data or DIGEST_REAL_DATA")
    days = recorded_days(options.data)
    largest = max(days, key=lambda day: day.stat().st_size)
    feeds = [rebuild(options.data, largest, number) for number in range(2)]
    if options.profile:
        profile(joined(feeds))
        return
    # Memory first, while nothing else has claimed any.
    figures = memory(options.data, days, largest) | parsing(joined(feeds)) | storing(joined(feeds)) | waiting()
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{name:24} {value}\n" for name, value in figures.items())


def recorded_days(data: Path) -> list[Path]:
    """The recorded days, oldest first."""
    return sorted((data / "arxiv-rss" / "days").glob("*.json.gz"))


def rebuild(data: Path, day: Path, feed: int) -> bytes:
    """One recorded announcement in arXiv's layout."""
    command = [sys.executable, str(data / "arxiv-rss" / "rebuild_rss.py"), str(day), str(feed)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def joined(feeds: Sequence[bytes]) -> bytes:
    """Both feeds of a day as one, as if all categories had been asked for at once."""
    first, *others = feeds
    items = [item for feed in others for item in re.findall(rb"    <item>.*?</item>\n", feed, re.DOTALL)]
    head, end, tail = first.rpartition(b"  </channel>")
    return head + b"".join(items) + end + tail


def parse(body: bytes, feed: int = 0) -> Poll:
    """What a poll of this body comes to."""
    source = Arxiv(CATEGORIES[feed])
    listing = source.parse(Page("https://rss.arxiv.org/rss", body, "utf-8"))
    return Poll(source=source.name, verdict=Verdict.FRESH, entries=listing.entries, problems=listing.problems)


def merged(poll: Poll) -> dict[str, Paper]:
    """The papers of a poll."""
    papers: dict[str, Paper] = {}
    for entry in poll.entries:
        papers[entry.key] = merge_entry(papers.get(entry.key), entry, poll.source, NOW)
    return papers


def best(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """The shortest of some tries, in seconds."""
    took = []
    for _ in range(TRIES):
        gc.collect()
        started = clock()
        work()
        took.append(clock() - started)
    return min(took)


def parsing(body: bytes) -> dict[str, float]:
    """CPU time of parsing, cleaning and merging a large day, over that of feedparser alone on the same bytes."""
    ours = best(lambda: merged(parse(body)))
    theirs = best(lambda: feedparser.parse(BytesIO(body)))
    return {
        "entries": len(parse(body).entries),
        "parse_s": round(ours, 3),
        "feedparser_s": round(theirs, 3),
        "ratio_vs_feedparser": round(ours / theirs, 2),
    }


def storing(body: bytes) -> dict[str, float]:
    """Rows per second of storing a large day in an empty database, over those of bare sqlite3 with the same rows."""
    poll = parse(body)
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10**6))

        def path() -> Path:
            return Path(folder) / f"{next(numbers)}.sqlite3"

        ours, rows = _record(poll, [path() for _ in range(TRIES)])
        write = _write(poll, [path() for _ in range(TRIES)])
        theirs = _insert(rows, [path() for _ in range(TRIES)])
    count = sum(map(len, rows.values()))
    return {
        "rows": count,
        "rows_per_s": round(count / write),
        "sqlite3_rows_per_s": round(count / theirs),
        "ratio_vs_sqlite3": round(theirs / write, 2),
        "ratio_with_merging_vs_sqlite3": round(theirs / ours, 2),
    }


def _record(poll: Poll, paths: Sequence[Path]) -> tuple[float, dict[str, list[tuple[Any, ...]]]]:
    """Seconds of the best try, and the rows that it left, by table."""
    took = []
    for path in paths:
        engine = open_database(f"sqlite:///{path}")
        papers = Papers(engine)
        papers.count()
        gc.collect()
        started = time.perf_counter()
        papers.record(poll, NOW)
        took.append(time.perf_counter() - started)
        engine.dispose()
    with closing(sqlite3.connect(paths[-1])) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in tables if not name.startswith(("sqlite_", "alembic_"))]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in kept}
    return min(took), {name: some for name, some in rows.items() if some}


def _write(poll: Poll, paths: Sequence[Path]) -> float:
    """Seconds of the best try to store what the poll was merged to, in one transaction with its commit."""
    took = []
    for path in paths:
        engine = open_database(f"sqlite:///{path}")
        with ExitStack() as transaction:
            connection = transaction.enter_context(writing(engine))
            batch = merge_entries(connection, poll, NOW)
            gc.collect()
            started = time.perf_counter()
            batch.write(connection)
            transaction.close()
            took.append(time.perf_counter() - started)
        engine.dispose()
    return min(took)


def _insert(rows: dict[str, list[tuple[Any, ...]]], paths: Sequence[Path]) -> float:
    """Seconds of the best try to insert them into an empty database of the same schema, in one transaction."""
    took = []
    for path in paths:
        open_database(f"sqlite:///{path}").dispose()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            gc.collect()
            started = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for name, some in rows.items():
                marks = ", ".join("?" * len(some[0]))
                connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', some)
            connection.execute("COMMIT")
            took.append(time.perf_counter() - started)
    return min(took)


def memory(data: Path, days: Sequence[Path], largest: Path) -> dict[str, float]:
    """How much this process grows over the recorded days, once it has seen a few of them and the largest."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/digest.sqlite3")
        papers = Papers(engine)

        def replay(day: Path) -> None:
            for feed in range(len(CATEGORIES)):
                papers.record(parse(rebuild(data, day, feed), feed), NOW)

        for day in (*days[:WARM_UP_DAYS], largest):
            replay(day)
        before = rss_mb()
        for day in days[WARM_UP_DAYS:]:
            replay(day)
        grown = rss_mb() - before
        engine.dispose()
    return {"days": len(days), "rss_mb": round(before, 1), "rss_growth_mb": round(grown, 1)}


def rss_mb() -> float:
    """Resident memory of this process, on Linux."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def waiting() -> dict[str, float]:
    """Time to read ten hosts that answer after different delays, over that of the slowest one alone."""
    with slow_hosts() as port:
        alone = _poll_hosts(port, DELAYS_S[-1:])
        together = _poll_hosts(port, DELAYS_S)
    return {
        "slowest_host_s": round(alone, 3),
        "ten_hosts_s": round(together, 3),
        "slowest_host_ratio": round(together / alone, 2),
    }


def _poll_hosts(port: int, delays_s: Sequence[float]) -> float:
    sources = [
        Feed(url=f"http://host{number}.example:{port}/{delay_s}", allow_private=True, name=f"host {number}")
        for number, delay_s in enumerate(delays_s)
    ]
    windows = {source.name: Window(since=NOW - timedelta(days=1), until=NOW) for source in sources}
    limits = Limits()

    async def here(*_: object) -> Sequence[str]:
        return ["127.0.0.1"]

    started = time.perf_counter()
    polls = asyncio.run(
        poll_sources(
            sources,
            windows,
            {},
            connect=lambda: Client(contact="benchmark@example.org", limits=limits, resolve=here),
            limits=limits,
        )
    )
    took = time.perf_counter() - started
    assert all(poll.verdict is Verdict.FRESH for poll in polls), polls
    return took


_FEED = (
    b"<?xml version='1.0'?><rss version='2.0'><channel><title>A feed</title><item><title>An Invented Paper</title>"
    b"<link>https://example.org/paper</link><guid>https://example.org/paper</guid></item></channel></rss>"
)


@contextmanager
def slow_hosts() -> Iterator[int]:
    """Answers after as many seconds as the path says; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(float(self.path[1:]))
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(_FEED)))
            self.end_headers()
            self.wfile.write(_FEED)

        def log_message(self, *args: object) -> None:
            """Keep the output to the point."""

    class Server(ThreadingHTTPServer):
        # With the usual 5, one of ten hosts would have to connect a second time, a second later.
        request_queue_size = 32

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def profile(body: bytes) -> None:
    """Print the functions that take longest."""
    poll = parse(body)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/digest.sqlite3")
        works: dict[str, Callable[[], object]] = {
            "parsing": lambda: parse(body),
            "merging": lambda: merged(poll),
            "storing": lambda: Papers(engine).record(poll, NOW),
        }
        for name, work in works.items():
            profiler = cProfile.Profile()
            profiler.runcall(work)
            sys.stdout.write(f"\n{name}\n")
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        engine.dispose()


if __name__ == "__main__":
    main()
