"""What every test may use: the place of the recorded data, and a tempo that does not wait."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real recorded listings; without it the test is skipped with the reason."""
    folder = Path(os.environ.get("DIGEST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}; set DIGEST_REAL_DATA to its folder")
    return folder
