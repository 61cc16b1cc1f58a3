from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import Home, a_home, a_listing, arxiv, reader
from tests.collect.evil_http import EvilHttp


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with a_home(tmp_path / "home") as home:
        yield home


@pytest.fixture
def http() -> Iterator[EvilHttp]:
    """Announces papers 1 and 2."""
    with a_listing(1, 2) as http:
        yield http


@pytest.fixture
def readers(home: Home, http: EvilHttp) -> Home:
    """A home with two readers of everything."""
    home.subscribe(reader("Ada"), reader("Ben"), sources=[arxiv(http)])
    return home
