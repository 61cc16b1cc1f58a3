"""Copies of the database while it is used, their way back, and what is wrong with one."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Engine, text

from digest.errors import ConfigError, StoreError
from digest.store.database import database_file, parse_address, reading, revision_of
from digest.store.files import file_id, lock_holders, replace_durably
from digest.store.marker import check_marker
from digest.store.schema import REVISION, metadata
from digest.store.trouble import BUSY_S, cannot_write, damaged, in_our_words
from digest.tokens import Keyring

_HEADER = b"SQLite format 3\0"
_OF_PEOPLE = tuple(name for name, table in metadata.tables.items() if "subscriber_id" in table.c)
_DRAFT = ".part"

_UNKNOWN = "~"
"""Before the hash of somebody who is not subscribed now; no id begins so."""


def find_problems(engine: Engine) -> tuple[str, ...]:
    """A line for everything that is wrong with a database; nothing is changed.

    Raises:
        StoreError: It cannot be read at all.
    """
    problems = []
    with reading(engine) as connection:
        revision = revision_of(connection)
        if revision != REVISION:
            problems.append(f"its schema is version {revision or 'none'}, this release's is {REVISION}")
        if engine.dialect.name == "sqlite":
            found = connection.scalars(text("PRAGMA quick_check(20)")).all()
            problems += [f"damaged: {line}" for line in found if line != "ok"]
            for row in connection.execute(text("PRAGMA foreign_key_check")).all():
                problems.append(f"row {row[1]} of {row[0]} belongs to a row of {row[2]} that is not there")
    if revision == REVISION and not problems:
        try:
            check_marker(engine)
        except StoreError as error:
            problems.append(f"{error.problem} ({error.hint})")
    return tuple(problems)


def backup(engine: Engine, file: Path) -> None:
    """Copy the database into a file, as one moment saw it, while others read and write it.

    Raises:
        ConfigError: It is no file, but a server's; or the file is something else already.
        StoreError: The database cannot be read or the file cannot be written; what was there is still there.
    """
    path = _need_file(engine.url, file)
    with _draft_of(file) as draft, _sqlite(path) as connection:
        connection.execute("VACUUM INTO ?", (str(draft),))


def export_private(engine: Engine, keyring: Keyring, file: Path) -> None:
    """Copy the database with keyed hashes in place of subscribers' ids: who holds it learns of nobody what they read.

    Addresses are hashes everywhere already. `restore` turns the hashes of those who are subscribed back into ids.

    Raises:
        ConfigError: See `backup`.
        StoreError: See `backup`.
    """
    path = _need_file(engine.url, file)
    with _draft_of(file) as draft, tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        copy = Path(folder) / "copy"
        with _sqlite(path) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with _sqlite(copy) as connection:
            _rename(
                connection,
                lambda name: name.removeprefix(_UNKNOWN) if name.startswith(_UNKNOWN) else keyring.name(name),
            )
            # Pages that were freed hold the old names still; they do not come along.
            connection.execute("VACUUM INTO ?", (str(draft),))


def backup_daily(engine: Engine, *, keep: int = 7, now: datetime) -> Path | None:
    """Copy the database into ``<file>.backups``, once a day (in UTC), and keep only the newest copies.

    Returns:
        The copy; ``None`` if there is one of this day, or the database is no file.

    Raises:
        StoreError: It could not be copied; older copies are kept.
    """
    path = database_file(engine.url)
    if path is None:
        return None
    folder = Path(f"{path}.backups")
    file = folder / f"{now:%Y-%m-%d}.sqlite3"
    if file.exists():
        return None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        backup(engine, file)
        for old in sorted(folder.glob("[0-9]*.sqlite3"))[:-keep]:
            old.unlink()
        # Of runs that were killed in the middle.
        for part in folder.glob(f".*{_DRAFT}"):
            if part.stat().st_mtime < (now - timedelta(days=1)).timestamp():
                part.unlink()
    except OSError as exc:
        raise cannot_write(str(folder), exc) from exc
    return file


def restore(url: str, file: Path, *, names: Mapping[str, str] | None = None, now: datetime) -> Path | None:
    """Put a copy in place of the database, which is kept beside it.

    Args:
        url: Of the database, as for `open_database`.
        file: What `backup` or `export_private` wrote.
        names: The id of each hash of a subscriber, for a copy of `export_private`; other hashes stay.
        now: Tells what is kept from what was kept before.

    Returns:
        Where the database is now that was in its place; ``None`` if there was none.

    Raises:
        ConfigError: The database is no file.
        StoreError: The copy is damaged or of a newer release, the database is in use, or it cannot be written.
    """
    path = database_file(parse_address(url)[0])
    if path is None:
        raise ConfigError("pg_restore restores a PostgreSQL database", hint=f"pg_restore --clean --dbname NAME {file}")
    if not file.is_file():
        raise StoreError("there is no such file", where=str(file), hint="name a file that digest db backup wrote")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft_of(path, may_replace=True) as draft:
            _copy(file, draft)
            with _sqlite(draft, file) as connection:
                _check(connection, file)
                if names:
                    _rename(connection, lambda name: names.get(name, f"{_UNKNOWN}{name}"))
            aside = _set_aside(path, now)
    except OSError as exc:
        raise cannot_write(str(path), exc) from exc
    return aside


def _need_file(url: URL, file: Path) -> Path:
    path = database_file(url)
    if path is None:
        host = url.host or url.query.get("host")
        command = f"pg_dump --format=custom --file={file}{f' --host={host}' if host else ''} --dbname={url.database}"
        raise ConfigError("this database is no file: PostgreSQL's own program copies it", hint=command)
    if file.exists() and file_id(file) == file_id(path):
        raise ConfigError("this is the database itself", where=str(file), hint="name another file for the copy")
    return path


@contextmanager
def _draft_of(file: Path, *, may_replace: bool = False) -> Iterator[Path]:
    """A new file for its owner only, which takes the other's name when all went well."""
    try:
        if not may_replace and file.exists() and _start_of(file) not in (b"", _HEADER):
            raise ConfigError("this file is no backup, and would be lost", where=str(file), hint="name another file")
        number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=_DRAFT)
        os.close(number)
    except OSError as exc:
        raise cannot_write(str(file), exc) from exc
    draft = Path(name)
    try:
        yield draft
        replace_durably(draft, file)
    except OSError as exc:
        raise cannot_write(str(file), exc) from exc
    finally:
        draft.unlink(missing_ok=True)


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(len(_HEADER))


@contextmanager
def _sqlite(path: Path, said: Path | None = None) -> Iterator[sqlite3.Connection]:
    """The database without the rest of us; its errors name it, or what it is a copy of."""
    try:
        # A file that is not there any more must not become an empty one.
        address = f"{path.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as exc:
        raise in_our_words(exc, str(said or path)) from exc


def _rename(connection: sqlite3.Connection, name_of: Callable[[str], str]) -> None:
    connection.create_function("name_of", 1, name_of, deterministic=True)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    for table in _OF_PEOPLE:
        connection.execute(f"UPDATE {table} SET subscriber_id = name_of(subscriber_id)")  # noqa: S608  our own names
    connection.execute("COMMIT")


def _copy(file: Path, draft: Path) -> None:
    # Not byte by byte: what is in a log beside it comes along.
    try:
        with (
            closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as exc:
        raise in_our_words(exc, str(file)) from exc


def _check(connection: sqlite3.Connection, file: Path) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone():
        raise damaged(str(file), "it was not put in place")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "edition"} <= tables:
        raise StoreError("this is no copy of our database", where=str(file), hint="name what digest db backup wrote")
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if revision > REVISION:
        hint = "upgrade the package, or name an older copy"
        problem = f"schema version {revision} is newer than this release ({REVISION})"
        raise StoreError(problem, where=str(file), hint=hint)


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Keep the database under another name as well, once nobody uses it and all of it is in its one file."""
    if not path.exists():
        return None
    aside = Path(f"{path}.replaced-{now:%Y%m%dT%H%M%S}")
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            # Leaving the log behind needs the file alone.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            if exc.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                holders = ", ".join(f"process {number}" for number in lock_holders(path))
                problem = f"in use{f' by {holders}' if holders else ''}; nothing was changed"
                raise StoreError(problem, where=str(path), hint="stop digest serve and other runs first") from exc
            # Damaged: that is why it is replaced.
        os.link(path, aside)
        for end in ("-wal", "-shm", "-journal"):
            # Left in place, it would be taken for the log of the new file.
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{aside}{end}")
    return aside
