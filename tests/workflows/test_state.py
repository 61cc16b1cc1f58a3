"""The ledger between runs: what is published comes back, and what cannot be restored or saved stops the next run."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.workflows.site import CANARY, SECRET, Site, deliveries, details, write

DAMAGED = gzip.compress(b"SQLite format 3\0" + b"\xff" * 5000)
STATE = "digest-state"
HOLD = "digest-state-hold"


def ledger(site: Site) -> Path:
    return site.clone / "var" / "digest.sqlite3"


def note(site: Site) -> str:
    return site.at_origin("show", f"{HOLD}:README.md").decode()


def save(site: Site, *texts: str, **env: str) -> None:
    """A whole run."""
    restored = site.state("restore", **env)
    assert restored.returncode == 0, restored.stderr
    write(site.clone, *texts)
    saved = site.state("save", **env)
    assert saved.returncode == 0, saved.stderr
    site.forget()


def test_while_a_run_may_send_no_other_begins(site: Site) -> None:
    other = site.new_clone("other")
    run = {"GITHUB_REPOSITORY": "me/digest", "GITHUB_RUN_ID": "4711"}
    assert site.state("restore", **run).returncode == 0
    assert HOLD in site.branches()

    refused = site.state("restore", other)

    assert refused.returncode == 4
    assert "https://github.com/me/digest/actions/runs/4711 may have sent" in refused.stderr
    assert not (other / "var").exists()
    write(site.clone, "sent")
    assert site.state("save").returncode == 0
    assert site.branches() == [STATE, "main"]
    assert site.state("restore", other).returncode == 0
    assert details(other / "var" / "digest.sqlite3") == ["sent"]


def test_a_machine_that_dies_while_sending_holds_the_next_run(site: Site) -> None:
    save(site, "monday")
    site.state("restore")
    write(site.clone, "tuesday, half sent")
    site.forget()

    assert site.state("restore").returncode == 4
    assert site.state("save").returncode == 0, "it saves nothing, and does not lift a hold that is not its own"
    assert HOLD in site.branches()
    site.at_origin("update-ref", "-d", f"refs/heads/{HOLD}")
    assert site.state("restore").returncode == 0
    assert details(ledger(site)) == ["monday"]


def test_a_run_that_only_looks_holds_nobody_off(site: Site) -> None:
    save(site, "sent")

    done = site.state("look")

    assert done.returncode == 0, done.stderr
    assert details(ledger(site)) == ["sent"]
    write(site.clone, "never sent")
    assert site.state("save").returncode == 0
    assert b"never sent" not in site.published()
    assert site.branches() == [STATE, "main"]


def test_the_write_ahead_log_is_saved_too(site: Site, tmp_path: Path) -> None:
    site.state("restore")
    file = write(site.clone, "first")
    with closing(sqlite3.connect(file)) as busy:
        busy.execute("INSERT INTO delivery VALUES ('ana', 'in the log')")
        busy.commit()
        assert file.with_name(file.name + "-wal").stat().st_size
        assert site.state("save").returncode == 0

    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(site.published())
    assert details(copy) == ["first", "in the log"]


def test_each_save_replaces_the_only_commit_and_comes_back(site: Site) -> None:
    save(site, "monday", "Contact: author@university.example, who is no reader")
    save(site, "tuesday")

    assert site.at_origin("rev-list", "--count", STATE) == b"1\n"
    assert "nothing to save" in site.state("save").stdout
    site.state("restore")
    assert [text[:7] for text in details(ledger(site))] == ["monday", "Contact", "tuesday"]
    assert [file.name for file in (site.clone / "var").iterdir()] == ["digest.sqlite3"]


def test_a_first_run_that_made_no_ledger_saves_none(site: Site) -> None:
    done = site.state("restore", GH_TOKEN="hush")

    assert (done.returncode, "first run" in done.stdout) == (0, True)
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "::add-mask::" not in line)
    assert "hush" not in said
    assert "hush" not in (site.clone / ".git" / "config").read_text()
    assert list((site.clone / "var").iterdir()) == []
    assert site.state("save").returncode == 0
    assert site.branches() == ["main"]


def test_a_branch_that_is_gone_is_no_first_run(site: Site) -> None:
    save(site, "sent")
    site.at_origin("update-ref", "-d", f"refs/heads/{STATE}")

    refused = site.state("restore")

    assert refused.returncode == 4
    assert "digest-state is gone" in refused.stderr
    assert HOLD not in site.branches()
    site.at_origin("tag", "-d", "digest-state-began")
    assert "first run" in site.state("restore").stdout


def test_an_origin_out_of_reach_stops_the_job(site: Site) -> None:
    site.origin.rename(site.origin.with_name("away.git"))

    done = site.state("restore")

    assert done.returncode == 4
    assert "::error" in done.stderr
    assert "trying again" in done.stdout


def test_an_origin_that_refuses_writes_stops_the_job_before_it_sends(site: Site) -> None:
    site.git("config", "remote.origin.receivepack", "false")

    done = site.state("restore")

    assert done.returncode == 4
    assert "git push" in done.stderr


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"digest.sqlite3.gz": b"no gzip"}, id="gzip"),
        pytest.param({"digest.sqlite3.gz": gzip.compress(b"no database")}, id="file"),
        pytest.param({"digest.sqlite3.gz": DAMAGED}, id="pages"),
        pytest.param({"other": b""}, id="missing"),
    ],
)
def test_a_damaged_ledger_stops_the_job(site: Site, files: dict[str, bytes]) -> None:
    site.push(files, STATE)

    done = site.state("restore")

    assert done.returncode == 4
    assert "::error title=The ledger::" in done.stderr
    assert not ledger(site).exists()
    assert HOLD not in site.branches(), "each run finds the same, and says so"


def test_a_ledger_with_an_address_is_not_published_and_holds_the_next_run(site: Site) -> None:
    site.state("restore")
    write(site.clone, f"550 5.1.1 <{CANARY.lower()}> unknown")

    done = site.state("save")

    assert done.returncode == 4
    assert "delivery.detail" in done.stderr
    assert site.branches() == [HOLD, "main"]
    assert site.at_origin("ls-tree", "--name-only", HOLD) == b"README.md\n"
    assert "on hold" in note(site)
    assert CANARY.lower() not in (done.stdout + done.stderr + note(site)).lower()
    site.forget()
    assert "delivery.detail" in site.state("restore").stderr


def test_a_hold_that_was_lifted_too_early_loses_neither_ledger(site: Site) -> None:
    other = site.new_clone("other")
    site.state("restore")
    site.at_origin("update-ref", "-d", f"refs/heads/{HOLD}")
    site.state("restore", other)
    write(site.clone, "mine")
    write(other, "theirs")
    assert site.state("save", other).returncode == 0

    done = site.state("save")

    assert done.returncode == 4
    assert "another run" in done.stderr
    assert b"theirs" in site.published()
    assert b"mine" in site.published(HOLD)
    site.forget()
    assert site.state("restore").returncode == 4


def test_a_save_is_tried_again(site: Site) -> None:
    site.state("restore")
    write(site.clone, "sent")
    site.refuse_pushes('[ -e "$GIT_DIR/tried" ] && exit 0\ntouch "$GIT_DIR/tried"; exit 1')

    done = site.state("save")

    assert done.returncode == 0, done.stderr
    assert "trying again" in done.stdout
    assert b"sent" in site.published()
    assert site.branches() == [STATE, "main"]


def test_an_origin_that_is_lost_while_sending_finds_the_hold_when_it_is_back(site: Site) -> None:
    site.state("restore")
    write(site.clone, "sent")
    away = site.origin.rename(site.origin.with_name("away.git"))

    done = site.state("save")

    assert done.returncode == 4
    away.rename(site.origin)
    site.forget()
    assert site.state("restore").returncode == 4


def test_a_ledger_that_the_origin_refuses_still_holds_the_next_run(site: Site) -> None:
    site.state("restore")
    write(site.clone, "sent")
    site.refuse_pushes(
        "while read old new ref; do\n"
        'git ls-tree --name-only "$new" 2>/dev/null | grep -q gz && { echo "error: file too large" >&2; exit 1; }\n'
        "done; exit 0"
    )

    done = site.state("save")

    assert done.returncode == 4
    assert "file too large" in done.stderr
    assert "file too large" in note(site)
    site.forget()
    assert site.state("restore").returncode == 4


class TestWithASecret:
    def test_keyed_hashes_are_published_and_ids_come_back(self, site: Site, tmp_path: Path) -> None:
        save(site, "sent", DIGEST_SECRET=SECRET)

        assert b"vision-group" not in site.published()
        files = site.at_origin("ls-tree", "--name-only", STATE).decode().split()
        everything = b"".join(site.at_origin("show", f"{STATE}:{name}") for name in files)
        assert SECRET.encode() not in everything
        assert site.state("restore", DIGEST_SECRET=SECRET).returncode == 0
        assert deliveries(ledger(site)) == [("vision-group", "sent")]

    def test_a_ledger_from_before_there_was_one_is_taken_over(self, site: Site) -> None:
        save(site, "before")
        save(site, "after", DIGEST_SECRET=SECRET)

        assert b"vision-group" not in site.published()
        assert b"before" in site.published()

    @pytest.mark.parametrize("secret", ["", "another-secret-of-32-characters-"], ids=["none", "another"])
    def test_another_secret_is_told_apart_before_anybody_is_written_to(self, site: Site, secret: str) -> None:
        save(site, "sent", DIGEST_SECRET=SECRET)

        refused = site.state("restore", DIGEST_SECRET=secret)

        assert refused.returncode == 4
        assert "DIGEST_SECRET is not the one" in refused.stderr
        assert not ledger(site).exists()
        assert HOLD not in site.branches()

    def test_a_copy_that_still_has_ids_is_not_published(self, site: Site) -> None:
        site.state("restore", DIGEST_SECRET=SECRET)
        write(site.clone, "sent")
        (site.folder / "leaky").touch()

        done = site.state("save", DIGEST_SECRET=SECRET)

        assert done.returncode == 4
        assert "holds subscribers' ids" in done.stderr
        assert STATE not in site.branches()

    def test_the_program_is_given_no_list_and_no_token(self, site: Site) -> None:
        save(site, "sent", DIGEST_SECRET=SECRET, DIGEST_SUBSCRIBERS_YAML="a: b", GH_TOKEN="t", DIGEST_SMTP__PORT="")

        assert {line.partition(" | ")[2] for line in (site.folder / "calls").read_text().splitlines()} == {
            f"DIGEST_SECRET={SECRET}"
        }
