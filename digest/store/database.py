"""Opens the database: SQLite with durable commits and writers that take turns, migrated to this release's schema."""

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from digest.errors import ConfigError, StoreError
from digest.store.schema import REVISION

_T = TypeVar("_T")

_BUSY_S = 10

_PERMISSIONS = "check the owner and the permissions of the file and of its folder, or set DIGEST_DATABASE_URL"
_GO_ON = "nothing is lost: the same command goes on where this one stopped"

# By the start of SQLite's name for its error: what is wrong, and what to do.
_TROUBLES = {
    "SQLITE_BUSY": (
        f"locked by another process for {_BUSY_S} s",
        "wait for the other run to end, or look for its process",
    ),
    "SQLITE_FULL": ("the disk is full", f"free some space; {_GO_ON}"),
    "SQLITE_IOERR": ("the disk cannot be used", f"look for free space, a file size limit or a failing disk; {_GO_ON}"),
    "SQLITE_CORRUPT": ("the file is damaged", "stop all runs and put a backup in its place; nothing was sent"),
    "SQLITE_NOTADB": (
        "the file is no database",
        "set DIGEST_DATABASE_URL to another file, or put a backup in its place",
    ),
    "SQLITE_READONLY": ("the file cannot be written", _PERMISSIONS),
    "SQLITE_CANTOPEN": ("the file cannot be opened", _PERMISSIONS),
    "SQLITE_PERM": ("the file cannot be opened", _PERMISSIONS),
}


def open_database(url: str) -> Engine:
    """Open the database, create it if it is missing, and bring its schema up to date.

    Args:
        url: ``sqlite:///folder/file.sqlite3``.

    Raises:
        ConfigError: The address names no SQLite database.
        StoreError: The database cannot be opened, is damaged, locked, or newer than this release.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_S})
    except (ArgumentError, ImportError, TypeError) as exc:
        raise _no_address("not the address of a database") from exc
    if parsed.get_backend_name() != "sqlite":
        raise _no_address(f"this release keeps its data in SQLite only, not in {parsed.get_backend_name()!r}")
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    if parsed.database and parsed.database != ":memory:":
        _create_file(Path(parsed.database))
    try:
        with store_errors(engine):
            _migrate(engine)
        check_ledger(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def check_ledger(engine: Engine) -> None:
    """Look for damage in what decides who is written to; damaged papers are noticed when they are read.

    Raises:
        StoreError: The file is damaged.
    """
    with reading(engine) as connection:
        for table in ("edition", "edition_paper", "announcement"):
            found = connection.scalar(text(f"PRAGMA quick_check('{table}')"))
            if found != "ok":
                problem, hint = _TROUBLES["SQLITE_CORRUPT"]
                raise StoreError(f"{problem} ({str(found).splitlines()[-1]})", where=_where(engine), hint=hint)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees one state of the database and waits for no writer.

    Raises:
        StoreError: The database failed.
    """
    with store_errors(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that excludes every other writer from its start, committed at the end.

    Raises:
        StoreError: The database failed, and nothing of this transaction was kept.
    """
    with store_errors(engine), engine.connect().execution_options(digest_writes=True) as connection, connection.begin():
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
        StoreError: Names the file, what is wrong and what to do.
    """
    try:
        yield
    except DBAPIError as exc:
        name = getattr(exc.orig, "sqlite_errorname", "")
        problem, hint = next(
            (trouble for start, trouble in _TROUBLES.items() if name.startswith(start)), ("the database failed", "")
        )
        # Not str(exc): SQLAlchemy adds the statement with its values.
        raise StoreError(f"{problem} ({exc.orig})", where=_where(engine), hint=hint) from exc
    except UnicodeEncodeError:
        raise
    except ValueError as exc:
        # SQLite does not notice damage inside a value; what it gives back is then no UTF-8, JSON, time or state.
        problem, hint = _TROUBLES["SQLITE_CORRUPT"]
        raise StoreError(f"{problem} (a value cannot be read)", where=_where(engine), hint=hint) from exc


def _no_address(problem: str) -> ConfigError:
    return ConfigError(problem, where="DIGEST_DATABASE_URL", hint="write it like sqlite:///var/digest.sqlite3")


def _where(engine: Engine) -> str:
    return engine.url.database or "database"


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
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _create_file(path: Path) -> None:
    """Create an empty file that only its owner may read: it tells who reads what."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise StoreError(f"cannot be created ({exc.strerror})", where=str(path), hint=_PERMISSIONS) from exc


def _migrate(engine: Engine) -> None:
    with reading(engine) as connection:
        if _revision(connection) == REVISION:
            return
    with writing(engine) as connection:
        # Asked again: another run may have migrated while this one waited for its turn.
        found = _revision(connection)
        if found is not None and found > REVISION:
            raise StoreError(
                f"schema version {found} is newer than this release ({REVISION})",
                where=_where(engine),
                hint="upgrade the package, or set DIGEST_DATABASE_URL to another file",
            )
        if found != REVISION:
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
