import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from digest.errors import StoreError
from digest.model import DeliveryState, Poll, SubscriberId, Verdict
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from digest.store.marker import assume_sent, check_marker, write_marker
from digest.store.papers import Papers
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition, an_entry
from tests.store.ledgers import claimed, move, open_edition
from tests.store.mornings import a_morning, later

ADA, BEN = SubscriberId("ada"), SubscriberId("ben")
DAY = NOW.date()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digest.sqlite3"


def test_a_ledger_that_goes_on_is_the_right_one(engine: Engine, path: Path) -> None:
    check_marker(engine)
    for day in range(3):
        a_morning(engine, day + 1, now=later(day))
        check_marker(engine)
        write_marker(engine)
        write_marker(engine)
        check_marker(engine)

    marker = path.with_name("digest.sqlite3.last").read_text()
    assert marker == '{"edition": 3, "accepted": 3, "date": "2026-11-22"}\n'
    assert {each.name for each in path.parent.iterdir() if "sqlite3" not in each.name} == set()


def test_f5_an_empty_ledger_in_its_place_sends_nothing(engine: Engine, url: str, path: Path) -> None:
    a_morning(engine)
    write_marker(engine)
    engine.dispose()
    path.unlink()
    again = open_database(url)

    for use in (check_marker, write_marker):
        with pytest.raises(StoreError) as caught:
            use(again)
        assert caught.value.problem.startswith("the ledger is empty, but the marker digest.sqlite3.last says that")
        assert "2026-11-20 (1 in all); refusing" in caught.value.problem
        assert "digest db restore --assume-sent-until 2026-11-20" in caught.value.hint
        assert (caught.value.where, caught.value.exit_code) == (str(path), 4)
    path.with_name("digest.sqlite3.last").unlink()
    check_marker(again)
    again.dispose()


def test_f6_a_copy_of_days_ago_sends_nothing_until_it_is_said_what_was_sent(
    engine: Engine, url: str, path: Path, tmp_path: Path
) -> None:
    a_morning(engine, 1)
    engine.dispose()
    old = Path(shutil.copy(path, tmp_path / "old"))
    engine = open_database(url)
    for day in (1, 2, 3):
        a_morning(engine, day + 1, now=later(day))
    write_marker(engine)
    engine.dispose()
    old.replace(path)

    engine = open_database(url)
    with pytest.raises(StoreError, match=r"the last of 2026-11-20, but .* 2026-11-23 \(\d+ in all\); refusing"):
        check_marker(engine)
    # What was announced meanwhile is listed again: 2 to 4 were sent until the 23rd, 5 came later.
    lost = [an_entry(number, published=later(number - 1)) for number in (2, 5, 3, 4)]
    Papers(engine).record(Poll(source="s", verdict=Verdict.FRESH, entries=tuple(lost)), later(5))
    assert assume_sent(engine, [ADA, BEN], DAY + timedelta(days=3), later(5)) == 2

    check_marker(engine)
    ledger = SqlLedger(engine)
    for who in (ADA, BEN):
        since = ledger.owed_since(who)
        assert since is not None
        owed = Papers(engine).announced(since, Papers(engine).latest_seq())
        assert [paper.key for paper in owed] == ["arxiv:2611.00005"]
        assert ledger.settled_date(who, DAY + timedelta(days=5)) == DAY + timedelta(days=3)
    engine.dispose()


def test_what_waits_in_the_copy_is_counted_as_sent_too(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        a_morning(engine, send=lambda: 1 // 0)  # type: ignore[arg-type]
    assert assume_sent(engine, [], DAY, NOW) == 1

    (row,) = SqlLedger(engine).editions()
    assert (row.state, row.detail) == ("accepted", "counted as sent until 2026-11-20, by the operator")
    assert SqlLedger(engine).recover(later(1)) == []
    assert SqlLedger(engine).claim(later(1), run="r") == []
    assert SqlLedger(engine).owed_since(ADA) == 3


@pytest.mark.parametrize("begins_as", ["nothing", "skipped", "waiting"])
def test_nobody_is_sent_another_edition_of_the_last_day_nor_what_was_named_before(
    engine: Engine, begins_as: str
) -> None:
    ledger, ada, today = SqlLedger(engine), a_subscriber("Ada"), DAY + timedelta(days=1)
    named = an_edition(ada, date=DAY, matched=(a_match(a_paper(1)),), rest=(a_paper(2),))
    open_edition(ledger, named)
    assert move(ledger, claimed(ledger), DeliveryState.ACCEPTED)
    assert ledger.carried(ADA) == {a_paper(2).key: DAY}
    if begins_as != "nothing":
        open_edition(ledger, an_edition(ada, date=today, matched=(a_match(a_paper(3)),) * (begins_as == "waiting")))

    assume_sent(engine, [], today, later(1))

    assert ledger.carried(ADA) == {}
    assert ledger.settled_date(ADA, today=today) == today
    again = an_edition(ada, date=today, matched=(a_match(a_paper(2)),))
    assert not open_edition(ledger, again, since_seq=10, now=later(1))
    # What was only counted as sent takes nothing from what may be sent in a day.
    assert ledger.accepted_since(NOW) == 1
    assert ledger.accepted_since(later(1)) == 0


@given(st.lists(st.integers(0, 6), max_size=7), st.integers(0, 7))
@settings(max_examples=10)
def test_nothing_published_until_then_is_owed_and_everything_later_is(published: list[int], until: int) -> None:
    engine = open_database("sqlite://")
    entries = tuple(an_entry(number, published=later(day)) for number, day in enumerate(published, 1))
    Papers(engine).record(Poll(source="s", verdict=Verdict.FRESH, entries=entries), later(9))
    assume_sent(engine, [ADA], DAY + timedelta(days=until), later(9))

    since = SqlLedger(engine).owed_since(ADA)
    assert since is not None
    owed = Papers(engine).announced(since, Papers(engine).latest_seq())
    engine.dispose()

    assert [paper.key for paper in owed] == [
        entry.key for day, entry in zip(published, entries, strict=True) if day > until
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"edition": 1}', '{"edition": "x", "accepted": 1, "date": ""}', "\xff"]
)
def test_a_marker_that_cannot_be_read_sends_nothing(engine: Engine, path: Path, text: str) -> None:
    path.with_name("digest.sqlite3.last").write_bytes(text.encode("latin-1"))

    with pytest.raises(StoreError, match="the marker cannot be read"):
        check_marker(engine)


def test_a_marker_that_cannot_be_written_is_a_store_error_and_leaves_nothing(engine: Engine, path: Path) -> None:
    a_morning(engine)
    path.with_name("digest.sqlite3.last").mkdir()

    with pytest.raises(StoreError):
        write_marker(engine)
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []
