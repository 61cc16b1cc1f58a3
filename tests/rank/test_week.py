from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from digest.model import PaperKey, Placed, Sent, Signals
from digest.rank.week import (
    DISCUSSED,
    Announced,
    by_date,
    count_days,
    end_of,
    most_discussed,
    sent_before,
    week_dates,
    week_span,
)
from tests.builders import NOW, a_paper

FRIDAY = date(2026, 11, 20)
SATURDAY = date(2026, 11, 14)
AUCKLAND, LOS_ANGELES = ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Los_Angeles")


def test_a_week_is_the_seven_dates_that_end_with_the_editions() -> None:
    assert week_dates(FRIDAY)[0] == SATURDAY
    assert week_dates(FRIDAY)[-1] == FRIDAY
    assert len({*week_dates(FRIDAY)}) == 7


def test_a_paper_counts_on_the_date_that_the_readers_clock_shows() -> None:
    late = Announced(datetime(2026, 11, 19, 20, tzinfo=UTC), PaperKey("arxiv:1"))

    assert by_date([late], FRIDAY, AUCKLAND) == {"arxiv:1": FRIDAY}
    assert by_date([late], FRIDAY, LOS_ANGELES) == {"arxiv:1": date(2026, 11, 19)}
    assert by_date([late], date(2026, 11, 12), AUCKLAND) == {}


zones = st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata", "America/New_York", "Pacific/Apia"])


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), zones.map(ZoneInfo), st.integers(-20 * 24 * 60, 20 * 24 * 60))
def test_the_span_holds_the_week_of_every_zone(day: date, zone: ZoneInfo, minutes: int) -> None:
    since, until = week_span(day)
    at = since + timedelta(minutes=minutes)

    is_of_the_week = at.astimezone(zone).date() in week_dates(day)

    assert not is_of_the_week or since <= at < until
    assert not is_of_the_week or at <= end_of(day, zone)


def test_a_date_ends_when_the_next_one_begins() -> None:
    end = end_of(FRIDAY, AUCKLAND)

    assert end.astimezone(AUCKLAND).date() == FRIDAY
    assert (end + timedelta.resolution).astimezone(AUCKLAND).date() == date(2026, 11, 21)


def test_days_without_anything_are_there_and_what_is_named_twice_counts_once() -> None:
    dates = {PaperKey("a"): SATURDAY, PaperKey("b"): FRIDAY, PaperKey("c"): FRIDAY}
    wanted = [PaperKey(key) for key in ("b", "b", "long ago", "a")]

    days = count_days(dates, wanted, FRIDAY)

    assert [each.date for each in days] == [*week_dates(FRIDAY)]
    assert [each.announced for each in days] == [1, 0, 0, 0, 0, 0, 2]
    assert [each.matched for each in days] == [1, 0, 0, 0, 0, 0, 1]


def test_the_most_discussed_are_few_and_one_point_is_the_submitters_own() -> None:
    papers = [a_paper(number, signals=Signals(comments=number, points=3)) for number in range(1, 8)]
    silent = a_paper(50, signals=Signals(upvotes=90, points=1))
    newer = a_paper(60, signals=Signals(points=10), published=NOW + timedelta(hours=1))

    found = most_discussed([silent, *papers, newer])

    assert len(found) == DISCUSSED
    assert [paper.key for paper in found] == [newer.key, *(papers[at].key for at in (6, 5, 4, 3))]
    assert most_discussed([silent]) == ()


def test_what_was_sent_in_full_in_the_six_days_before_newest_first() -> None:
    def sent(day: date, number: int, section: str = "matched") -> Sent:
        return Sent(day, Placed(section, PaperKey(str(number))))

    history = [
        sent(date(2026, 11, 13), 1),
        sent(SATURDAY, 2),
        sent(SATURDAY, 3, "rest"),
        sent(date(2026, 11, 18), 4),
        sent(date(2026, 11, 18), 5, "trending"),
        sent(date(2026, 11, 18), 2, "updated"),
        sent(date(2026, 11, 19), 4, "matched"),
        sent(FRIDAY, 6),
    ]

    assert sent_before(history, FRIDAY) == ("4", "5", "2")
