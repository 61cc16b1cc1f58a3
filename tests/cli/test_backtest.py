"""What topics would have found on past days, as people and scripts ask for it."""

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from digest.model import Entry, Poll, Verdict
from digest.store.database import open_database
from digest.store.papers import Papers
from tests.builders import NOW, an_entry
from tests.cli.home import FRIDAY, Done, Home, a_listing, announce, arxiv, ended, reader

GAP_DAYS = [7, 8]
"""Days before `NOW` on which nothing was stored."""
ROBOTS = [2, 0, 1]
"""So many papers about robots on each other day, again and again."""


def topics(**words: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": name, "any": list(any_)} for name, any_ in words.items()]


def subscribe(home: Home, *people: dict[str, Any], file: str = "subscribers.yaml") -> None:
    home.subscribe(*people, sources=[{"feed": "https://example.org/rss"}])
    (home.folder / "subscribers.yaml").replace(home.folder / file)


def store(home: Home, *batches: tuple[datetime, Sequence[Entry]]) -> None:
    engine = open_database(f"sqlite:///{home.folder / 'var' / 'digest.sqlite3'}")
    try:
        for at, entries in batches:
            Papers(engine).record(Poll(source="feed:A", verdict=Verdict.FRESH, entries=tuple(entries)), at)
    finally:
        engine.dispose()


def batch(ago: int) -> tuple[datetime, list[Entry]]:
    """A few robots, and a survey that names them in its abstract."""
    numbers = range(ago * 10, ago * 10 + ROBOTS[ago % 3])
    robots = [an_entry(number, title=f"Robot {number} that walks") for number in numbers]
    survey = an_entry(ago * 10 + 9, title=f"A Survey of Everything {ago}", abstract="All of it, even robots.")
    return NOW - timedelta(days=ago, hours=1), [*robots, survey]


@pytest.fixture
def history(home: Home) -> Home:
    """Ten days up to `NOW`, a Friday, two of them without anything."""
    store(home, *(batch(ago) for ago in range(9, -1, -1) if ago not in GAP_DAYS))
    return home


def asked(home: Home, *words: str) -> Any:
    done = home.digest("backtest", *words, "--json", now=FRIDAY)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_figures_are_by_day_topic_and_mail_and_leave_gaps_out(history: Home) -> None:
    subscribe(history, reader("Ada", limit=1, topics=topics(Walkers=["walks"], Robots=["robot"], Cooks=["cook"])))

    view = asked(history, "ada", "--days", "10")

    assert view["stored"] == [3, 0, 0, 3, 2, 1, 3, 2, 1, 3]
    assert view["found"]["counts"] == [3, None, None, 3, 2, 1, 3, 2, 1, 3]
    assert (view["found"]["total"], view["found"]["median"], view["found"]["busiest"]) == (18, 2.5, "2026-11-11")
    walkers, robots, cooks = view["topics"]
    assert (walkers["total"], walkers["alone"], robots["total"], robots["alone"]) == (10, 0, 18, 8)
    assert (cooks["total"], cooks["busiest"]) == (0, None)
    assert sum(mail["papers"] for mail in view["mails"]) == 18
    # Written to at 07:30, and stored an hour before.
    assert view["mails"][-1] == {"date": "2026-11-20", "papers": 3}
    assert view["mails_over_limit"] == 6
    assert [(remark["kind"], remark["topics"]) for remark in view["remarks"]] == [
        ("silent", ["Cooks"]), ("flood", ["Walkers"]), ("flood", ["Robots"]),
        ("contained", ["Walkers", "Robots"]), ("gap", []),
    ]  # fmt: skip


def test_days_are_those_of_the_subscriber(home: Home) -> None:
    subscribe(home, reader("Ada", timezone="Asia/Tokyo", schedule="weekly on Monday at 09:00"))
    minutes = (datetime.fromisoformat(f"2026-11-18T{clock}:00Z") for clock in ("14:59", "15:01"))
    store(home, *((at, [an_entry(number)]) for number, at in enumerate(minutes)))

    view = asked(home, "Ada", "--days", "3")

    assert (view["days"], view["stored"]) == (["2026-11-18", "2026-11-19", "2026-11-20"], [1, 1, 0])
    assert view["mails"] == [{"date": "2026-11-23", "papers": 2}]


def test_a_change_of_zone_moves_no_paper_to_another_day(home: Home) -> None:
    subscribe(home, reader("Ada", timezone="Pacific/Kiritimati"), file="before.yaml")
    subscribe(home, reader("Ada", timezone="Pacific/Pago_Pago"))
    store(home, *((NOW - timedelta(hours=hours), [an_entry(hours)]) for hours in range(0, 48, 5)))

    view = asked(home, "Ada", "--days", "2", "--against", "before.yaml")

    assert view["found"] == view["against"]["found"]
    assert (view["against"]["added"], view["against"]["lost"]) == ([], [])


def test_people_see_lines_of_bars_and_what_is_remarkable_and_nothing_is_stored(history: Home) -> None:
    subscribe(history, reader("Ada", limit=1, topics=topics(Walkers=["walks"], Cooks=["cook"])))
    before = counted(history)

    done = history.digest("backtest", "Ada", "--days", "10", now=FRIDAY)

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "Ada, 2026-11-11 to 2026-11-20 (UTC): 10 of 18 stored papers"
    assert any(line.endswith("  Walkers") and "█░░█▄·█▄·█" in line for line in lines)
    assert any(line.endswith("  Cooks") and "·░░·······" in line for line in lines)
    assert "! “Cooks” found nothing in 8 days" in lines
    assert counted(history) == before


def test_a_change_shows_what_it_adds_and_loses_with_the_words(history: Home) -> None:
    subscribe(history, reader("Ada", topics=topics(Walkers=["walks"], Old=["everything"])), file="before.yaml")
    subscribe(history, reader("Ada", topics=[{"name": "Walkers", "any": ["robot"], "none": ["that walks"]}]))

    shown = history.digest("backtest", "ada", "--against", "before.yaml", now=FRIDAY)
    view = asked(history, "Ada", "--against", "before.yaml")

    assert view["found"]["total"] == 8
    assert view["against"]["found"]["total"] == 18
    assert view["against"]["added"] == []
    assert len(view["against"]["lost"]) == 10
    assert view["against"]["lost"][0] == {
        "paper": "arxiv:2611.00090",
        "title": "Robot 90 that walks",
        "topics": ["Walkers"],
        "found_by": ["before.yaml, Walkers: “walks” in the title"],
        "kept_out": ["subscribers.yaml, Walkers: “that walks” in the title is excluded"],
    }
    assert "subscribers.yaml against before.yaml: 0 added, 10 lost" in shown.out
    assert shown.out.count("\n  - Robot ") == 10


def test_only_some_are_named_unless_all_are_asked_for(history: Home) -> None:
    subscribe(history, reader("Ada", topics=topics(Cooks=["cook"])), file="before.yaml")
    subscribe(history, reader("Ada", topics=topics(All=["robot", "survey"])))

    some = history.digest("backtest", "Ada", "--against", "before.yaml", now=FRIDAY)
    every = history.digest("backtest", "Ada", "--against", "before.yaml", "--all", now=FRIDAY)

    assert "+ 18: All 18; 10 of them" in some.out
    assert (some.out.count("\n  + "), every.out.count("\n  + ")) == (10, 18)
    assert "before.yaml, All: no such topic" in some.out


def test_recordings_stand_in_for_stored_papers(home: Home) -> None:
    with a_listing(1, 2) as http:
        home.subscribe(reader("Ada"), sources=[arxiv(http)])
        assert home.digest("collect", "--record", "mornings/a", now="2026-11-19T08:00").code == 0
        announce(http, 2, 3, 4, 5)
        assert home.digest("collect", "--record", "mornings/b", now=FRIDAY).code == 0
    home.env["DIGEST_DATABASE_URL"] = "sqlite:///untouched.sqlite3"

    both = home.digest("backtest", "Ada", "--from", "mornings", "--json")
    one = home.digest("backtest", "Ada", "--from", "mornings/b", "--json")
    none = home.digest("backtest", "Ada", "--from", "nowhere", "--json")
    early = home.digest("backtest", "Ada", "--from", "mornings", now="2026-11-18T08:00")

    assert both.code == 0, both.err
    assert json.loads(both.out)["days"] == ["2026-11-19", "2026-11-20"]
    assert json.loads(both.out)["stored"] == [2, 3]
    assert json.loads(one.out)["found"]["counts"] == [4]
    assert (none.code, "no recording" in none.err) == (2, True)
    assert (early.code, "no paper was stored from 2026-11-18 to 2026-11-18" in early.err) == (2, True)
    assert not (home.folder / "untouched.sqlite3").exists()


def test_days_are_drawn_by_the_ending_of_the_file(history: Home) -> None:
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    many = {f"Topic {number} of $5_0": ["robot"] for number in range(8)}
    subscribe(history, reader("Ada", topics=topics(Cooks=["cook"])), file="before.yaml")
    subscribe(history, reader("Ada", topics=topics(**many, Surveys=["survey"])))

    png = history.digest("backtest", "Ada", "--plot", "a.png", now=FRIDAY)
    svg = history.digest("backtest", "Ada", "--plot", "a.svg", "--against", "before.yaml", now=FRIDAY)
    other = history.digest("backtest", "Ada", "--plot", "a.gif", now=FRIDAY)
    nowhere = history.digest("backtest", "Ada", "--plot", "no/folder/a.png", now=FRIDAY)

    assert (png.code, svg.code, png.last_line) == (0, 0, "drawn: a.png"), png.err + svg.err
    assert (history.folder / "a.png").read_bytes().startswith(b"\x89PNG")
    drawn = (history.folder / "a.svg").read_text("utf-8")
    # Letters are drawn as shapes, each text with itself in a comment.
    for text in (
        "Topic 0 of $5_0 (18)",
        "3 other topics (0)",
        "limit: 20 a mail",
        "nothing stored",
        "before.yaml: 0 papers",
    ):
        assert f"<!-- {text}" in drawn
    assert (other.code, "--plot: 'a.gif' is no .png or .svg" in other.err) == (2, True)
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)


def test_without_matplotlib_only_the_picture_is_refused(history: Home) -> None:
    (history.folder / "sitecustomize.py").write_text("import sys\nsys.modules['matplotlib'] = None\n")
    history.env["PYTHONPATH"] = os.pathsep.join([str(history.folder), history.env["PYTHONPATH"]])
    subscribe(history, reader("Ada"))

    refused = ended(history.start("backtest", "Ada", "--plot", "a.png", "--now", FRIDAY))
    done = ended(history.start("backtest", "Ada", "--now", FRIDAY))

    assert refused.code == 2
    assert "matplotlib is not installed\n  hint: pip install 'paperround[plots]'" in refused.err
    assert done.code == 0


def test_what_cannot_be_asked_is_said_with_a_hint(home: Home) -> None:
    subscribe(home, reader("Benedict"), file="other.yaml")
    subscribe(home, reader("Ada"), reader("Trendy", topics=[], trending=3))

    def refused(*words: str) -> str:
        done: Done = home.digest("backtest", *words, now=FRIDAY)
        assert done.code == 2
        return done.err

    assert "no paper was stored from 2026-10-22 to 2026-11-20" in refused("Ada")
    assert "0 papers are stored in all; digest collect reads the sources" in refused("Ada")
    assert "did you mean 'Ada'?" in refused("Adda")
    assert "'Trendy' has no topics" in refused("trendy")
    assert "other.yaml: no subscriber is called 'Ada'" in refused("Ada", "--against", "other.yaml")


def counted(home: Home) -> list[int]:
    with closing(sqlite3.connect(home.folder / "var" / "digest.sqlite3")) as database:
        tables = [
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        return [database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]
