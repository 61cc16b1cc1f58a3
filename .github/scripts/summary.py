"""Say on the run's page what became of it: the last line, what the exit code means, and the tables.

    summary.py CODE LOG   append to GITHUB_STEP_SUMMARY, and annotate the run unless all is well

What secrets hold is left out, whatever the program says.
"""

# ruff: noqa: INP001, S607, T201

import html
import os
import subprocess
import sys
import time
from pathlib import Path

import addresses

MEANINGS = {
    0: "Done",
    1: "Some deliveries or sources failed; the rest was done, and what waits is tried again by the next run",
    2: "Something in the configuration is wrong; whoever it does not concern was served",
    3: "The mail server refuses us: sign-in, TLS or sender. Everything waits",
    4: "The ledger cannot be used, so nothing was sent",
    5: "What was sent and what the ledger says differ; look into the log before the next run",
    124: "The run took too long and was stopped; what waits is sent by the next one",
}
QUIET_DAYS = 45
DAY_S = 86_400


def tables() -> str:
    """What the program says of sources and subscribers."""
    env = {name: value for name, value in os.environ.items() if value or not name.startswith("DIGEST_")}
    for name in ("DIGEST_ADDRESSES", "DIGEST_SUBSCRIBERS_YAML"):
        env.pop(name, None)
    # No terminal says how wide the tables may be.
    done = subprocess.run(
        ["digest", "status"], env={**env, "COLUMNS": "140"}, capture_output=True, text=True, check=False
    )
    return done.stdout


def quiet_days() -> int:
    """How many days ago the last commit was made."""
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    return int((time.time() - int(done.stdout)) // DAY_S) if done.stdout.strip() else 0


def one_line(text: str) -> str:
    """A text as the data of a workflow command, which would end at a line break."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def main(code: str, log: Path) -> None:
    """Write the summary."""
    said = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    last = addresses.hide(said.splitlines()[-1], os.environ) if said else ""
    number = int(code) if code.isdecimal() else None
    meaning = MEANINGS.get(number, f"Ended with code {number}") if number is not None else "Nothing was sent"
    if number is None:
        last = "An earlier step failed; its line in the log says why"
    lines = [f"### {meaning}", "", f"<pre>{html.escape(last)}</pre>"]
    if number is not None:
        lines += ["", f"<pre>{html.escape(addresses.hide(tables(), os.environ))}</pre>"]
    if number != 0:
        print(f"::error title={meaning.partition(';')[0].partition(':')[0]}::{one_line(last)}")
    if (days := quiet_days()) >= QUIET_DAYS:
        note = (
            f"The last commit is {days} days old. At 60 GitHub may switch schedules off in public repositories; "
            "a commit, or 'Enable workflow' on the page of the workflow, keeps them going"
        )
        print(f"::notice title=The schedule::{note}")
        lines += ["", note]
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
        summary.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except addresses.Refused:
        sys.exit("::error::DIGEST_ADDRESSES cannot be read; the step that masks says why")
