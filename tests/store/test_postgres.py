"""What only a server can do: be away, go away, refuse to write, and let writers take turns by its own locks."""

import os
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url, select, text

import digest.store.database as database
from digest.errors import ConfigError, StoreError
from digest.model import Poll, SubscriberId, Verdict
from digest.store.backup import backup, backup_daily, export_private, find_problems
from digest.store.database import is_same_file, open_database, reading, writing
from digest.store.ledger import SqlLedger
from digest.store.marker import assume_sent, check_marker, write_marker
from digest.store.papers import Papers
from digest.store.schema import REVISION, announcement, metadata
from digest.tokens import Keyring
from tests.builders import NOW, an_entry
from tests.store.mornings import a_morning, later
from tests.store.postgres import empty_database, need_server, new_database
from tests.store.test_database import count_up_at_once

ADA = SubscriberId("ada")


@pytest.fixture
def url() -> str:
    return empty_database()


def quiet(engine: Engine) -> None:
    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)


def test_a_morning(engine: Engine) -> None:
    sent: list[int] = []
    for day in range(3):
        for _ in range(2):
            a_morning(engine, day + 1, send=lambda: sent.append(1), now=later(day))

    assert len(sent) == 3
    assert len(SqlLedger(engine).sent_keys(ADA)) == 3
    assert find_problems(engine) == ()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "head"])
def test_f7_from_every_revision_the_schema_is_the_one_that_the_code_knows(revision: str) -> None:
    url = new_database("old")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    old = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if revision == "0001":
            connection.execute(text(
                "INSERT INTO paper VALUES ('k', 'T', 'A', '[]', '[]', '[]', now(), now(), 1, 1, 1, '[\"s\"]');"
                "INSERT INTO announcement VALUES (7, 'k', 's', 'new', now());"
                "INSERT INTO source VALUES ('s', 'fresh', now(), now(), 4, 1, '')"
            ))  # fmt: skip
    old.dispose()

    engine = open_database(url)

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    papers = Papers(engine)
    before = papers.latest_seq()
    papers.record(Poll(source="t", verdict=Verdict.FRESH, entries=(an_entry(),)), NOW)
    assert (before, papers.latest_seq()) == ((7, 8) if revision == "0001" else (0, 1))
    engine.dispose()


def test_f7_a_newer_schema_is_refused() -> None:
    url = new_database("old")
    open_database(url).dispose()
    need_server().run("UPDATE alembic_version SET version_num = '0999'", name="old")

    with pytest.raises(StoreError, match=rf"/old: schema version 0999 is newer than this release \({REVISION}\)"):
        open_database(url)


def test_b3_writers_take_turns_also_when_they_read_first(engine: Engine) -> None:
    count_up_at_once(engine)

    assert Papers(engine).source_states()[0].listed == 100


def test_announcements_get_numbers_in_the_order_of_commits(engine: Engine) -> None:
    begun, may_end = threading.Event(), threading.Event()
    row = {"paper_key": "arxiv:2611.00001", "source": "s", "version": 0, "stored_at": NOW}
    Papers(engine).record(Poll(source="t", verdict=Verdict.FRESH, entries=(an_entry(),)), NOW)

    def slow() -> None:
        with writing(engine) as connection:
            connection.execute(announcement.insert(), row)
            begun.set()
            may_end.wait(5)

    def quick() -> None:
        with writing(engine) as connection:
            connection.execute(announcement.insert(), {**row, "source": "u"})

    threads = [threading.Thread(target=slow), threading.Thread(target=quick)]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    threads[1].join(0.1)
    with reading(engine) as connection:
        assert connection.scalars(select(announcement.c.seq)).all() == [1], "the second waits for the first"
    may_end.set()
    for thread in threads:
        thread.join()

    with reading(engine) as connection:
        found = connection.execute(select(announcement.c.source).order_by(announcement.c.seq)).scalars().all()
    assert found == ["t", "s", "u"]


def test_a_reader_sees_one_state(engine: Engine) -> None:
    quiet(engine)
    with reading(engine) as connection:
        first = connection.scalar(text("SELECT listed FROM source"))
        Papers(engine).record(Poll(source="s", verdict=Verdict.FRESH, entries=(an_entry(),)), NOW)
        assert connection.scalar(text("SELECT listed FROM source")) == first == 0

    with reading(engine) as connection:
        assert connection.scalar(text("SELECT listed FROM source")) == 1


def test_f4_a_lock_for_ever_is_named(url: str, engine: Engine) -> None:
    impatient = open_database(f"{url}&options=-c%20lock_timeout%3D50ms")
    with writing(engine), pytest.raises(StoreError, match="locked by another process for too long") as caught:
        quiet(impatient)

    assert f"by paperround {os.getpid()}, server process " in caught.value.problem
    quiet(impatient)
    impatient.dispose()


def test_commits_are_durable_where_the_servers_are_not(engine: Engine) -> None:
    with writing(engine) as connection:
        ours = connection.scalar(text("SHOW synchronous_commit"))
    with engine.connect() as connection:
        assert (connection.scalar(text("SHOW synchronous_commit")), ours) == ("off", "on")


def test_f8_a_connection_that_ended_while_it_was_idle_is_made_anew(url: str, engine: Engine) -> None:
    quiet(engine)
    end_connections(url)

    quiet(engine)


def test_a18_a_connection_that_ends_in_a_transaction_is_a_store_error_and_nothing_is_kept(
    url: str, engine: Engine
) -> None:
    with pytest.raises(StoreError, match=r"the server was stopped|the connection broke") as caught:  # noqa: PT012, SIM117
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO host VALUES ('x.test', now())"))
            end_connections(url)
            connection.execute(text("SELECT 1"))

    assert "the same command goes on" in caught.value.hint
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM host")) == 0


def test_a18_the_server_dies_during_the_run_and_comes_back(engine: Engine) -> None:
    server = need_server()
    sent: list[int] = []

    def send() -> None:
        sent.append(1)
        server.stop(at_once=True)

    try:
        with pytest.raises(StoreError) as caught:
            a_morning(engine, send=send)
        assert caught.value.exit_code == 4
        with pytest.raises(StoreError, match="the server cannot be reached, or lets nobody in"):
            quiet(engine)
    finally:
        server.start()

    ledger = SqlLedger(engine)
    # synchronous_commit is on in our transactions, but the server of the tests has no fsync; its process died, not the
    # machine.
    lost = ledger.recover(NOW + timedelta(hours=2))
    a_morning(engine, send=send)
    assert [state.state for state in lost] == ["uncertain"]
    assert sent == [1]


def test_f8_no_server(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the server cannot be reached, or lets nobody in") as caught:
        open_database(f"postgresql://digest:swordfish@/x?host={tmp_path}")

    assert caught.value.hint == "check that it runs, and DIGEST_DATABASE_URL"
    assert "swordfish" not in str(caught.value)


def test_f8_no_such_database_and_no_such_user(url: str) -> None:
    for bad in (make_url(url).set(database="nowhere"), make_url(url).set(username="nobody-here")):
        with pytest.raises(StoreError, match=r"lets nobody in \(.*FATAL.*does not exist"):
            open_database(bad.render_as_string(hide_password=False))


def test_f8_a_wrong_password(url: str) -> None:
    server = need_server()
    rules = server.folder / "data/pg_hba.conf"
    trusting = rules.read_text()
    server.run("DROP ROLE IF EXISTS ada", "CREATE ROLE ada LOGIN PASSWORD 'right'")
    try:
        rules.write_text(f"local all ada scram-sha-256\n{trusting}")
        server.run("SELECT pg_reload_conf()")
        os.kill(server.process.pid, signal.SIGHUP)
        wrong = make_url(url).set(username="ada", password="swordfish")
        with pytest.raises(StoreError, match="password authentication failed") as caught:
            wait_for_refusal(wrong.render_as_string(hide_password=False))
        assert "swordfish" not in str(caught.value)
    finally:
        rules.write_text(trusting)
        server.run("SELECT pg_reload_conf()")


def wait_for_refusal(url: str) -> None:
    """The server reads its rules anew in its own time; until then it trusts everybody, who then may do nothing."""
    for _ in range(50):
        try:
            open_database(url).dispose()
        except StoreError as error:
            if "this user may not" not in error.problem:
                raise


def test_f8_a_server_that_takes_no_writes(url: str) -> None:
    engine = open_database(f"{url}&options=-c%20default_transaction_read_only%3Don")

    assert Papers(engine).count() == 0
    with pytest.raises(StoreError, match="the server takes no writes") as caught:
        quiet(engine)
    assert "primary" in caught.value.hint
    engine.dispose()


def test_f8_a_deadlock_with_somebody_else_is_a_store_error(engine: Engine) -> None:
    quiet(engine)
    other = create_engine(engine.url)
    with pytest.raises(StoreError, match="another connection was in the way"):  # noqa: PT012, SIM117
        with other.connect() as theirs, writing(engine) as ours:
            theirs.execute(text("SET deadlock_timeout = '10s'"))
            ours.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            theirs.execute(text("LOCK TABLE source"))
            ours.execute(text("LOCK TABLE host"))
            thread = threading.Thread(target=theirs.execute, args=(text("LOCK TABLE host"),))
            thread.start()
            try:
                ours.execute(text("LOCK TABLE source"))
            finally:
                ours.rollback()
                thread.join()
    other.dispose()


def test_what_the_driver_refuses_is_not_taken_for_a_broken_connection(engine: Engine) -> None:
    with pytest.raises(StoreError, match=r"the database failed .*NUL") as caught, writing(engine) as connection:
        connection.execute(text("SELECT cast(:text AS text)"), {"text": "ada\0"})

    assert "ada" not in str(caught.value)


def test_errors_do_not_show_values(engine: Engine) -> None:
    quiet(engine)
    row = "INSERT INTO host VALUES ('ada@example.org', now())"
    with pytest.raises(StoreError) as caught, writing(engine) as connection:
        connection.execute(text(f"{row}, ('ada@example.org', now())"))

    assert "ada" not in str(caught.value)
    assert "duplicate key" in str(caught.value)


def test_what_is_for_files_only_is_left_to_the_server(engine: Engine, tmp_path: Path) -> None:
    write_marker(engine)
    check_marker(engine)
    assert is_same_file(engine)
    assert backup_daily(engine, now=NOW) is None
    for copy in (backup, lambda engine, file: export_private(engine, Keyring(b"x" * 16), file)):
        with pytest.raises(ConfigError, match="PostgreSQL's own program") as caught:
            copy(engine, tmp_path / "copy")
        assert caught.value.hint.startswith(f"pg_dump --format=custom --file={tmp_path}/copy --host=")
        assert caught.value.hint.endswith("--dbname=shared")
    assert list(tmp_path.iterdir()) == []


def test_f6_what_was_sent_may_be_assumed(engine: Engine) -> None:
    a_morning(engine, 1)

    assert assume_sent(engine, [SubscriberId("ben")], NOW.date(), NOW) == 2

    assert [SqlLedger(engine).owed_since(SubscriberId(name)) for name in ("ada", "ben")] == [1, 1]


def end_connections(url: str) -> None:
    need_server().run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{make_url(url).database}' AND pid <> pg_backend_pid()"
    )
