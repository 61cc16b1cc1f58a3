from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import PaperKey
from digest.rank.backtest import Asked, RemarkKind, Series, Tally, compare_tallies, find_remarks, spread, tally_days
from digest.rank.sparkline import draw_sparkline

MONDAY = date(2026, 11, 2)
DAYS = [MONDAY + timedelta(days=number) for number in range(14)]
NAMES = ("One", "Two", "Three")


def asked(number: int, day: int, *topics: str, mail: int | None = None) -> Asked:
    return Asked(PaperKey(f"arxiv:{number}"), DAYS[day], DAYS[day if mail is None else mail], topics)


def a_tally(*papers: Asked, topics: Sequence[str] = NAMES) -> Tally:
    return tally_days(topics, DAYS, papers)


papers = st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13), st.sets(st.sampled_from(NAMES))), max_size=40).map(
    lambda rows: [
        asked(number, day, *(name for name in NAMES if name in topics), mail=max(day, mail))
        for number, (day, mail, topics) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
)


@given(papers)
def test_days_mails_and_topics_add_up_to_what_was_found(some: list[Asked]) -> None:
    tally = a_tally(*some)

    found = sum(bool(each.topics) for each in some)
    assert tally.found.total == len(tally.wanted) == found
    assert sum(papers for _, papers in tally.mails) == found
    assert sum(topic.first.total for topic in tally.topics) == found
    assert sum(topic.found.total for topic in tally.topics) == sum(len(each.topics) for each in some)
    assert sum(topic.alone for topic in tally.topics) == sum(len(each.topics) == 1 for each in some)
    assert sum(tally.stored) == len(some)


@given(papers)
def test_every_topic_has_the_same_gaps_and_never_more_than_was_found(some: list[Asked]) -> None:
    tally = a_tally(*some)

    assert set(tally.gaps) == set(DAYS) - {each.day for each in some}
    for topic in tally.topics:
        assert topic.alone <= topic.first.total <= topic.found.total
        for day, found, every in zip(DAYS, topic.found.counts, tally.found.counts, strict=True):
            assert (found is None) == (every is None) == (day in tally.gaps)
            assert (found or 0) <= (every or 0)


@given(papers, st.data())
def test_a_difference_is_what_one_side_has_and_the_other_has_not(some: list[Asked], data: st.DataObject) -> None:
    other = [Asked(each.paper, each.day, each.mail, ("Two",) if data.draw(st.booleans()) else ()) for each in some]
    now, before = a_tally(*some), a_tally(*other)

    difference = compare_tallies(now, before)

    assert set(difference.added) == set(now.wanted) - set(before.wanted)
    assert set(difference.lost) == set(before.wanted) - set(now.wanted)
    assert now.found.total == before.found.total + len(difference.added) - len(difference.lost)
    assert compare_tallies(now, now) == compare_tallies(before, before) == type(difference)((), ())


def test_a_gap_counts_in_no_median_and_a_day_on_which_nothing_fits_does() -> None:
    tally = a_tally(asked(1, 0, "One"), asked(2, 0, "One"), asked(3, 0, "One"), asked(4, 1), asked(5, 2, "One"))

    assert tally.found.counts == (3, 0, 1, *[None] * 11)
    assert tally.found.median == 1
    assert tally.found.busiest == 0
    assert (Series((None, 0)).median, Series((None, 0)).busiest, Series((None,)).median) == (0, None, 0)


def test_a_mail_holds_what_was_stored_since_the_one_before() -> None:
    some = [asked(1, 4, "One"), asked(2, 5, "One", mail=7), asked(3, 6, "Two", mail=7), asked(4, 8, mail=8)]

    tally = a_tally(*some)

    assert tally.mails == ((DAYS[4], 1), (DAYS[7], 2), (DAYS[8], 0))
    assert [tally.mails_over(limit) for limit in (0, 1, 2)] == [2, 1, 0]


@pytest.mark.parametrize(
    ("some", "kind", "text"),
    [
        pytest.param(
            [asked(number, number, "One", "Two") for number in range(14)],
            RemarkKind.SILENT,
            "“Three” found nothing in 14 days",
            id="silent",
        ),
        pytest.param(
            [asked(day * 10 + number, day, "Two") for day in range(14) for number in range(6)]
            + [asked(900 + day, day, "One") for day in range(14)],
            RemarkKind.FLOOD,
            "“Two” finds 6 a day, the limit is 5",
            id="flood of a topic",
        ),
        pytest.param(
            [asked(day * 10 + number, day, NAMES[number % 3]) for day in range(14) for number in range(6)],
            RemarkKind.FLOOD,
            "a usual mail has 6 papers, the limit is 5: the others are named by title only",
            id="flood of all",
        ),
        pytest.param(
            [asked(day, day, *(("One", "Two") if day < 3 else ("Two",))) for day in range(14)],
            RemarkKind.CONTAINED,
            "all 3 papers of “One” are found by “Two” too",
            id="contained",
        ),
        pytest.param(
            [asked(day, day, "One", "Three") for day in range(14)] + [asked(20, 0, "Two")],
            RemarkKind.CONTAINED,
            "“One” and “Three” find the same 14 papers",
            id="the same",
        ),
        pytest.param(
            [asked(day, day, "One") for day in (1, 2, 3, 4, 8, 9, 10, 11)],
            RemarkKind.GAP,
            "nothing was stored on 6 of 14 days (4 on weekends; Mon 2026-11-02, Mon 2026-11-09):"
            " they count in no median",
            id="gaps",
        ),
        pytest.param(
            [asked(day, day, "One") for day in (7, 8, 10, 11)],
            RemarkKind.GAP,
            "nothing was stored on 10 of 14 days (7 before 2026-11-09; 2 on weekends; Wed 2026-11-11):"
            " they count in no median",
            id="a young history",
        ),
    ],
)
def test_what_is_remarkable_is_said(some: list[Asked], kind: RemarkKind, text: str) -> None:
    remarks = find_remarks(a_tally(*some), limit=5)

    assert [remark.text for remark in remarks if remark.kind is kind] == [text]


def test_nothing_is_said_of_topics_that_each_bring_something_within_the_limit() -> None:
    some = [asked(day * 3 + number, day, NAMES[number]) for day in range(14) for number in range(3)]

    assert find_remarks(a_tally(*some), limit=5) == ()


def test_two_papers_in_common_are_no_reason_to_call_a_topic_needless() -> None:
    some = [asked(day, day, *(("One", "Two") if day < 2 else ("Two",)), "Three") for day in range(14)]

    contained = [each.topics for each in find_remarks(a_tally(*some), 5) if each.kind is RemarkKind.CONTAINED]

    assert contained == [("Two", "Three")]


@given(st.integers(0, 60), st.integers(1, 12))
def test_a_choice_is_spread_over_all_days(number: int, most: int) -> None:
    keys = [PaperKey(str(each)) for each in range(number)]

    chosen = spread(keys, most)

    assert len(chosen) == min(most, number)
    places = [int(key) for key in chosen]
    assert places == sorted(set(places))
    steps = [later - earlier for earlier, later in pairwise([*places, number])]
    assert max(steps, default=0) - min(steps, default=0) <= 1


def test_a_sparkline_tells_none_from_unknown_and_little_from_much() -> None:
    assert draw_sparkline([0, None, 1, 4, 8]) == "·░▁▄█"
    assert draw_sparkline([1, 2], top=8) == "▁▂"
    assert draw_sparkline([0, None, 0]) == "·░·"
    assert draw_sparkline([1000, 1]) == "█▁"


@given(st.lists(st.none() | st.integers(0, 500)), st.integers(0, 500))
def test_a_sparkline_has_a_sign_for_each_day_and_higher_bars_for_more(counts: list[int | None], more: int) -> None:
    top = max([count or 0 for count in counts] + [more])
    line = draw_sparkline(counts, top)

    assert len(line) == len(counts)
    known = sorted((count, sign) for count, sign in zip(counts, line, strict=True) if count)
    heights = [ord(sign) for _, sign in known]
    assert heights == sorted(heights)
