"""What is sent to: Postfix's smtp-sink, the same behind a line with latency, and a sink with STARTTLS."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
_READY_S = 10


def find_tool(name: str) -> str:
    """Where one of Postfix's tools is; they may be where only root looks.

    Raises:
        SystemExit: It is not installed.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin")
    if not path:
        raise SystemExit(f"{name} is missing; on Debian: apt-get install postfix")
    return path


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Postfix's sink; yields its port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    # It refuses to run as root.
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    with _running([find_tool("smtp-sink"), *user, f"{HOST}:{port}", "1000"]):
        _wait_for(port)
        yield port


@contextmanager
def slow_line(port: int, round_trip_ms: float) -> Iterator[int]:
    """A line to this port; yields the port at our end."""
    with _python("benchmarks.sending.proxy", str(port), str(round_trip_ms / 2)) as near:
        yield near


@contextmanager
def tls_sink(folder: Path) -> Iterator[tuple[int, Path]]:
    """A sink with STARTTLS; yields its port and the certificate to be trusted."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sink"),
            *("-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    with _python("benchmarks.sending.tls_sink", str(certificate), str(key)) as port:
        yield port, certificate


@contextmanager
def _python(module: str, *arguments: str) -> Iterator[int]:
    with _running([sys.executable, "-m", module, *arguments]) as process:
        assert process.stdout
        yield int(process.stdout.readline())


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    until = time.monotonic() + _READY_S
    while True:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
