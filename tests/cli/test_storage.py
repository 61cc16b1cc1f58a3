"""A database that cannot be used: exit code 4, a hint, and nothing is sent that could not be recorded."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.cli.home import Home
from tests.deliver.evil_smtp import EvilSmtp


def corrupt(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("CREATE TABLE filler AS SELECT randomblob(20000)")
        connection.commit()
    whole = bytearray(path.read_bytes())
    whole[100:] = b"\xff" * (len(whole) - 100)
    path.write_bytes(whole)


def from_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()


def something_else(path: Path) -> None:
    path.write_text("Dear diary, " * 99)


def no_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file stands where the folder should be")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize(
    ("harm", "told", "hint"),
    [
        pytest.param(no_folder, "cannot be written", "check the owner and the permissions", id="unwritable"),
        pytest.param(locked, "locked by another process", "wait for the other run to end", id="locked"),
        pytest.param(corrupt, "the file is damaged", "put a backup in its place", id="corrupt"),
        pytest.param(something_else, "the file is no database", "DIGEST_DATABASE_URL", id="other"),
        pytest.param(from_the_future, "schema version 9999 is newer", "upgrade the package", id="newer"),
    ],
)
def test_a_database_that_cannot_be_used_stops_a_run_before_it_sends(
    harm: Callable[[Path], AbstractContextManager[None] | None], told: str, hint: str, readers: Home
) -> None:
    path = readers.folder / "var" / "digest.sqlite3"
    path.parent.mkdir()
    with EvilSmtp() as smtp, harm(path) or nullcontext():
        readers.mail_to(smtp)

        readers.env["DIGEST_DATABASE_URL"] = "sqlite:///var/digest.sqlite3?timeout=1"

        done = readers.run()

        assert done.code == 4
        assert smtp.commands == []
    place, _, rest = done.err.partition(": ")
    assert place == "error var/digest.sqlite3"
    assert told in rest.partition("\n  hint: ")[0]
    assert hint in rest.partition("\n  hint: ")[2]
