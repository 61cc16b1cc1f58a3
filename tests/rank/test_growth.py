from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import SIGNALS, Growth, Observation, Signals
from digest.rank.growth import GROWS_FOR, measure_growth
from tests.builders import NOW, a_paper

DAY = timedelta(days=1)
KEY = a_paper().key


def seen(days_ago: float, source: str = "huggingface", **signals: int) -> Observation:
    return Observation(KEY, source, NOW - days_ago * DAY, Signals(**signals))


def test_counts_stand_for_days_and_a_day_without_one_has_that_of_the_day_before() -> None:
    observations = [seen(5, upvotes=4), seen(3, upvotes=9), seen(2.9, upvotes=10), seen(1, upvotes=30)]

    growth = measure_growth(observations, NOW)

    assert growth == Growth(signal="upvotes", counts=(4, 4, 10, 10, 30), since=NOW - 5 * DAY)


def test_the_signal_that_grew_most_in_proportion_is_told() -> None:
    observations = [seen(2, upvotes=100, stars=3), seen(0, upvotes=150, stars=11)]

    growth = measure_growth(observations, NOW)

    assert growth
    assert (growth.signal, growth.counts) == ("stars", (3, 3, 11))


@pytest.mark.parametrize(
    "observations",
    [
        pytest.param([], id="nothing was counted"),
        pytest.param([seen(1, upvotes=9)], id="once"),
        pytest.param([seen(0.2, upvotes=1), seen(0.1, upvotes=9)], id="on one day"),
        pytest.param([seen(2, upvotes=9), seen(1, upvotes=9)], id="it stayed"),
        pytest.param([seen(3, upvotes=9), seen(2, upvotes=20), seen(1, upvotes=8)], id="it fell"),
        pytest.param([seen(2, upvotes=1), seen(1, "github", upvotes=9)], id="two sources count differently"),
        pytest.param([seen(1, upvotes=1), seen(-1, upvotes=9)], id="after the edition"),
        pytest.param([seen(14, upvotes=1), seen(0, upvotes=9)], id="too long ago"),
        pytest.param([seen(2, upvotes=-9), seen(1, upvotes=-2)], id="counts below zero"),
    ],
)
def test_there_is_none_where_nothing_grew(observations: list[Observation]) -> None:
    assert measure_growth(observations, NOW) is None


observations = st.lists(
    st.builds(
        Observation,
        st.just(KEY),
        st.sampled_from(["huggingface", "github"]),
        st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 22), timezones=st.just(UTC)),
        st.builds(Signals, **{name: st.none() | st.integers(-5, 50) for name in SIGNALS}),
    )
)


@given(observations)
def test_growth_is_a_line_of_days_that_rises_whatever_the_order(found: list[Observation]) -> None:
    growth = measure_growth(found, NOW)

    assert measure_growth([*reversed(found)], NOW) == growth
    if growth:
        last = max(each.at for each in found if each.at <= NOW)
        assert 2 <= len(growth.counts) <= GROWS_FOR.days
        assert growth.counts[-1] > growth.counts[0] >= 0
        assert growth.since.date() + (len(growth.counts) - 1) * DAY <= last.date()
