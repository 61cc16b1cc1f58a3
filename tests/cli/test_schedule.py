"""``digest schedule``."""

import json
from pathlib import Path

import pytest

from digest.cli.common import find_subscriber
from digest.errors import ConfigError
from tests.builders import a_subscriber
from tests.cli.home import Home, arxiv, reader
from tests.collect.evil_http import EvilHttp


def test_what_comes_is_shown_in_local_time_and_utc(home: Home, http: EvilHttp) -> None:
    home.subscribe(
        reader("Ada", timezone="Europe/Berlin", holidays="DE", latest_send="10:00", at_least=3),
        sources=[arxiv(http)],
    )

    shown = home.digest("schedule", "ada", "--count", "3", now="2027-03-25T12:00")

    assert shown.code == 0
    rows = [line.rstrip().split(maxsplit=4) for line in shown.out.splitlines()[2:-2]]
    assert rows == [
        ["Fri", "2027-03-26", "-", "-", "holiday: Good Friday"],
        ["Sat", "2027-03-27", "07:30", "2027-03-27", "06:30"],
        ["Sun", "2027-03-28", "07:30", "2027-03-28", "05:30  clocks went forward since the day before"],
        ["Mon", "2027-03-29", "-", "-", "holiday: Easter Monday"],
        ["Tue", "2027-03-30", "07:30", "2027-03-30", "05:30"],
    ]
    assert "until 10:00 at most" in shown.out
    assert "once it has 3 papers" in shown.out
    assert not (home.folder / "var").exists()


def test_a_script_reads_what_comes(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada", timezone="Asia/Tokyo", quiet="2026-11-21"), sources=[arxiv(http)])

    view = json.loads(home.digest("schedule", "Ada", "--json", "--count", "1", now="2026-11-20T12:00").out)

    assert view == {
        "subscriber": "ada",
        "timezone": "Asia/Tokyo",
        "schedule": "daily at 07:30",
        "dates": [
            {"date": "2026-11-21", "local": None, "utc": None, "left_out": "quiet", "note": ""},
            {
                "date": "2026-11-22",
                "local": "2026-11-22T07:30:00+09:00",
                "utc": "2026-11-21T22:30:00+00:00",
                "left_out": "",
                "note": "",
            },
        ],
    }


def test_a_name_that_nobody_has_is_told(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), sources=[arxiv(http)])

    unknown = home.digest("schedule", "Adda")

    assert unknown.code == 2
    assert "did you mean 'Ada'?" in unknown.err


def test_a_mistake_that_hides_everybody_is_told_first(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada", timezone="Europe/Atlantis"), sources=[arxiv(http)])

    done = home.digest("schedule", "Ada")

    assert done.code == 2
    assert done.err.index("'Europe/Atlantis' is not a time zone") < done.err.index("no subscriber is called 'Ada'")


@pytest.mark.parametrize("name", ["Vision group", "vision GROUP", "vision-group"])
def test_who_is_paused_is_called_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_SUBSCRIBERS", "people.yaml")
    Path("people.yaml").write_text("subscribers:\n  - name: Ada\n  - name: Vision group\n    paused: true\n")

    with pytest.raises(ConfigError, match=f"{name!r} is paused") as caught:
        find_subscriber([a_subscriber("Ada")], name)

    assert caught.value.where == "subscribers file, line 3"
    assert "delete 'paused: true'" in caught.value.hint
