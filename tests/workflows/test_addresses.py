"""Readers' addresses and names in a workflow: masked, handed on, and kept out of what is published."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.workflows.site import CANARY, SECRET, SECRETS, Site, write


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Without repositories, which nothing here needs."""
    return Site(tmp_path)


def exported(site: Site) -> dict[str, str]:
    """Read GITHUB_ENV as the runner does."""
    file = site.folder / "github_env"
    text = file.read_text() if file.exists() else ""
    blocks = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2\n", text, flags=re.DOTALL | re.MULTILINE)
    return {name: value for name, _, value in blocks}


def masked(out: str) -> set[str]:
    lines = [line for line in out.splitlines() if line.startswith("::add-mask::")]
    return {line.removeprefix("::add-mask::").replace("%25", "%") for line in lines}


def test_each_address_is_masked_and_exported(site: Site) -> None:
    (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")

    done = site.script("addresses.py", "export", "subscribers.yaml")

    assert done.returncode == 0, done.stderr
    assert masked(done.stdout) >= {CANARY, CANARY.lower(), CANARY.replace("@", "%40"), "ana@example.com"}
    assert exported(site) == {"VISION_GROUP_EMAIL": CANARY, "ANA_EMAIL": "ana@example.com"}


@pytest.mark.parametrize(
    ("address", "form"),
    [
        pytest.param("Ana+Tag@Example.ORG", "ana+tag@example.org", id="in small letters"),
        pytest.param("Ana+Tag@Example.ORG", "ana@example.org", id="as a server without tags names it"),
        pytest.param("Ana+Tag@Example.ORG", "ana%2Btag%40example.org", id="in a link"),
        pytest.param("ana@example.org", "ana%40example.org", id="in a link, without a tag"),
        pytest.param("ana@bücher.example", "ana@xn--bcher-kva.example", id="as SMTP says it"),
        pytest.param("ana@bücher.example", "ana@bücher.example", id="as it is written"),
    ],
)
def test_an_address_is_masked_in_every_form_it_is_printed_in(site: Site, address: str, form: str) -> None:
    (site.clone / "subscribers.yaml").write_text("email: ${ANA_EMAIL}\n")

    done = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_ADDRESSES=f"ANA_EMAIL={address}")

    assert form in masked(done.stdout)


SECRET_FILE = """
sources: [{arxiv: [cs.CL]}]
subscribers:
  - name: Zoë Quux  # a person
    email: 'zoe@example.net'  # or <z@example.net>
    topics: [{name: "Cold fusion, warm", any: [fusion]}]
  - {"name": 'Vision group', email: "v@example.net"}
  - name: Me
    email: me@example.net
"""


def test_a_secret_subscribers_file_is_written_and_all_that_it_tells_is_masked(site: Site) -> None:
    done = site.script(
        "addresses.py", "export", "subscribers.yaml", DIGEST_SUBSCRIBERS_YAML=SECRET_FILE, DIGEST_SECRET=SECRET
    )

    assert done.returncode == 0, done.stderr
    addresses = {"zoe@example.net", "z@example.net", "v@example.net", "me@example.net"}
    names = {"Zoë Quux", "zoe-quux", "Cold fusion, warm", "cold-fusion-warm", "Vision group", "vision-group"}
    assert masked(done.stdout) >= addresses | names
    # A mask of two letters would leave nothing of the log to read.
    assert not masked(done.stdout) & {"Me", "me"}
    shown = [line for line in done.stdout.splitlines() if not line.startswith("::add-mask::")]
    assert shown == []
    file = site.clone / "subscribers.yaml"
    assert file.read_text() == SECRET_FILE.strip() + "\n"
    assert file.stat().st_mode & 0o077 == 0


def test_a_secret_list_needs_what_hides_its_names(site: Site) -> None:
    done = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_SUBSCRIBERS_YAML=SECRET_FILE)

    assert done.returncode == 2
    assert "openssl rand -base64 24" in done.stderr
    assert not (site.clone / "subscribers.yaml").exists()


def test_without_a_secret_a_committed_list_is_served_with_a_warning(site: Site) -> None:
    (site.clone / "subscribers.yaml").write_text("email: ${VISION_GROUP_EMAIL}\n")

    warned = site.script("addresses.py", "export", "subscribers.yaml")
    told = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_SECRET=SECRET)

    assert (warned.returncode, told.returncode) == (0, 0)
    assert "::warning title=DIGEST_SECRET::" in warned.stdout
    assert "::warning" not in told.stdout


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
def test_a_malformed_line_is_named_by_number_only(site: Site, line: str) -> None:
    done = site.script("addresses.py", "export", "subscribers.yaml", DIGEST_ADDRESSES=f"{SECRETS}{line}\n")

    assert done.returncode == 2
    assert "line 5" in done.stderr
    assert "secret@" not in (done.stdout + done.stderr).lower()
    assert "somebody" not in done.stdout + done.stderr
    assert not (site.folder / "github_env").exists()


def test_a_committed_address_is_refused_by_line(site: Site) -> None:
    (site.clone / "subscribers.yaml").write_text(f"subscribers:\n  - email: {CANARY}\n")

    done = site.script("addresses.py", "export", "subscribers.yaml")

    assert done.returncode == 2
    assert "subscribers.yaml:2" in done.stderr
    assert CANARY not in done.stderr


def test_without_subscribers_it_says_what_to_do(site: Site) -> None:
    done = site.script("addresses.py", "export", "subscribers.yaml")

    assert done.returncode == 2
    assert "DIGEST_SUBSCRIBERS_YAML" in done.stderr


def test_deleted_rows_are_checked_too(site: Site) -> None:
    file = write(site.clone, CANARY)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM delivery")

    done = site.script("addresses.py", "check", str(file))

    assert done.returncode == 2
    assert "free pages" in done.stderr
