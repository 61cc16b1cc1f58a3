from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from digest.errors import TakenOverError
from digest.model import (
    Delivery,
    DeliveryState,
    Edition,
    FollowUp,
    FollowUpKind,
    Label,
    LabelKind,
    NearMiss,
    Rise,
    SubscriberId,
)
from digest.rank.placed import placements
from digest.store.database import reading
from digest.store.ledger import LEASE, SqlLedger
from digest.store.schema import metadata
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.store.ledgers import RUN, SOON, claim_one, claimed, move, open_edition

ADA = SubscriberId("ada")
DAY = NOW.date()
NEXT_DAY = DAY + timedelta(days=1)
S = DeliveryState


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


def edition_of(*numbers: int, day: date = DAY, name: str = "Ada") -> Edition:
    return an_edition(a_subscriber(name), date=day, matched=tuple(a_match(a_paper(number)) for number in numbers))


def open_one(
    ledger: SqlLedger, *numbers: int, day: date = DAY, since: int = 0, through: int = 10, name: str = "Ada"
) -> bool:
    return open_edition(ledger, edition_of(*numbers, day=day, name=name), since_seq=since, through_seq=through)


def finish(ledger: SqlLedger, state: DeliveryState, after_dot: bool = True) -> Delivery:
    delivery = claimed(ledger)
    if after_dot:
        assert move(ledger, delivery, S.DOT)
    assert move(ledger, delivery, state, detail="said so")
    return delivery


def states(ledger: SqlLedger) -> list[DeliveryState]:
    return [row.state for row in reversed(ledger.editions())]


def sent(ledger: SqlLedger) -> set[int]:
    return {int(key[-5:]) for key in ledger.sent_keys(ADA)}


def every_section(day: date = DAY) -> Edition:
    """Papers 1 to 9, in order."""
    return replace(
        edition_of(1, 2, day=day),
        trending=(a_paper(3),),
        rising=(Rise(paper=a_paper(4), signal="stars", before=3, now=90, since=NOW),),
        rest=(a_paper(5), a_paper(6)),
        follow_ups=(FollowUp(paper=a_paper(7), kinds=(FollowUpKind.CODE,)),),
        updated=(a_paper(8),),
        near_misses=(NearMiss(paper=a_paper(9), topic="Everything", missing="ether"),),
    )


def carried_over(*numbers: int, day: date = NEXT_DAY) -> Edition:
    label = Label(LabelKind.CARRIED, DAY.isoformat())
    return an_edition(date=day, matched=tuple(a_match(a_paper(number), labels=(label,)) for number in numbers))


def test_one_delivery_from_open_to_accepted(ledger: SqlLedger) -> None:
    assert open_edition(ledger, every_section(), since_seq=3, through_seq=9)
    assert ledger.settled_date(ADA, today=DAY) is None
    assert (ledger.owed_since(ADA), sent(ledger)) == (3, set())

    delivery = claimed(ledger)
    places = ledger.edition_papers(delivery)
    assert move(ledger, delivery, S.DOT)
    assert move(ledger, delivery, S.ACCEPTED, detail="250 ok")

    assert [(placed.section, int(placed.paper[-5:])) for placed in places] == [
        ("matched", 1),
        ("matched", 2),
        ("trending", 3),
        ("rising", 4),
        ("rest", 5),
        ("rest", 6),
        ("followup", 7),
        ("updated", 8),
        ("near", 9),
    ]
    assert list(places) == list(placements(every_section()))
    assert places[0].why, "what was known when it was chosen"
    assert [each.placed for each in ledger.history(ADA, DAY)] == list(places)
    assert (delivery.subscriber, delivery.date, delivery.attempts) == (ADA, DAY, 1)
    assert (ledger.owed_since(ADA), sent(ledger), ledger.settled_date(ADA, today=DAY)) == (9, {1, 2, 3, 4, 5, 6}, DAY)
    (row,) = ledger.editions()
    assert (row.state, row.papers, row.attempts, row.detail, row.next_try_at) == (S.ACCEPTED, 6, 1, "250 ok", None)
    assert claim_one(ledger) is None


def test_what_a_message_shows_takes_the_place_of_what_was_chosen(ledger: SqlLedger) -> None:
    open_edition(ledger, every_section())
    delivery = claimed(ledger)
    shown = [replace(placed, why={"had": ["code"]}) for placed in ledger.edition_papers(delivery)[1:]]

    ledger.rewrite_papers(delivery, shown, NOW)
    assert move(ledger, delivery, S.PENDING, detail="later")
    assert ledger.edition_papers(finish(ledger, S.ACCEPTED)) == shown

    assert sent(ledger) == {2, 3, 4, 5, 6}
    assert [each.placed for each in ledger.history(ADA, DAY)] == shown


def test_a_subscriber_without_editions(ledger: SqlLedger) -> None:
    assert ledger.owed_since(ADA) is None
    assert ledger.settled_date(ADA, today=DAY) is None
    assert ledger.sent_keys(ADA) == frozenset()
    assert ledger.history(ADA, DAY) == []
    assert ledger.editions() == []
    assert claim_one(ledger) is None
    assert ledger.recover(NOW) == []


def test_what_is_in_hand_counts_as_waiting_until_it_is_settled(ledger: SqlLedger) -> None:
    waiting = [ledger.waiting()]
    open_one(ledger, 1)
    waiting.append(ledger.waiting())
    delivery = claimed(ledger)
    waiting.append(ledger.waiting())
    assert move(ledger, delivery, S.DOT)
    waiting.append(ledger.waiting())
    assert move(ledger, delivery, S.ACCEPTED, detail="250 ok")
    waiting.append(ledger.waiting())

    assert waiting == [0, 1, 1, 1, 0]


class TestOpen:
    def test_one_edition_for_each_subscriber_and_date(self, ledger: SqlLedger) -> None:
        assert open_one(ledger, 1)
        assert not open_one(ledger, 1, 2)
        assert open_one(ledger, 1, name="Ben")

    @pytest.mark.parametrize("state", [S.ACCEPTED, S.FAILED, S.SUPPRESSED, S.UNCERTAIN, S.DEFERRED])
    def test_what_was_tried_is_not_opened_again(self, ledger: SqlLedger, state: DeliveryState) -> None:
        open_one(ledger, 1)
        finish(ledger, state)

        assert not open_one(ledger, 1)
        assert states(ledger) == [state]

    def test_an_empty_edition_is_skipped_and_settles_what_is_owed(self, ledger: SqlLedger) -> None:
        assert open_one(ledger, since=3, through=8)

        assert states(ledger) == [S.SKIPPED]
        assert ledger.owed_since(ADA) == 8
        assert ledger.settled_date(ADA, today=DAY) is None
        assert claim_one(ledger) is None

    def test_what_is_owed_begins_no_earlier_than_the_edition(self, ledger: SqlLedger) -> None:
        open_one(ledger, since=20, through=10)

        assert ledger.owed_since(ADA) == 20

    def test_a_skipped_edition_opens_when_papers_come_the_same_day(self, ledger: SqlLedger) -> None:
        open_one(ledger, since=3, through=8)
        assert not open_one(ledger, since=8, through=9)

        assert open_one(ledger, 1, since=8, through=12)

        assert states(ledger) == [S.PENDING]
        assert ledger.owed_since(ADA) == 3
        finish(ledger, S.ACCEPTED)
        assert ledger.owed_since(ADA) == 12

    @pytest.mark.parametrize("state", [S.PENDING, S.DEFERRED])
    def test_the_next_edition_takes_over_what_waits(self, ledger: SqlLedger, state: DeliveryState) -> None:
        open_one(ledger, 1)
        if state is S.DEFERRED:
            finish(ledger, state)

        assert open_one(ledger, 1, 2, day=NEXT_DAY)

        assert states(ledger) == [S.EXPIRED, S.PENDING]
        delivery = claimed(ledger)
        assert delivery.date == NEXT_DAY
        assert claim_one(ledger, NOW + timedelta(days=1)) is None

    def test_an_older_date_takes_over_too_and_can_be_taken_over_again(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1, day=NEXT_DAY)

        assert open_one(ledger, 1, day=DAY)
        assert states(ledger) == [S.PENDING, S.EXPIRED]
        assert open_one(ledger, 1, day=NEXT_DAY)
        assert states(ledger) == [S.EXPIRED, S.PENDING]

    @pytest.mark.parametrize("has_dot", [False, True])
    @pytest.mark.parametrize("numbers", [(), (2,)])
    def test_while_one_is_in_hand_none_is_opened(
        self, ledger: SqlLedger, has_dot: bool, numbers: tuple[int, ...]
    ) -> None:
        open_one(ledger, 1)
        delivery = claimed(ledger)
        if has_dot:
            assert move(ledger, delivery, S.DOT)

        assert not open_one(ledger, *numbers, day=NEXT_DAY, through=20)
        assert open_one(ledger, 1, day=NEXT_DAY, name="Ben")

    def test_papers_sent_since_the_caller_looked_are_not_sent_again(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        finish(ledger, S.ACCEPTED)

        assert not open_one(ledger, 1, 2, day=NEXT_DAY)
        assert states(ledger) == [S.ACCEPTED]

    @pytest.mark.parametrize("state", [S.FAILED, S.SUPPRESSED, S.UNCERTAIN])
    def test_papers_of_what_was_not_delivered_come_back(self, ledger: SqlLedger, state: DeliveryState) -> None:
        open_one(ledger, 1, since=4)
        finish(ledger, state)

        assert (ledger.owed_since(ADA), sent(ledger), ledger.settled_date(ADA, today=DAY)) == (4, set(), DAY)
        assert open_one(ledger, 1, 2, day=NEXT_DAY, since=4, through=20)

    def test_what_is_owed_never_goes_back(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1, day=NEXT_DAY, through=10)
        finish(ledger, S.ACCEPTED)
        open_one(ledger, 2, day=DAY, since=10, through=20)
        finish(ledger, S.ACCEPTED)

        assert ledger.owed_since(ADA) == 20


class TestCarriedOver:
    """What the limit cut from an edition, so that it was only named, may be shown in a later one."""

    @pytest.fixture(autouse=True)
    def _the_first_edition(self, ledger: SqlLedger) -> None:
        assert open_edition(ledger, every_section())
        finish(ledger, S.ACCEPTED)

    def test_is_shown_once(self, ledger: SqlLedger) -> None:
        assert open_edition(ledger, carried_over(5))
        assert claimed(ledger).date == NEXT_DAY
        ledger.recover(NOW + LEASE)
        finish(ledger, S.ACCEPTED)

        assert not open_edition(ledger, carried_over(5, day=NEXT_DAY + timedelta(days=1)))
        assert open_edition(ledger, carried_over(6, day=NEXT_DAY + timedelta(days=1)))

    def test_can_be_carried_again_if_it_did_not_arrive(self, ledger: SqlLedger) -> None:
        open_edition(ledger, carried_over(5))
        finish(ledger, S.FAILED)

        assert open_edition(ledger, carried_over(5, day=NEXT_DAY + timedelta(days=1)))

    @pytest.mark.parametrize("number", [1, 3, 4])
    def test_not_what_was_shown(self, ledger: SqlLedger, number: int) -> None:
        assert not open_edition(ledger, carried_over(5, number))
        assert states(ledger) == [S.ACCEPTED]

    def test_not_without_saying_so(self, ledger: SqlLedger) -> None:
        assert not open_one(ledger, 5, day=NEXT_DAY)

    def test_not_to_be_named_again_or_elsewhere(self, ledger: SqlLedger) -> None:
        edition = edition_of(9, day=NEXT_DAY)

        assert not open_edition(ledger, replace(edition, rest=(a_paper(5),)))
        assert not open_edition(ledger, replace(edition, trending=(a_paper(5),)))

    def test_what_nobody_sent_may_be_said_to_be(self, ledger: SqlLedger) -> None:
        """The edition that named it became uncertain, say, after the caller looked."""
        assert open_edition(ledger, carried_over(9))


class TestNearMisses:
    def near(self, *numbers: int) -> tuple[NearMiss, ...]:
        return tuple(NearMiss(paper=a_paper(number), topic="Everything", missing="ether") for number in numbers)

    def test_do_not_count_as_sent(self, ledger: SqlLedger) -> None:
        open_edition(ledger, replace(edition_of(1), near_misses=self.near(2)))
        finish(ledger, S.ACCEPTED)

        assert sent(ledger) == {1}
        assert [row.papers for row in ledger.editions()] == [1]
        assert open_one(ledger, 2, day=NEXT_DAY)

    def test_may_be_of_papers_that_were_sent(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        finish(ledger, S.ACCEPTED)

        assert open_edition(ledger, replace(edition_of(2, day=NEXT_DAY), near_misses=self.near(1)))

    def test_are_no_reason_for_a_mail(self, ledger: SqlLedger) -> None:
        assert open_edition(ledger, replace(edition_of(), near_misses=self.near(1), updated=(a_paper(2),)))

        assert states(ledger) == [S.SKIPPED]
        assert [row.papers for row in ledger.editions()] == [0]
        assert claim_one(ledger) is None


def test_history_is_what_was_accepted_oldest_first(ledger: SqlLedger) -> None:
    for days, (number, state) in enumerate([(1, S.ACCEPTED), (2, S.FAILED), (3, S.ACCEPTED), (4, S.UNCERTAIN)]):
        open_one(ledger, number, day=DAY + timedelta(days=days))
        finish(ledger, state)
    # Where a zone or a clock moved back, an older date is sent later.
    open_one(ledger, 5, 6, day=DAY - timedelta(days=1))
    finish(ledger, S.ACCEPTED)
    open_one(ledger, 7, name="Ben")
    finish(ledger, S.ACCEPTED)
    open_one(ledger, 8, day=DAY + timedelta(days=9))

    def since(days: int) -> list[tuple[int, int]]:
        day = DAY + timedelta(days=days)
        return [((each.date - DAY).days, int(each.placed.paper[-5:])) for each in ledger.history(ADA, day)]

    assert since(-1) == [(-1, 5), (-1, 6), (0, 1), (2, 3)]
    assert since(0) == [(0, 1), (2, 3)]
    assert since(3) == []


class TestClaim:
    def test_oldest_first_and_each_once(self, ledger: SqlLedger) -> None:
        for number, name in enumerate(("Ada", "Ben", "Cleo")):
            open_one(ledger, number, name=name)

        assert [claimed(ledger).subscriber for _ in range(3)] == ["ada", "ben", "cleo"]
        assert claim_one(ledger) is None

    def test_only_those_asked_for(self, ledger: SqlLedger) -> None:
        for name in ("Ada", "Ben"):
            open_one(ledger, 1, name=name)
        many = [SubscriberId(f"nobody-{number}") for number in range(1200)]

        assert ledger.claim(NOW, run=RUN, only=[], limit=9) == []
        assert ledger.claim(NOW, run=RUN, only=many, limit=9) == []
        (delivery,) = ledger.claim(NOW, run=RUN, only=[*many, SubscriberId("ben")], limit=9)
        assert delivery.subscriber == "ben"

    def test_as_many_as_wanted_each_once(self, ledger: SqlLedger) -> None:
        for number in range(5):
            open_one(ledger, 1, name=f"Reader {number}")

        taken = [ledger.claim(NOW, run=RUN, limit=limit) for limit in (2, 2, 2)]

        assert [len(some) for some in taken] == [2, 2, 1]
        ids = [delivery.id for some in taken for delivery in some]
        assert ids == sorted(set(ids))
        assert ledger.claim(NOW, run=RUN, limit=2) == []

    def test_a_deferred_one_waits_for_its_time(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        finish(ledger, S.DEFERRED)
        (row,) = ledger.editions()

        assert row.next_try_at == NOW + SOON
        assert ledger.settled_date(ADA, today=DAY) is None
        assert claim_one(ledger, NOW + timedelta(minutes=4, seconds=59)) is None
        assert claimed(ledger, NOW + SOON).attempts == 2

    def test_a_released_claim_was_no_attempt(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        for _ in range(9):
            delivery = claimed(ledger)
            assert delivery.attempts == 1
            assert move(ledger, delivery, S.PENDING, detail="no server")

        assert states(ledger) == [S.PENDING]
        assert ledger.editions()[0].detail == "no server"


class TestRecover:
    def test_before_the_dot_it_waits_again(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        claimed(ledger)

        assert ledger.recover(NOW + LEASE - timedelta(seconds=1)) == []
        assert states(ledger) == [S.CLAIMED]
        assert ledger.recover(NOW + LEASE) == []
        assert states(ledger) == [S.PENDING]
        assert claimed(ledger).attempts == 2

    def test_after_the_dot_it_is_uncertain(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1, since=4)
        delivery = claimed(ledger)
        assert move(ledger, delivery, S.DOT, NOW + timedelta(minutes=19))

        assert ledger.recover(NOW + LEASE) == []
        (row,) = ledger.recover(NOW + timedelta(minutes=19) + LEASE)

        assert (row.subscriber, row.state, row.papers) == (ADA, S.UNCERTAIN, 1)
        assert ledger.recover(NOW + 3 * LEASE) == []
        assert claim_one(ledger, NOW + 3 * LEASE) is None
        assert (ledger.owed_since(ADA), sent(ledger), ledger.settled_date(ADA, today=DAY)) == (4, set(), DAY)

    def test_a19_a_run_that_slept_past_its_lease_can_do_nothing(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        old = claimed(ledger)
        ledger.recover(NOW + LEASE)
        new = claimed(ledger)

        for state in (S.DOT, S.ACCEPTED, S.PENDING, S.DEFERRED, S.UNCERTAIN):
            assert not move(ledger, old, state)
        with pytest.raises(TakenOverError, match="another run took the delivery"):
            ledger.rewrite_papers(old, [], NOW)
        assert len(ledger.edition_papers(new)) == 1
        assert move(ledger, new, S.DOT)
        assert not move(ledger, new, S.DOT)
        assert move(ledger, new, S.ACCEPTED)
        assert not move(ledger, new, S.FAILED)
        assert states(ledger) == [S.ACCEPTED]

    def test_a_late_reply_does_not_undo_uncertain(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        delivery = claimed(ledger)
        assert move(ledger, delivery, S.DOT)
        ledger.recover(NOW + LEASE)

        assert not move(ledger, delivery, S.ACCEPTED)
        assert states(ledger) == [S.UNCERTAIN]


def test_rows_for_people_are_newest_first_and_limited(ledger: SqlLedger) -> None:
    for day in range(5):
        open_one(ledger, day, day=DAY + timedelta(days=day))
    open_one(ledger, 9, name="Ben")

    assert [row.date.day for row in ledger.editions(ADA, limit=2)] == [24, 23]
    assert len(ledger.editions()) == 6


def test_no_address_is_in_the_database(ledger: SqlLedger, engine: Engine) -> None:
    open_one(ledger, 1)
    finish(ledger, S.ACCEPTED)
    with reading(engine) as connection:
        dump = "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(table.select()))

    assert "ada" in dump
    assert "@" not in dump
