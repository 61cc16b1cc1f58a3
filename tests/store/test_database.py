import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.exc import StatementError

import digest.store.database as database
from digest.errors import ConfigError, StoreError
from digest.model import Poll, Verdict
from digest.store.database import check_ledger, open_database, reading, writing
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.store.schema import REVISION, host, metadata, source
from tests.builders import NOW, an_edition, an_entry

is_root = os.geteuid() == 0 if hasattr(os, "geteuid") else False


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    # SQLite quotes the name of a table that was renamed.
    return {
        name: " ".join(sql.replace('"', "").split()) for name, sql in rows if not name.startswith(("alembic", "sqlite"))
    }


def test_migrations_lead_to_the_schema_of_this_release(url: str, tmp_path: Path) -> None:
    open_database(url).dispose()
    fresh = create_engine(f"sqlite:///{tmp_path}/fresh.sqlite3")
    metadata.create_all(fresh)
    fresh.dispose()

    migrated, expected = tables(tmp_path / "digest.sqlite3"), tables(tmp_path / "fresh.sqlite3")

    assert migrated.keys() == expected.keys()
    for name, sql in expected.items():
        # Constraints are written in another order.
        assert sorted(migrated[name].strip(" )").split(", ")) == sorted(sql.strip(" )").split(", ")), name


def test_the_newest_migration_is_the_one_of_this_release() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_a_new_database_is_for_its_owner_only_and_keeps_what_was_committed(url: str, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b c"
    engine = open_database(f"sqlite:///{deep}/digest.sqlite3")
    with engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)

    files = list(deep.iterdir())

    assert {path.suffix for path in files} == {".sqlite3", ".sqlite3-wal", ".sqlite3-shm"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert pragmas == ["wal", 2]
    engine.dispose()


def test_opening_again_changes_nothing(url: str, engine: Engine) -> None:
    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)

    again = open_database(url)

    assert [state.name for state in Papers(again).source_states()] == ["s"]
    again.dispose()


def test_many_processes_may_create_it_at_once(url: str) -> None:
    command = [sys.executable, "-c", f"from digest.store.database import open_database; open_database({url!r})"]
    processes = [subprocess.Popen(command) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4


def test_f7_a_newer_schema_is_refused(url: str, engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(StoreError, match=r"schema version 0999 is newer than this release \(0003\)") as caught:
        open_database(url)
    assert "upgrade" in caught.value.hint
    assert caught.value.exit_code == 4


def test_f7_an_interrupted_migration_leaves_nothing_behind(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = database._upgrade

    def stop_short(connection: object) -> None:
        upgrade(connection)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(database, "_upgrade", stop_short)
    with pytest.raises(KeyboardInterrupt):
        open_database(url)
    monkeypatch.undo()

    assert tables(tmp_path / "digest.sqlite3") == {}
    open_database(url).dispose()
    assert "edition" in tables(tmp_path / "digest.sqlite3")


@pytest.mark.parametrize("url", ["", "digest.sqlite3", "postgresql://x/y", "nonsense://x", "sqlite:/x"])
def test_what_is_no_sqlite_address_is_a_setting_to_change(url: str) -> None:
    with pytest.raises(ConfigError, match="DIGEST_DATABASE_URL"):
        open_database(url)


def test_f2_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_database(f"sqlite:///{tmp_path}")
    assert caught.value.where == str(tmp_path)


def test_f2_a_file_where_its_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be created"):
        open_database(f"sqlite:///{tmp_path}/file/digest.sqlite3")


@pytest.mark.skipif(is_root, reason="root may write everywhere")
def test_f2_not_writable(url: str, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "digest.sqlite3").chmod(0o400)

    with pytest.raises(StoreError, match="cannot be written"):
        Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)


def test_f3_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "digest.sqlite3"
    path.write_text("name: Ada\n" * 500)

    with pytest.raises(StoreError, match="the file is no database"):
        open_database(f"sqlite:///{path}")


def filled(url: str, path: Path) -> bytes:
    engine = open_database(url)
    Papers(engine).record(
        Poll(source="s", verdict=Verdict.FRESH, entries=tuple(an_entry(n) for n in range(1, 60))), NOW
    )
    SqlLedger(engine).open_edition(an_edition(), since_seq=0, through_seq=59, now=NOW)
    engine.dispose()
    return path.read_bytes()


def test_f3_damage_is_either_harmless_or_a_store_error(url: str, tmp_path: Path) -> None:
    path = tmp_path / "digest.sqlite3"
    good = filled(url, path)
    chance = random.Random(7)
    noticed = 0
    for _ in range(60):
        start = chance.randrange(len(good))
        path.write_bytes(good[:start] + chance.randbytes(300) + good[start + 300 :])
        try:
            engine = open_database(url)
        except StoreError:
            noticed += 1
            continue
        try:
            ledger = SqlLedger(engine)
            ledger.recover(NOW)
            ledger.claim(NOW)
        except StoreError:
            noticed += 1
        finally:
            engine.dispose()

    assert noticed >= 5


def test_f3_an_overwritten_page_of_the_ledger_stops_the_run(url: str, tmp_path: Path) -> None:
    path = tmp_path / "digest.sqlite3"
    good = filled(url, path)
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'edition'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    path.write_bytes(good[: (page - 1) * size] + b"\xff" * size + good[page * size :])

    with pytest.raises(StoreError, match="the file is damaged") as caught:
        open_database(url)
    assert "backup" in caught.value.hint


def test_f4_a_lock_that_ends_in_time_is_waited_for(url: str, engine: Engine) -> None:
    with closing(sqlite3.connect(engine.url.database or "", check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)
        timer.join()

    assert [state.last_good_at for state in Papers(engine).source_states()] == [NOW]


def test_f4_a_lock_for_ever_is_named(url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_S", 0.1)
    impatient = open_database(url)
    with closing(sqlite3.connect(engine.url.database or "")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process") as caught:
            Papers(impatient).record(Poll(source="s", verdict=Verdict.QUIET), NOW)

    assert caught.value.where == engine.url.database
    impatient.dispose()


def test_readers_do_not_wait_for_a_writer(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(host), {"name": "arxiv.org", "next_at": NOW})

        with reading(engine) as other:
            assert other.execute(select(host)).all() == []


def test_writers_take_turns_also_when_they_read_first(engine: Engine) -> None:
    def count_up() -> None:
        for _ in range(25):
            with writing(engine) as connection:
                number = connection.scalar(select(source.c.listed)) or 0
                connection.execute(source.update().values(listed=number + 1))

    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)
    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Papers(engine).source_states()[0].listed == 100


_FILL = """
import resource, sys
from digest.store.database import open_database
from digest.store.papers import Papers
from digest.errors import StoreError
from digest.model import Poll, Verdict
from tests.builders import NOW, an_entry
papers = Papers(open_database(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for start in range(1, 100_000, 100):
    entries = tuple(an_entry(n) for n in range(start, start + 100))
    try:
        papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=entries), NOW)
    except StoreError as error:
        print(error.exit_code, error, papers.count())
        break
"""


def test_f1_a_full_disk_is_named_and_loses_nothing(url: str) -> None:
    pytest.importorskip("resource")
    run = subprocess.run([sys.executable, "-c", _FILL, url], capture_output=True, text=True, check=True)

    assert run.stdout.startswith("4 ")
    assert "digest.sqlite3: the disk " in run.stdout
    assert "hint: " in run.stdout
    kept = int(run.stdout.split()[-1])
    assert kept > 0
    assert kept % 100 == 0
    engine = open_database(url)
    assert Papers(engine).count() == kept
    check_ledger(engine)
    Papers(engine).record(
        Poll(source="s", verdict=Verdict.FRESH, entries=tuple(an_entry(n) for n in range(kept + 1, kept + 101))), NOW
    )
    assert Papers(engine).latest_seq() == kept + 100
    engine.dispose()


def test_times_come_back_aware_and_in_utc(engine: Engine) -> None:
    moment = datetime(2026, 11, 20, 9, 30, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), moment)

    (state,) = Papers(engine).source_states()

    assert state.polled_at == moment
    assert state.polled_at.tzinfo is UTC


def test_naive_times_are_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="no time zone"), writing(engine) as connection:
        connection.execute(source.update().values(polled_at=datetime(2026, 11, 20)))


def test_errors_do_not_show_values(engine: Engine) -> None:
    with pytest.raises(StoreError) as caught, reading(engine) as connection:
        connection.exec_driver_sql("SELECT 'ada@example.org' FROM nowhere")

    assert "ada" not in str(caught.value)
