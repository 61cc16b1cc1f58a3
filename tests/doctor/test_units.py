"""The files that run the program on servers name commands, options and settings that exist."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from digest.cli import app
from digest.config.settings import variables

FOLDER = Path(__file__).parents[2] / "docs" / "operate"
UNITS = sorted((FOLDER / "systemd").iterdir())
FILES = [*UNITS, FOLDER / "Dockerfile", FOLDER / "compose.yaml"]
STOPS_WITHIN_S = 25


def commands() -> Iterator[list[str]]:
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for found in re.findall(r"(?m)^ExecStart=\S*/(digest .*)$|CMD (digest [^|\"]*)", text):
            yield shlex.split("".join(found))
        if path.name == "Dockerfile":
            [entry] = re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
            [words] = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
            yield [*json.loads(entry), *json.loads(words)]


def test_every_command_exists() -> None:
    known: Any = typer.main.get_command(app)
    found = list(commands())
    for command in found:
        assert command[0] == "digest"
        known.commands[command[1]].make_context(command[1], command[2:], resilient_parsing=True)

    assert sorted(command[1] for command in found) == ["run", "serve", "serve", "status"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_exists(path: Path) -> None:
    named = set(re.findall(r"\bDIGEST_\w+", path.read_text(encoding="utf-8")))

    assert named <= set(variables())
    assert named or path.suffix == ".timer"


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name)
def test_a_service_has_time_to_end(unit: Path) -> None:
    [limit] = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)

    assert int(limit) > STOPS_WITHIN_S


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        assert os.environ.get("CI") != "true", "systemd-analyze is not installed"
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:
        # The program is not installed where the unit says.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/paperround/bin/digest", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line or "paperround" in line] == []
    assert done.returncode == 0


def test_the_container_is_closed() -> None:
    compose = YAML(typ="safe").load(FOLDER / "compose.yaml")
    service = compose["services"]["digest"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN_S
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert f"/run/secrets/{service['secrets'][0]}" == service["environment"]["DIGEST_SMTP__PASSWORD_FILE"]
    text = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)


def test_the_container_is_built_from_what_the_package_needs() -> None:
    top = FOLDER.parents[1]
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}

    assert "*" in ignored
    assert all((top / name).exists() for name in kept)
    project = (top / "pyproject.toml").read_text()
    assert set(re.findall(r'^"(\S+)" = "digest/', project, re.MULTILINE)) <= kept
    assert {"digest", "pyproject.toml", "README.md", "LICENSE"} <= kept


@pytest.mark.parametrize(("hours", "is_healthy"), [(1, True), (8, False), (None, False)])
def test_the_health_check_tells_a_stuck_service(hours: int | None, is_healthy: bool) -> None:
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", "")
    [code] = re.findall(r'python -c "(.*)"', text)
    now = datetime.now(UTC)  # noqa: TID251  the check looks at the clock
    polls = [] if hours is None else [{"polled_at": (now - timedelta(hours=each)).isoformat()} for each in (hours, 30)]

    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps({"sources": polls}), capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert (done.returncode == 0) is is_healthy
