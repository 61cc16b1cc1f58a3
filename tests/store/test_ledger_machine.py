"""Any order of steps: no paper is lost, and none is sent twice but where that could not be known."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import Engine

from digest.model import (
    Delivery,
    DeliveryState,
    Label,
    LabelKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Poll,
    Subscriber,
    Verdict,
)
from digest.ports import Move, OwedEdition
from digest.store.database import open_database, writing
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.store.schema import metadata
from tests.builders import NOW, a_match, a_subscriber, an_edition, an_entry

S = DeliveryState
READERS = (a_subscriber("Ada"), a_subscriber("Ben"))
RUNS = st.sampled_from(["one", "another"])


@cache
def memory_database() -> Engine:
    return open_database("sqlite://")


class NeverLostNeverTwice(RuleBasedStateMachine):
    """Runs that overlap, fail and die in any order, against two inboxes that count.

    Each step is made with all that a run has at a time: one delivery, or one to either reader, in one transaction.
    """

    claims = Bundle("claims")
    dotted = Bundle("dotted")
    plans = Bundle("plans")

    @initialize(resend=st.booleans())
    def start(self, resend: bool) -> None:
        self.engine = memory_database()
        with writing(self.engine) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.papers, self.ledger, self.resend = Papers(self.engine), SqlLedger(self.engine), resend
        self.now, self.day, self.announced = NOW, NOW.date(), 0
        self.first_seq = self.papers.latest_seq()
        self.shown: Counter[tuple[str, PaperKey]] = Counter()
        """How often a paper arrived in full."""
        self.named: Counter[tuple[str, PaperKey]] = Counter()
        """How often a paper arrived by its title only."""
        self.unsure: Counter[tuple[str, PaperKey]] = Counter()
        """How often a paper went out in a message of which no reply was stored."""
        self.gone: Counter[int] = Counter()
        """Deliveries of which no reply was stored, and how often."""
        self.limit = 2
        self.announce(1, "a")
        # The readers' first editions start from here on.
        self.open(self.plan())
        assert self.ledger.waiting() == len(READERS)

    def teardown(self) -> None:
        self.everything_arrives_in_the_end()

    def plan(self) -> list[OwedEdition]:
        """What a run reads before it writes editions down."""
        return [self.plan_one(reader) for reader in READERS]

    def plan_one(self, reader: Subscriber) -> OwedEdition:
        through = self.papers.latest_seq()
        since = self.ledger.owed_since(reader.id)
        since = self.first_seq if since is None else since
        sent = self.ledger.sent_keys(reader.id)
        news = [paper for paper in self.papers.announced(since, through) if paper.key not in sent]
        owed = [paper for paper in news if self.wants(paper)]
        near = [paper for paper in news if not self.wants(paper)]
        edition = an_edition(
            reader,
            date=self.day,
            matched=(*self.carried(reader), *map(a_match, owed[: self.limit])),
            rest=tuple(owed[self.limit :]),
            near_misses=tuple(NearMiss(paper=paper, topic="Everything", missing="b") for paper in near),
        )
        return OwedEdition(edition=edition, since_seq=since, through_seq=through)

    def wants(self, paper: Paper) -> bool:
        """Every third paper not before source ``b`` lists it."""
        return int(paper.key[-5:]) % 3 > 0 or "b" in paper.sources

    def carried(self, reader: Subscriber) -> list[Match]:
        """The first of those that were named and not shown."""
        history = self.ledger.history(reader.id, date.min)
        shown = {each.placed.paper for each in history if each.placed.section == "matched"}
        named = {each.placed.paper: each.date for each in history if each.placed.section == "rest"}
        return [
            a_match(paper, labels=(Label(LabelKind.CARRIED, named[paper.key].isoformat()),))
            for paper in self.papers.papers([key for key in named if key not in shown][: self.limit])
        ]

    def open(self, plan: Sequence[OwedEdition], run: str = "one", *, claim: bool = False) -> list[Delivery]:
        opened = self.ledger.open_editions(plan, self.now, run=run, claim=claim)
        return [self.checked(each.delivery) for each in opened if each.delivery]

    def claim(self, run: str = "one", limit: int = 1) -> list[Delivery]:
        return [self.checked(delivery) for delivery in self.ledger.claim(self.now, run=run, limit=limit)]

    def checked(self, delivery: Delivery) -> Delivery:
        assert self.gone[delivery.id] <= self.resend, "sent again after all"
        assert self.ledger.edition_papers(delivery)
        return delivery

    def move(self, group: Sequence[Delivery], state: DeliveryState, *, again: bool = False) -> list[Delivery]:
        """Those that could be moved."""
        moves = [
            Move(
                delivery=delivery,
                state=state,
                now=self.now,
                next_try_at=self.now + timedelta(minutes=5) if again else None,
                is_counted=state is not S.PENDING,
            )
            for delivery in group
        ]
        return [each for each, is_written in zip(group, self.ledger.move(moves), strict=True) if is_written]

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

    @rule()
    def what_waits_for_days_is_given_up(self) -> None:
        self.ledger.expire(self.day - timedelta(days=1), self.now)

    @rule(target=plans, days=st.integers(0, 2))
    def a_run_reads(self, days: int) -> list[OwedEdition]:
        self.day += timedelta(days=days)
        return self.plan()

    @rule(target=claims, plan=consumes(plans), run=RUNS, claim=st.booleans())
    def a_run_opens(self, plan: list[OwedEdition], run: str, claim: bool) -> object:
        return self.open(plan, run, claim=claim) or multiple()

    @rule(target=claims, days=st.integers(0, 2), run=RUNS, claim=st.booleans())
    def a_run_reads_and_opens(self, days: int, run: str, claim: bool) -> object:
        self.day += timedelta(days=days)
        return self.open(self.plan(), run, claim=claim) or multiple()

    @rule()
    def a_run_opens_what_another_delivered_meanwhile(self) -> None:
        self.day += timedelta(days=1)
        plan = self.plan()
        self.day += timedelta(days=1)
        self.open(self.plan())
        self.a_run_delivers_all_it_can()
        self.open(plan)

    @rule()
    def a_run_delivers_all_it_can(self) -> None:
        while group := self.claim(limit=9):
            assert self.move(group, S.DOT) == group
            self.the_dot_is_sent(group, S.ACCEPTED, is_taken=True)

    @rule(target=claims, run=RUNS, limit=st.integers(1, 2))
    def a_run_claims(self, run: str, limit: int) -> object:
        return self.claim(run, limit) or multiple()

    @rule(target=dotted, group=consumes(claims))
    def the_body_is_sent(self, group: list[Delivery]) -> object:
        return self.move(group, S.DOT) or multiple()

    @rule(group=consumes(dotted), reply=st.sampled_from([S.ACCEPTED, S.FAILED, None]), is_taken=st.booleans())
    def the_dot_is_sent(self, group: list[Delivery], reply: DeliveryState | None, is_taken: bool) -> None:
        """The server says what it did, if a reply comes at all: else the connection broke."""
        for delivery in group:
            for placed in self.ledger.edition_papers(delivery):
                if placed.section != "near" and (is_taken if reply is None else reply is S.ACCEPTED):
                    arrived = self.named if placed.section == "rest" else self.shown
                    arrived[delivery.subscriber, placed.paper] += 1
        written = self.move(group, reply or S.UNCERTAIN, again=reply is None and self.resend)
        self.nobody_knows(group if reply is None else [each for each in group if each not in written])

    @rule(group=consumes(dotted), is_taken=st.booleans())
    def a_run_dies_after_the_dot(self, group: list[Delivery], is_taken: bool) -> None:
        for delivery in group:
            for placed in self.ledger.edition_papers(delivery):
                if placed.section != "near" and is_taken:
                    arrived = self.named if placed.section == "rest" else self.shown
                    arrived[delivery.subscriber, placed.paper] += 1
        self.nobody_knows(group)

    def nobody_knows(self, group: Sequence[Delivery]) -> None:
        for delivery in group:
            self.gone[delivery.id] += 1
            for placed in self.ledger.edition_papers(delivery):
                self.unsure[delivery.subscriber, placed.paper] += 1

    @rule(group=consumes(claims), state=st.sampled_from([S.FAILED, S.SUPPRESSED, S.DEFERRED, S.PENDING]))
    def the_server_refuses(self, group: list[Delivery], state: DeliveryState) -> None:
        self.move(group, state, again=state is S.DEFERRED)

    @rule(run=RUNS, is_taken=st.booleans())
    def a_run_claims_and_dies_after_the_dot(self, run: str, is_taken: bool) -> None:
        self.a_run_dies_after_the_dot(self.move(self.claim(run, 2), S.DOT), is_taken)

    @rule(group=consumes(claims))
    def a_run_dies_before_the_dot(self, group: list[Delivery]) -> None:
        pass

    @rule(minutes=st.sampled_from([0, 21, 21]))
    def a_run_starts(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.ledger.recover(self.now, resend=self.resend)

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
            self.ledger.recover(self.now, resend=self.resend)
            self.open(self.plan())
            self.a_run_delivers_all_it_can()
        self.nothing_is_sent_twice()
        wanted = [paper.key for paper in self.papers.announced(0, self.papers.latest_seq()) if self.wants(paper)]
        assert self.shown.keys() == {(reader.id, key) for reader in READERS for key in wanted}
        assert not self.claim(limit=9)


TestNeverLostNeverTwice = NeverLostNeverTwice.TestCase
TestNeverLostNeverTwice.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


class InTheLongRun(NeverLostNeverTwice):
    """The same, some minutes long."""


TestInTheLongRun = pytest.mark.soak(InTheLongRun.TestCase)
TestInTheLongRun.settings = settings(max_examples=1000, stateful_step_count=60, deadline=None)
