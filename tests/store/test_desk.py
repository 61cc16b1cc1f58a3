"""What people do with deliveries by hand: nothing comes twice of it that is not said."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from digest.model import DeliveryState, SubscriberId
from digest.store.desk import Desk, Filed
from digest.store.ledger import LEASE, SqlLedger
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.store.ledgers import SOON, claim_one, claimed, move, open_edition

ADA = SubscriberId("ada")
DAY = NOW.date()
S = DeliveryState


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine)


def open_one(ledger: SqlLedger, *numbers: int, days: int = 0, name: str = "Ada", since: int = 0) -> bool:
    matched = tuple(a_match(a_paper(number)) for number in numbers)
    edition = an_edition(a_subscriber(name), date=DAY + timedelta(days=days), matched=matched)
    return open_edition(ledger, edition, since_seq=since, through_seq=since + 10)


def filed(desk: Desk, days: int = 0) -> Filed:
    found = desk.find(ADA, DAY + timedelta(days=days))
    assert found
    return found


def test_what_there_is(ledger: SqlLedger, desk: Desk) -> None:
    assert (desk.counts(), desk.deliveries(), desk.find(ADA, DAY)) == ({}, [], None)
    edition = an_edition(matched=(a_match(a_paper(1)),), rest=(a_paper(2),))
    open_edition(ledger, edition)
    assert move(ledger, claimed(ledger), S.FAILED, detail="550 no")
    open_one(ledger, 3, days=1)
    open_one(ledger, 3, name="Ben")

    assert desk.counts() == {S.FAILED: 1, S.PENDING: 2}
    assert [(row.subscriber, row.state) for row in desk.deliveries()] == [
        ("ada", S.PENDING), ("ben", S.PENDING), ("ada", S.FAILED),
    ]  # fmt: skip
    assert [row.state for row in desk.deliveries(subscriber=ADA)] == [S.PENDING, S.FAILED]
    assert [row.subscriber for row in desk.deliveries([S.PENDING, S.DEFERRED])] == ["ada", "ben"]
    assert len(desk.deliveries(limit=1)) == 1
    found = filed(desk)
    assert (found.papers, found.attempts, found.detail, found.resends) == (2, 1, "550 no", 0)
    assert [(each.section, each.paper) for each in desk.places(found.id)] == [
        ("matched", a_paper(1).key), ("rest", a_paper(2).key),
    ]  # fmt: skip


class TestRetry:
    @pytest.mark.parametrize("state", [S.FAILED, S.DEFERRED, S.SUPPRESSED, S.UNCERTAIN])
    def test_it_is_tried_at_once_as_if_for_the_first_time(
        self, ledger: SqlLedger, desk: Desk, state: DeliveryState
    ) -> None:
        open_one(ledger, 1)
        assert move(ledger, claimed(ledger), state)

        assert desk.retry(filed(desk).id, NOW, may_double=True) == ""

        again = claimed(ledger)
        assert (again.attempts, again.resends) == (1, int(state is S.UNCERTAIN))
        assert move(ledger, again, S.ACCEPTED)

    def test_what_may_have_arrived_only_if_told_so(self, ledger: SqlLedger, desk: Desk) -> None:
        open_one(ledger, 1)
        assert move(ledger, claimed(ledger), S.UNCERTAIN)

        assert desk.retry(filed(desk).id, NOW) == "it may have arrived"
        assert filed(desk).state == S.UNCERTAIN

    @pytest.mark.parametrize("has_dot", [False, True])
    def test_never_what_a_run_has_in_hand(self, ledger: SqlLedger, desk: Desk, has_dot: bool) -> None:
        open_one(ledger, 1)
        delivery = claimed(ledger)
        if has_dot:
            assert move(ledger, delivery, S.DOT)

        held = "in hand of run a run since 2026-11-20 07:30, free at 07:50 UTC if that run died"
        assert filed(desk).why == held
        assert desk.retry(filed(desk).id, NOW + 9 * LEASE, may_double=True) == f"it is {held}"
        assert move(ledger, delivery, S.ACCEPTED)

    @pytest.mark.parametrize(
        ("state", "reason"), [(S.PENDING, "waits for the next run already"), (S.ACCEPTED, "it is accepted")]
    )
    def test_there_is_nothing_to_try(self, ledger: SqlLedger, desk: Desk, state: DeliveryState, reason: str) -> None:
        open_one(ledger, 1)
        if state is S.ACCEPTED:
            assert move(ledger, claimed(ledger), state)

        assert reason in desk.retry(filed(desk).id, NOW, may_double=True)

    def test_not_what_a_later_one_carries(self, ledger: SqlLedger, desk: Desk) -> None:
        open_one(ledger, 1)
        assert move(ledger, claimed(ledger), S.FAILED)
        open_one(ledger, 1, 2, days=1)

        assert "carries its papers" in desk.retry(filed(desk).id, NOW)
        assert move(ledger, claimed(ledger), S.ACCEPTED)
        assert desk.retry(filed(desk).id, NOW) == "its papers came with a later edition"
        assert filed(desk).state == S.FAILED
        assert claim_one(ledger) is None

    def test_not_what_expired(self, ledger: SqlLedger, desk: Desk) -> None:
        open_one(ledger, 1)
        open_one(ledger, 1, days=1)

        assert "it is expired" in desk.retry(filed(desk).id, NOW)

    def test_the_next_edition_takes_it_over(self, ledger: SqlLedger, desk: Desk) -> None:
        open_one(ledger, 1)
        assert move(ledger, claimed(ledger), S.FAILED)
        desk.retry(filed(desk).id, NOW)

        assert open_one(ledger, 1, 2, days=1)
        assert filed(desk).state == S.EXPIRED
        assert claimed(ledger).date == DAY + timedelta(days=1)
        assert claim_one(ledger) is None


class TestDrop:
    @pytest.mark.parametrize("state", [S.PENDING, S.DEFERRED])
    def test_its_papers_count_as_handled(self, ledger: SqlLedger, desk: Desk, state: DeliveryState) -> None:
        open_one(ledger, 1)
        if state is S.DEFERRED:
            assert move(ledger, claimed(ledger), state)

        assert desk.drop(filed(desk).id, NOW) == ""

        assert claim_one(ledger, NOW + SOON) is None
        assert (ledger.owed_since(ADA), ledger.waiting(), filed(desk).detail) == (10, 0, "dropped by hand")

    @pytest.mark.parametrize("state", [S.CLAIMED, S.ACCEPTED, S.FAILED, S.UNCERTAIN])
    def test_only_what_waits(self, ledger: SqlLedger, desk: Desk, state: DeliveryState) -> None:
        open_one(ledger, 1)
        delivery = claimed(ledger)
        if state is not S.CLAIMED:
            assert move(ledger, delivery, state)

        assert "only what waits can be dropped" in desk.drop(filed(desk).id, NOW)
        assert filed(desk).state == state

    def test_what_comes_the_same_day_comes_without_it(self, ledger: SqlLedger, desk: Desk) -> None:
        open_one(ledger, 1)
        desk.drop(filed(desk).id, NOW)

        assert open_one(ledger, 2, since=10)
        assert ledger.owed_since(ADA) == 10
        delivery = claimed(ledger)
        assert [each.paper for each in ledger.edition_papers(delivery)] == [a_paper(2).key]
        assert move(ledger, delivery, S.ACCEPTED)
        assert ledger.sent_keys(ADA) == {a_paper(2).key}
        assert ledger.owed_since(ADA) == 20
