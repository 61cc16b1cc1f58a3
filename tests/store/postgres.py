"""A PostgreSQL server of the tests' own, from the system's programs: on a socket in a folder, gone at the end."""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from digest.store.database import open_database
from digest.store.schema import metadata

# What a test leaves behind is thrown away: nothing of it needs to survive a power cut.
_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
         "shared_buffers": "16MB", "listen_addresses": "", "max_connections": "40"}  # fmt: skip


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _user() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A server in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        self._programs, self._user = programs, _user()
        # Not in pytest's folder: the path of a socket has at most 107 characters, and another user must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        self._call("initdb", "--pgdata", str(self.folder / "data"), "--username", "digest", "--auth", "trust",
                   "--no-sync", "--encoding", "UTF8", "--no-locale")  # fmt: skip
        self.start()

    def start(self) -> None:
        options = [word for name, value in _FAST.items() for word in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
            # Ctrl-C in a terminal goes to the tests alone, which end it themselves.
            start_new_session=True,
        )
        engine = create_engine(self.url("postgres"))
        for _ in range(600):
            try:
                engine.connect().close()
                break
            except OperationalError:
                assert self.process.poll() is None, "the server did not start"
                time.sleep(0.02)
        engine.dispose()

    def stop(self, *, at_once: bool = False) -> None:
        """End it in order, or as a power cut would."""
        if at_once:
            # SIGQUIT: its processes leave without tidying up.
            self.process.send_signal(3)
        else:
            self.process.send_signal(2)
        self.process.wait(20)

    def remove(self) -> None:
        if self.process.poll() is None:
            self.stop(at_once=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://digest@/{name}?host={self.folder}"

    def run(self, *statements: str, name: str = "postgres") -> None:
        engine = create_engine(self.url(name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def _call(self, program: str, *words: str) -> None:
        subprocess.run([self._programs / program, *words], check=True, capture_output=True, user=self._user, cwd="/")


@cache
def the_server() -> Server | None:
    """The server of this process, started when the first test asks; ``None`` where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        return None
    server = Server(programs)
    atexit.register(server.remove)
    return server


def need_server() -> Server:
    server = the_server()
    if server is None:
        reason = "PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/initdb"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return server


@cache
def _shared_database() -> str:
    server = need_server()
    server.run("CREATE DATABASE shared")
    url = server.url("shared")
    open_database(url).dispose()
    return url


def empty_database() -> str:
    """The address of a database with this release's schema and no rows; the one that was given out last is void."""
    url = _shared_database()
    sequences = ("announcement_seq_seq", "edition_id_seq", "observation_id_seq")
    # Faster than TRUNCATE, which makes new files for each table, and all in one message.
    statements = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    statements += [f"ALTER SEQUENCE {sequence} RESTART" for sequence in sequences]
    with psycopg.connect(f"host={need_server().folder} user=digest dbname=shared") as connection:
        connection.execute(";".join(statements).encode())
    return url


def new_database(name: str) -> str:
    """The address of a new database without any table, plainly spelled."""
    server = need_server()
    server.run(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    return make_url(server.url(name)).set(drivername="postgresql").render_as_string(hide_password=False)
