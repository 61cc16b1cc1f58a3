"""Keep the ledger between workflow runs, as the single commit of an orphan branch.

    state.py restore FILE   before a run: hold other runs off, and fetch the ledger
    state.py look FILE      the same for a run that sends nothing, which holds nobody off
    state.py save FILE      after a run: publish the ledger, and let others begin

A run without its ledger would send everything again, so whatever cannot be restored stops the job. While a run may
send, the branch digest-state-hold is there, and it goes in the same push that publishes what was sent: a run that could
not save, or whose machine died, stops the next ones. What is published is the copy that ``digest db backup`` makes;
with DIGEST_SECRET, keyed hashes stand in it for subscribers' ids.
"""

# ruff: noqa: INP001, S603, S607, T201

import base64
import gzip
import hashlib
import hmac
import os
import secrets
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
BEGAN = "refs/tags/digest-state-began"
"""Once there was a ledger: without it, a branch that is gone is no first run."""
BASE = "refs/digest/base"
"""What was restored, so that saving replaces this and nothing else."""
HELD = "refs/digest/held"
"""The hold that this run put up."""
NAME = "digest.sqlite3.gz"
KEY = "key"
"""The file that tells with which DIGEST_SECRET ids were hashed; it lets nobody find out which."""
PLAIN = "plain"
PAUSES_S = [float(pause) for pause in os.environ.get("STATE_PAUSES_S", "2 5 15 30").split()]
README = """# The ledger of sent digests

Written by the digest workflow after each run, always as the only commit of this branch. It holds papers and what was
sent when, and no address. Deleting this branch and the tag digest-state-began makes every subscriber a new one.
"""
BEGIN_ANEW = "delete the branch digest-state and the tag digest-state-began: every subscriber then is a new one"
RELEASE = "Delete this branch to send again.\n"

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


def this_run() -> str:
    """Where to read what this run did."""
    env = os.environ
    if "GITHUB_RUN_ID" not in env:
        return "a run outside of GitHub"
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env['GITHUB_RUN_ID']}"


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

    def tips(self) -> dict[str, str]:
        """The commits at those of our refs that the origin has."""
        listed = self.patiently("ls-remote", "origin", BRANCH, HOLD, BEGAN).decode()
        return {ref: commit for commit, _, ref in (line.partition("\t") for line in listed.splitlines())}

    def own(self, ref: str) -> str:
        """The commit at one of our own refs; empty if there is none."""
        return self.line("for-each-ref", "--format=%(objectname)", ref)

    def fetch(self, branch: str, ref: str) -> None:
        """Bring the one commit of a branch here."""
        self.patiently("fetch", "--quiet", "--depth=1", "origin", f"+{branch}:{ref}")

    def file(self, ref: str, name: str) -> bytes | None:
        """A file of a commit, if it has it."""
        if not self.line("ls-tree", "--name-only", ref, name):
            return None
        return self.git("cat-file", "blob", f"{ref}:{name}")

    def commit(self, message: str, files: dict[str, bytes]) -> str:
        """A commit without a parent, made without touching the checkout."""
        blobs = {name: self.line("hash-object", "-w", "--stdin", data=data) for name, data in files.items()}
        entries = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in sorted(blobs.items()))
        tree = self.line("mktree", data=entries.encode())
        return self.line("commit-tree", tree, "-m", message)

    def replace(self, *changes: tuple[str, str, str]) -> None:
        """Change refs of the origin in one push: all of them, and only if nobody else has.

        Args:
            changes: Ref, the commit it is at (empty: none), and the one it shall be at (empty: none).
        """
        leases = [f"--force-with-lease={ref}:{before}" for ref, before, _ in changes]
        words = [f"{after}:{ref}" for ref, _, after in changes]
        wanted = {ref: after for ref, _, after in changes}
        for pause in [*PAUSES_S, None]:
            try:
                self.git("push", "--quiet", "--atomic", *leases, "origin", *words)
                return
            except Refused as refused:
                tips = self.tips()
                now = {ref: tips.get(ref, "") for ref in wanted}
                if now == wanted:  # it was taken, and the answer was lost
                    return
                if now != {ref: before for ref, before, _ in changes}:
                    raise Refused("another run, or somebody, changed the branch meanwhile") from refused
                if pause is None:
                    raise
                print(f"{refused}; trying again in {pause:g} s")
                time.sleep(pause)


def fingerprint() -> str:
    """What tells this DIGEST_SECRET from another."""
    secret = os.environ.get("DIGEST_SECRET", "")
    return hmac.digest(secret.encode(), b"digest-state", hashlib.sha256).hex()[:32] if secret else PLAIN


def digest(*words: str, database: Path) -> None:
    """Run one of the program's commands on a database.

    Raises:
        Refused: It failed; says what it said.
    """
    env = {name: value for name, value in os.environ.items() if value or not name.startswith("DIGEST_")}
    for secret in ("DIGEST_ADDRESSES", "DIGEST_SUBSCRIBERS_YAML", "GH_TOKEN"):
        env.pop(secret, None)
    env["DIGEST_DATABASE_URL"] = f"sqlite:///{database}"
    done = subprocess.run(["digest", *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or "no reason given"
        raise Refused(f"digest {' '.join(words[:2])}: {addresses.hide(said, os.environ)}")


def hold_off(repository: Repository) -> None:
    """Put up the hold, unless there is one."""
    note = (
        "# A run is sending, or died\n\n"
        f"{this_run()} may have sent what it did not save. If it is over and this branch is still here, look into its "
        f"log: what it sent would be sent again. {RELEASE}"
    )
    # No two runs make the same commit, or both would believe that theirs was taken.
    held = repository.commit(f"Sending {secrets.token_hex(8)}", {"README.md": note.encode()})
    try:
        repository.replace((HOLD, "", held))
    except Refused as refused:
        if HOLD not in repository.tips():
            raise
        repository.fetch(HOLD, "refs/digest/other")
        why = (repository.file("refs/digest/other", "README.md") or b"").decode(errors="replace").split()
        raise Refused(
            f"the branch {HOLD.removeprefix('refs/heads/')} exists, so nothing is sent. It says: {' '.join(why[1:])}"
        ) from refused
    repository.git("update-ref", HELD, held)


def release(repository: Repository) -> None:
    """Take our hold away again."""
    repository.replace((HOLD, repository.own(HELD), ""))
    repository.git("update-ref", "-d", HELD)


def restore(repository: Repository, file: Path) -> str:
    """Hold other runs off, and put the saved ledger at ``file``."""
    # First of all, or another run could send and save between our reading and our sending.
    hold_off(repository)
    try:
        return look(repository, file)
    except (Refused, OSError, EOFError, zlib.error, sqlite3.Error):
        release(repository)
        raise


def key_of(repository: Repository) -> str:
    """The fingerprint of the secret with which the restored ledger was saved."""
    return (repository.file(BASE, KEY) or PLAIN.encode()).decode().strip()


def look(repository: Repository, file: Path) -> str:
    """Put the saved ledger at ``file``."""
    if file.exists():
        raise Refused(f"{file} exists already: it would be overwritten")
    file.parent.mkdir(parents=True, exist_ok=True)
    repository.git("update-ref", "-d", BASE)
    tips = repository.tips()
    if BRANCH not in tips:
        if BEGAN in tips:
            raise Refused(f"the branch digest-state is gone. Push it again, or, to begin anew, {BEGIN_ANEW}")
        return "no ledger yet: this is the first run"
    repository.fetch(BRANCH, BASE)
    key = key_of(repository)
    if key not in (PLAIN, fingerprint()):
        raise Refused(
            "DIGEST_SECRET is not the one that the ledger was saved with, so nobody in it would be known. Set the old "
            f"one again, or, to begin anew, {BEGIN_ANEW}"
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = unpack(repository, Path(folder))
        size = copy.stat().st_size
        with closing(sqlite3.connect(copy)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise Refused(f"the saved ledger is damaged: {verdict}")
        digest("db", "restore", str(copy), *(["--private"] if key != PLAIN else []), database=file)
    return f"restored {size} bytes"


def unpack(repository: Repository, folder: Path) -> Path:
    """The ledger as it was fetched, in a file."""
    packed = repository.file(BASE, NAME)
    if packed is None:
        raise Refused(f"the branch digest-state has no {NAME}. To begin anew, {BEGIN_ANEW}")
    copy = folder / "restored.sqlite3"
    copy.write_bytes(gzip.decompress(packed))
    return copy


def identities(file: Path) -> set[str]:
    """Every subscriber's id in a database."""
    found: set[str] = set()
    with closing(sqlite3.connect(file)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            if "subscriber_id" in columns:
                rows = connection.execute(f'SELECT DISTINCT subscriber_id FROM "{table}"')  # noqa: S608
                found |= {str(identity) for (identity,) in rows}
    return found


def snapshot(repository: Repository, file: Path) -> bytes:
    """The database as others may see it."""
    is_private = fingerprint() != PLAIN
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "digest.sqlite3"
        digest("db", "backup", str(copy), *(["--private"] if is_private else []), database=file)
        if found := addresses.places(copy, addresses.known(os.environ)):
            raise Refused(f"the ledger holds a reader's address in {', '.join(found)}, so it was not published")
        # Hashes of those who are not subscribed now stay hashes, here and there.
        has_hashes = is_private and repository.own(BASE) and key_of(repository) != PLAIN
        hashes = identities(unpack(repository, Path(folder))) if has_hashes else set()
        if is_private and identities(copy) & identities(file) - hashes:
            raise Refused("the copy of the ledger holds subscribers' ids, so it was not published")
        return copy.read_bytes()


def save(repository: Repository, file: Path) -> str:
    """Publish the ledger at ``file`` and let others begin, or leave why they must not."""
    held = repository.own(HELD)
    if not held:
        return "nothing to save: this run could not send, or has saved already"
    if not file.exists():
        release(repository)
        return "no ledger to save"
    files: dict[str, bytes] = {}
    try:
        data = snapshot(repository, file)
        files = {NAME: gzip.compress(data, mtime=0), KEY: fingerprint().encode() + b"\n"}
        commit = repository.commit("The ledger after the last run", {"README.md": README.encode(), **files})
        changes = [(BRANCH, repository.own(BASE), commit), (HOLD, held, "")]
        if BEGAN not in repository.tips():
            changes.append((BEGAN, "", repository.commit("There is a ledger", {"README.md": README.encode()})))
        repository.replace(*changes)
    except (Refused, OSError, sqlite3.Error) as problem:
        reason = f"{problem}. What this run sent is unknown to the next one, which would send it again."
        try:
            explain(repository, reason, files)
        except Refused as refused:
            print(f"::warning::the branch digest-state-hold does not say why: {refused}")
        raise Refused(f"{reason} Sending is on hold until the branch digest-state-hold is deleted") from problem
    repository.git("update-ref", "-d", HELD)
    return f"saved {len(data)} bytes ({len(files[NAME])} compressed)"


def explain(repository: Repository, reason: str, files: dict[str, bytes]) -> None:
    """Let the hold say why it stays, with the ledger if the origin takes it."""
    for kept in (files, {}) if files else ({},):
        ledger = f"That run's ledger is `{NAME}` beside this page; digest-state has the other. " if kept else ""
        note = f"# Sending is on hold\n\n{this_run()}: {reason}\n\n{ledger}{RELEASE}"
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
        print({"restore": restore, "look": look, "save": save}[sys.argv[1]](Repository(), Path(sys.argv[2])))
    except (Refused, OSError, EOFError, zlib.error, sqlite3.Error) as problem:
        print(f"::error title=The ledger::{problem}", file=sys.stderr)
        sys.exit(4)
