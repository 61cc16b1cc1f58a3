import heapq
import math
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.deliver.pace import OTHERS, Pace
from digest.errors import (
    BadAddressError,
    BusyDomainError,
    DeliverError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)

BUSY = BusyDomainError("454 4.7.0 too much")
LONGEST_S = 1_800


def taken(pace: Pace, domain: str, until: float, start: float = 0.0) -> list[float]:
    """When turns are given to somebody who asks again exactly when told to."""
    now, times = start, []
    while now < until:
        wait = pace.take(domain, now)
        if wait:
            now += wait
        else:
            times.append(now)
            assert len(times) < 100_000
    return times


@pytest.mark.parametrize("pace", [Pace(), Pace(None, {}, None), Pace(None, {"other.test": 1})])
def test_without_limits_every_turn_is_now(pace: Pace) -> None:
    assert [pace.take("a.test", 5.0) for _ in range(10_000)] == [0.0] * 10_000


@pytest.mark.parametrize(
    "pace", [Pace(60), Pace(None, {"a.test": 60}), Pace(None, {OTHERS: 60}), Pace(90, {OTHERS: 60})]
)
def test_a_rate_is_kept_and_used(pace: Pace) -> None:
    assert len(taken(pace, "A.test", 600)) == pytest.approx(600, abs=2)


@given(
    rate=st.integers(1, 6_000),
    asks=st.lists(st.tuples(st.floats(0, 30), st.sampled_from("abc")), min_size=1, max_size=150),
    kind=st.sampled_from(["all", "each"]),
)
@settings(max_examples=60, deadline=None)
def test_in_no_time_more_than_the_rate_and_a_small_burst(rate: int, asks: list[tuple[float, str]], kind: str) -> None:
    pace = Pace(rate) if kind == "all" else Pace(None, {OTHERS: rate})
    now, given_at = 0.0, []
    for pause, domain in asks:
        now += pause if pause < 20 else 0.0
        if not pace.take(domain, now):
            given_at.append((now, domain if kind == "each" else ""))
        pace.note(domain, None, now)

    assert given_at
    burst = 1 + rate / 60 * 0.2
    for name in {name for _, name in given_at}:
        times = [at for at, of in given_at if of == name]
        for first, start in enumerate(times):
            for number, end in enumerate(times[first:], 1):
                assert number <= (end - start) * rate / 60 + burst + 1e-6


def test_one_domain_waits_alone() -> None:
    pace = Pace(None, {"slow.test": 1})

    assert pace.take("slow.test", 0.0) == 0.0
    assert pace.take("slow.test", 0.0) == pytest.approx(60, abs=13)
    assert pace.take("fast.test", 0.0) == 0.0


def test_who_has_to_wait_uses_up_nothing() -> None:
    pace = Pace(60, {"slow.test": 1})
    pace.take("slow.test", 0.0)

    waits = [pace.take("slow.test", 1.0) for _ in range(50)]

    assert len(set(waits)) == 1
    assert pace.take("fast.test", 1.0) == 0.0


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_quota_ends_for_today(left: int) -> None:
    pace = Pace(left_today=left)

    assert [pace.take(f"{number}.test", 0.0) for number in range(5)] == [0.0] * left + [math.inf] * (5 - left)
    assert pace.take("0.test", 86_400.0) == math.inf


@pytest.mark.parametrize(
    ("error", "again"),
    [(None, math.inf), (UncertainDeliverError("x"), math.inf), (BadAddressError("x"), 0.0), (BUSY, 0.0)],
)
def test_a_quota_counts_what_may_have_been_accepted(error: DeliverError | None, again: float) -> None:
    pace = Pace(left_today=1)
    assert pace.take("a.test", 0.0) == 0.0

    pace.note("a.test", error, 1.0)

    assert pace.take("b.test", 1.0) == again


def test_a_busy_domain_is_asked_again_after_a_growing_wait() -> None:
    pace, now, waits = Pace(), 0.0, []
    for _ in range(14):
        assert pace.take("a.test", now) == 0.0
        pace.note("a.test", BUSY, now)
        waits.append(pace.is_held("a.test", now))
        assert pace.take("a.test", now) == waits[-1]
        now += waits[-1]

    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == waits[-2] == LONGEST_S


def a_held_pace() -> Pace:
    pace = Pace()
    pace.take("a.test", 0.0)
    pace.note("a.test", BUSY, 0.0)
    return pace


def test_after_the_wait_there_is_one_trial_at_a_time() -> None:
    pace = a_held_pace()

    assert pace.take("a.test", 1.0) == 0.0
    assert 0 < pace.take("a.test", 1.0) <= 1
    assert 0 < pace.take("a.test", 20.0) <= 1
    pace.note("a.test", None, 20.5)
    assert [pace.take("a.test", 20.5) for _ in range(3)] == [0.0] * 3


def test_a_trial_that_is_never_heard_of_does_not_end_everything() -> None:
    pace = a_held_pace()
    assert pace.take("a.test", 1.0) == 0.0

    assert pace.take("a.test", 62.0) == 0.0


@pytest.mark.parametrize("error", [BadAddressError("x"), TemporaryDeliverError("x"), UnreachableError("x")])
def test_a_trial_that_says_nothing_about_the_rate_is_followed_by_another(error: DeliverError) -> None:
    pace = a_held_pace()
    assert pace.take("a.test", 1.0) == 0.0

    pace.note("a.test", error, 2.0)

    assert pace.take("a.test", 2.0) == 0.0
    assert pace.take("a.test", 2.0) > 0


def test_complaints_about_what_was_under_way_do_not_lengthen_the_wait() -> None:
    pace = Pace()
    for _ in range(20):
        pace.take("a.test", 0.0)
    for _ in range(20):
        pace.note("a.test", BUSY, 0.1)

    assert pace.is_held("a.test", 0.1) == 1.0


def test_a_late_success_does_not_end_the_wait() -> None:
    pace = a_held_pace()

    pace.note("a.test", None, 0.5)

    assert pace.is_held("a.test", 0.5) == 0.5


def test_after_a_complaint_the_rate_is_half_of_what_was_taken() -> None:
    pace = a_held_pace()
    for number in range(101):
        assert pace.take("a.test", 1 + number / 10) == 0.0
        pace.note("a.test", None, 1 + number / 10)
    assert pace.take("a.test", 11.1) == 0.0
    pace.note("a.test", BUSY, 11.1)
    assert pace.take("a.test", 12.1) == 0.0
    pace.note("a.test", None, 12.1)

    half = 101 / 11.1 / 2
    assert len(taken(pace, "a.test", 42.1, start=12.1)) == pytest.approx(30 * half, rel=0.1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "busy", "fine", "bad"]), st.sampled_from("ab"), st.floats(0, 5)), max_size=80
    )
)
@settings(max_examples=60, deadline=None)
def test_a_domain_never_feels_another(steps: list[tuple[str, str, float]]) -> None:
    together, alone = Pace(None, {"a": 60}), Pace(None, {"a": 60})
    notes: dict[str, DeliverError | None] = {"busy": BUSY, "fine": None, "bad": BadAddressError("x")}
    now = 0.0
    for step, domain, pause in steps:
        now += pause
        paces = (together, alone) if domain == "b" else (together,)
        if step == "take":
            assert len({pace.take(domain, now) for pace in paces}) == 1
        else:
            for pace in paces:
                pace.note(domain, notes[step], now)
        assert together.is_held("b", now) == alone.is_held("b", now)


@dataclass
class Provider:
    """Takes so many mails a second, with as many at once, and turns others away."""

    rate: float = 10.0
    turns: float = 10.0
    at: float = 0.0

    def takes(self, now: float) -> bool:
        self.turns = min(self.rate, self.turns + (now - self.at) * self.rate)
        self.at = now
        if self.turns < 1:
            return False
        self.turns -= 1
        return True


@dataclass(frozen=True)
class Ended:
    took_s: dict[str, float]
    refused: Counter[int]


def simulate(pace: Pace, mails: list[str], *, workers: int, latency_s: float) -> Ended:
    """Workers that send what may go, and put what was turned away back until its domain is open again."""
    providers = {domain: Provider() for domain in mails if domain.startswith("busy")}
    queues: dict[str, list[tuple[float, int]]] = {domain: [] for domain in mails}
    for number, domain in enumerate(mails):
        queues[domain].append((0.0, number))
    events: list[tuple[float, int, tuple[int, str] | None]] = [(0.0, worker, None) for worker in range(workers)]
    took, refused = dict.fromkeys(mails, 0.0), Counter[int]()
    while events:
        now, worker, sent = heapq.heappop(events)
        if sent:
            number, domain = sent
            is_taken = domain not in providers or providers[domain].takes(now)
            pace.note(domain, None if is_taken else BUSY, now)
            if is_taken:
                took[domain] = now
            else:
                refused[number] += 1
                heapq.heappush(queues[domain], (now + pace.is_held(domain, now), number))
        waits = []
        for domain, queue in queues.items():
            if queue:
                wait = max(queue[0][0] - now, 0.0) or pace.take(domain, now)
                if not wait:
                    heapq.heappush(events, (now + latency_s, worker, (heapq.heappop(queue)[1], domain)))
                    break
                waits.append(wait)
        else:
            if waits:
                heapq.heappush(events, (now + max(min(waits), 1e-6), worker, None))
    return Ended(took, refused)


@pytest.mark.parametrize("rates", [{}, {"busy.test": 600}, {"busy.test": 1_200}], ids=["unknown", "known", "too high"])
@pytest.mark.parametrize(("workers", "latency_s"), [(1, 0.002), (4, 0.02), (20, 0.2)])
def test_d20_a_provider_that_limits_us_gets_all_it_takes(rates: dict[str, int], workers: int, latency_s: float) -> None:
    """2,000 mails at 10 a second: no less than 200 seconds, and no more than a tenth over."""
    ended = simulate(Pace(None, rates), ["busy.test"] * 2_000, workers=workers, latency_s=latency_s)

    assert 195 < ended.took_s["busy.test"] < 220
    assert ended.refused.total() <= (0 if rates == {"busy.test": 600} else 60)
    assert max(ended.refused.values(), default=0) < 5


def test_d20_others_go_on_meanwhile() -> None:
    mails = ["busy.test", "free.test"] * 500

    ended = simulate(Pace(), mails, workers=4, latency_s=0.02)

    alone = simulate(Pace(), ["free.test"] * 500, workers=4, latency_s=0.02)
    assert ended.took_s["busy.test"] > 40
    assert ended.took_s["free.test"] < 3 * alone.took_s["free.test"]
