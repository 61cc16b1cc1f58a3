from datetime import timedelta

import pytest

from digest.deliver.retry import MAX_ATTEMPTS, next_try
from tests.builders import NOW


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 5), (2, 15), (3, 60), (4, 180)])
def test_waits_grow(attempts: int, minutes: int) -> None:
    assert next_try(attempts, NOW) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize("attempts", [MAX_ATTEMPTS, MAX_ATTEMPTS + 1, 99])
def test_after_the_last_try_there_is_none(attempts: int) -> None:
    assert MAX_ATTEMPTS == 5
    assert next_try(attempts, NOW) is None
