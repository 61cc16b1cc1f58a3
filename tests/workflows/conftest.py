from pathlib import Path

import pytest

from tests.workflows.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.set_up()
    return site
