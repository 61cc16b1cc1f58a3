"""``digest db`` as an administrator meets it, after a disk died and on a quiet day."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.home import FRIDAY, SATURDAY, Home, announce, arxiv, ended, reader
from tests.collect.evil_http import EvilHttp
from tests.store.postgres import empty_database

FILE = "var/digest.sqlite3"


def sent(home: Home, folder: str) -> int:
    return len(list((home.folder / folder).glob("*.eml")))


def test_a_quiet_day(readers: Home) -> None:
    missing = readers.digest("db", "check")
    assert missing.code == 4
    assert "there is no such file" in missing.err
    assert readers.digest("collect", now=FRIDAY).code == 0

    fine = readers.digest("db", "check")
    assert (fine.code, fine.out, fine.err) == (0, f"{FILE}: no problems\n", "")
    assert json.loads(readers.digest("db", "check", "--json").out) == {"database": FILE, "problems": []}
    copied = readers.digest("db", "backup", "copy.sqlite3")
    assert (copied.code, copied.err) == (0, "")
    assert copied.out.splitlines() == [
        "copied into copy.sqlite3",
        f"keep {FILE}.secret as well: links in mail that was sent need it",
    ]
    lost = readers.digest("db", "backup", "subscribers.yaml")
    assert lost.code == 2
    assert "no backup, and would be lost" in lost.err
    with closing(sqlite3.connect(readers.folder / FILE)) as database, database:
        database.execute("DELETE FROM paper")
    bad = readers.digest("db", "check")
    assert bad.code == 4
    assert f"error {FILE}: row 1 of announcement belongs to a row of paper that is not there" in bad.err
    assert bad.last_line.startswith(f"{FILE}: ")

    back = readers.digest("db", "restore", "copy.sqlite3")
    assert (back.code, back.err) == (0, "")
    assert back.out.startswith(f"restored copy.sqlite3; before, it was {FILE}.replaced-")
    assert readers.digest("db", "check").code == 0
    assert json.loads(readers.digest("status", "--json").out)["papers"] == 2


def test_what_cannot_be_done_is_said(readers: Home) -> None:
    nothing = readers.digest("db", "restore")
    assert nothing.code == 2
    assert "no file is named" in nothing.err
    none = readers.digest("db", "restore", "nowhere.sqlite3")
    assert none.code == 4
    assert "nowhere.sqlite3: there is no such file" in none.err
    odd = readers.digest("db", "restore", "--assume-sent-until", "Friday")
    assert odd.code == 2
    assert "--assume-sent-until: 'Friday' is no date" in odd.err
    for day in ("2999-01-01", "1999-12-31"):
        slip = readers.digest("db", "restore", "--assume-sent-until", day)
        assert slip.code == 2
        assert f"--assume-sent-until: no mail went out on {day}\n  hint: name the last day" in slip.err
    readers.env["DIGEST_DATABASE_URL"] = "postgresql://digest:sword-canary@db.test/papers"
    server = readers.digest("db", "backup", "copy")
    assert server.code == 2
    assert "hint: pg_dump --format=custom --file=copy --host=db.test --dbname=papers" in server.err
    assert not (readers.folder / "copy").exists()


def test_f5_and_f6_a_lost_or_old_ledger_sends_nothing_until_it_is_said_what_was_sent(
    readers: Home, http: EvilHttp
) -> None:
    assert readers.run("--to-folder", "first").code == 0
    assert readers.digest("db", "backup", "copy.sqlite3").code == 0
    announce(http, 1, 2, 3)
    assert readers.run("--to-folder", "second", now=SATURDAY).code == 0
    assert (sent(readers, "first"), sent(readers, "second")) == (2, 2)

    old = readers.digest("db", "restore", "copy.sqlite3")
    assert old.code == 4
    assert re.search(r"2026-11-21 \(\d in all\); refusing to send those again", old.err)
    refused = readers.run("--to-folder", "third", now="2026-11-22T08:00")
    assert refused.code == 4
    assert "digest db restore --assume-sent-until 2026-11-21" in refused.err
    (readers.folder / FILE).unlink()
    for end in ("-wal", "-shm"):
        Path(f"{readers.folder / FILE}{end}").unlink(missing_ok=True)
    empty = readers.run("--to-folder", "third", now="2026-11-22T08:00")
    assert empty.code == 4
    assert "the ledger is empty" in empty.err
    assert sent(readers, "third") == 0
    status = readers.digest("status")
    assert status.code == 4
    assert "the ledger is empty, but the marker" in status.err
    assert "editions: no deliveries yet" in status.out

    readers.digest("db", "restore", "copy.sqlite3")
    assumed = readers.digest("db", "restore", "--assume-sent-until", "2026-11-21")
    assert (assumed.code, assumed.err) == (0, "")
    assert assumed.last_line == "everything until 2026-11-21 counts as sent, for 2 subscribers"
    assert readers.run("--to-folder", "third", now="2026-11-22T08:00").code == 0
    assert sent(readers, "third") == 0


def test_f6_nothing_is_assumed_where_the_sources_cannot_be_read(readers: Home, http: EvilHttp) -> None:
    assert readers.digest("collect", now=FRIDAY).code == 0
    readers.subscribe(reader("Ada"), sources=[arxiv(http, "/nowhere")])

    failed = readers.digest("db", "restore", "--assume-sent-until", "2026-11-21")
    assert failed.code == 1
    assert "Nothing was counted as sent" in failed.err
    anyway = readers.digest("db", "restore", "--assume-sent-until", "2026-11-21", "--no-collect")
    assert anyway.code == 0


def test_a_private_copy_names_nobody_and_comes_back_whole(readers: Home) -> None:
    assert readers.run("--to-folder", "first").code == 0
    done = readers.digest("db", "backup", "--private", "state.sqlite3")
    assert (done.code, done.err) == (0, "")
    held = subscribers_in(readers.folder / "state.sqlite3")
    assert len(held) == 2
    assert not held & {"ada", "ben"}

    assert readers.digest("db", "restore", "--private", "state.sqlite3").code == 0
    assert subscribers_in(readers.folder / FILE) == {"ada", "ben"}
    assert readers.run("--to-folder", "second").code == 0
    assert sent(readers, "second") == 0


def subscribers_in(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT subscriber_id FROM edition")}


def test_b3_runs_that_share_a_server_send_each_mail_once(readers: Home) -> None:
    readers.env["DIGEST_DATABASE_URL"] = empty_database()
    with readers.running("run", "--to-folder", "one", "--now", FRIDAY) as one:
        two = readers.run("--to-folder", "two")
        assert ended(one).code == 0

    assert two.code == 0
    assert sent(readers, "one") + sent(readers, "two") == 2
    states = json.loads(readers.digest("status", "--json").out)["editions"]
    assert [each["state"] for each in states] == ["accepted", "accepted"]
    assert readers.digest("db", "check").code == 0
