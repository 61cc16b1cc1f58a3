from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.store.database import open_database
from tests.store.postgres import empty_database

BOTH = ("test_ledger", "test_papers", "test_feedback", "test_turns", "test_wordings", "test_unite", "test_bounces")
"""Modules whose tests of ``url`` and ``engine`` hold for SQLite and for PostgreSQL."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "url" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2].startswith(BOTH):
        metafunc.parametrize("url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if getattr(request, "param", "sqlite") == "postgres":
        return empty_database()
    return f"sqlite:///{tmp_path}/digest.sqlite3"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()
