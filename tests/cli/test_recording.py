"""A run that was recorded is collected again from its folder, without the network."""

import json
from typing import Any

from tests.cli.home import FRIDAY, Home, a_listing, arxiv, reader
from tests.collect.evil_http import Answer
from tests.collect.pages import hf, hf_item


def collected(out: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "took_s"} for row in json.loads(out)["sources"]]


def test_a_recorded_run_is_collected_again_from_its_folder(home: Home) -> None:
    with a_listing(1, 2) as http:
        http.answers("/hf?date=2026-11-20&limit=100", hf(hf_item(1, upvotes=7)))
        http.answers("/secret", Answer(b"", 410))
        home.subscribe(
            reader("Ada"),
            sources=[
                arxiv(http),
                {"huggingface": "daily", "url": f"{http.url}/hf", "allow_private": True},
                {"feed": f"{http.url}/secret?api_key=tiger", "name": "down", "allow_private": True},
            ],
        )
        recorded = home.digest("collect", "--record", "morning", "--json", now=FRIDAY)
        again = home.digest("collect", "--record", "morning", now=FRIDAY)
    home.env["DIGEST_DATABASE_URL"] = "sqlite:///replay.sqlite3"

    replayed = home.digest("collect", "--replay", "morning", "--json")

    assert (recorded.code, replayed.code) == (1, 1)
    rows = collected(recorded.out)
    assert [(row["verdict"], row["new"], row["merged"]) for row in rows] == [
        ("fresh", 2, 0), ("fresh", 0, 1), ("failed", 0, 0),
    ]  # fmt: skip
    assert [row | {"problems": []} for row in collected(replayed.out)] == [row | {"problems": []} for row in rows]
    files = sorted((home.folder / "morning").iterdir())
    assert not any(b"tiger" in path.read_bytes() for path in files)
    assert (again.code, "holds a recording" in again.err) == (2, True)


def test_a_replay_that_cannot_be_is_refused_with_its_reason(home: Home) -> None:
    with a_listing(1) as http:
        home.subscribe(reader("Ada"), sources=[arxiv(http)])

    missing = home.digest("collect", "--replay", "nowhere", now=FRIDAY)
    both = home.digest("collect", "--replay", "a", "--record", "b", now=FRIDAY)

    assert (missing.code, "nowhere" in missing.err, "no recording" in missing.err) == (2, True, True)
    assert (both.code, "exclude each other" in both.err) == (2, True)
