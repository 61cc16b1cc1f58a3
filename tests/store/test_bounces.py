from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from digest.model import SubscriberId
from digest.ports import Suppression
from digest.store.bounces import Bounces
from tests.builders import NOW

ADA, BEN = SubscriberId("ada"), SubscriberId("ben")
DAY = date(2026, 11, 20)
LATER = DAY + timedelta(days=1)


@pytest.fixture
def bounces(engine: Engine) -> Bounces:
    return Bounces(engine)


def bounced(bounces: Bounces, address: str, day: date, detail: str = "550 5.1.1") -> bool:
    return bounces.note_bounce(address, ADA, detail=detail, day=day, now=NOW) is not None


def test_two_bad_days_end_it_and_one_does_not(bounces: Bounces) -> None:
    assert not bounced(bounces, "a", DAY)
    assert not bounced(bounces, "a", DAY)
    assert not bounced(bounces, "b", LATER)
    assert bounces.suppressions() == []
    assert bounces.count(ADA) == 2

    assert bounced(bounces, "a", LATER)

    reason = "mail came back on 2 days, last on 2026-11-21: 550 5.1.1"
    assert bounces.suppressions() == [Suppression(address="a", subscriber=ADA, reason=reason, at=NOW)]


def test_what_was_long_ago_does_not_count(bounces: Bounces) -> None:
    assert not bounced(bounces, "a", DAY)
    assert not bounced(bounces, "a", DAY + timedelta(days=60))
    assert bounced(bounces, "a", DAY + timedelta(days=70))


def test_the_first_reason_stays(bounces: Bounces) -> None:
    bounces.suppress("a", ADA, reason="unsubscribed", now=NOW)
    bounces.suppress("a", ADA, reason="called spam", now=NOW + timedelta(days=1))
    bounced(bounces, "a", DAY)
    assert bounced(bounces, "a", LATER)

    assert [(each.address, each.reason) for each in bounces.suppressions()] == [("a", "unsubscribed")]


def test_lifting_forgets_everything_of_one_subscriber(bounces: Bounces) -> None:
    bounces.suppress("a", ADA, reason="x", now=NOW)
    bounces.suppress("b", BEN, reason="x", now=NOW + timedelta(hours=1))
    bounced(bounces, "c", DAY)

    assert bounces.lift(ADA) == 1
    assert (bounces.lift(ADA), bounces.count(ADA)) == (0, 0)

    assert [each.address for each in bounces.suppressions()] == ["b"]
    assert not bounced(bounces, "c", LATER)


def test_newest_first(bounces: Bounces) -> None:
    for number in range(3):
        bounces.suppress(f"a{number}", ADA, reason="x", now=NOW + timedelta(hours=number))

    assert [each.address for each in bounces.suppressions()] == ["a2", "a1", "a0"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 80)), max_size=8))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_two_days_within_sixty_suppress(bounces: Bounces, said: list[tuple[str, int]]) -> None:
    bounces.lift(ADA)
    days: dict[str, set[int]] = {}
    expected = set()
    for address, day in said:
        days.setdefault(address, set()).add(day)
        if len([each for each in days[address] if each > day - 60]) >= 2:
            expected.add(address)
        bounced(bounces, address, DAY + timedelta(days=day))

    assert {each.address for each in bounces.suppressions()} == expected
