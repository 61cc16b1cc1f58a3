"""A copy of this repository on a GitHub of its own: a bare origin, a clone, and the programs that a runner has."""

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / ".github" / "scripts"
CANARY = "Canary.Reader+papers@vision.example.org"
SECRETS = f"# readers\n\nVISION_GROUP_EMAIL={CANARY}\nANA_EMAIL=ana@example.com\n"
SECRET = "a-secret-of-32-characters-canary"

# Does with a table of its own what `digest db backup` and `digest db restore` do with the ledger.
STAND_IN = f"""#!{sys.executable} -SE
import hmac, os, sqlite3, sys

words = [word for word in sys.argv[1:] if not word.startswith('--')]
private = '--private' in sys.argv
home = os.environ['HOME']
with open(home + '/calls', 'a') as calls:
    seen = sorted(name for name in os.environ if name.startswith(('DIGEST_', 'GH_')) and name != 'DIGEST_DATABASE_URL')
    print(*sys.argv[1:], '|', *(f'{{name}}={{os.environ[name]}}' for name in seen), file=calls)
database = os.environ['DIGEST_DATABASE_URL'].removeprefix('sqlite:///')


def named(identity):
    return hmac.digest(os.environ['DIGEST_SECRET'].encode(), identity.encode(), 'sha256').hex()[:22]


if words[:2] == ['db', 'backup']:
    if os.path.exists(home + '/leaky'):
        private = False
    connection = sqlite3.connect(database)
    connection.execute('VACUUM INTO ?', (words[2],))
    if private:
        copy = sqlite3.connect(words[2])
        copy.create_function('named', 1, named)
        copy.execute('UPDATE delivery SET subscriber_id = named(subscriber_id)')
        copy.commit()
elif '--assume-sent-until' in sys.argv:
    assert os.path.exists(database)
elif words[:2] == ['db', 'restore']:
    sqlite3.connect(words[2]).execute('VACUUM INTO ?', (database,))
    if private:
        back = sqlite3.connect(database)
        known = [(each, named(each)) for each in ('vision-group', 'ana')]
        back.executemany('UPDATE delivery SET subscriber_id = ? WHERE subscriber_id = ?', known)
        back.commit()
elif words[0] == 'run':
    connection = sqlite3.connect(database)
    connection.execute('CREATE TABLE IF NOT EXISTS delivery (subscriber_id, detail)')
    connection.execute("INSERT INTO delivery VALUES ('vision-group', 'sent')")
    connection.commit()
    print('::error::a title that would like to be a command')
    print('to', os.environ.get('VISION_GROUP_EMAIL', 'nobody'), file=sys.stderr)
    print('accepted Vision group, 1 <paper> & more')
elif words[0] == 'status':
    print('1 delivery to Vision group')
elif words[0] == 'export':
    print(words[1], 'written')
"""
# Installs nothing, and tells what an installation could have seen; everything else is Python.
PYTHON = f"""#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then echo "$@" >> "$HOME/installed"; env >> "$HOME/installed"; exit 0; fi
exec {sys.executable} -S "$@"
"""


class Site:
    """A clone of an empty bare origin, with the scripts and the program at hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self.bin = folder / "bin"
        self.env = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TEMPLATE_DIR": "",
            "STATE_PAUSES_S": "0 0",
            "GITHUB_ENV": str(folder / "github_env"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "DIGEST_ADDRESSES": SECRETS,
        }
        self.clone = folder / "clone"
        self.bin.mkdir()
        self.program("digest", STAND_IN)
        self.program("python", PYTHON)
        self.clone.mkdir()

    def set_up(self) -> None:
        """Make the repositories."""
        self.git("init", "--quiet", "--initial-branch=main", str(self.clone), cwd=self.folder)
        self.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--allow-empty", "-m", "start")
        self.git("clone", "--quiet", "--bare", str(self.clone), str(self.origin), cwd=self.folder)
        self.git("remote", "add", "origin", str(self.origin))

    def program(self, name: str, text: str) -> None:
        """Put a program on the path."""
        file = self.bin / name
        file.write_text(text)
        file.chmod(0o755)

    def new_clone(self, name: str) -> Path:
        self.git("clone", "--quiet", str(self.origin), name, cwd=self.folder)
        return self.folder / name

    def git(self, *words: str, cwd: Path | None = None) -> bytes:
        done = subprocess.run(["git", *words], cwd=cwd or self.clone, env=self.env, check=True, capture_output=True)
        return done.stdout

    def at_origin(self, *words: str) -> bytes:
        return self.git("--git-dir", str(self.origin), *words)

    def script(self, name: str, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-SB", str(SCRIPTS / name), *words],
            cwd=cwd or self.clone,
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self, command: str, cwd: Path | None = None, /, **env: str) -> subprocess.CompletedProcess[str]:
        return self.script("state.py", command, "var/digest.sqlite3", cwd=cwd, **env)

    def published(self, branch: str = "digest-state") -> bytes:
        return gzip.decompress(self.at_origin("show", f"{branch}:digest.sqlite3.gz"))

    def branches(self) -> list[str]:
        return self.at_origin("for-each-ref", "--format=%(refname:short)", "refs/heads").decode().split()

    def push(self, files: Mapping[str, bytes], branch: str) -> None:
        """Somebody writes a branch by hand."""
        other = self.new_clone(f"by-hand-{branch}")
        for name, data in files.items():
            (other / name).write_bytes(data)
        self.git("add", ".", cwd=other)
        self.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "by hand", cwd=other)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{branch}", cwd=other)

    def refuse_pushes(self, script: str) -> None:
        """Let the origin run this at each push."""
        hook = self.origin / "hooks" / "pre-receive"
        hook.parent.mkdir()
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)

    def forget(self) -> None:
        """A new machine: nothing of the run before is there."""
        shutil.rmtree(self.clone / "var", ignore_errors=True)
        shutil.rmtree(self.clone / ".git" / "refs" / "digest", ignore_errors=True)


def write(clone: Path, *texts: str, reader: str = "vision-group") -> Path:
    """A ledger with these deliveries to one reader."""
    file = clone / "var" / "digest.sqlite3"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS delivery (subscriber_id, detail)")
        connection.executemany("INSERT INTO delivery VALUES (?, ?)", [(reader, text) for text in texts])
    return file


def deliveries(database: Path) -> list[tuple[str, str]]:
    """To whom, and what."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT subscriber_id, detail FROM delivery").fetchall()


def details(database: Path) -> list[str]:
    return [text for _, text in deliveries(database)]
