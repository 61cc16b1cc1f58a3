"""What is looked at on this machine."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from digest.doctor import Finding, Level, examine, exit_code
from digest.doctor.machine import (
    look_at_clock,
    look_at_database,
    look_at_disk,
    look_at_files,
    look_at_secret,
    look_at_zones,
    read_date,
    zone_data,
)
from digest.errors import ConfigError, StoreError
from digest.store.database import open_database

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("off", "level"),
    [
        (timedelta(minutes=4), Level.OK),
        (timedelta(minutes=-6), Level.WARNING),
        (timedelta(minutes=59), Level.WARNING),
        (timedelta(minutes=-61), Level.ERROR),
        (timedelta(days=400), Level.ERROR),
    ],
)
def test_the_clock(off: timedelta, level: Level) -> None:
    [finding] = look_at_clock(NOW + off, NOW, "export.test")

    assert finding.level is level
    if level is not Level.OK:
        assert ("ahead of" in finding.found) is (off > timedelta())


@contextmanager
def a_server_that_says(date: str) -> Iterator[str]:
    """Answers HEAD with this date; anything else is no matter here."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", date)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("Fri, 20 Nov 2026 08:00:00 GMT", NOW),
        ("yesterday", None),
        ("", None),
        ("Fri, 20 Nov 2026 08:00:00 -0000", None),
    ],
)
def test_a_date_is_what_a_server_says(said: str, date: datetime | None) -> None:
    with a_server_that_says(said) as url:
        assert read_date(f"{url}/rss/cs.CL?x#y") == date
    assert read_date(url) is None


def test_zone_data_are_the_systems_or_the_packages(tmp_path: Path) -> None:
    (tmp_path / "Etc").mkdir()
    (tmp_path / "Etc/UTC").touch()
    (tmp_path / "tzdata.zi").write_text("# version 2025b\nR A 1916 o - Jun 14 23s 1 S\n")

    assert zone_data(["/nowhere", str(tmp_path)]) == (str(tmp_path), "2025b")
    used, release = zone_data([])
    assert used == "package tzdata"
    assert release[:2] == "20"
    assert release[4].isalpha()


def test_old_zone_data_are_told() -> None:
    zones = [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")]

    [now] = look_at_zones(zones, NOW)
    [later] = look_at_zones(zones, NOW + timedelta(days=3650))

    assert "2 in use" in now.found
    assert later.level is Level.WARNING


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_database_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    [finding] = look_at_database(url(tmp_path / "var/digest.sqlite3"), NOW)

    assert finding.level is Level.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["nothing", "a new database", "an old release's"])
def test_a_database_that_is_lost_is_an_error(tmp_path: Path, left: str) -> None:
    path = tmp_path / "digest.sqlite3"
    Path(f"{path}.last").write_text('{"edition": 3, "accepted": 3, "date": "2026-11-19"}')
    if left != "nothing":
        open_database(url(path)).dispose()
    if left == "an old release's":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(StoreError, match="the ledger is empty, but the marker") as caught:
        list(look_at_database(url(path), NOW))

    assert (caught.value.where, path.exists()) == (str(path), left != "nothing")


def test_a_database_in_order(tmp_path: Path) -> None:
    path = tmp_path / "digest.sqlite3"
    open_database(url(path)).dispose()
    before = path.read_bytes()

    [finding] = look_at_database(url(path), NOW)

    assert finding.level is Level.OK
    assert "up to date" in finding.found
    assert path.read_bytes() == before


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 400)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def _damaged(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize("spoil", [_garbage, _newer, _damaged])
def test_a_database_that_cannot_be_used_is_an_error_with_a_hint(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "digest.sqlite3"
    open_database(url(path)).dispose()
    assert callable(spoil)
    spoil(path)

    [finding] = examine([("database", lambda: look_at_database(url(path), NOW))])

    assert finding.level is Level.ERROR
    assert str(path) in finding.found
    assert finding.hint


def test_a_run_that_did_not_come_for_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "digest.sqlite3"
    open_database(url(path)).dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO source (name, verdict, polled_at, listed, new, merged, seen, took_s, problem)"
            " VALUES ('arxiv', 'fresh', '2026-11-17 08:00:00.000000', 1, 1, 0, 0, 1.0, '')"
        )

    _, soon = look_at_database(url(path), NOW)
    _, late = look_at_database(url(path), NOW + timedelta(days=2))

    assert (soon.check, soon.level) == ("last run", Level.OK)
    assert late.level is Level.WARNING
    assert "2026-11-17 at 08:00 UTC" in late.found


def test_the_disk(tmp_path: Path) -> None:
    [finding] = look_at_disk(url(tmp_path / "not/yet/digest.sqlite3"))

    assert str(tmp_path) in finding.found
    assert list(look_at_disk("postgresql://user:word@host/name")) == []


def test_files_that_others_may_read(tmp_path: Path) -> None:
    secret, shown = tmp_path / ".env", tmp_path / "subscribers.yaml"
    for path, mode in ((secret, 0o600), (shown, 0o644)):
        path.touch()
        path.chmod(mode)

    tmp_path.chmod(0o700)
    [closed] = look_at_files([secret, shown, tmp_path / "missing"])

    assert closed.level is Level.OK


def test_files_in_an_open_folder(open_folder: Path) -> None:
    secret, shown = open_folder / ".env", open_folder / "subscribers.yaml"
    for path, mode in ((secret, 0o640), (shown, 0o644)):
        path.touch()
        path.chmod(mode)

    [finding] = look_at_files([secret, shown])

    assert finding.level is Level.WARNING
    assert finding.hint == f"chmod o-rwx {shown}"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Where everyone may look, which pytest's own folders are not."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@pytest.mark.parametrize(
    ("secret", "level"),
    [
        (None, Level.OK),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Level.WARNING),
        ("qwertzuiopasdfgh", Level.WARNING),
        ("2q9JYkFv0sWm4nB7xZcR1tLh", Level.OK),
    ],
)
def test_the_secret(secret: str | None, level: Level) -> None:
    [finding] = look_at_secret(secret)

    assert finding.level is level
    assert secret is None or secret not in finding.found + finding.hint


def test_one_look_that_fails_hides_no_other() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("one", Level.WARNING, "half of it")
        raise KeyError("ana@readers.test")

    def refused() -> Iterator[Finding]:
        yield from ()
        raise ConfigError("is wrong", where="DIGEST_X", hint="set it")

    def fine() -> Iterator[Finding]:
        yield Finding("three", Level.OK, "fine")

    findings = list(examine([("one", broken), ("two", refused), ("three", fine)]))

    assert findings == [
        Finding("one", Level.WARNING, "half of it"),
        Finding("one", Level.ERROR, "the check itself failed (KeyError)", "please report it"),
        Finding("two", Level.ERROR, "DIGEST_X: is wrong", "set it"),
        Finding("three", Level.OK, "fine"),
    ]
    assert exit_code(findings) == 2
    assert exit_code(findings[:1]) == 1
    assert exit_code(findings[3:]) == exit_code([]) == 0
