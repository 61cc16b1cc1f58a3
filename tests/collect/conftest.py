"""A server that misbehaves, for every test of collecting."""

from collections.abc import Iterator

import pytest

from tests.collect.evil_http import EvilHttp


@pytest.fixture
def server() -> Iterator[EvilHttp]:
    with EvilHttp().running() as running:
        yield running
