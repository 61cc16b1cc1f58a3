"""`benchmarks/zones.py`: one edition for every local date, in every zone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "zones.py"


def measured(*options: str) -> Any:
    command = [sys.executable, str(BENCHMARK), "--json", *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=3_000).stdout)


def test_some_zones_have_one_edition_for_every_local_date() -> None:
    # With this seed there are changes of clocks on which cron jobs of APScheduler run twice or not at all.
    found = measured("--sample", "12", "--seed", "4")

    assert found["wrong_days"] == 0
    assert found["changes"] > 0
    assert found["apscheduler_wrong"] > 0


@pytest.mark.soak
def test_every_zone_has_one_edition_for_every_local_date() -> None:
    found = measured()

    assert found["zones"] > 590
    assert found["days"] == 6575
    assert found["sends"] > 100_000
    assert found["wrong_days"] == 0
    assert found["apscheduler_wrong"] > 0
