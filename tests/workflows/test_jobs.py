"""The jobs of the workflow, step by step with a stand-in for the program, and what holds for every workflow."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from digest.config.settings import variables
from tests.workflows.runner import Job, read
from tests.workflows.site import CANARY, ROOT, SECRET, SECRETS, Site

ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "digest.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SET = {"DIGEST_ENABLED": "true"}
GIVEN = {
    "DIGEST_ADDRESSES": SECRETS,
    "DIGEST_SECRET": SECRET,
    "DIGEST_SENDER": "digest@example.org",
    "DIGEST_SMTP__PASSWORD": "password-canary",
}
ONLY_ELSEWHERE = {
    "DIGEST_BACKEND": "a runner has neither a mail server nor a place where files stay",
    "DIGEST_DATABASE_URL": "the action's own",
    "DIGEST_METRICS_FILE": "nobody reads it there",
    "DIGEST_METRICS_PORT": "for digest serve",
    "DIGEST_CHROMIUM": "for digest preview",
    "DIGEST_FAILPOINT": "for tests",
}


def steps(workflow: Path) -> list[dict[str, Any]]:
    loaded = read(workflow)
    if "runs" in loaded:
        return list(loaded["runs"]["steps"])
    return [step for job in loaded["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
class TestEveryFile:
    def test_no_expression_becomes_shell(self, file: Path) -> None:
        assert not [step for step in steps(file) if "${{" in step.get("run", "")]

    def test_actions_are_pinned_and_leave_no_credentials(self, file: Path) -> None:
        used = [step for step in steps(file) if "uses" in step and step["uses"] != "./"]

        assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in used)
        checkouts = [step for step in used if step["uses"].startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_is_permitted_but_what_a_job_names(workflow: Path) -> None:
    loaded = read(workflow)

    assert loaded["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in loaded["jobs"].values())


def test_the_slots_avoid_busy_minutes_and_come_after_arxivs_listing() -> None:
    slots = [slot["cron"].split() for slot in read(WORKFLOW)["on"]["schedule"]]

    assert len(slots) == 2
    assert all(int(minute) % 5 for minute, *_ in slots)
    assert all(int(hour) >= 6 for _, hour, *_ in slots)


def test_every_setting_can_be_given() -> None:
    given = next(step["env"] for step in steps(WORKFLOW) if step.get("id") == "digest")

    settings = {name for name in variables() if not name.endswith("_FILE")}
    assert given.keys() - {"DIGEST_ADDRESSES", "DIGEST_SUBSCRIBERS_YAML"} == settings - ONLY_ELSEWHERE.keys()
    assert all(re.fullmatch(rf"\$\{{\{{ (secrets|vars)\.{name} \}}\}}", value) for name, value in given.items())
    open_ones = [name for name, value in given.items() if "vars." in value]
    assert not [name for name in open_ones if re.search("PASSWORD|SECRET|TOKEN$|KEY|ADDRESSES", name)]


@pytest.fixture
def home(site: Site) -> Site:
    """A repository with a committed list."""
    (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")
    return site


def a_job(site: Site, **keys: Any) -> Job:
    keys = {"secrets": GIVEN, "variables": SET, **keys}
    return Job(site, WORKFLOW, "send", **keys).run()


def calls(site: Site) -> list[str]:
    """What the program was called with, without the databases' temporary names."""
    said = (site.folder / "calls").read_text().splitlines()
    return [re.sub(r"/\S+/", "", line.partition(" | ")[0]) for line in said]


def test_a_morning(home: Site) -> None:
    job = a_job(home, variables={**SET, "DIGEST_EXTRAS": "wordllama"})

    assert job.codes == {
        "Install": 0,
        "Mask what is secret and write the subscribers file": 0,
        "Restore the ledger": 0,
        "Check and run": 0,
        "Save the ledger": 0,
        "Sum up": 0,
    }
    assert calls(home) == ["check", "run", "db backup digest.sqlite3 --private", "status"]
    assert b"sent" in home.published()
    assert home.branches() == ["digest-state", "main"]
    assert job.annotations == []
    assert job.summary.startswith("### Done\n")
    assert "accepted Vision group, 1 &lt;paper&gt; &amp; more" in job.summary
    assert "1 delivery" in job.summary
    assert [name for name, _ in job.used] == ["actions/checkout", "actions/setup-python"], "no archive is handed over"

    # What is installed is code of others; and the program is given settings that are set, and nothing else.
    seen = (home.folder / "installed").read_text()
    assert f"{ROOT}[wordllama]" in seen
    assert "canary" not in seen.lower().replace(str(ROOT).lower(), "")
    ran = next(line for line in (home.folder / "calls").read_text().splitlines() if line.startswith("run"))
    names = [word.partition("=")[0] for word in ran.partition(" | ")[2].split()]
    assert names == ["DIGEST_SECRET", "DIGEST_SENDER", "DIGEST_SMTP__PASSWORD"]


def test_a_run_that_failed_is_red_says_why_and_keeps_what_it_sent(home: Site) -> None:
    # The real clock: `timeout` is the machine's.
    home.program("timeout", '#!/bin/sh\n[ "$2" = 40m ] || exit 9\nshift 2; "$@"; exit 124\n')

    job = a_job(home, variables={**SET, "DIGEST_PAGES": 'Vision "group"; echo', "DIGEST_PAGES_TITLE": "Papers"})

    assert job.codes["Check and run"] == 124
    assert job.codes["Save the ledger"] == job.codes["Sum up"] == 0
    assert b"sent" in home.published()
    assert [line.startswith("::error title=The run took too long and was stopped::") for line in job.annotations] == [
        True
    ]
    # The archive is made of the ledger, so it is whole.
    assert calls(home)[-1] == 'export Vision "group"; echo --to var/pages --title Papers'
    assert ("actions/upload-pages-artifact", {"path": "var/pages"}) in job.used
    jobs = read(WORKFLOW)["jobs"]
    assert jobs["pages"]["needs"] == "send"
    assert jobs["send"]["permissions"].keys() == {"contents"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "Some deliveries or sources failed"),
        (2, "Something in the configuration is wrong"),
        (3, "The mail server refuses us"),
        (4, "The ledger cannot be used"),
        (5, "What was sent and what the ledger says differ"),
        (143, "Ended with code 143"),
        ("", "Nothing was sent"),
    ],
)
def test_each_exit_code_is_explained_on_the_page_and_annotated(site: Site, code: int | str, said: str) -> None:
    (site.folder / "log").write_text(f"one\nlast: <{CANARY}> 50 %\n")

    done = site.script("summary.py", str(code), str(site.folder / "log"))

    assert done.returncode == 0, done.stderr
    summary = (site.folder / "summary.md").read_text()
    assert summary.startswith(f"### {said}")
    assert done.stdout.startswith(f"::error title={said}")
    assert CANARY not in summary + done.stdout
    assert ("last: &lt;***&gt; 50 %" in summary) == ("last: <***> 50 %25" in done.stdout) == bool(code)


def test_a_ledger_that_cannot_be_saved_is_red_and_holds_the_next_morning_until_somebody_says_what_was_sent(
    home: Site,
) -> None:
    a_job(home)
    home.forget()
    (home.folder / "leaky").touch()

    first = a_job(home)
    (home.folder / "leaky").unlink()
    home.forget()
    second = a_job(home)
    home.at_origin("update-ref", "-d", "refs/heads/digest-state-hold")
    third = a_job(home, event="workflow_dispatch", inputs={"assume_sent_until": "2026-11-20"})

    assert first.codes["Save the ledger"] == 4
    assert second.codes["Restore the ledger"] == 4
    assert "Check and run" not in second.codes
    assert second.summary.startswith("### Nothing was sent")
    assert any("digest-state-hold exists" in line for line in second.annotations)
    assert calls(home).count("run") == 3
    assert "db restore --assume-sent-until 2026-11-20" in calls(home)
    assert set(third.codes.values()) == {0}


def test_what_a_cancelled_run_sent_is_saved_by_the_step_after_it(home: Site) -> None:
    job = a_job(home, cancel_after="Check and run")

    assert list(job.codes)[-2:] == ["Check and run", "Save the ledger"]
    assert job.codes["Save the ledger"] == 0
    assert b"sent" in home.published()
    assert home.branches() == ["digest-state", "main"]


def test_a_dry_run_sends_with_no_hold_and_saves_nothing(home: Site) -> None:
    job = a_job(home, event="workflow_dispatch", inputs={"all": True, "dry_run": True})

    assert set(job.codes.values()) == {0}
    assert calls(home) == ["check", "run --all --dry-run", "status"]
    assert home.branches() == ["main"]


def test_without_addresses_that_can_be_read_nothing_is_restored_or_sent(home: Site) -> None:
    job = a_job(home, secrets={**GIVEN, "DIGEST_ADDRESSES": f"name={CANARY}"})

    assert job.codes["Mask what is secret and write the subscribers file"] == 2
    assert "Check and run" not in job.codes
    assert home.branches() == ["main"]
    assert any("line 1" in line for line in job.annotations)


def test_nothing_secret_is_shown_or_published(site: Site) -> None:
    yaml = "subscribers:\n  - name: Vision group\n    email: canary.other@example.net\n"
    given = {**GIVEN, "DIGEST_SUBSCRIBERS_YAML": yaml}

    job = a_job(site, secrets=given)

    assert job.codes["Check and run"] == 0
    assert "sent" in site.published().decode("latin-1")
    shown = job.log + job.summary + "".join(job.annotations)
    public = b"".join(site.at_origin("cat-file", "-p", name) for name in objects(site)).decode("latin-1")
    for text in (shown, public, site.published().decode("latin-1")):
        assert "canary" not in text.lower()
        assert "vision-group" not in text.lower()
        assert "vision group" not in text.lower()


def objects(site: Site) -> list[str]:
    """Everything that anybody may fetch."""
    return [line.split()[0] for line in site.at_origin("rev-list", "--all", "--objects").decode().splitlines()]


def test_nothing_is_sent_from_a_copy_that_is_not_set_up(home: Site) -> None:
    assert a_job(home, variables={}).codes == {}
    said = Job(home, WORKFLOW, "not-set-up").run()
    assert "set the repository variable `DIGEST_ENABLED`" in said.summary


class GitHub:
    """GitHub's API as far as it is asked; keeps method, path and token of each request."""

    def __init__(self, status: int) -> None:
        self.asked: list[tuple[str, str, str]] = []
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                github.asked.append(("PUT", self.path, self.headers["Authorization"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keep the test's output to the point."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def keep_on(self, site: Site, day: int) -> Job:
        """Run the job on this day of the week."""
        site.program("date", f'#!/bin/sh\n[ "$*" = "--utc +%u" ] && echo {day}\n')
        site.env |= {
            "GITHUB_API_URL": f"http://127.0.0.1:{self.server.server_port}",
            "GITHUB_REPOSITORY": "me/digest",
            "GITHUB_WORKFLOW_REF": "me/digest/.github/workflows/digest.yml@refs/heads/main",
        }
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            return Job(site, WORKFLOW, "keep-on", variables=SET).run()
        finally:
            self.server.shutdown()
            self.server.server_close()


class TestKeepingTheScheduleOn:
    def test_once_a_week_the_workflow_enables_itself_and_leaves_no_commit(self, site: Site) -> None:
        github = GitHub(204)

        job = github.keep_on(site, day=1)

        path = "/repos/me/digest/actions/workflows/digest.yml/enable"
        assert github.asked == [("PUT", path, "Bearer ghs_token_canary")]
        assert (job.codes, job.annotations) == ({"Enable this workflow once a week": 0}, [])
        assert site.at_origin("rev-list", "--all", "--count") == b"1\n"

    def test_on_other_days_nobody_is_asked(self, site: Site) -> None:
        github = GitHub(204)

        assert github.keep_on(site, day=2).codes == {"Enable this workflow once a week": 0}
        assert github.asked == []

    def test_a_refusal_is_a_warning_and_costs_no_mail(self, site: Site) -> None:
        job = GitHub(403).keep_on(site, day=1)

        assert job.codes == {"Enable this workflow once a week": 0}
        assert ["answered 403" in line for line in job.annotations] == [True]

    def test_it_may_do_that_and_nothing_else_and_only_on_schedule(self, site: Site) -> None:
        job = read(WORKFLOW)["jobs"]["keep-on"]

        assert job["permissions"] == {"actions": "write"}
        assert "needs" not in job
        assert Job(site, WORKFLOW, "keep-on", variables=SET, event="workflow_dispatch").run().codes == {}
