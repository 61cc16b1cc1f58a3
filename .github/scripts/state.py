"""Keep the ledger between workflow runs, as the single commit of an orphan branch.

    state.py restore FILE   fetch it before a run
    state.py save FILE      publish it after a run

A run without its ledger would send everything again, so whatever cannot be restored stops the job, and a run
that could not save stops the next ones: it leaves the branch digest-state-hold, which says why.
"""

# ruff: noqa: INP001, S603, S607, T201

import base64
import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import closing
from pathlib import Path

import addresses

BRANCH = "refs/heads/digest-state"
HOLD = "refs/heads/digest-state-hold"
BASE = "refs/digest/base"
"""What was restored, so that saving replaces this and nothing else."""
NAME = "digest.sqlite3.gz"
PAUSES_S = [float(pause) for pause in os.environ.get("STATE_PAUSES_S", "2 5 15 30").split()]
README = """# The ledger of sent digests

Written by `.github/workflows/digest.yml` after each run, always as the only commit of this branch. It holds papers
and what was sent when, and no address. Deleting this branch makes every subscriber a new one.
"""

Refused = addresses.Refused


def environment() -> dict[str, str]:
    """Ours, with the token as a header for this one server: neither a process list nor .git/config shows it."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "digest", f"GIT_{role}_EMAIL": "digest@users.noreply.github.com"}
    if token := env.pop("GH_TOKEN", ""):
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        print(f"::add-mask::{basic}")
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        env |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        }
    return env


class Repository:
    """The checkout we run in, and its origin."""

    def __init__(self) -> None:
        self._env = environment()

    def git(self, *words: str, data: bytes | None = None) -> bytes:
        """The output of a git command.

        Raises:
            Refused: It failed; says what the other side gave as its reason, or the last line.
        """
        done = subprocess.run(["git", *words], env=self._env, input=data, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            # Why a push is refused stands before git's own last words.
            why = [line for line in said if line.startswith("remote: error:")] or said[-1:]
            raise Refused(f"git {words[0]}: {'; '.join(why)}")
        return done.stdout

    def patiently(self, *words: str) -> bytes:
        """The same for a command that talks to the origin: tried again while it fails."""
        for pause in PAUSES_S:
            try:
                return self.git(*words)
            except Refused as refused:
                print(f"{refused}; trying again in {pause:g} s")
                time.sleep(pause)
        return self.git(*words)

    def line(self, *words: str, data: bytes | None = None) -> str:
        """The output of a command that prints one line."""
        return self.git(*words, data=data).decode().strip()

    def tip(self, branch: str) -> str:
        """The commit at the origin's branch; empty if there is no such branch."""
        for line in self.patiently("ls-remote", "origin", branch).decode().splitlines():
            commit, _, ref = line.partition("\t")
            if ref == branch:
                return commit
        return ""

    def base(self) -> str:
        """The commit that was restored; empty if there was none."""
        return self.line("for-each-ref", "--format=%(objectname)", BASE)

    def commit(self, message: str, files: dict[str, bytes]) -> str:
        """A commit without a parent, made without touching the checkout."""
        blobs = {name: self.line("hash-object", "-w", "--stdin", data=data) for name, data in files.items()}
        entries = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in sorted(blobs.items()))
        tree = self.line("mktree", data=entries.encode())
        return self.line("commit-tree", tree, "-m", message)


def restore(repository: Repository, file: Path) -> str:
    """Put the saved ledger at ``file``."""
    if file.exists():
        raise Refused(f"{file} exists already: it would be overwritten")
    if repository.tip(HOLD):
        raise Refused(
            f"the branch {HOLD.removeprefix('refs/heads/')} exists: an earlier run could not save its ledger, "
            "and its README says why. Delete that branch to send again"
        )
    # Asks for the right to write: a run that could not save what it sent must not begin.
    repository.patiently("push", "--dry-run", "origin", f"+HEAD:{BRANCH}")
    file.parent.mkdir(parents=True, exist_ok=True)
    if not repository.tip(BRANCH):
        repository.git("update-ref", "-d", BASE)
        return "no ledger yet: this is the first run"
    repository.patiently("fetch", "--quiet", "--depth=1", "origin", f"+{BRANCH}:{BASE}")
    data = gzip.decompress(repository.git("cat-file", "blob", f"{BASE}:{NAME}"))
    part = file.with_name(file.name + ".part")
    part.write_bytes(data)
    with closing(sqlite3.connect(part)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise Refused(f"the saved ledger is damaged: {verdict}")
    part.rename(file)
    return f"restored {len(data)} bytes"


def snapshot(file: Path) -> bytes:
    """The database as one file, with all that is in its write-ahead log and without deleted rows."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "digest.sqlite3"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        if found := addresses.places(copy, addresses.known(os.environ)):
            raise Refused(f"the ledger holds a reader's address in {', '.join(found)}, so it was not published")
        return copy.read_bytes()


def publish(repository: Repository, commit: str) -> None:
    """Replace the commit that was restored by this one."""
    base = repository.base()
    for pause in [*PAUSES_S, None]:
        try:
            repository.git("push", "--quiet", f"--force-with-lease={BRANCH}:{base}", "origin", f"{commit}:{BRANCH}")
            return
        except Refused as refused:
            tip = repository.tip(BRANCH)
            if tip == commit:  # it was taken, and the answer was lost
                return
            if tip != base:
                raise Refused("another run saved its ledger while this one was at work") from refused
            if pause is None:
                raise
            print(f"{refused}; trying again in {pause:g} s")
            time.sleep(pause)


def save(repository: Repository, file: Path) -> str:
    """Publish the ledger at ``file``, or leave the branch that stops the next runs."""
    if not file.exists():
        return "no ledger to save"
    files: dict[str, bytes] = {}
    try:
        data = snapshot(file)
        files = {NAME: gzip.compress(data, mtime=0)}
        publish(repository, repository.commit("The ledger after the last run", {"README.md": README.encode(), **files}))
    except (Refused, sqlite3.Error) as problem:
        reason = f"{problem}. What this run sent is unknown to the next one, which would send it again."
        hold(repository, reason, files)
        raise Refused(f"{reason} Sending is on hold until the branch digest-state-hold is deleted") from problem
    return f"saved {len(data)} bytes ({len(files[NAME])} compressed)"


def hold(repository: Repository, reason: str, files: dict[str, bytes]) -> None:
    """Leave the branch that stops the next runs, with the ledger if the origin takes it."""
    for kept in (files, {}) if files else ({},):
        ledger = f"That run's ledger is `{NAME}` beside this page; digest-state has the other. " if kept else ""
        note = f"# Sending is on hold\n\n{reason}\n\n{ledger}Delete this branch to send again.\n"
        held = repository.commit("Sending is on hold", {"README.md": note.encode(), **kept})
        try:
            repository.patiently("push", "--quiet", "origin", f"+{held}:{HOLD}")
            return
        except Refused:
            # It may be the ledger itself that is refused, as when it is too large.
            if not kept:
                raise


if __name__ == "__main__":
    try:
        print({"restore": restore, "save": save}[sys.argv[1]](Repository(), Path(sys.argv[2])))
    except (Refused, OSError, EOFError, zlib.error, sqlite3.Error) as problem:
        print(f"::error title=The ledger::{problem}", file=sys.stderr)
        sys.exit(4)
