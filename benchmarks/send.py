"""How fast mail goes out with nothing lost or doubled: ``python benchmarks/send.py --json``.

Rendering, ledger and sending together, through the product's own delivery: readers with 20 recorded papers of their own
each, a new SQLite ledger on disk, Postfix's ``smtp-sink`` on loopback. Both sides of each ratio take turns; a ratio is
the median of those of the rounds. See README.md in this folder for what each figure means.
"""

import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.render import ANSWERS, DATA, FOLDERS, NOW, PAPERS, SENDER, recorded_papers
from benchmarks.sending.others import (
    install_nodemailer,
    script,
    send_with_aiosmtplib,
    send_with_nodemailer,
    send_with_smtplib,
    smtp_source,
    steady_rate,
)
from benchmarks.sending.ours import make_editions, send_all
from benchmarks.sending.parts import profile
from benchmarks.sending.servers import find_tool, slow_line, smtp_sink, tls_sink
from digest.model import Edition, Paper, Security
from digest.render.compile import load_template
from digest.render.compose import Composer
from digest.render.theme import Theme
from tests.render.straightforward import Straightforward

ROUNDS, SOURCE_SESSIONS, LOOPBACK = 5, (1, 4, 16), 16
"""Our connections where nothing delays them are as many as the most sessions of smtp-source."""
READERS, SCRIPTED, GROWN = 8_000, 50, 100_000
CONNECTIONS = 8
LATENCIES_MS = {20: (1_600, 400), 50: (800, 160)}
"""Messages of ours and of the others, by the round trip."""
ENCRYPTED = (1_000, 40)

Samples = defaultdict[str, list[float]]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, messages and readers")
    parser.add_argument("--profile", action="store_true", help="print where the time of a message goes instead")
    parser.add_argument("--only", choices=("loopback", "latency", "starttls", "memory"), help="one part")
    options = parser.parse_args()
    for tool in ("smtp-sink", "smtp-source"):
        find_tool(tool)
    papers = recorded_papers(options.data)
    if len(papers) != PAPERS:
        parser.error(f"no recorded papers at {options.data}; name their folder with --data or DIGEST_REAL_DATA")
    if options.profile:
        with smtp_sink() as port:
            profile(port, papers, READERS // 2 if options.quick else READERS)
        return
    rounds = 2 if options.quick else ROUNDS
    result: dict[str, Any] = {}
    if options.only in (None, "loopback"):
        result |= loopback(papers, rounds, READERS // 2 if options.quick else READERS)
    if options.only in (None, "latency"):
        result |= latency(papers, 1 if options.quick else 3)
    if options.only in (None, "starttls"):
        result |= starttls(papers, 1 if options.quick else 3)
    if options.only in (None, "memory"):
        result |= memory(options.data, GROWN // 10 if options.quick else GROWN)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for key, value in result.items():
        sys.stdout.write(f"{key:32} {value}\n")


def loopback(papers: Sequence[Paper], rounds: int, count: int) -> dict[str, Any]:
    """Ours, Postfix's load generator that says the same message over and over, and the plain script."""
    message, editions = a_message(papers), some_editions(papers, SCRIPTED)
    twin = Straightforward("daily", FOLDERS, Theme(), sender=SENDER, answers=ANSWERS)
    twin.compose(editions[0], NOW)
    rates: Samples = defaultdict(list)
    durable = True
    with smtp_sink() as port:
        for number in range(rounds):
            theirs = [smtp_source(port, sessions, len(message), count // 2) for sessions in SOURCE_SESSIONS]
            sending = send_all(port, papers, count, connections=LOOPBACK, seed=number)
            durable &= sending.durable
            rates["ours"].append(sending.steady)
            rates["whole"].append(sending.whole)
            rates["smtp_source"].append(max(theirs))
            rates["script"].append(script(port, twin, editions))
    return {
        "ratio_vs_smtp_source": ratio(rates["ours"], rates["smtp_source"]),
        "ratio_vs_smtp_source_whole": ratio(rates["whole"], rates["smtp_source"]),
        "ratio_vs_script": ratio(rates["ours"], rates["script"]),
        "durable": durable,
        "message_kb": round(len(message) / 1000, 1),
        **per_second(rates, "loopback"),
    }


def latency(papers: Sequence[Paper], rounds: int) -> dict[str, Any]:
    """Ours and other clients with equal connections, at a distance."""
    message = a_message(papers)
    result: dict[str, Any] = {"connections": CONNECTIONS}
    with TemporaryDirectory(prefix="paperround-") as name, smtp_sink() as sink:
        folder = Path(name)
        (folder / "message").write_bytes(message)
        has_nodemailer = install_nodemailer(folder)
        for round_trip_ms, (ours, theirs) in LATENCIES_MS.items():
            rates: Samples = defaultdict(list)
            with slow_line(sink, round_trip_ms) as port:
                for number in range(rounds):
                    by_smtplib = send_with_smtplib(port, CONNECTIONS, message, theirs)
                    rates["smtplib"].append(steady_rate(by_smtplib))
                    by_aiosmtplib = send_with_aiosmtplib(port, CONNECTIONS, message, theirs)
                    rates["aiosmtplib"].append(steady_rate(by_aiosmtplib))
                    if has_nodemailer:
                        by_pool = send_with_nodemailer(port, CONNECTIONS, folder / "message", theirs, folder)
                        rates["nodemailer"].append(steady_rate(by_pool))
                    sending = send_all(port, papers, ours, connections=CONNECTIONS, seed=number)
                    rates["ours"].append(sending.steady)
                # What the line itself takes, when nobody waits for anything.
                rates["line"].append(smtp_source(port, 16 * CONNECTIONS, len(message), 2 * ours))
            better = [max(both) for both in zip(rates["smtplib"], rates["aiosmtplib"], strict=True)]
            key = f"latency_{round_trip_ms}ms"
            result[f"ratio_{key}"] = ratio(rates["ours"], better)
            if has_nodemailer:
                result[f"ratio_{key}_nodemailer"] = ratio(rates["ours"], rates["nodemailer"])
            result |= per_second(rates, key)
    return result


def starttls(papers: Sequence[Paper], rounds: int) -> dict[str, Any]:
    """Ours and the standard library's client, over one encrypted connection each."""
    message = a_message(papers)
    ours, theirs = ENCRYPTED
    rates: Samples = defaultdict(list)
    with TemporaryDirectory(prefix="paperround-") as name, tls_sink(Path(name)) as (port, certificate):
        context = ssl.create_default_context(cafile=str(certificate))
        for number in range(rounds):
            rates["smtplib"].append(steady_rate(send_with_smtplib(port, 1, message, theirs, context)))
            with trusted(certificate):
                sending = send_all(port, papers, ours, connections=1, security=Security.STARTTLS, seed=number)
            rates["ours"].append(sending.steady)
    return {"ratio_starttls": ratio(rates["ours"], rates["smtplib"]), **per_second(rates, "starttls")}


def memory(data: Path, count: int) -> dict[str, Any]:
    """How a process grows from the thousandth reader to the last, each of whom is made when their turn comes."""
    with TemporaryDirectory(prefix="paperround-") as folder, smtp_sink() as port:
        command = [sys.executable, "-m", "benchmarks.sending.growth", str(port), str(count), folder, str(data)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    grown: dict[str, Any] = json.loads(done.stdout)
    return {"readers": count, **grown}


def a_message(papers: Sequence[Paper]) -> bytes:
    """One of about the mean size."""
    composer = Composer(load_template("daily", FOLDERS), sender=str(SENDER), answers=ANSWERS)
    made = [composer.compose(edition, NOW).raw for edition in some_editions(papers, 100)]
    mean = statistics.mean(map(len, made))
    return min(made, key=lambda raw: abs(len(raw) - mean))


def some_editions(papers: Sequence[Paper], count: int) -> list[Edition]:
    """Of so many readers."""
    return [each.edition for each in islice(make_editions(papers, count, seed=0), count)]


@contextmanager
def trusted(certificate: Path) -> Iterator[None]:
    """As an operator names a certificate that the machine does not trust."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(certificate)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return round(statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True)), 2)


def per_second(rates: Samples, of: str) -> dict[str, Any]:
    """Medians, for comparison only: the machine decides over them."""
    return {f"{of}_{name}_per_s": round(statistics.median(some)) for name, some in rates.items()}


if __name__ == "__main__":
    main()
