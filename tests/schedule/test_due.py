from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from digest.model import Schedule
from digest.schedule.due import Due, due_edition, edition_now, local_instant, next_send
from digest.schedule.rules import parse_schedule

# `localtime` is whatever the machine says, and Factory is no place.
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
CATCH_UP = timedelta(days=3)
DAYS = st.dates(date(2020, 1, 1), date(2037, 12, 31))
QUARTERS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_schedule(when: time, days: str = "* * *") -> Schedule:
    return Schedule("", f"{when.minute} {when.hour} {days}")


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        pytest.param("Europe/Berlin", "2026-11-20T07:30", "2026-11-20T06:30", id="ordinary day"),
        pytest.param("Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:00", id="gap: first instant after it"),
        pytest.param("Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30", id="fold: first of the two"),
        pytest.param("Europe/Berlin", "2027-03-29T00:00", "2027-03-28T22:00", id="midnight after the gap day"),
        pytest.param("America/New_York", "2027-03-14T02:00", "2027-03-14T07:00", id="start of the gap"),
        pytest.param("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00", id="no midnight in Cairo"),
        pytest.param("Africa/Cairo", "2026-10-29T23:30", "2026-10-29T20:30", id="23:30 twice in Cairo"),
        pytest.param("America/Santiago", "2026-09-06T00:15", "2026-09-06T04:00", id="no midnight in Santiago"),
        pytest.param("Asia/Beirut", "2026-03-29T00:30", "2026-03-28T22:00", id="no midnight in Beirut"),
        pytest.param("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30", id="gap of half an hour"),
        pytest.param("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45", id="fold of half an hour"),
        pytest.param("America/Toronto", "1919-03-30T23:45", "1919-03-31T04:30", id="gap across midnight"),
        pytest.param("Pacific/Apia", "2011-12-30T07:30", None, id="a date that never was"),
        pytest.param("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00", id="the date after it"),
        pytest.param("Pacific/Kiritimati", "2026-11-20T07:30", "2026-11-19T17:30", id="UTC+14"),
        pytest.param("Etc/GMT+12", "2026-11-20T07:30", "2026-11-20T19:30", id="UTC-12"),
    ],
)
def test_a_local_time_is_one_instant(zone: str, wall: str, instant: str | None) -> None:
    assert local_instant(datetime.fromisoformat(wall), ZoneInfo(zone)) == (instant and at(instant))


def changes_of_clocks(zone: ZoneInfo) -> list[datetime]:
    noons = [datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(18 * 366)]
    offsets = [zone.utcoffset(noon) for noon in noons]
    return [noon for noon, (before, after) in zip(noons[1:], pairwise(offsets), strict=True) if before != after]


def test_every_quarter_hour_of_every_day_that_changes_clocks_is_met_once_in_every_zone() -> None:
    seen = set()
    for name in ZONES:
        zone = ZoneInfo(name)
        changes = changes_of_clocks(zone)
        # Most names are aliases; the same changes by the same steps are the same rules.
        rules = tuple((change, zone.utcoffset(change)) for change in changes)
        if rules in seen:
            continue
        seen.add(rules)
        for change in changes:
            instants = [change - timedelta(hours=52) + timedelta(minutes=15 * n) for n in range(440)]
            walls = [instant.astimezone(zone).replace(tzinfo=None, fold=0) for instant in instants]
            start = datetime.combine(change.astimezone(zone).date() - timedelta(days=1), time())
            reached = 0
            for quarter in range(2 * 96):
                wall = start + timedelta(minutes=15 * quarter)
                while walls[reached] < wall:
                    reached += 1
                found = local_instant(wall, zone)
                # Casey moved its clocks at 00:01, between two quarters.
                assert found is not None, (name, wall)
                assert instants[reached - 1] < found <= instants[reached], (name, wall)
                assert found.second == 0, (name, wall)
    assert len(seen) > 40


@settings(max_examples=300, deadline=None)
@given(zone=st.sampled_from(ZONES).map(ZoneInfo), first=DAYS, when=QUARTERS, days=st.integers(2, 30))
def test_there_is_one_edition_for_every_local_date(zone: ZoneInfo, first: date, when: time, days: int) -> None:
    schedule = a_schedule(when)
    now = datetime.combine(first, time(), tzinfo=zone).astimezone(UTC) - timedelta(hours=2)
    settled, sent = first - timedelta(days=1), []

    while True:
        now = next_send(schedule, zone, now)
        due = due_edition(schedule, zone, now, settled, CATCH_UP)
        if due is None:
            assert now.astimezone(zone).date() < first
            continue
        assert due.at == now
        assert due_edition(schedule, zone, now, due.date, CATCH_UP) is None
        assert (
            due_edition(schedule, zone, next_send(schedule, zone, now) - timedelta(seconds=1), due.date, CATCH_UP)
            is None
        )
        settled = due.date
        sent.append(due)
        if len(sent) == days:
            break

    assert [due.date for due in sent] == [first + timedelta(days=n) for n in range(days)]
    assert all(before.at == after.previous_at for before, after in pairwise(sent))


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    when=QUARTERS,
    days=st.sampled_from(("* * *", "* * 1-5", "* * 0", "1 * *", "L * *")),
    moments=st.lists(st.datetimes(datetime(2020, 3, 1), datetime(2020, 6, 1)), min_size=2, max_size=8),
)
def test_whatever_the_clock_does_no_date_comes_twice_and_dates_only_grow(
    zone: ZoneInfo, when: time, days: str, moments: list[datetime]
) -> None:
    schedule, settled, dates = a_schedule(when, days), None, []

    for moment in moments:
        due = due_edition(schedule, zone, moment.replace(tzinfo=UTC), settled, CATCH_UP)
        if due is not None:
            assert due.previous_at < due.at <= moment.replace(tzinfo=UTC) <= due.at + CATCH_UP
            settled = due.date
            dates.append(due.date)

    assert dates == sorted(set(dates))


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    when=QUARTERS,
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)),
)
def test_the_next_time_is_later_and_nothing_lies_between(zone: ZoneInfo, when: time, moment: datetime) -> None:
    schedule, now = a_schedule(when), moment.replace(tzinfo=UTC)

    soon = next_send(schedule, zone, now)

    assume(due_edition(schedule, zone, now, None, CATCH_UP) is not None)
    assert now < soon <= now + timedelta(hours=26)
    assert due_edition(schedule, zone, soon - timedelta(seconds=1), None, CATCH_UP) == due_edition(
        schedule, zone, now, None, CATCH_UP
    )


BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = parse_schedule("weekdays at 07:30")  # 06:30 UTC in November; the 20th of November 2026 is a Friday


@pytest.mark.parametrize(
    ("now", "settled", "expected"),
    [
        pytest.param("2026-11-20T06:29", date(2026, 11, 19), None, id="a minute too early"),
        pytest.param("2026-11-20T06:30", date(2026, 11, 19), date(2026, 11, 20), id="on the minute"),
        pytest.param("2026-11-20T06:30", date(2026, 11, 20), None, id="settled"),
        pytest.param("2026-11-20T14:30", date(2026, 11, 19), date(2026, 11, 20), id="asleep for 8 hours"),
        pytest.param("2026-11-20T14:30", date(2026, 11, 16), date(2026, 11, 20), id="three dates missed become one"),
        pytest.param("2026-11-22T12:00", date(2026, 11, 19), date(2026, 11, 20), id="Friday's, on Sunday"),
        pytest.param("2026-11-22T12:00", date(2026, 11, 20), None, id="nothing on a weekend"),
        pytest.param("2026-11-23T06:29", date(2026, 11, 19), date(2026, 11, 20), id="just within three days"),
        pytest.param("2026-11-20T07:00", date(2026, 11, 25), None, id="the clock went back"),
        pytest.param("2026-11-20T07:00", None, date(2026, 11, 20), id="a new subscriber"),
        pytest.param("1970-01-01T00:00", date(2026, 11, 20), None, id="a clock without a battery"),
    ],
)
def test_the_newest_missed_date_is_due(now: str, settled: date | None, expected: date | None) -> None:
    due = due_edition(WEEKDAYS, BERLIN, at(now), settled, CATCH_UP)

    assert (due and due.date) == expected


def test_an_edition_that_is_too_late_is_left_out() -> None:
    weekly = parse_schedule("weekly on Monday at 07:30")

    assert due_edition(weekly, BERLIN, at("2026-11-19T06:30"), date(2026, 11, 9), CATCH_UP) is not None
    assert due_edition(weekly, BERLIN, at("2026-11-19T06:31"), date(2026, 11, 9), CATCH_UP) is None


def test_moving_east_or_west_gives_no_date_twice() -> None:
    daily = parse_schedule("daily at 07:30")
    now = at("2026-11-20T20:00")

    assert due_edition(daily, ZoneInfo("America/Bogota"), now, date(2026, 11, 20), CATCH_UP) is None
    assert due_edition(daily, ZoneInfo("Asia/Tokyo"), now, date(2026, 11, 20), CATCH_UP) is None
    assert due_edition(daily, ZoneInfo("Asia/Tokyo"), at("2026-11-20T22:30"), date(2026, 11, 20), CATCH_UP) is not None


def test_a_date_that_never_was_has_no_edition_and_is_not_missed() -> None:
    daily, apia = parse_schedule("daily at 07:30"), ZoneInfo("Pacific/Apia")

    before = due_edition(daily, apia, at("2011-12-30T09:59"), None, CATCH_UP)
    after = due_edition(daily, apia, at("2011-12-31T00:00"), None, CATCH_UP)

    assert before is not None
    assert after is not None
    assert (before.date, after.date) == (date(2011, 12, 29), date(2011, 12, 31))
    assert after.previous_at == before.at


@pytest.mark.parametrize("now", ["2026-11-20T05:00", "2026-11-20T06:30", "2026-11-20T15:00"])
def test_an_edition_now_is_todays_and_starts_where_the_last_date_ended(now: str) -> None:
    due = edition_now(WEEKDAYS, BERLIN, at(now))

    assert due == Due(date(2026, 11, 20), at(now), at("2026-11-19T06:30"))


def test_an_edition_now_on_a_day_without_one_starts_from_the_newest() -> None:
    due = edition_now(WEEKDAYS, BERLIN, at("2026-11-22T12:00"))

    assert due == Due(date(2026, 11, 22), at("2026-11-22T12:00"), at("2026-11-20T06:30"))


@pytest.mark.parametrize("now", ["2010-03-04T14:30", "2010-03-04T15:30", "2010-03-04T17:30", "2010-03-04T19:00"])
def test_a_date_that_clocks_go_back_out_of_is_found_in_the_repeated_hours_and_comes_once(now: str) -> None:
    """Casey went from 02:00 on the 5th back to 23:00 on the 4th."""
    daily, casey = parse_schedule("daily at 01:30"), ZoneInfo("Antarctica/Casey")

    due = due_edition(daily, casey, at(now), date(2010, 3, 4), CATCH_UP)

    assert due == Due(date(2010, 3, 5), at("2010-03-04T14:30"), at("2010-03-03T14:30"))
    assert due_edition(daily, casey, at(now), due.date, CATCH_UP) is None
