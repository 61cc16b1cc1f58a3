"""Opens the database, SQLite or PostgreSQL: durable commits, writers that take turns, this release's schema."""

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from digest.errors import ConfigError, StoreError
from digest.store import trouble
from digest.store.files import create_file, file_id, lock_holders, refuse_network
from digest.store.schema import REVISION

_T = TypeVar("_T")

_TURN = 0x70617065
"""Number of the advisory lock that PostgreSQL's writers take; any would do that nobody else takes in this database."""

# A reader sees one state of the database. A writer must see what was committed until it got its turn, and the snapshot
# of REPEATABLE READ is taken before.
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ"},
}
_TAKE_TURN = text(
    # Where commits are not durable at once, ours are: a mail is sent on them.
    "SELECT CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true)"
    " END, CASE WHEN current_setting('lock_timeout') = '0' THEN set_config('lock_timeout', :busy, true) END,"
    " pg_advisory_xact_lock(:lock)"
)


def open_database(url: str) -> Engine:
    """Open the database, create its file if it is missing, and bring its schema up to date.

    Args:
        url: ``sqlite:///folder/file.sqlite3`` or ``postgresql://user:password@host/name``.

    Raises:
        ConfigError: The address names no database that we know, or its driver or a place for it is missing.
        StoreError: The database cannot be opened, is damaged, locked, or newer than this release.
    """
    engine = connect_database(url, is_new=True)
    try:
        with store_errors(engine):
            _migrate(engine)
        check_ledger(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect_database(url: str, *, is_new: bool = False) -> Engine:
    """Get ready to use the database as it is; nothing is asked of it yet.

    Args:
        url: See `open_database`.
        is_new: Whether a file that is missing is created.

    Raises:
        ConfigError: See `open_database`.
        StoreError: The file cannot be created, or is missing.
    """
    parsed, may_be_network = parse_address(url)
    path = database_file(parsed)
    if path:
        if not may_be_network:
            refuse_network(path)
        if is_new:
            create_file(path)
        elif not path.exists():
            raise StoreError("there is no such file", where=str(path), hint="digest run creates it")
    try:
        engine = create_engine(parsed, **_options(parsed))
    except ImportError as exc:
        hint = 'pip install "paperround[postgres]"'
        raise ConfigError("the driver for PostgreSQL is missing", where="DIGEST_DATABASE_URL", hint=hint) from exc
    except (ArgumentError, TypeError) as exc:
        raise _no_address("not the address of a database") from exc
    if path:
        engine.update_execution_options(digest_file=file_id(path))
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    return engine


def parse_address(url: str) -> tuple[URL, bool]:
    """What DIGEST_DATABASE_URL says, and whether its file may be on a network: ``?network=1``.

    Raises:
        ConfigError: It names no database that we know.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend in ("postgres", "postgresql"):
            if parsed.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
                raise _no_address(f"PostgreSQL is reached through psycopg, not {parsed.drivername.partition('+')[2]!r}")
            return parsed.set(drivername="postgresql+psycopg"), True
    except (ArgumentError, ValueError) as exc:
        raise _no_address("not the address of a database") from exc
    if backend != "sqlite" or parsed.host:
        raise _no_address(f"data are kept in SQLite or in PostgreSQL, not in {backend!r}")
    return parsed.difference_update_query(["network"]), parsed.query.get("network") == "1"


def database_file(url: URL) -> Path | None:
    """The file that a database is; ``None`` if it is none."""
    is_file = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    return Path(url.database or "") if is_file else None


def is_same_file(engine: Engine) -> bool:
    """Whether the database's name still leads to the file that was opened: nobody deleted or replaced it since.

    Always true of a database that is no file.
    """
    path = database_file(engine.url)
    return path is None or file_id(path) == engine.get_execution_options().get("digest_file")


def check_ledger(engine: Engine) -> None:
    """Look for damage in what decides who is written to; damaged papers are noticed when they are read.

    A PostgreSQL server looks after its own files.

    Raises:
        StoreError: The file is damaged.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as connection:
        for table in ("edition", "edition_paper", "announcement", "suppression"):
            found = connection.scalar(text(f"PRAGMA quick_check('{table}')"))
            if found != "ok":
                raise trouble.damaged(where(engine), str(found).splitlines()[-1])


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees one state of the database and waits for no writer.

    Raises:
        StoreError: The database failed.
    """
    with (
        store_errors(engine),
        engine.connect().execution_options(**_READING[engine.dialect.name]) as connection,
    ):
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that excludes every other writer from its start, committed at the end.

    Raises:
        StoreError: The database failed, and nothing of this transaction was kept; or its file was replaced.
    """
    with store_errors(engine), engine.connect().execution_options(digest_writes=True) as connection, connection.begin():
        if not is_same_file(engine):
            raise StoreError(
                "the file was deleted or replaced during the run",
                where=where(engine),
                hint="put it back, or restore a backup with digest db restore, and start the run again",
            )
        yield connection


def batches(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Cut values into lists that a statement can take."""
    left = iter(values)
    while some := list(islice(left, 500)):
        yield some


@contextmanager
def store_errors(engine: Engine) -> Iterator[None]:
    """Turn what goes wrong in the database into our words.

    Raises:
        StoreError: Names the database, what is wrong and what to do.
    """
    try:
        yield
    except DBAPIError as exc:
        error = trouble.in_our_words(exc.orig, where(engine), was_connected=exc.connection_invalidated)
        if "locked by" in error.problem and (holders := _lock_holders(engine)):
            error = StoreError(f"{error.problem}: by {holders}", where=error.where, hint=error.hint)
        raise error from exc
    except UnicodeEncodeError:
        raise
    except ValueError as exc:
        # SQLite does not notice damage inside a value; what it gives back is then no UTF-8, JSON, time or state.
        raise trouble.damaged(where(engine), "a value cannot be read") from exc


def where(engine: Engine) -> str:
    """The file, or the server and the name: never the user or the password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return url.database or "database"
    host = url.host or url.query.get("host") or "local server"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; ``None`` in an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _options(url: URL) -> dict[str, Any]:
    # What the address says itself comes first.
    def but_for(**defaults: Any) -> dict[str, Any]:
        return {name: value for name, value in defaults.items() if name not in url.query}

    if url.get_backend_name() == "sqlite":
        return {"connect_args": but_for(timeout=trouble.BUSY_S)}
    return {
        "connect_args": but_for(
            connect_timeout=trouble.BUSY_S,
            application_name=f"paperround {os.getpid()}",
            # A server that is gone without a word is noticed after a minute, not after hours.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
        ),
        # Whatever the server's default is; see _READING.
        "isolation_level": "READ COMMITTED",
        # A connection that broke while it lay idle is made anew.
        "pool_pre_ping": True,
    }


def _no_address(problem: str) -> ConfigError:
    return ConfigError(
        problem,
        where="DIGEST_DATABASE_URL",
        hint="write it like sqlite:///var/digest.sqlite3 or postgresql://user:password@host/name",
    )


def _lock_holders(engine: Engine) -> str:
    """Who holds the lock that we waited for; empty if nobody tells."""
    path = database_file(engine.url)
    if path:
        return ", ".join(f"process {number}" for number in lock_holders(path))
    if engine.dialect.name != "postgresql":
        return ""
    asked = text(
        "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.objid = :lock AND l.granted AND a.datname = current_database()"
    )
    try:
        with engine.connect() as connection:
            rows = connection.execute(asked, {"lock": _TURN}).all()
    except DBAPIError:
        return ""
    return ", ".join(f"{name or 'a client'}, server process {pid}" for name, pid in rows)


def _set_up_connection(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's own BEGIN would come late and deferred; see _begin.
    connection.isolation_level = None
    # Readers wait for no writer. The file remembers it, so that this costs something only once.
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL, or a power cut takes back commits on which a mail was already sent.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    # A transaction that starts with a read and then writes fails at once when another one wrote in between, however
    # long the busy timeout: writers say so when they begin.
    is_writing = connection.get_execution_options().get("digest_writes")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
    elif is_writing:
        connection.execute(_TAKE_TURN, {"busy": f"{trouble.BUSY_S}s", "lock": _TURN})


def _migrate(engine: Engine) -> None:
    with reading(engine) as connection:
        if revision_of(connection) == REVISION:
            return
    with writing(engine) as connection:
        # Asked again: another run may have migrated while this one waited for its turn.
        found = revision_of(connection)
        if found is not None and found > REVISION:
            raise newer(engine, found)
        if found != REVISION:
            _upgrade(connection)


def newer(engine: Engine, revision: str) -> StoreError:
    """A later release wrote this database."""
    return StoreError(
        f"schema version {revision} is newer than this release ({REVISION})",
        where=where(engine),
        hint="upgrade the package, or set DIGEST_DATABASE_URL to another file",
    )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
