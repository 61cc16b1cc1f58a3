"""How others send: Postfix's load generator, the plain script, smtplib in threads, aiosmtplib, nodemailer's pool.

But for the first two they send a message that was made before, and record nothing. Each gives the times at which
messages were accepted, by a clock of its own.
"""

import asyncio
import json
import shutil
import smtplib
import ssl
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiosmtplib

from benchmarks.render import NOW
from benchmarks.sending.servers import HOST, find_tool
from digest.model import Edition
from tests.render.straightforward import Straightforward

_FROM, _TO = "digest@example.org", "reader@example.org"


def steady_rate(times: Sequence[float]) -> float:
    """Messages a second after the first quarter, in which connections are made and caches filled."""
    times = sorted(times)
    first = len(times) // 4
    return (len(times) - first) / (times[-1] - times[first - 1])


def smtp_source(port: int, sessions: int, size_bytes: int, count: int) -> float:
    """Messages a second of Postfix's load generator, which keeps its connections."""
    began = time.perf_counter()
    load = ("-d", "-s", str(sessions), "-l", str(size_bytes), "-m", str(count), f"{HOST}:{port}")
    subprocess.run([find_tool("smtp-source"), *load], check=True, capture_output=True)
    return count / (time.perf_counter() - began)


def script(port: int, twin: Straightforward, editions: Sequence[Edition]) -> float:
    """Messages a second of the plain script: everything is done again for every reader, the connection too."""
    began = time.perf_counter()
    for edition in editions:
        raw = twin.compose(edition, NOW)
        with smtplib.SMTP(HOST, port) as client:
            client.sendmail(_FROM, edition.subscriber.email, raw)
    return len(editions) / (time.perf_counter() - began)


def send_with_smtplib(
    port: int, connections: int, raw: bytes, count: int, tls: ssl.SSLContext | None = None
) -> list[float]:
    """As many threads, each with a connection that it keeps."""
    times: list[float] = []

    def work(share: int) -> None:
        with smtplib.SMTP(HOST, port) as client:
            if tls:
                client.starttls(context=tls)
            for _ in range(share):
                client.sendmail(_FROM, _TO, raw)
                times.append(time.perf_counter())

    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(work, [count // connections] * connections))
    return times


def send_with_aiosmtplib(port: int, connections: int, raw: bytes, count: int) -> list[float]:
    """As many clients, each with a connection that it keeps."""
    times: list[float] = []

    async def work(share: int) -> None:
        async with aiosmtplib.SMTP(hostname=HOST, port=port, start_tls=False) as client:
            for _ in range(share):
                await client.sendmail(_FROM, [_TO], raw)
                times.append(time.perf_counter())

    async def send() -> None:
        await asyncio.gather(*(work(count // connections) for _ in range(connections)))

    asyncio.run(send())
    return times


def install_nodemailer(folder: Path) -> bool:
    """Whether nodemailer could be installed into this folder."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return False
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "nodemailer"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def send_with_nodemailer(port: int, connections: int, message: Path, count: int, modules: Path) -> list[float]:
    """Its pool; it has the message from a file."""
    program = Path(__file__).with_name("nodemailer.cjs")
    done = subprocess.run(
        ["node", str(program), str(port), str(connections), str(count), str(message)],
        check=True,
        capture_output=True,
        env={"NODE_PATH": str(modules / "node_modules"), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    times: list[float] = json.loads(done.stdout)
    return times
