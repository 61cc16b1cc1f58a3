from datetime import timedelta

import pytest

from digest.deliver.retry import MAX_ATTEMPTS, next_try
from digest.errors import BusyDomainError, DeliverError, TemporaryDeliverError
from tests.builders import NOW

GREYLISTED = TemporaryDeliverError("recipient refused (450 4.7.1 Greylisted)", code=450, enhanced="4.7.1")
FULL = TemporaryDeliverError("recipient refused (452 4.2.2 mailbox full)", code=452, enhanced="4.2.2")


@pytest.mark.parametrize("error", [None, GREYLISTED, BusyDomainError("454 4.7.0", code=454, enhanced="4.7.0")])
@pytest.mark.parametrize(("attempts", "minutes"), [(1, 5), (2, 15), (3, 60), (4, 180)])
def test_waits_grow(attempts: int, minutes: int, error: DeliverError | None) -> None:
    assert next_try(attempts, NOW, error=error) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 60), (2, 180), (3, 180), (4, 180)])
def test_a_full_mailbox_is_given_time(attempts: int, minutes: int) -> None:
    assert next_try(attempts, NOW, error=FULL) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize("error", [None, FULL])
@pytest.mark.parametrize("attempts", [MAX_ATTEMPTS, MAX_ATTEMPTS + 1, 99])
def test_after_the_last_try_there_is_none(attempts: int, error: DeliverError | None) -> None:
    assert MAX_ATTEMPTS == 5
    assert next_try(attempts, NOW, error=error) is None
