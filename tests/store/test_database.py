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
from digest.store.database import connect_database, open_database, parse_address, reading, where, writing
from digest.store.papers import Papers
from digest.store.schema import REVISION, host, metadata, source
from tests.builders import NOW


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

    def parts(sql: str) -> list[str]:
        # Constraints and columns that came later are written in another order.
        return sorted(part.strip(" ()") for part in sql.partition("(")[2].replace(" WITHOUT ROWID", "").split(", "))

    assert migrated.keys() == expected.keys()
    for name, sql in expected.items():
        assert parts(migrated[name]) == parts(sql), name
        assert ("WITHOUT ROWID" in migrated[name]) == ("WITHOUT ROWID" in sql), name


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

    with pytest.raises(StoreError, match=rf"schema version 0999 is newer than this release \({REVISION}\)") as caught:
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


@pytest.mark.parametrize(
    "url",
    ["", "digest.sqlite3", "nonsense://x", "sqlite:/x", "sqlite://folder/x", "mysql://x/y", "postgresql://x:port/y",
     "postgresql+psycopg2://x/y"],
)  # fmt: skip
def test_what_is_no_address_is_a_setting_to_change(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="DIGEST_DATABASE_URL") as caught:
        open_database(url)
    assert caught.value.hint.startswith("write it like sqlite:///")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_server_is_named_without_its_password(scheme: str) -> None:
    engine = connect_database(f"{scheme}://digest:swordfish@db.test:5433/papers?sslmode=require")

    assert where(engine) == "db.test:5433/papers"
    assert engine.dialect.driver == "psycopg"


def test_without_its_driver_postgresql_is_a_setting_to_change() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from digest.errors import ConfigError\n"
        "from digest.store.database import connect_database\n"
        "try: connect_database('postgresql://x/y')\n"
        "except ConfigError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert 'pip install "paperround[postgres]"' in run.stdout


def test_the_address_may_say_how_long_to_wait_and_that_a_network_is_meant() -> None:
    assert parse_address("sqlite:////mnt/x.sqlite3?network=1&timeout=3")[0].query == {"timeout": "3"}
    assert parse_address("sqlite:////mnt/x.sqlite3?network=1")[1]
    assert not parse_address("sqlite:////mnt/x.sqlite3?network=0")[1]


def test_readers_do_not_wait_for_a_writer(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(host), {"name": "arxiv.org", "next_at": NOW})

        with reading(engine) as other:
            assert other.execute(select(host)).all() == []


def test_writers_take_turns_also_when_they_read_first(engine: Engine) -> None:
    count_up_at_once(engine)

    assert Papers(engine).source_states()[0].listed == 100


def count_up_at_once(engine: Engine) -> None:
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


def test_a_database_is_only_created_where_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        connect_database(f"sqlite:///{tmp_path}/none.sqlite3")
    assert list(tmp_path.iterdir()) == []
