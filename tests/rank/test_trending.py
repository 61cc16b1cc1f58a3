import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Observation, Paper, PaperKey, Rise, Signals
from digest.rank.trending import expected_notice, find_rising
from tests.builders import NOW, a_paper

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SINCE = NOW - DAY
OLD = a_paper(1, published=NOW - 9 * DAY, first_seen=NOW - 9 * DAY)


def seen(at: datetime, where: str = "huggingface:daily", **counts: int) -> Observation:
    return Observation(OLD.key, where, at, Signals(**counts))


def rises(*observations: Observation, paper: Paper = OLD) -> list[Rise]:
    return find_rising([paper], {paper.key: observations}, SINCE, NOW)


counts = st.none() | st.integers(-5, 400) | st.integers()
observations = st.lists(
    st.builds(
        Observation,
        st.just(OLD.key),
        st.sampled_from(["huggingface:daily", "hackernews"]),
        st.timedeltas(-30 * DAY, 2 * DAY).map(lambda ago: NOW + ago),
        st.builds(Signals, upvotes=counts, comments=counts, stars=counts, points=counts),
    ),
    max_size=8,
)


@given(observations, st.integers(0, 10**6))
def test_more_votes_never_lower_what_is_expected(known: list[Observation], more: int) -> None:
    raised = [
        replace(each, signals=replace(each.signals, upvotes=each.signals.upvotes + more))
        if each.signals.upvotes is not None
        else each
        for each in known
    ]

    assert expected_notice(OLD, raised, NOW) >= expected_notice(OLD, known, NOW)


@given(st.integers(1, 10**6), st.timedeltas(timedelta(0), 30 * DAY))
def test_one_vote_more_raises_what_is_expected_at_any_age(votes: int, age: timedelta) -> None:
    fewer, more = (expected_notice(OLD, [seen(NOW - age, upvotes=count)], NOW) for count in (votes, votes + 1))

    assert fewer < more


@given(observations, st.builds(Signals, upvotes=counts, stars=counts, points=counts))
def test_what_is_expected_is_finite_and_not_negative_whatever_was_said(
    known: list[Observation], signals: Signals
) -> None:
    expected = expected_notice(replace(OLD, signals=signals), known, NOW)

    assert math.isfinite(expected)
    assert expected >= 0


@given(observations.flatmap(lambda known: st.tuples(st.just(known), st.permutations(known))))
def test_the_order_of_observations_does_not_matter(both: tuple[list[Observation], list[Observation]]) -> None:
    first, second = both

    assert expected_notice(OLD, first, NOW) == expected_notice(OLD, second, NOW)
    assert rises(*first) == rises(*second)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([], id="nothing was said"),
        pytest.param([seen(NOW, upvotes=0)], id="nobody voted"),
        pytest.param([seen(NOW, upvotes=-3)], id="a count below zero"),
        pytest.param([seen(NOW + HOUR, upvotes=99)], id="a vote that is yet to come"),
        pytest.param([seen(NOW, comments=1, stars=9000)], id="stars and the submitter's comment"),
        pytest.param([seen(NOW - HOUR, upvotes=7), seen(NOW, upvotes=0)], id="votes that were taken back"),
    ],
)
def test_nothing_is_expected_where_nobody_voted(known: Sequence[Observation]) -> None:
    assert expected_notice(OLD, known, NOW) == 0


def test_a_new_paper_is_expected_to_grow_and_one_known_for_a_week_is_not() -> None:
    new = expected_notice(OLD, [seen(NOW - 5 * HOUR, upvotes=20)], NOW)
    old = expected_notice(OLD, [seen(NOW - 7 * DAY, upvotes=20)], NOW)

    assert math.log(21) < old < math.log(22)
    assert new > math.log(30)


def test_a_paper_is_as_old_as_its_first_count_of_votes() -> None:
    votes = [seen(NOW - 3 * DAY, upvotes=1), seen(NOW, upvotes=20)]
    stars = [seen(NOW - 3 * DAY, stars=1), seen(NOW, upvotes=20)]

    assert expected_notice(OLD, votes, NOW) < expected_notice(OLD, stars, NOW)


def test_the_last_count_of_a_source_stands_and_counts_of_two_are_not_added() -> None:
    one = [seen(NOW - HOUR, upvotes=30), seen(NOW - HOUR, "hackernews", points=12), seen(NOW, upvotes=28)]

    assert expected_notice(OLD, one, NOW) == expected_notice(OLD, [seen(NOW, upvotes=28)], NOW)


def test_what_a_paper_itself_says_counts_where_nothing_was_observed() -> None:
    paper = replace(OLD, signals=Signals(upvotes=9))

    assert expected_notice(paper, [], NOW) > math.log(10)
    assert expected_notice(paper, [seen(NOW + HOUR, upvotes=9)], NOW) == 0


@pytest.mark.parametrize(
    ("signal", "before", "now", "is_rise"),
    [
        pytest.param("upvotes", 4, 84, True, id="it took off"),
        pytest.param("upvotes", 10, 30, True, id="just enough"),
        pytest.param("upvotes", 9, 28, False, id="too few more"),
        pytest.param("upvotes", 40, 80, False, id="twice as many"),
        pytest.param("upvotes", 0, 20, True, id="from nothing"),
        pytest.param("upvotes", -50, 10, False, id="from below zero"),
        pytest.param("upvotes", 90, 30, False, id="it shrank"),
        pytest.param("points", 2, 52, True, id="a story"),
        pytest.param("points", 2, 45, False, id="a small story"),
        pytest.param("stars", 40, 400, True, id="stars"),
        pytest.param("stars", 9000, 9200, False, id="stars of a known repository"),
        pytest.param("comments", 0, 900, False, id="comments alone"),
    ],
)
def test_a_rise_needs_growth_that_is_large_and_a_multiple(signal: str, before: int, now: int, is_rise: bool) -> None:
    at = SINCE - 3 * HOUR

    counted = [(at, before), (NOW - HOUR, now)]
    found = rises(*(Observation(OLD.key, "a source", when, Signals(**{signal: count})) for when, count in counted))

    expected = Rise(paper=OLD, signal=signal, before=max(0, before), now=now, since=at)
    assert found == ([expected] if is_rise else [])


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([seen(NOW - HOUR, upvotes=500)], id="one count tells no growth"),
        pytest.param([seen(SINCE - 9 * HOUR, upvotes=5), seen(SINCE - HOUR, upvotes=500)], id="it grew before"),
        pytest.param(
            [seen(SINCE - HOUR, upvotes=5), seen(NOW - HOUR, "huggingface:trending", upvotes=500)],
            id="counts of two sources",
        ),
        pytest.param(
            [seen(SINCE - 9 * HOUR, upvotes=500), seen(SINCE - HOUR, upvotes=0), seen(NOW, upvotes=500)],
            id="a count that fell and recovered",
        ),
        pytest.param([seen(SINCE - HOUR, upvotes=5), seen(NOW + HOUR, upvotes=500)], id="growth yet to come"),
        pytest.param([seen(SINCE - HOUR, upvotes=5), seen(NOW, comments=500)], id="no second count of the same"),
    ],
)
def test_what_is_no_growth_since_then_is_no_rise(known: Sequence[Observation]) -> None:
    assert rises(*known) == []


def test_growth_is_counted_from_the_first_count_if_there_was_none_before() -> None:
    first = SINCE + HOUR

    [rise] = rises(seen(first, points=10), seen(NOW, points=200))

    assert (rise.before, rise.now, rise.since) == (10, 200, first)


def test_a_paper_of_the_window_does_not_rise() -> None:
    assert rises(seen(SINCE - HOUR, upvotes=1), seen(NOW, upvotes=99), paper=replace(OLD, published=SINCE)) == []


def test_the_largest_growth_comes_first_and_each_paper_once_by_its_best_signal() -> None:
    papers = [a_paper(number, published=OLD.published) for number in (1, 2, 3)]
    known: dict[PaperKey, list[Observation]] = {}
    for paper, upvotes, points in zip(papers, (60, 0, 45), (60, 500, 0), strict=True):
        known[paper.key] = [seen(SINCE, upvotes=0, points=0), seen(NOW, upvotes=upvotes, points=points)]

    found = find_rising(papers, known, SINCE, NOW)

    assert [(rise.paper.key, rise.signal) for rise in found] == [
        (papers[1].key, "points"),
        (papers[0].key, "upvotes"),
        (papers[2].key, "upvotes"),
    ]


def test_on_recorded_mornings_it_orders_as_votes_do_and_comes_nearer_to_the_later_count(real_data: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "trending.py"), "--json", "--data", str(real_data)]

    figures = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)

    assert figures["days"] > 30
    assert figures["spearman"] >= figures["baseline_spearman"] > 0.5
    assert figures["p_at_3"] >= figures["baseline_p_at_3"]
    assert figures["absolute_error"] < figures["baseline_absolute_error"]
