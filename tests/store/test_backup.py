import os
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.errors import ConfigError, StoreError
from digest.model import Feedback, PaperKey, SubscriberId
from digest.store.backup import backup, backup_daily, export_private, find_problems, restore
from digest.store.database import open_database, writing
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.marker import write_marker
from digest.store.papers import Papers
from digest.tokens import Keyring
from tests.builders import NOW
from tests.store.mornings import a_morning, later

ADA = SubscriberId("ada")
KEYRING = Keyring(b"a secret of sixteen bytes")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digest.sqlite3"


def rows_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_copy_is_the_database_and_for_its_owner_only(engine: Engine, url: str, path: Path, tmp_path: Path) -> None:
    a_morning(engine)
    copy = tmp_path / "copy"
    backup(engine, copy)
    backup(engine, copy)

    assert rows_of(copy) == rows_of(path)
    assert copy.stat().st_mode & 0o777 == 0o600
    a_morning(engine, 4, now=later(1))
    engine.dispose()

    aside = restore(url, copy, now=NOW)

    assert aside == Path(f"{path}.replaced-20261120T073000")
    assert rows_of(path) == rows_of(copy)
    assert path.stat().st_mode & 0o777 == 0o600
    again = open_database(url)
    assert Papers(again).latest_seq() == 3
    again.dispose()
    kept = open_database(f"sqlite:///{aside}")
    assert Papers(kept).latest_seq() == 4
    kept.dispose()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_copy_while_others_write_is_one_moment(engine: Engine, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        for day in range(12):
            a_morning(engine, day + 1, now=later(day))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    counts = []
    while not done.is_set():
        backup(engine, tmp_path / "copy")
        with closing(sqlite3.connect(tmp_path / "copy")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            counts.append(connection.execute("SELECT count(*) FROM edition").fetchone()[0])
    thread.join()

    assert counts == sorted(counts)


def test_a_file_that_is_something_else_is_not_lost(engine: Engine, path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is the database itself"):
        backup(engine, path)
    (tmp_path / "subscribers.yaml").write_text("subscribers: []\n")

    with pytest.raises(ConfigError, match="no backup, and would be lost"):
        backup(engine, tmp_path / "subscribers.yaml")
    with pytest.raises(StoreError, match="cannot be written"):
        backup(engine, tmp_path / "nowhere" / "copy")
    assert (tmp_path / "subscribers.yaml").read_text() == "subscribers: []\n"


def test_who_holds_a_private_copy_learns_nobodys_name(engine: Engine, url: str, tmp_path: Path) -> None:
    a_morning(engine, name="Adalovelace")
    who = SubscriberId("adalovelace")
    Feedbacks(engine).give(who, Feedback(PaperKey("arxiv:2611.00001"), more=True, at=NOW))
    copy = tmp_path / "copy"

    export_private(engine, KEYRING, copy)

    assert b"adalovelace" not in copy.read_bytes()
    assert KEYRING.name(who).encode() in copy.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir() if "digest" not in each.name) == ["copy"]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(SqlLedger(engine).sent_keys(who)) == 3, "the database itself is as it was"
    engine.dispose()
    restore(url, copy, names={KEYRING.name(who): who}, now=NOW)
    again = open_database(url)
    assert len(SqlLedger(again).sent_keys(who)) == 3
    assert len(Feedbacks(again).of(who)) == 1
    again.dispose()


def test_with_another_secret_a_private_copy_knows_nobody(engine: Engine, url: str, tmp_path: Path) -> None:
    a_morning(engine)
    export_private(engine, KEYRING, tmp_path / "copy")
    engine.dispose()
    restore(url, tmp_path / "copy", names={Keyring(b"another one, as long").name(ADA): ADA}, now=NOW)
    again = open_database(url)

    assert SqlLedger(again).sent_keys(ADA) == frozenset()
    assert {state.subscriber for state in SqlLedger(again).editions()} == {f"~{KEYRING.name(ADA)}"}
    again.dispose()


def test_copies_of_the_last_days_are_kept(engine: Engine, path: Path) -> None:
    folder = Path(f"{path}.backups")
    made = [backup_daily(engine, keep=3, now=later(day)) for day in (0, 1, 1, 2, 3, 4)]
    stale = folder / ".2026-11-01.sqlite3.x.part"
    stale.touch()
    os.utime(stale, (0, 0))
    backup_daily(engine, keep=3, now=later(5))

    assert made[0] == folder / "2026-11-20.sqlite3"
    assert made[2] is None
    assert sorted(each.name for each in folder.iterdir()) == [f"2026-11-{day}.sqlite3" for day in (23, 24, 25)]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_daily_copy_that_cannot_be_made_leaves_the_older_ones(engine: Engine, path: Path) -> None:
    first = backup_daily(engine, keep=1, now=NOW)
    assert first
    path.rename(path.with_name("gone"))
    with pytest.raises(StoreError):
        backup_daily(engine, keep=1, now=later(1))
    assert [each.name for each in first.parent.iterdir()] == [first.name]


def test_nothing_is_restored_over_a_database_in_use(engine: Engine, url: str, path: Path, tmp_path: Path) -> None:
    backup(engine, tmp_path / "copy")
    a_morning(engine)

    with pytest.raises(StoreError, match="in use") as caught:
        restore(url, tmp_path / "copy", now=NOW)

    assert "stop digest serve" in caught.value.hint
    assert Papers(engine).latest_seq() == 3
    a_morning(engine, 4, now=later(1))
    assert [each.name for each in tmp_path.iterdir() if "replaced" in each.name or each.name.startswith(".")] == []


def test_a_damaged_or_foreign_or_newer_copy_is_not_put_in_place(engine: Engine, url: str, tmp_path: Path) -> None:
    a_morning(engine)
    copy = tmp_path / "copy"
    backup(engine, copy)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    backup(engine, tmp_path / "newer")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "foreign")) as foreign:
        foreign.execute("CREATE TABLE edition (id)")
    (tmp_path / "text").write_text("subscribers: []\n" * 99)
    good, chance = copy.read_bytes(), random.Random(3)
    before = rows_of(tmp_path / "digest.sqlite3")

    def refusal(name: str) -> str:
        with pytest.raises(StoreError) as caught:
            restore(url, tmp_path / name, now=NOW)
        assert caught.value.where == str(tmp_path / name)
        return caught.value.problem

    assert "newer than this release" in refusal("newer")
    assert "no copy of our database" in refusal("foreign")
    assert "no database" in refusal("text")
    assert "no such file" in refusal("none")
    page = 4096 * chance.randrange(2, len(good) // 4096)
    copy.write_bytes(good[:page] + b"\xff" * 4096 + good[page + 4096 :])
    assert "damaged" in refusal("copy")
    assert rows_of(tmp_path / "digest.sqlite3") == before


def test_f3_a_damaged_database_is_put_aside_with_its_log(engine: Engine, url: str, path: Path, tmp_path: Path) -> None:
    a_morning(engine)
    backup(engine, tmp_path / "copy")
    engine.dispose()
    path.write_bytes(b"x" * 4096)
    Path(f"{path}-wal").write_bytes(b"y" * 4096)

    aside = restore(url, tmp_path / "copy", now=NOW)

    assert aside
    assert aside.read_bytes() == b"x" * 4096
    assert not Path(f"{path}-wal").exists()
    again = open_database(url)
    assert find_problems(again) == ()
    assert len(SqlLedger(again).sent_keys(ADA)) == 3
    again.dispose()


def test_where_there_is_no_database_yet(engine: Engine, tmp_path: Path) -> None:
    backup(engine, tmp_path / "copy")

    assert restore(f"sqlite:///{tmp_path}/new/x.sqlite3", tmp_path / "copy", now=NOW) is None
    open_database(f"sqlite:///{tmp_path}/new/x.sqlite3").dispose()


def test_what_is_wrong_is_found(engine: Engine, url: str, path: Path) -> None:
    a_morning(engine)
    write_marker(engine)
    assert find_problems(engine) == ()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DELETE FROM edition")
    (orphan, *_) = found = find_problems(engine)
    assert len(found) == 3
    assert orphan == "row 1 of edition_paper belongs to a row of edition that is not there"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DELETE FROM edition_paper")
    (marker,) = find_problems(engine)
    assert "the ledger is empty, but the marker" in marker
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '0002'")
        other.execute("CREATE TABLE t (a); ")
    assert find_problems(engine) == ("its schema is version 0002, this release's is 0004",)
