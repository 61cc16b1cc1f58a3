"""Many editions, claims and moves in one transaction."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import StatementError

from digest.model import Delivery, DeliveryState, Edition, Poll, Rise, SubscriberId, Verdict
from digest.ports import Move, OwedEdition
from digest.store.database import reading
from digest.store.ledger import LEASE, SqlLedger
from digest.store.papers import Papers
from digest.store.schema import edition_paper
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition, an_entry
from tests.store.ledgers import RUN, SOON, claim_one, claimed, move, open_edition

DAY = NOW.date()
NEXT_DAY = DAY + timedelta(days=1)
S = DeliveryState


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


def edition_of(name: str, *numbers: int, days: int = 0) -> Edition:
    day = DAY + timedelta(days=days)
    return an_edition(a_subscriber(name), date=day, matched=tuple(a_match(a_paper(number)) for number in numbers))


def owed(*editions: Edition) -> list[OwedEdition]:
    return [OwedEdition(edition=edition, since_seq=0, through_seq=10) for edition in editions]


def states(ledger: SqlLedger) -> dict[tuple[str, int], DeliveryState]:
    return {(row.subscriber, (row.date - DAY).days): row.state for row in ledger.editions()}


def claim_all(ledger: SqlLedger, *names: str) -> list[Delivery]:
    opened = ledger.open_editions(owed(*(edition_of(name, 1) for name in names)), NOW, run=RUN)
    return [each.delivery for each in opened if each.delivery]


class TestOpen:
    def test_each_is_claimed_with_its_own_papers(self, ledger: SqlLedger) -> None:
        editions = [edition_of("Ada", 1, 2), edition_of("Ben"), edition_of("Cleo", 2, 3)]

        ada, ben, cleo = ledger.open_editions(owed(*editions), NOW, run="this one")

        assert (ben.is_written, ben.delivery) == (True, None), "it is empty"
        for opened, edition in ((ada, editions[0]), (cleo, editions[2])):
            assert opened.is_written
            assert opened.delivery
            assert (opened.delivery.subscriber, opened.delivery.date) == (edition.subscriber.id, DAY)
            assert (opened.delivery.attempts, opened.delivery.resends) == (1, 0)
            assert [each.paper for each in ledger.edition_papers(opened.delivery)] == [
                paper.key for paper in edition.papers
            ]
            assert move(ledger, opened.delivery, S.ACCEPTED)
        assert states(ledger) == {("ada", 0): S.ACCEPTED, ("ben", 0): S.SKIPPED, ("cleo", 0): S.ACCEPTED}
        assert ledger.tally("this one") == {S.ACCEPTED: 2, S.SKIPPED: 1}
        assert ledger.tally("another") == {}

    def test_an_empty_one_says_why(self, ledger: SqlLedger) -> None:
        waits = OwedEdition(edition=edition_of("Ada"), since_seq=0, through_seq=3, detail="there are 2 of 5 papers")

        ledger.open_editions([waits], NOW, run=RUN)

        assert [row.detail for row in ledger.editions()] == ["there are 2 of 5 papers"]

    def test_what_one_may_not_open_the_others_may(self, ledger: SqlLedger) -> None:
        open_edition(ledger, edition_of("Ada", 1))
        claimed(ledger)
        open_edition(ledger, edition_of("Ben", 1))
        assert move(ledger, claimed(ledger), S.ACCEPTED)
        open_edition(ledger, edition_of("Cleo", 1))
        open_edition(ledger, edition_of("Dora"))
        editions = [
            edition_of(name, 1, days=days) for name in ("Ada", "Ben", "Cleo", "Dora", "Emil") for days in (0, 1)
        ]

        opened = ledger.open_editions(owed(*editions), NOW, run=RUN)

        assert [each.is_written for each in opened] == [
            False, False,  # in hand
            False, False,  # sent
            False, True,  # waits: the next one takes its papers over
            True, False,  # was skipped, and is then in hand
            True, False,
        ]  # fmt: skip
        assert states(ledger)["cleo", 0] == S.EXPIRED

    def test_of_two_of_one_subscriber_the_second_takes_over_what_nobody_claimed(self, ledger: SqlLedger) -> None:
        opened = ledger.open_editions(
            owed(edition_of("Ada", 1), edition_of("Ada", 1, 2, days=1)), NOW, run=RUN, claim=False
        )

        assert [(each.is_written, each.delivery) for each in opened] == [(True, None)] * 2
        assert states(ledger) == {("ada", 0): S.EXPIRED, ("ada", 1): S.PENDING}

    def test_more_than_a_statement_takes(self, ledger: SqlLedger) -> None:
        editions = [edition_of(f"Reader {number}", number % 7) for number in range(1100)]

        opened = ledger.open_editions(owed(*editions), NOW, run=RUN)

        deliveries = [each.delivery for each in opened if each.delivery]
        assert [delivery.subscriber for delivery in deliveries] == [edition.subscriber.id for edition in editions]
        accepted = [Move(delivery=delivery, state=S.ACCEPTED, now=NOW) for delivery in deliveries]
        assert ledger.move(accepted) == [True] * 1100
        again = owed(*(replace(edition, date=NEXT_DAY) for edition in editions))
        assert not any(each.is_written for each in ledger.open_editions(again, NOW, run=RUN))

    def test_a3_what_fails_on_the_way_leaves_nothing_behind(self, ledger: SqlLedger, engine: Engine) -> None:
        nonsense: Any = object()
        rise = Rise(paper=a_paper(2), signal="stars", before=nonsense, now=9, since=NOW)
        open_edition(ledger, edition_of("Ben", 1))

        with pytest.raises((StatementError, TypeError)):
            ledger.open_editions(
                owed(edition_of("Ada", 1), replace(edition_of("Ben", days=1), rising=(rise,))), NOW, run=RUN
            )

        assert states(ledger) == {("ben", 0): S.PENDING}
        with reading(engine) as connection:
            assert connection.scalar(select(func.count()).select_from(edition_paper)) == 1

    def test_papers_that_were_announced_long_after_an_edition_are_looked_for_in_later_ones(
        self, ledger: SqlLedger, engine: Engine
    ) -> None:
        papers = Papers(engine)
        for number in (1, 2):
            papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=(an_entry(number),)), NOW)
        for days, number in ((0, 1), (1, 2)):
            edition = edition_of("Ada", number, days=days)
            assert open_edition(ledger, edition, since_seq=number - 1, through_seq=number)
            assert move(ledger, claimed(ledger), S.ACCEPTED)

        assert not open_edition(ledger, edition_of("Ada", 2, days=2))
        assert not open_edition(ledger, edition_of("Ada", 1, days=2))
        assert open_edition(ledger, edition_of("Ben", 2, days=2))
        assert open_edition(ledger, edition_of("Ada", 3, days=2))


class TestMove:
    def test_what_another_run_took_over_does_not_hold_the_others_up(self, ledger: SqlLedger) -> None:
        first = claim_all(ledger, "Ada", "Ben", "Cleo")
        ledger.recover(NOW + LEASE)
        (ada,) = ledger.claim(NOW, run="another", only=[SubscriberId("ada")])
        (ben,) = ledger.claim(NOW, run="another", only=[SubscriberId("ben")])

        moves = [Move(delivery=each, state=S.DOT, now=NOW) for each in (first[0], ada, ben, first[1], first[2])]
        assert ledger.move(moves) == [False, True, True, False, False]
        ends = [
            Move(delivery=each, state=state, now=NOW)
            for each, state in ((ada, S.ACCEPTED), (first[1], S.ACCEPTED), (ben, S.FAILED), (ada, S.FAILED))
        ]
        assert ledger.move(ends) == [True, False, True, False]
        assert states(ledger) == {("ada", 0): S.ACCEPTED, ("ben", 0): S.FAILED, ("cleo", 0): S.PENDING}
        assert ledger.tally(RUN) == {}
        assert ledger.tally("another") == {S.ACCEPTED: 1, S.FAILED: 1}

    def test_nothing_is_nothing(self, ledger: SqlLedger) -> None:
        assert ledger.move([]) == []
        assert ledger.open_editions([], NOW, run=RUN) == []

    def test_what_was_no_try_may_wait_for_a_time(self, ledger: SqlLedger) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        ledger.move([Move(delivery=delivery, state=S.DEFERRED, now=NOW, next_try_at=NOW + SOON, is_counted=False)])

        assert claim_one(ledger, NOW) is None
        assert claimed(ledger, NOW + SOON).attempts == 1

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"state": S.PENDING}, "cannot end"),
            ({"state": S.CLAIMED}, "cannot end"),
            ({"state": S.SKIPPED}, "cannot end"),
            ({"state": S.EXPIRED}, "cannot end"),
            ({"state": S.ACCEPTED, "is_counted": False}, "cannot end"),
            ({"state": S.DEFERRED}, "next try"),
            ({"state": S.FAILED, "next_try_at": NOW}, "next try"),
            ({"state": S.DOT, "next_try_at": NOW}, "next try"),
        ],
    )
    def test_what_makes_no_sense_is_refused_with_all_others(
        self, ledger: SqlLedger, changes: dict[str, Any], problem: str
    ) -> None:
        ada, ben = claim_all(ledger, "Ada", "Ben")
        nonsense: Any = {"delivery": ben, "now": NOW} | changes

        with pytest.raises(ValueError, match=problem):
            ledger.move([Move(delivery=ada, state=S.ACCEPTED, now=NOW), Move(**nonsense)])

        assert states(ledger) == {("ada", 0): S.CLAIMED, ("ben", 0): S.CLAIMED}


class TestSendingAgain:
    """What may have arrived, where the operator chose to send it once more."""

    def unheard_of(self, ledger: SqlLedger, delivery: Delivery) -> None:
        assert move(ledger, delivery, S.DOT)
        moves = [Move(delivery=delivery, state=S.UNCERTAIN, now=NOW, detail="no reply", next_try_at=NOW + SOON)]
        assert ledger.move(moves) == [True]

    def test_a9_once_after_a_broken_connection(self, ledger: SqlLedger) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        self.unheard_of(ledger, delivery)
        assert [(row.state, row.next_try_at) for row in ledger.editions()] == [(S.DEFERRED, NOW + SOON)]

        again = claimed(ledger, NOW + SOON)
        assert (again.id, again.attempts, again.resends) == (delivery.id, 2, 1)
        self.unheard_of(ledger, again)

        assert [(row.state, row.next_try_at) for row in ledger.editions()] == [(S.UNCERTAIN, None)]

    def test_a10_once_after_a_death(self, ledger: SqlLedger) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        assert move(ledger, delivery, S.DOT)
        assert ledger.recover(NOW + LEASE, resend=True) == []

        again = claimed(ledger)
        assert (again.id, again.resends) == (delivery.id, 1)
        assert move(ledger, again, S.DOT)

        assert [row.state for row in ledger.recover(NOW + LEASE, resend=True)] == [S.UNCERTAIN]
        assert claim_one(ledger, NOW + 3 * LEASE) is None

    def test_d24_what_was_sent_again_is_not_once_more_when_it_is_opened_anew(self, ledger: SqlLedger) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        self.unheard_of(ledger, delivery)
        ledger.expire(NEXT_DAY, NOW)

        (anew,) = claim_all(ledger, "Ada")

        assert (anew.id, anew.attempts, anew.resends) == (delivery.id, 1, 1)
        self.unheard_of(ledger, anew)
        assert states(ledger) == {("ada", 0): S.UNCERTAIN}

    @pytest.mark.parametrize("is_first_a_death", [True, False])
    def test_d24_once_in_all(self, ledger: SqlLedger, is_first_a_death: bool) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        for is_death in (is_first_a_death, not is_first_a_death):
            if is_death:
                assert move(ledger, delivery, S.DOT)
                ledger.recover(NOW + LEASE, resend=True)
            else:
                self.unheard_of(ledger, delivery)
            delivery = claim_one(ledger, NOW + SOON) or delivery

        assert states(ledger) == {("ada", 0): S.UNCERTAIN}

    def test_not_without_being_asked_to(self, ledger: SqlLedger) -> None:
        (delivery,) = claim_all(ledger, "Ada")
        assert move(ledger, delivery, S.DOT)

        assert [row.state for row in ledger.recover(NOW + LEASE)] == [S.UNCERTAIN]


class TestPoison:
    """A20: a message with which the run dies each time."""

    def die(self, ledger: SqlLedger, run: str = RUN) -> list[str]:
        """Claim all one can, and die; who was in hand."""
        claims: list[Delivery] = []
        while some := ledger.claim(NOW, run=run, limit=2):
            claims += some
        ledger.recover(NOW + LEASE)
        return [delivery.subscriber for delivery in claims]

    def test_a20_fails_the_third_time(self, ledger: SqlLedger) -> None:
        open_edition(ledger, edition_of("Ada", 1))
        for _ in range(3):
            assert states(ledger) == {("ada", 0): S.PENDING}
            assert self.die(ledger) == ["ada"]

        (row,) = ledger.editions()
        assert (row.state, row.detail) == (
            S.FAILED, "the run died each time it was tried; its papers come with the next edition",
        )  # fmt: skip
        assert open_edition(ledger, edition_of("Ada", 1, days=1))

    def test_a20_the_third_time_it_is_tried_alone_and_nobody_fails_with_it(self, ledger: SqlLedger) -> None:
        for name in ("Ada", "Ben", "Cleo"):
            open_edition(ledger, edition_of(name, 1))
        assert self.die(ledger) == self.die(ledger) == ["ada", "ben", "cleo"]
        open_edition(ledger, edition_of("Dora", 1))

        assert self.die(ledger) == ["dora", "ada"]

        assert states(ledger) == {
            ("ada", 0): S.FAILED, ("ben", 0): S.PENDING, ("cleo", 0): S.PENDING, ("dora", 0): S.PENDING,
        }  # fmt: skip
        delivered = []
        while some := ledger.claim(NOW, run=RUN, limit=9):
            delivered += [(each.subscriber, len(some)) for each in some if move(ledger, each, S.ACCEPTED)]
        assert delivered == [("dora", 2), ("ben", 2), ("cleo", 1)]

    @pytest.mark.parametrize("state", [S.DEFERRED, S.PENDING])
    def test_deaths_count_only_if_they_follow_each_other(self, ledger: SqlLedger, state: DeliveryState) -> None:
        open_edition(ledger, edition_of("Ada", 1))
        for _ in range(3):
            for _ in range(2):
                self.die(ledger)
            assert move(ledger, claimed(ledger), state, NOW - SOON)

        assert states(ledger) == {("ada", 0): state}


def test_what_is_read_of_one_subscriber_is_not_looked_for_among_all(ledger: SqlLedger, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by what is in the tables")
    seen: list[tuple[str, Any]] = []
    open_edition(ledger, replace(edition_of("Ada", 1), rest=(a_paper(2),)))
    assert move(ledger, claimed(ledger), S.ACCEPTED)

    def listen(*call: Any) -> None:
        seen.append((call[2], call[3]))

    event.listen(engine, "before_cursor_execute", listen)
    ada = SubscriberId("ada")
    assert ledger.owed_since(ada)
    assert ledger.settled_date(ada, DAY)
    assert ledger.sent_keys(ada)
    assert ledger.carried(ada)
    assert ledger.history(ada, DAY)
    assert ledger.editions(ada)
    assert not open_edition(ledger, edition_of("Ada", 1, days=1))
    event.remove(engine, "before_cursor_execute", listen)

    asked = [each for each in seen if each[0].startswith("SELECT") and "FROM edition" in each[0]]
    assert len(asked) > 8
    with reading(engine) as connection:
        for statement, parameters in asked:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            used = [line for line in plan if "SEARCH edition" in line or "SCAN edition" in line]
            # Those that are open are few.
            is_of_open = "(edition.subscriber_id || ?)" in statement
            assert any("state=?" in line if is_of_open else "_id=?" in line for line in used), (statement, plan)
            assert is_of_open or not any("state=?" in line for line in used), (statement, plan)
