"""The workflows' scripts, run for real against a bare repository, and the sending job step by step."""

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / ".github" / "scripts"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CANARY = "Canary.Reader@vision.example.org"
SECRETS = f"# readers\n\nVISION_GROUP_EMAIL={CANARY}\nANA_EMAIL=ana@example.com\n"
DAMAGED = gzip.compress(b"SQLite format 3\0" + b"\xff" * 5000)


class Site:
    """A clone of an empty bare origin, with the scripts at hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "STATE_PAUSES_S": "0 0",
            "GITHUB_ENV": str(folder / "github_env"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "DIGEST_ADDRESSES": SECRETS,
        }
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin), cwd=folder)
        self.clone = self.new_clone("clone")
        self.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--allow-empty", "-m", "start")
        self.git("push", "--quiet", "origin", "HEAD:main")

    def new_clone(self, name: str) -> Path:
        self.git("clone", "--quiet", str(self.origin), name, cwd=self.folder)
        return self.folder / name

    def git(self, *words: str, cwd: Path | None = None) -> bytes:
        done = subprocess.run(["git", *words], cwd=cwd or self.clone, env=self.env, check=True, capture_output=True)
        return done.stdout

    def script(self, name: str, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-B", str(SCRIPTS / name), *words],
            cwd=cwd or self.clone,
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self, command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return self.script("state.py", command, "var/digest.sqlite3", cwd=cwd, **env)

    def published(self, branch: str = "digest-state") -> bytes:
        return gzip.decompress(self.git("--git-dir", str(self.origin), "show", f"{branch}:digest.sqlite3.gz"))

    def branches(self) -> list[str]:
        listed = self.git("--git-dir", str(self.origin), "for-each-ref", "--format=%(refname:short)")
        return listed.decode().split()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write(clone: Path, *texts: str) -> Path:
    file = clone / "var" / "digest.sqlite3"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS delivery (detail)")
        connection.executemany("INSERT INTO delivery VALUES (?)", [(text,) for text in texts])
    return file


def details(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [text for (text,) in connection.execute("SELECT detail FROM delivery")]


def forget(clone: Path) -> None:
    shutil.rmtree(clone / "var")


class TestState:
    def test_without_the_branch_it_is_the_first_run(self, site: Site) -> None:
        done = site.state("restore")

        assert done.returncode == 0
        assert "first run" in done.stdout
        assert list((site.clone / "var").iterdir()) == []
        assert site.branches() == ["main"]

    def test_what_was_saved_comes_back_byte_for_byte(self, site: Site) -> None:
        site.state("restore")
        write(site.clone, "sent")
        assert site.state("save").returncode == 0
        saved = site.published()
        forget(site.clone)

        done = site.state("restore")

        assert done.returncode == 0, done.stderr
        assert (site.clone / "var" / "digest.sqlite3").read_bytes() == saved
        assert [file.name for file in (site.clone / "var").iterdir()] == ["digest.sqlite3"]
        assert details(site.clone / "var" / "digest.sqlite3") == ["sent"]

    def test_the_write_ahead_log_is_saved_too(self, site: Site, tmp_path: Path) -> None:
        site.state("restore")
        file = write(site.clone, "first")
        with closing(sqlite3.connect(file)) as busy:
            busy.execute("INSERT INTO delivery VALUES ('in the log')")
            busy.commit()
            assert file.with_name(file.name + "-wal").stat().st_size
            assert site.state("save").returncode == 0

        copy = tmp_path / "copy.sqlite3"
        copy.write_bytes(site.published())
        assert details(copy) == ["first", "in the log"]

    def test_a_second_save_replaces_the_only_commit(self, site: Site) -> None:
        site.state("restore")
        write(site.clone, "monday")
        site.state("save")
        forget(site.clone)
        site.state("restore")
        write(site.clone, "tuesday")

        done = site.state("save")

        assert done.returncode == 0, done.stderr
        assert site.git("--git-dir", str(site.origin), "rev-list", "--count", "digest-state") == b"1\n"
        forget(site.clone)
        site.state("restore")
        assert details(site.clone / "var" / "digest.sqlite3") == ["monday", "tuesday"]

    def test_a_run_that_made_no_ledger_saves_none(self, site: Site) -> None:
        site.state("restore")

        assert site.state("save").returncode == 0
        assert site.branches() == ["main"]

    def test_an_origin_out_of_reach_stops_the_job(self, site: Site) -> None:
        site.origin.rename(site.origin.with_name("away.git"))

        done = site.state("restore")

        assert done.returncode == 4
        assert "::error" in done.stderr
        assert "trying again" in done.stdout

    def test_an_origin_that_refuses_writes_stops_the_job_before_it_sends(self, site: Site) -> None:
        site.git("config", "remote.origin.receivepack", "false")

        done = site.state("restore")

        assert done.returncode == 4
        assert "git push" in done.stderr

    @pytest.mark.parametrize(
        "data", [b"no gzip", gzip.compress(b"no database"), DAMAGED], ids=["gzip", "file", "pages"]
    )
    def test_a_damaged_ledger_stops_the_job(self, site: Site, data: bytes, tmp_path: Path) -> None:
        other = site.new_clone("other")
        (other / "digest.sqlite3.gz").write_bytes(data)
        site.git("add", ".", cwd=other)
        site.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "damage", cwd=other)
        site.git("push", "--quiet", "origin", "HEAD:digest-state", cwd=other)

        done = site.state("restore")

        assert done.returncode == 4
        assert not (site.clone / "var" / "digest.sqlite3").exists()

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(f"550 5.1.1 <{CANARY}> unknown", id="in a reply"),
            pytest.param(CANARY.lower(), id="in lower case"),
        ],
    )
    def test_a_ledger_with_an_address_is_not_published_and_holds_the_next_run(self, site: Site, text: str) -> None:
        site.state("restore")
        write(site.clone, text)

        done = site.state("save")

        assert done.returncode == 4
        assert "delivery.detail" in done.stderr
        assert sorted(site.branches()) == ["digest-state-hold", "main"]
        assert CANARY.lower() not in (done.stdout + done.stderr).lower()
        note = site.git("--git-dir", str(site.origin), "show", "digest-state-hold:README.md").decode()
        assert "on hold" in note
        assert CANARY.lower() not in note.lower()
        forget(site.clone)
        assert "digest-state-hold" in site.state("restore").stderr

    def test_an_authors_address_in_an_abstract_is_no_readers_address(self, site: Site) -> None:
        site.state("restore")
        write(site.clone, "Contact: author@university.example")

        assert site.state("save").returncode == 0

    def test_two_runs_at_once_lose_neither_ledger(self, site: Site) -> None:
        other = site.new_clone("other")
        site.state("restore")
        site.state("restore", cwd=other)
        write(site.clone, "mine")
        write(other, "theirs")
        assert site.state("save", cwd=other).returncode == 0

        done = site.state("save")

        assert done.returncode == 4
        assert "another run" in done.stderr
        assert b"theirs" in site.published()
        assert b"mine" in site.published("digest-state-hold")
        forget(site.clone)
        assert site.state("restore").returncode == 4

    def test_a_save_is_tried_again(self, site: Site) -> None:
        site.state("restore")
        write(site.clone, "sent")
        hook = site.origin / "hooks" / "pre-receive"
        hook.write_text('#!/bin/sh\n[ -e "$GIT_DIR/tried" ] && exit 0\ntouch "$GIT_DIR/tried"; exit 1\n')
        hook.chmod(0o755)

        done = site.state("save")

        assert done.returncode == 0, done.stderr
        assert "trying again" in done.stdout
        assert b"sent" in site.published()

    def test_a_ledger_that_the_origin_refuses_still_holds_the_next_run(self, site: Site) -> None:
        site.state("restore")
        write(site.clone, "sent")
        hook = site.origin / "hooks" / "pre-receive"
        hook.write_text(
            "#!/bin/sh\nread old new ref\n"
            'git ls-tree --name-only "$new" | grep -q gz && { echo "error: file too large" >&2; exit 1; }\nexit 0\n'
        )
        hook.chmod(0o755)

        done = site.state("save", STATE_PAUSES_S="0 0")

        assert done.returncode == 4
        assert "file too large" in done.stderr
        assert "digest-state-hold" in site.branches()
        forget(site.clone)
        assert site.state("restore", STATE_PAUSES_S="0 0").returncode == 4

    def test_the_token_is_shown_nowhere(self, site: Site) -> None:
        done = site.state("restore", GH_TOKEN="hush")

        assert done.returncode == 0
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "::add-mask::" not in line)
        assert "hush" not in said
        assert "hush" not in (site.clone / ".git" / "config").read_text()


class TestAddresses:
    def test_each_address_is_masked_and_exported(self, site: Site) -> None:
        (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")

        done = site.script("addresses.py", "export", "subscribers.yaml")

        assert done.returncode == 0, done.stderr
        masked = [line.removeprefix("::add-mask::") for line in done.stdout.splitlines()]
        assert set(masked) >= {CANARY, CANARY.lower(), CANARY.replace("@", "%2540"), "ana@example.com"}
        assert exported(site) == {"VISION_GROUP_EMAIL": CANARY, "ANA_EMAIL": "ana@example.com"}

    def test_addresses_in_the_secret_subscribers_file_are_masked(self, site: Site) -> None:
        text = "subscribers:\n  - name: Zoe\n    email: 'zoe@example.net'  # or <z@example.net>"

        done = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_SUBSCRIBERS_YAML=text)

        assert "::add-mask::zoe@example.net" in done.stdout.splitlines()
        assert "::add-mask::z@example.net" in done.stdout.splitlines()
        file = site.clone / "subscribers.yaml"
        assert file.read_text() == text + "\n"
        assert file.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("somebody.secret@example.org", id="no name"),
            pytest.param("name=somebody.secret@example.org", id="name in small letters"),
            pytest.param("A_EMAIL=somebody.secret", id="no address"),
            pytest.param("A_EMAIL=somebody.secret@example.org, b@example.org", id="two addresses"),
            pytest.param("A_EMAIL=Secret <somebody.secret@example.org>", id="a display name"),
            pytest.param("VISION_GROUP_EMAIL=somebody.secret@example.org", id="a name twice"),
            pytest.param("PATH=somebody.secret@example.org", id="a variable of the machine"),
            pytest.param("PYTHONPATH=somebody.secret@example.org", id="a variable that changes Python"),
            pytest.param("DIGEST_SENDER=somebody.secret@example.org", id="a setting"),
        ],
    )
    def test_a_malformed_line_is_named_by_number_only(self, site: Site, line: str) -> None:
        done = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_ADDRESSES=f"{SECRETS}{line}\n")

        assert done.returncode == 2
        assert "line 5" in done.stderr
        assert "secret@" not in (done.stdout + done.stderr).lower()
        assert "somebody" not in done.stdout + done.stderr
        assert not (site.folder / "github_env").exists()

    def test_a_committed_address_is_refused_by_line(self, site: Site) -> None:
        (site.clone / "subscribers.yaml").write_text(f"subscribers:\n  - email: {CANARY}\n")

        done = site.script("addresses.py", "export", "subscribers.yaml")

        assert done.returncode == 2
        assert "subscribers.yaml:2" in done.stderr
        assert CANARY not in done.stderr

    def test_without_subscribers_it_says_what_to_do(self, site: Site) -> None:
        done = site.script("addresses.py", "export", "subscribers.yaml")

        assert done.returncode == 2
        assert "DIGEST_SUBSCRIBERS_YAML" in done.stderr

    def test_deleted_rows_are_checked_too(self, site: Site) -> None:
        file = write(site.clone, CANARY)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute("DELETE FROM delivery")

        done = site.script("addresses.py", "check", str(file))

        assert done.returncode == 2
        assert "free pages" in done.stderr


def exported(site: Site) -> dict[str, str]:
    """Read GITHUB_ENV as the runner does."""
    file = site.folder / "github_env"
    text = file.read_text() if file.exists() else ""
    blocks = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2\n", text, flags=re.DOTALL | re.MULTILINE)
    return {name: value for name, _, value in blocks}


def read(workflow: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(workflow)
    return loaded


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
class TestEveryWorkflow:
    def test_no_expression_becomes_shell(self, workflow: Path) -> None:
        assert not [step for step in steps(workflow) if "${{" in step.get("run", "")]

    def test_actions_are_pinned_and_leave_no_credentials(self, workflow: Path) -> None:
        used = [step for step in steps(workflow) if "uses" in step]

        assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in used)
        checkouts = [step for step in used if step["uses"].startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)

    def test_nothing_is_permitted_but_what_a_job_names(self, workflow: Path) -> None:
        loaded = read(workflow)

        assert loaded["permissions"] == {}
        assert all("permissions" in job and "timeout-minutes" in job for job in loaded["jobs"].values())


class TestSendingJob:
    workflow = ROOT / ".github" / "workflows" / "digest.yml"

    def test_its_slots_avoid_busy_minutes_and_come_after_arxivs_listing(self) -> None:
        slots = [slot["cron"].split() for slot in read(self.workflow)["on"]["schedule"]]

        assert len(slots) == 2
        assert all(int(minute) % 5 for minute, *_ in slots)
        assert all(int(hour) >= 6 for _, hour, *_ in slots)

    @pytest.mark.parametrize("code", [0, 1], ids=["a good run", "a run that failed"])
    def test_a_morning_leaves_no_address_behind(self, site: Site, code: int) -> None:
        """The job's own steps with a stand-in for the program, which is installed from this repository there."""
        shutil.copytree(SCRIPTS, site.clone / ".github" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")
        stand_in(site, code)

        codes, log = morning(site)

        assert codes == {
            "Mask the addresses and write the subscribers file": 0,
            "Restore the ledger": 0,
            "Check and run": code,
            "Save the ledger": 0,
            "Sum up": 0,
        }
        calls = (site.folder / "calls").read_text().splitlines()
        assert calls == ["check", f"run --all for {CANARY} port unset", "status"]
        assert b"sent" in site.published()
        summary = (site.folder / "summary.md").read_text()
        assert "1 delivery" in summary
        unmasked = "\n".join(line for line in log.splitlines() if not line.startswith("::add-mask::"))
        for text in (unmasked, summary, site.published().decode("latin-1")):
            assert CANARY.lower() not in text.lower()

    def test_an_archive_is_written_for_the_subscriber_that_is_named_also_after_a_run_that_failed(
        self, site: Site
    ) -> None:
        shutil.copytree(SCRIPTS, site.clone / ".github" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")
        stand_in(site, 1)

        codes, _ = morning(site, pages='Vision "group"; echo')

        assert codes["Write the web archive"] == 0
        calls = (site.folder / "calls").read_text().splitlines()
        assert calls[-1] == 'export Vision "group"; echo --to var/pages --title '
        jobs = read(self.workflow)["jobs"]
        assert jobs["pages"]["needs"] == "send"
        assert jobs["send"]["permissions"].keys() == {"contents"}


def stand_in(site: Site, code: int) -> None:
    program = site.folder / "bin" / "digest"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sqlite3, sys\n"
        "with open(os.environ['HOME'] + '/calls', 'a') as calls:\n"
        "    print(*sys.argv[1:], *(['for', os.environ['VISION_GROUP_EMAIL'], 'port',\n"
        "          os.environ.get('DIGEST_SMTP__PORT', 'unset')] if sys.argv[1] == 'run' else []), file=calls)\n"
        "if sys.argv[1] == 'run':\n"
        "    connection = sqlite3.connect(os.environ['DIGEST_DATABASE_URL'].removeprefix('sqlite:///'))\n"
        "    connection.execute('CREATE TABLE delivery (detail)')\n"
        "    connection.execute(\"INSERT INTO delivery VALUES ('sent')\")\n"
        "    connection.commit()\n"
        f"    sys.exit({code})\n"
        "if sys.argv[1] == 'status':\n"
        "    print('1 delivery')\n"
    )
    program.chmod(0o755)
    python = program.with_name("python")
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -B "$@"\n')
    python.chmod(0o755)


def morning(site: Site, pages: str = "") -> tuple[dict[str, int], str]:
    """Run the steps of the sending job as the runner would, those after a failure only if they say ``always()``.

    Args:
        site: Where.
        pages: The variable ``DIGEST_PAGES``.
    """
    job = read(TestSendingJob.workflow)["jobs"]["send"]
    values = {
        "secrets.DIGEST_ADDRESSES": SECRETS,
        "inputs.all": "true",
        "secrets.DIGEST_SENDER": "digest@example.org",
        "vars.DIGEST_PAGES": pages,
    }
    codes: dict[str, int] = {}
    log = ""
    base = {name: value for name, value in site.env.items() if name != "DIGEST_ADDRESSES"}
    base["PATH"] = f"{site.folder / 'bin'}:{base['PATH']}"
    for step in job["steps"]:
        failed = any(codes.values())
        condition = step.get("if", "")
        if "run" not in step or step["name"] == "Install" or (failed and "always()" not in condition):
            continue
        if "vars.DIGEST_PAGES != ''" in condition and not pages:
            continue
        given = {
            name: re.sub(r"\$\{\{ *(\S+) *\}\}", lambda match: values.get(match[1], ""), str(value))
            for name, value in (job["env"] | step.get("env", {})).items()
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=site.clone,
            env=base | exported(site) | given,
            capture_output=True,
            text=True,
            check=False,
        )
        codes[step["name"]] = done.returncode
        log += done.stdout + done.stderr
    return codes, log
