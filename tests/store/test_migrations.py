"""A database of an earlier release goes on where it was."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

import digest.store.database as database
from digest.model import DeliveryState, Feedback, LinkKind, PaperKey, Placed, Poll, Sent, Signals, SubscriberId, Verdict
from digest.store.database import check_ledger, open_database
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.store.schema import metadata
from tests.builders import NOW, an_entry

ADA = SubscriberId("ada")
PAPER = (
    "INSERT INTO paper (key, title, abstract, authors, categories, links, published, first_seen, upvotes, sources)"
    " VALUES (?, ?, 'An abstract.', ?, '[\"cs.CL\"]', '[[\"pdf\", \"https://x.test/1\"]]', ?, ?, 7, ?)"
)
TITLE = "A Title Long Enough to Tell One Work from Another"
T = "2026-11-20 07:30:00.000000"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database as revision 0001 left it."""
    with a_database(tmp_path / "digest.sqlite3", "0001") as old:
        yield old


@pytest.fixture
def second(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database as revision 0002 left it."""
    with a_database(tmp_path / "digest.sqlite3", "0002") as second:
        yield second


@contextmanager
def a_database(path: Path, revision: str) -> Iterator[sqlite3.Connection]:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(path)) as old:
        yield old


def fill(old: sqlite3.Connection) -> None:
    old.executemany(
        PAPER,
        [
            ("arxiv:2611.00001", "Seen by both", '["Ada Example"]', T, T, '["hf", "arxiv:cs.CL"]'),
            ("doi:10.1000/2", TITLE, '["Ada Example"]', T, T, '["nature"]'),
            ("url:https://x.test/3", TITLE.upper(), '["Ada Example"]', T, "2026-11-21 07:30:00.000000", '["a", "b"]'),
        ],
    )
    old.executemany(
        "INSERT INTO announcement (seq, paper_key, source, kind, stored_at) VALUES (?, ?, ?, ?, ?)",
        [
            (3, "arxiv:2611.00001", "hf", "new", T),
            (5, "arxiv:2611.00001", "arxiv:cs.CL", "cross", T),
            (8, "doi:10.1000/2", "nature", "new", T),
            (9, "url:https://x.test/3", "a", "new", T),
            (12, "url:https://x.test/3", "b", "new", "2026-11-21 07:30:00.000000"),
        ],
    )
    old.execute("INSERT INTO source VALUES ('hf', 'partial', ?, ?, 40, 30, 'one line')", (T, T))
    old.execute("INSERT INTO source VALUES ('never', 'failed', ?, NULL, 0, 0, 'HTTP 503')", (T,))
    old.execute("INSERT INTO validator VALUES ('https://x.test/', '\"a\"', NULL)")
    edition = (
        "INSERT INTO edition (id, subscriber_id, date, state, since_seq, through_seq, attempts, detail, created_at"
    )
    old.execute(f"{edition}, updated_at) VALUES (4, 'ada', '2026-11-20', 'accepted', 0, 8, 1, '250 ok', ?, ?)", (T, T))
    old.execute("INSERT INTO edition_paper VALUES (4, 0, 'matched', 'doi:10.1000/2')")
    old.commit()


def test_nothing_of_the_first_schema_is_lost(old: sqlite3.Connection, url: str) -> None:
    fill(old)

    engine = open_database(url)
    papers, ledger = Papers(engine), SqlLedger(engine)

    check_ledger(engine)
    assert [paper.key for paper in papers.announced(0, 99)] == [
        "arxiv:2611.00001",
        "doi:10.1000/2",
        "url:https://x.test/3",
    ]
    assert [paper.key for paper in papers.announced(9, 12)] == ["url:https://x.test/3"]
    assert papers.replaced(0, 99) == frozenset()
    assert papers.latest_seq() == 12
    (both, *_) = papers.announced(0, 99)
    assert (both.abstract, both.signals, both.link(LinkKind.PDF)) == (
        "An abstract.",
        Signals(upvotes=7),
        "https://x.test/1",
    )
    assert (both.ids, both.venue, both.summary) == ((), "", "")
    assert dict(both.origins) == {"title": "arxiv:cs.CL", "abstract": "arxiv:cs.CL"}
    assert (both.first_seen, both.published) == (NOW, NOW)
    hf, never = papers.source_states()
    assert (hf.verdict, hf.last_good_at, hf.fresh_at) == (Verdict.PARTIAL, NOW, NOW)
    assert (hf.listed, hf.new, hf.seen, hf.problem) == (40, 30, 10, "one line")
    assert (never.last_good_at, never.fresh_at, never.problem) == (None, None, "HTTP 503")
    assert papers.validators() == {}, "they were kept by address, which may hold a key"
    (row,) = ledger.editions()
    assert (row.subscriber, row.date, row.state, row.papers) == (ADA, date(2026, 11, 20), DeliveryState.ACCEPTED, 1)
    assert ledger.sent_keys(ADA) == {"doi:10.1000/2"}
    assert ledger.owed_since(ADA) == 8
    assert ledger.history(ADA, date.min) == [Sent(date(2026, 11, 20), Placed("matched", PaperKey("doi:10.1000/2"), {}))]
    engine.dispose()


def rows_of(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that a user's data is in."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: sorted(database.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def test_nothing_of_the_second_schema_is_lost(second: sqlite3.Connection, url: str) -> None:
    second.execute(
        "INSERT INTO paper (key, title, abstract, authors, categories, links, published, first_seen, sources, ids)"
        " VALUES ('arxiv:2611.00001', 'T', 'A', '[]', '[]', '[]', ?, ?, '[\"hf\"]', '[\"doi:10.1000/2\"]')",
        (T, T),
    )
    second.executemany("INSERT INTO alias VALUES (?, 'arxiv:2611.00001')", [("arxiv:2611.00001",), ("doi:10.1000/2",)])
    second.execute("INSERT INTO announcement VALUES (3, 'arxiv:2611.00001', 'hf', 0, ?)", (T,))
    second.execute(
        "INSERT INTO observation (paper_key, source, at, stars) VALUES ('arxiv:2611.00001', 'hf', ?, 4)", (T,)
    )
    second.execute("INSERT INTO source VALUES ('hf', 'fresh', ?, ?, ?, 1, 1, 0, 0, 0.5, '')", (T, T, T))
    second.execute("INSERT INTO validator VALUES ('x', 'e', NULL, ?)", (T,))
    second.execute("INSERT INTO host VALUES ('x.test', ?)", (T,))
    second.execute("INSERT INTO wording VALUES ('arxiv:2611.00001', 'de', 'title', 'm', 'Ein Titel', ?)", (T,))
    for number, state in enumerate(["accepted", "deferred"]):
        second.execute(
            "INSERT INTO edition (id, subscriber_id, date, state, since_seq, through_seq, attempts, detail, updated_at)"
            " VALUES (?, 'ada', ?, ?, 0, 3, 1, '', ?)",
            (number, f"2026-11-2{number}", state, T),
        )
        for position, section in enumerate(["matched", "trending", "rest", "updated"]):
            second.execute("INSERT INTO edition_paper VALUES (?, ?, ?, ?)", (number, position, section, f"k:{section}"))
    second.commit()
    before = rows_of(second)
    assert all(before.values()), "a row in each table"

    engine = open_database(url)

    after = rows_of(second)
    assert after.pop("alembic_version") != before.pop("alembic_version")
    assert [after.pop(name) for name in ("feedback", "bounce", "suppression")] == [[], [], []]
    before["edition"] = [(*row, None, 0) for row in before["edition"]]
    before["edition_paper"] = [(*row, "{}") for row in before["edition_paper"]]
    assert after == before
    ledger = SqlLedger(engine)
    assert ledger.sent_keys(ADA) == {"k:matched", "k:trending", "k:rest"}
    assert [(each.placed.section, each.placed.why) for each in ledger.history(ADA, date.min)] == [
        ("matched", {}),
        ("trending", {}),
        ("rest", {}),
        ("updated", {}),
    ]
    Feedbacks(engine).give(ADA, Feedback(PaperKey("doi:10.1000/2"), more=True, at=NOW))
    assert Feedbacks(engine).of(ADA) == [Feedback(PaperKey("arxiv:2611.00001"), more=True, at=NOW)]
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "head"])
def test_from_every_revision_the_schema_is_the_one_that_the_code_knows(tmp_path: Path, url: str, revision: str) -> None:
    with a_database(tmp_path / "digest.sqlite3", revision):
        engine = open_database(url)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []
    engine.dispose()


def test_old_papers_are_known_by_key_and_by_title_and_numbers_go_on(old: sqlite3.Connection, url: str) -> None:
    fill(old)
    engine = open_database(url)
    papers = Papers(engine)
    preprint = an_entry(9, title=TITLE, authors=("Example, Ada",))

    recorded = papers.record(
        Poll(source="arxiv:cs.CL", verdict=Verdict.FRESH, entries=(preprint, an_entry(1), an_entry(8))),
        NOW + timedelta(days=2),
    )

    assert (recorded.new, recorded.merged, recorded.seen) == (1, 1, 1)
    assert [paper.key for paper in papers.announced(12, 99)] == ["doi:10.1000/2", "arxiv:2611.00008"]
    assert papers.latest_seq() == 14
    found = papers.find_paper("2611.00009")
    assert found
    assert found.key == "doi:10.1000/2"
    engine.dispose()


def test_an_empty_database_of_the_first_schema_is_brought_up_to_date(old: sqlite3.Connection, url: str) -> None:
    engine = open_database(url)

    assert Papers(engine).count() == 0
    engine.dispose()
