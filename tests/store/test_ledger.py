import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import Engine

from digest.errors import StoreError
from digest.model import (
    Delivery,
    DeliveryState,
    Edition,
    FollowUp,
    FollowUpKind,
    Label,
    LabelKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Poll,
    Rise,
    SubscriberId,
    Verdict,
)
from digest.rank.placed import placements
from digest.store.database import open_database, writing
from digest.store.ledger import LEASE, SqlLedger
from digest.store.papers import Papers
from digest.store.schema import metadata
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition, an_entry

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
    return ledger.open_edition(edition_of(*numbers, day=day, name=name), since_seq=since, through_seq=through, now=NOW)


def claimed(ledger: SqlLedger) -> Delivery:
    delivery = ledger.claim(NOW)
    assert delivery is not None
    return delivery


def finish(ledger: SqlLedger, state: DeliveryState, after_dot: bool = True) -> Delivery:
    delivery = claimed(ledger)
    if after_dot:
        ledger.mark_dot(delivery, NOW)
    ledger.settle(
        delivery,
        state,
        detail="said so",
        now=NOW,
        next_try_at=NOW + timedelta(minutes=5) if state is S.DEFERRED else None,
    )
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


def opens(ledger: SqlLedger, edition: Edition) -> bool:
    return ledger.open_edition(edition, since_seq=0, through_seq=10, now=NOW)


def test_one_delivery_from_open_to_accepted(ledger: SqlLedger) -> None:
    assert ledger.open_edition(every_section(), since_seq=3, through_seq=9, now=NOW)
    assert ledger.settled_date(ADA, today=DAY) is None
    assert (ledger.owed_since(ADA), sent(ledger)) == (3, set())

    delivery = claimed(ledger)
    places = ledger.edition_papers(delivery)
    ledger.mark_dot(delivery, NOW)
    ledger.settle(delivery, S.ACCEPTED, detail="250 ok", now=NOW)

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
    assert ledger.claim(NOW) is None


def test_what_a_message_shows_takes_the_place_of_what_was_chosen(ledger: SqlLedger) -> None:
    opens(ledger, every_section())
    delivery = claimed(ledger)
    shown = [replace(placed, why={"had": ["code"]}) for placed in ledger.edition_papers(delivery)[1:]]

    ledger.rewrite_papers(delivery, shown, NOW)
    ledger.release(delivery, detail="later", now=NOW)
    assert ledger.edition_papers(finish(ledger, S.ACCEPTED)) == shown

    assert sent(ledger) == {2, 3, 4, 5, 6}
    assert [each.placed for each in ledger.history(ADA, DAY)] == shown


def test_a_subscriber_without_editions(ledger: SqlLedger) -> None:
    assert ledger.owed_since(ADA) is None
    assert ledger.settled_date(ADA, today=DAY) is None
    assert ledger.sent_keys(ADA) == frozenset()
    assert ledger.history(ADA, DAY) == []
    assert ledger.editions() == []
    assert ledger.claim(NOW) is None
    assert ledger.recover(NOW) == []


def test_what_is_in_hand_counts_as_waiting_until_it_is_settled(ledger: SqlLedger) -> None:
    waiting = [ledger.waiting()]
    open_one(ledger, 1)
    waiting.append(ledger.waiting())
    delivery = claimed(ledger)
    waiting.append(ledger.waiting())
    ledger.mark_dot(delivery, NOW)
    waiting.append(ledger.waiting())
    ledger.settle(delivery, S.ACCEPTED, detail="250 ok", now=NOW)
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
        assert ledger.claim(NOW) is None

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
        assert ledger.claim(NOW + timedelta(days=1)) is None

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
            ledger.mark_dot(delivery, NOW)

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
        assert opens(ledger, every_section())
        finish(ledger, S.ACCEPTED)

    def test_is_shown_once(self, ledger: SqlLedger) -> None:
        assert opens(ledger, carried_over(5))
        assert claimed(ledger).date == NEXT_DAY
        ledger.recover(NOW + LEASE)
        finish(ledger, S.ACCEPTED)

        assert not opens(ledger, carried_over(5, day=NEXT_DAY + timedelta(days=1)))
        assert opens(ledger, carried_over(6, day=NEXT_DAY + timedelta(days=1)))

    def test_can_be_carried_again_if_it_did_not_arrive(self, ledger: SqlLedger) -> None:
        opens(ledger, carried_over(5))
        finish(ledger, S.FAILED)

        assert opens(ledger, carried_over(5, day=NEXT_DAY + timedelta(days=1)))

    @pytest.mark.parametrize("number", [1, 3, 4])
    def test_not_what_was_shown(self, ledger: SqlLedger, number: int) -> None:
        assert not opens(ledger, carried_over(5, number))
        assert states(ledger) == [S.ACCEPTED]

    def test_not_without_saying_so(self, ledger: SqlLedger) -> None:
        assert not open_one(ledger, 5, day=NEXT_DAY)

    def test_not_to_be_named_again_or_elsewhere(self, ledger: SqlLedger) -> None:
        edition = edition_of(9, day=NEXT_DAY)

        assert not opens(ledger, replace(edition, rest=(a_paper(5),)))
        assert not opens(ledger, replace(edition, trending=(a_paper(5),)))

    def test_what_nobody_sent_may_be_said_to_be(self, ledger: SqlLedger) -> None:
        """The edition that named it became uncertain, say, after the caller looked."""
        assert opens(ledger, carried_over(9))


class TestNearMisses:
    def near(self, *numbers: int) -> tuple[NearMiss, ...]:
        return tuple(NearMiss(paper=a_paper(number), topic="Everything", missing="ether") for number in numbers)

    def test_do_not_count_as_sent(self, ledger: SqlLedger) -> None:
        opens(ledger, replace(edition_of(1), near_misses=self.near(2)))
        finish(ledger, S.ACCEPTED)

        assert sent(ledger) == {1}
        assert [row.papers for row in ledger.editions()] == [1]
        assert open_one(ledger, 2, day=NEXT_DAY)

    def test_may_be_of_papers_that_were_sent(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        finish(ledger, S.ACCEPTED)

        assert opens(ledger, replace(edition_of(2, day=NEXT_DAY), near_misses=self.near(1)))

    def test_are_no_reason_for_a_mail(self, ledger: SqlLedger) -> None:
        assert opens(ledger, replace(edition_of(), near_misses=self.near(1), updated=(a_paper(2),)))

        assert states(ledger) == [S.SKIPPED]
        assert [row.papers for row in ledger.editions()] == [0]
        assert ledger.claim(NOW) is None


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
        assert ledger.claim(NOW) is None

    def test_only_those_asked_for(self, ledger: SqlLedger) -> None:
        for name in ("Ada", "Ben"):
            open_one(ledger, 1, name=name)
        many = [SubscriberId(f"nobody-{number}") for number in range(1200)]

        assert ledger.claim(NOW, []) is None
        assert ledger.claim(NOW, many) is None
        delivery = ledger.claim(NOW, [*many, SubscriberId("ben")])
        assert delivery is not None
        assert delivery.subscriber == "ben"

    def test_a_deferred_one_waits_for_its_time(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        finish(ledger, S.DEFERRED)
        (row,) = ledger.editions()

        assert row.next_try_at == NOW + timedelta(minutes=5)
        assert ledger.settled_date(ADA, today=DAY) is None
        assert ledger.claim(NOW + timedelta(minutes=4, seconds=59)) is None
        again = ledger.claim(NOW + timedelta(minutes=5))
        assert again is not None
        assert again.attempts == 2

    def test_a_released_claim_was_no_attempt(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        for _ in range(9):
            delivery = claimed(ledger)
            assert delivery.attempts == 1
            ledger.release(delivery, detail="no server", now=NOW)

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
        ledger.mark_dot(delivery, NOW + timedelta(minutes=19))

        assert ledger.recover(NOW + LEASE) == []
        (row,) = ledger.recover(NOW + timedelta(minutes=19) + LEASE)

        assert (row.subscriber, row.state, row.papers) == (ADA, S.UNCERTAIN, 1)
        assert ledger.recover(NOW + 3 * LEASE) == []
        assert ledger.claim(NOW + 3 * LEASE) is None
        assert (ledger.owed_since(ADA), sent(ledger), ledger.settled_date(ADA, today=DAY)) == (4, set(), DAY)

    def test_a19_a_run_that_slept_past_its_lease_can_do_nothing(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        old = claimed(ledger)
        ledger.recover(NOW + LEASE)
        new = claimed(ledger)

        with pytest.raises(StoreError, match="another run took the delivery"):
            ledger.mark_dot(old, NOW)
        with pytest.raises(StoreError, match="another run took the delivery"):
            ledger.settle(old, S.ACCEPTED, detail="", now=NOW)
        with pytest.raises(StoreError, match="another run took the delivery"):
            ledger.release(old, detail="", now=NOW)
        with pytest.raises(StoreError, match="another run took the delivery"):
            ledger.rewrite_papers(old, [], NOW)
        assert len(ledger.edition_papers(new)) == 1
        ledger.mark_dot(new, NOW)
        with pytest.raises(StoreError, match="another run"):
            ledger.mark_dot(new, NOW)
        ledger.settle(new, S.ACCEPTED, detail="", now=NOW)
        with pytest.raises(StoreError, match="another run"):
            ledger.settle(new, S.FAILED, detail="", now=NOW)

    def test_a_late_reply_does_not_undo_uncertain(self, ledger: SqlLedger) -> None:
        open_one(ledger, 1)
        delivery = claimed(ledger)
        ledger.mark_dot(delivery, NOW)
        ledger.recover(NOW + LEASE)

        with pytest.raises(StoreError, match="another run"):
            ledger.settle(delivery, S.ACCEPTED, detail="", now=NOW)
        assert states(ledger) == [S.UNCERTAIN]


@pytest.mark.parametrize("state", [S.PENDING, S.CLAIMED, S.DOT, S.SKIPPED, S.EXPIRED])
def test_a_claim_cannot_end_in_a_state_that_is_no_end(ledger: SqlLedger, state: DeliveryState) -> None:
    open_one(ledger, 1)

    with pytest.raises(ValueError, match="cannot end"):
        ledger.settle(claimed(ledger), state, detail="", now=NOW)


def test_deferring_needs_a_time(ledger: SqlLedger) -> None:
    open_one(ledger, 1)

    with pytest.raises(ValueError, match="next try"):
        ledger.settle(claimed(ledger), S.DEFERRED, detail="", now=NOW)


def test_rows_for_people_are_newest_first_and_limited(ledger: SqlLedger) -> None:
    for day in range(5):
        open_one(ledger, day, day=DAY + timedelta(days=day))
    open_one(ledger, 9, name="Ben")

    assert [row.date.day for row in ledger.editions(ADA, limit=2)] == [24, 23]
    assert len(ledger.editions()) == 6


def test_no_address_is_in_the_database(ledger: SqlLedger, engine: Engine) -> None:
    open_one(ledger, 1)
    finish(ledger, S.ACCEPTED)
    with closing(sqlite3.connect(engine.url.database or "")) as connection:
        dump = "\n".join(connection.iterdump())

    assert "ada" in dump
    assert "@" not in dump


@cache
def memory_database() -> Engine:
    return open_database("sqlite://")


class NeverLostNeverTwice(RuleBasedStateMachine):
    """Runs that overlap, fail and die in any order, against an inbox that counts."""

    claims = Bundle("claims")
    dotted = Bundle("dotted")
    plans = Bundle("plans")

    @initialize()
    def start(self) -> None:
        self.engine = memory_database()
        with writing(self.engine) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.papers, self.ledger = Papers(self.engine), SqlLedger(self.engine)
        self.now, self.day, self.announced = NOW, DAY, 0
        self.first_seq = self.papers.latest_seq()
        self.shown: Counter[PaperKey] = Counter()
        """How often a paper arrived in full."""
        self.named: Counter[PaperKey] = Counter()
        """How often a paper arrived by its title only."""
        self.unsure: Counter[PaperKey] = Counter()
        """How often a paper went out in a message of which no reply was stored."""
        self.gone: set[int] = set()
        """Deliveries of which no reply was stored: they must never be tried again."""
        self.limit = 2
        self.announce(1, "a")
        # The subscriber's first edition starts from here on.
        assert self.open(self.plan())

    def teardown(self) -> None:
        self.everything_arrives_in_the_end()

    def plan(self) -> tuple[Edition, int, int]:
        """What a run reads before it writes the edition down."""
        through = self.papers.latest_seq()
        since = self.ledger.owed_since(ADA)
        since = self.first_seq if since is None else since
        sent = self.ledger.sent_keys(ADA)
        news = [paper for paper in self.papers.announced(since, through) if paper.key not in sent]
        owed = [paper for paper in news if self.wants(paper)]
        near = [paper for paper in news if not self.wants(paper)]
        edition = an_edition(
            date=self.day,
            matched=(*self.carried(), *map(a_match, owed[: self.limit])),
            rest=tuple(owed[self.limit :]),
            near_misses=tuple(NearMiss(paper=paper, topic="Everything", missing="b") for paper in near),
        )
        return edition, since, through

    def wants(self, paper: Paper) -> bool:
        """Every third paper not before source ``b`` lists it."""
        return int(paper.key[-5:]) % 3 > 0 or "b" in paper.sources

    def carried(self) -> list[Match]:
        """The first of those that were named and not shown."""
        history = self.ledger.history(ADA, date.min)
        shown = {each.placed.paper for each in history if each.placed.section == "matched"}
        named = {each.placed.paper: each.date for each in history if each.placed.section == "rest"}
        return [
            a_match(paper, labels=(Label(LabelKind.CARRIED, named[paper.key].isoformat()),))
            for paper in self.papers.papers([key for key in named if key not in shown][: self.limit])
        ]

    def open(self, plan: tuple[Edition, int, int]) -> bool:
        edition, since, through = plan
        return self.ledger.open_edition(edition, since_seq=since, through_seq=through, now=self.now)

    def claim(self) -> Delivery | None:
        delivery = self.ledger.claim(self.now)
        assert delivery is None or delivery.id not in self.gone
        return delivery

    @rule(count=st.integers(1, 3), source=st.sampled_from("ab"))
    def announce(self, count: int, source: str) -> None:
        self.announced += count
        again = range(max(1, self.announced - count - 1), self.announced + 1)
        self.papers.record(Poll(source=source, verdict=Verdict.FRESH, entries=tuple(map(an_entry, again))), self.now)

    @rule(days=st.integers(0, 2))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days, minutes=7)
        self.day += timedelta(days=days)

    @rule()
    def the_zone_moves_back(self) -> None:
        self.day -= timedelta(days=1)

    @rule(target=plans, days=st.integers(0, 2))
    def a_run_reads(self, days: int) -> tuple[Edition, int, int]:
        self.day += timedelta(days=days)
        return self.plan()

    @rule(plan=consumes(plans))
    def a_run_opens(self, plan: tuple[Edition, int, int]) -> None:
        self.open(plan)

    @rule(days=st.integers(0, 2))
    def a_run_reads_and_opens(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.open(self.plan())

    @rule()
    def a_run_opens_what_another_delivered_meanwhile(self) -> None:
        self.day += timedelta(days=1)
        plan = self.plan()
        self.a_run_reads_and_opens(days=1)
        self.a_run_delivers_all_it_can()
        self.open(plan)

    @rule()
    def a_run_delivers_all_it_can(self) -> None:
        while delivery := self.claim():
            self.ledger.mark_dot(delivery, self.now)
            self.the_dot_is_sent(delivery, is_stored=True, is_taken=True)

    @rule(target=claims)
    def a_run_claims(self) -> object:
        delivery = self.claim()
        return delivery or multiple()

    @rule(target=dotted, delivery=consumes(claims))
    def the_body_is_sent(self, delivery: Delivery) -> object:
        try:
            self.ledger.mark_dot(delivery, self.now)
        except StoreError:
            return multiple()
        return delivery

    @rule(delivery=consumes(dotted), is_stored=st.booleans(), is_taken=st.booleans())
    def the_dot_is_sent(self, delivery: Delivery, is_stored: bool, is_taken: bool) -> None:
        places = [placed for placed in self.ledger.edition_papers(delivery) if placed.section != "near"]
        keys = [placed.paper for placed in places]
        assert keys
        if not is_stored:
            self.unsure.update(keys)
            self.gone.add(delivery.id)
        if is_taken:
            for placed in places:
                if placed.section == "rest":
                    assert self.shown[placed.paper] <= self.unsure[placed.paper], f"{placed.paper} is named after all"
                (self.named if placed.section == "rest" else self.shown)[placed.paper] += 1
        if not is_stored:
            return
        state = S.ACCEPTED if is_taken else S.FAILED
        try:
            self.ledger.settle(delivery, state, detail="", now=self.now)
        except StoreError:
            self.unsure.update(keys)

    @rule(delivery=consumes(claims), state=st.sampled_from([S.FAILED, S.DEFERRED, S.PENDING]))
    def the_server_refuses(self, delivery: Delivery, state: DeliveryState) -> None:
        try:
            if state is S.PENDING:
                self.ledger.release(delivery, detail="", now=self.now)
            else:
                again = self.now + timedelta(minutes=5) if state is S.DEFERRED else None
                self.ledger.settle(delivery, state, detail="", now=self.now, next_try_at=again)
        except StoreError:
            pass

    @rule(delivery=consumes(claims))
    def a_run_dies_before_the_dot(self, delivery: Delivery) -> None:
        pass

    @rule(minutes=st.sampled_from([0, 10, 21]))
    def a_run_starts(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.ledger.recover(self.now)

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        for key, times in (*self.shown.items(), *self.named.items()):
            assert times <= 1 + self.unsure[key], f"{key} was sent {times} times"

    def everything_arrives_in_the_end(self) -> None:
        self.day = max(self.day, *(row.date for row in self.ledger.editions(limit=1000)))
        self.limit = 1000
        for _ in range(3):
            self.now += timedelta(days=1)
            self.day += timedelta(days=1)
            self.ledger.recover(self.now)
            self.open(self.plan())
            self.a_run_delivers_all_it_can()
        self.nothing_is_sent_twice()
        wanted = {paper.key for paper in self.papers.announced(0, self.papers.latest_seq()) if self.wants(paper)}
        assert self.shown.keys() == wanted
        assert self.ledger.claim(self.now + timedelta(days=1)) is None


TestNeverLostNeverTwice = NeverLostNeverTwice.TestCase
TestNeverLostNeverTwice.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
