"""Disks, files and other processes do what they want: nothing is lost, and nothing is sent that was not written."""

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from digest.errors import ConfigError, StoreError
from digest.model import Poll, SubscriberId, Verdict
from digest.store.database import check_ledger, is_same_file, open_database, writing
from digest.store.files import kind_of_file_system, lock_holders, refuse_network
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from tests.builders import NOW, an_entry
from tests.store.mornings import a_morning, later

if sys.platform != "linux":
    pytest.skip("limits, mounts and locks as Linux has them", allow_module_level=True)

is_root = os.geteuid() == 0
ADA = SubscriberId("ada")
STATES = "SELECT id, state, attempts FROM edition ORDER BY id"


def quiet(engine: Engine) -> None:
    Papers(engine).record(Poll(source="s", verdict=Verdict.QUIET), NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digest.sqlite3"


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    """Whatever else the test's process does, it does not write or open files meanwhile."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@contextmanager
def as_nobody() -> Iterator[None]:
    if not is_root:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def copy_to(files: Sequence[Path], path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    for file in files:
        shutil.copy(file, path.parent)


def test_f1_whichever_write_is_the_first_to_fail_nothing_is_lost_or_sent_twice(
    url: str, path: Path, tmp_path: Path
) -> None:
    open_database(url).dispose()
    fresh = tmp_path / "fresh" / path.name
    fresh.parent.mkdir()
    path.rename(fresh)
    outcomes = []
    # The log grows by frames of 4120 bytes: each round has room for one more.
    for limit in range(32, 400_000, 4120):
        copy_to([fresh], path)
        outcomes.append(morning_with_room_for(limit, url))
        if outcomes[-1][0] is None:
            break

    errors = [error for error, *_ in outcomes[:-1]]
    assert len(errors) > 10
    assert {error.exit_code for error in errors if error} == {4}
    assert all("the disk " in error.problem and "the same command" in error.hint for error in errors if error)
    assert {(sent, state, known) for _, sent, state, known in outcomes} == {(1, "accepted", 3), (1, "uncertain", 3)}
    assert outcomes[-1][2] == "accepted"


def morning_with_room_for(limit: int, url: str) -> tuple[StoreError | None, int, str, int]:
    """What failed; and after the disk has room again: how many mails went out, what the ledger says, what is known."""
    engine = open_database(url)
    sent: list[int] = []
    failed = None
    try:
        with limited(resource.RLIMIT_FSIZE, limit):
            a_morning(engine, send=lambda: sent.append(1))
    except StoreError as error:
        failed = error
    check_ledger(engine)
    # A claim that died is left alone for a while.
    a_morning(engine, send=lambda: sent.append(1), now=NOW + timedelta(hours=12))
    (state,) = SqlLedger(engine).editions()
    known = Papers(engine).latest_seq()
    engine.dispose()
    return failed, len(sent), state.state, known


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        not is_root
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a disk of one's own needs the right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_f1_a_full_disk_is_named_and_work_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    engine = open_database(f"sqlite:///{small_disk}/digest.sqlite3")
    papers = Papers(engine)

    def fill() -> None:
        for start in range(papers.latest_seq() + 1, 1000, 100):
            entries = tuple(an_entry(n) for n in range(start, start + 100))
            papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=entries), NOW)

    with pytest.raises(StoreError, match=r"digest\.sqlite3: the disk is full") as caught:
        fill()
    assert "free some space" in caught.value.hint
    assert papers.latest_seq() % 100 == 0
    check_ledger(engine)

    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    fill()
    assert papers.latest_seq() == papers.count() >= 1000
    engine.dispose()


def test_f2_a_disk_that_may_only_be_read(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/digest.sqlite3"
    open_database(url).dispose()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(StoreError, match=r"cannot be (written|opened)") as caught:
        quiet(open_database(url))
    assert "permissions" in caught.value.hint


def test_f2_no_more_files_can_be_opened(url: str) -> None:
    open_database(url).dispose()
    free = os.dup(0)
    os.close(free)
    with limited(resource.RLIMIT_NOFILE, free), pytest.raises(StoreError) as caught:
        open_database(url)

    assert caught.value.exit_code == 4
    open_database(url).dispose()


def test_f2_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_database(f"sqlite:///{tmp_path}")
    assert caught.value.where == str(tmp_path)


def test_f2_a_file_where_its_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be written"):
        open_database(f"sqlite:///{tmp_path}/file/digest.sqlite3")


def test_f2_not_for_us() -> None:
    # Not in pytest's folder, which others cannot enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        url = f"sqlite:///{folder}/digest.sqlite3"
        open_database(url).dispose()
        (folder / "digest.sqlite3").chmod(0o444)
        if not is_root:
            folder.chmod(0o555)
        with as_nobody(), pytest.raises(StoreError, match=r"cannot be (written|opened)") as caught:
            quiet(open_database(url))
        with as_nobody(), pytest.raises(StoreError, match="cannot be written \\(Permission denied\\)"):
            open_database(f"sqlite:///{folder}/other.sqlite3")
        folder.chmod(0o755)

    assert "permissions" in caught.value.hint


def test_f3_not_a_database(path: Path, url: str) -> None:
    path.write_text("name: Ada\n" * 500)

    with pytest.raises(StoreError, match="the file is no database"):
        open_database(url)


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_f3_damage_is_either_harmless_or_a_store_error(url: str, path: Path, tmp_path: Path, end: str) -> None:
    engine = open_database(url)
    a_morning(engine, *range(1, 40))
    kept = tmp_path / "kept"
    kept.mkdir()
    # Copied while it is open: the log is not yet part of the file.
    files = [Path(shutil.copy(f"{path}{each}", kept)) for each in (("", "-wal", "-shm") if end else ("",))]
    engine.dispose()
    if not end:
        files = [Path(shutil.copy(path, kept))]
    good = (kept / f"{path.name}{end}").read_bytes()
    chance = random.Random(7)
    noticed = 0
    for number in range(30 if not end else 12):
        copy_to(files, path)
        start = number * 8 if number < 8 else chance.randrange(len(good))
        Path(f"{path}{end}").write_bytes(good[:start] + chance.randbytes(300) + good[start + 300 :])
        try:
            engine = open_database(url)
        except StoreError:
            noticed += 1
            continue
        try:
            ledger = SqlLedger(engine)
            ledger.recover(NOW)
            # What the damaged log held may be gone as after a power cut; what is read is still a state that was.
            assert all(delivery.subscriber == ADA for delivery in ledger.claim(NOW, run="r"))
        except StoreError:
            noticed += 1
        finally:
            engine.dispose()

    assert noticed >= (5 if not end else 0)


def test_f3_an_overwritten_page_of_the_ledger_stops_the_run(url: str, path: Path) -> None:
    engine = open_database(url)
    a_morning(engine)
    engine.dispose()
    good = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'edition'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    path.write_bytes(good[: (page - 1) * size] + b"\xff" * size + good[page * size :])

    with pytest.raises(StoreError, match="the file is damaged") as caught:
        open_database(url)
    assert "digest db restore" in caught.value.hint


def test_a14_wherever_a_power_cut_ends_the_log_the_ledger_is_one_that_was(url: str, path: Path, tmp_path: Path) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    states: list[list[tuple[int, str, int]]] = []
    with closing(sqlite3.connect(path)) as watcher:
        event.listen(engine, "commit", lambda _: states.append(watcher.execute(STATES).fetchall()))
        for day in range(2):
            a_morning(engine, day + 1, now=later(day))
        states.append(watcher.execute(STATES).fetchall())
        whole, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    engine.dispose()
    cut = tmp_path / "cut.sqlite3"
    reached = 0
    for size in range(0, len(log) + 512, 512):
        cut.write_bytes(whole)
        Path(f"{cut}-wal").write_bytes(log[:size])
        with closing(sqlite3.connect(cut)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            found = connection.execute(STATES).fetchall()
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert found in states[reached:], size
        reached += states[reached:].index(found)

    assert len(log) > 100 * 512
    assert found == states[-1]
    assert [state for _, state, _ in found] == ["accepted"] * 2
    open_database(f"sqlite:///{cut}").dispose()


def test_f4_a_lock_that_ends_in_time_is_waited_for(engine: Engine, path: Path) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, other.rollback)
        timer.start()
        quiet(engine)
        timer.join()

    assert [state.last_good_at for state in Papers(engine).source_states()] == [NOW]


def test_f4_a_lock_for_ever_is_named_with_who_holds_it(engine: Engine, url: str, path: Path) -> None:
    impatient = open_database(f"{url}?timeout=0.1")
    hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", f"{hold}; sys.stdin.read()", path], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(StoreError, match="locked by another process") as caught:
            quiet(impatient)
        other.communicate()

    assert caught.value.where == str(path)
    if shown_in_proc_locks():
        assert f": by process {other.pid}" in caught.value.problem
    quiet(impatient)
    impatient.dispose()


def shown_in_proc_locks() -> bool:
    """Whether this system shows locks there: some kinds of containers do not."""
    import fcntl

    with tempfile.NamedTemporaryFile() as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        return f":{os.fstat(file.fileno()).st_ino} " in Path("/proc/locks").read_text()


def test_who_holds_no_lock_is_not_named(engine: Engine, path: Path) -> None:
    quiet(engine)
    assert lock_holders(path) == []
    assert lock_holders(path.with_name("none")) == []


def test_f5_deleted_during_the_run(engine: Engine, url: str, path: Path) -> None:
    sent: list[int] = []
    assert is_same_file(engine)
    a_morning(engine, 1, send=lambda: sent.append(1))
    path.unlink()

    assert not is_same_file(engine)
    with pytest.raises(StoreError, match="the file was deleted or replaced during the run"):
        a_morning(engine, 2, send=lambda: sent.append(1), now=later(1))
    assert len(sent) == 1


def test_f5_replaced_during_the_run(engine: Engine, url: str, path: Path, tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/other.sqlite3").dispose()
    quiet(engine)
    (tmp_path / "other.sqlite3").replace(path)

    assert not is_same_file(engine)
    with pytest.raises(StoreError, match="deleted or replaced") as caught, writing(engine):
        raise AssertionError("nothing may be written")
    assert "put it back" in caught.value.hint


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt rw - ext4 /dev/vdb rw
31 30 0:41 / /mnt/my\\040share rw,relatime shared:7 - nfs4 server:/x rw,vers=4.2
32 22 0:42 / /home/ada/remote rw - fuse.sshfs ada@server: rw
33 31 0:43 / /mnt/my\\040share/local rw - xfs /dev/vdc rw
34 22 0:44 / /win rw - ext4 /dev/vdd rw
35 34 0:45 / /win rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/var/digest.sqlite3", "ext4"),
        ("/mnt/digest.sqlite3", "ext4"),
        ("/mnt/my share/a/digest.sqlite3", "nfs4"),
        ("/mnt/my shared/digest.sqlite3", "ext4"),
        ("/mnt/my share/local/digest.sqlite3", "xfs"),
        ("/home/ada/remote/digest.sqlite3", "fuse.sshfs"),
        ("/win/digest.sqlite3", "cifs"),
    ],
)
def test_b4_the_file_system_of_a_path(name: str, kind: str) -> None:
    assert kind_of_file_system(Path(name), MOUNTS) == kind
    if kind in ("ext4", "xfs"):
        refuse_network(Path(name), MOUNTS)
    else:
        with pytest.raises(ConfigError, match="network's file system") as caught:
            refuse_network(Path(name), MOUNTS)
        assert "?network=1" in caught.value.hint


def test_b4_without_a_table_of_mounts_nothing_is_refused() -> None:
    refuse_network(Path("/x"), "")
    refuse_network(Path("/x"), "this is\nno - table")


def test_b4_a_network_may_be_meant(url: str) -> None:
    engine = open_database(f"{url}?network=1")
    quiet(engine)
    engine.dispose()
