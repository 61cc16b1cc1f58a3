"""What every test may use: the place of the recorded data, and how hypothesis looks for counterexamples."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.worlds import close_worlds

# How long an example takes says nothing on a shared machine; a pull request must not fail for another's bad luck.
settings.register_profile("paperround", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("paperround")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real recorded listings; without it the test is skipped with the reason."""
    folder = Path(os.environ.get("DIGEST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}; set DIGEST_REAL_DATA to its folder")
    return folder


@pytest.fixture(autouse=True)
def _databases_are_closed() -> Iterator[None]:
    yield
    close_worlds()
