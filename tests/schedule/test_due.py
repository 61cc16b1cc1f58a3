from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from digest.errors import ClockError
from digest.model import CatchUp, DateSpan, Schedule
from digest.schedule.days_off import DaysOff
from digest.schedule.due import (
    Due,
    check_clock,
    comes_round,
    edition_now,
    local_instant,
    next_send,
    plan_edition,
    wait_until,
)
from digest.schedule.rules import parse_schedule

# `localtime` is whatever the machine says, and Factory is no place.
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
CATCH_UP = timedelta(days=3)
DAYS = st.dates(date(2020, 1, 1), date(2037, 12, 31))
QUARTERS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_edition(
    schedule: Schedule, zone: ZoneInfo, now: datetime, settled: date | None, catch_up: timedelta
) -> Due | None:
    return plan_edition(schedule, zone, now, settled, catch_up).due


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


@pytest.mark.soak
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


@settings(max_examples=100, deadline=None)
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


@pytest.mark.parametrize(
    ("zone", "when", "first", "expected"),
    [
        pytest.param(
            "Europe/Berlin",
            "30 2",
            "2027-03-27",
            ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"],
            id="C1 gap at the send time",
        ),
        pytest.param(
            "Europe/Berlin",
            "30 2",
            "2027-10-30",
            ["2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"],
            id="C2 fold at the send time",
        ),
        pytest.param(
            "Africa/Cairo",
            "0 0",
            "2026-04-23",
            ["2026-04-22T22:00", "2026-04-23T22:00", "2026-04-24T21:00"],
            id="C3 no midnight in Cairo",
        ),
        pytest.param(
            "America/Santiago",
            "15 0",
            "2026-09-05",
            ["2026-09-05T04:15", "2026-09-06T04:00", "2026-09-07T03:15"],
            id="C3 no midnight in Santiago",
        ),
        pytest.param(
            "Asia/Beirut",
            "30 0",
            "2026-03-28",
            ["2026-03-27T22:30", "2026-03-28T22:00", "2026-03-29T21:30"],
            id="C3 no midnight in Beirut",
        ),
        pytest.param(
            "Pacific/Apia",
            "30 7",
            "2011-12-28",
            ["2011-12-28T17:30", "2011-12-29T17:30", None, "2011-12-30T17:30"],
            id="C4 a date that never was",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "15 2",
            "2026-10-03",
            ["2026-10-02T15:45", "2026-10-03T15:30", "2026-10-04T15:15"],
            id="C5 a gap of half an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "45 1",
            "2027-04-03",
            ["2027-04-02T14:45", "2027-04-03T14:45", "2027-04-04T15:15"],
            id="C5 a fold of half an hour",
        ),
    ],
)
def test_each_local_date_has_one_edition_however_often_it_is_asked_for(
    zone: str, when: str, first: str, expected: list[str | None]
) -> None:
    schedule, place, start = Schedule("", f"{when} * * *"), ZoneInfo(zone), date.fromisoformat(first)
    settled, found = start - timedelta(days=1), {}
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) - timedelta(days=1)
    while moment.astimezone(place).date() < start + timedelta(days=len(expected)):
        plan = plan_edition(schedule, place, moment, settled, CATCH_UP)
        assert plan.left_out == ()
        if plan.due:
            assert plan.due.at == moment
            assert plan.due.date not in found
            found[plan.due.date] = moment
            settled = plan.due.date
        moment += timedelta(minutes=15)

    assert found == {start + timedelta(days=n): at(text) for n, text in enumerate(expected) if text}


@pytest.mark.parametrize("moment", ["1970-01-01T00:00", "2023-12-31T23:59", "2101-01-01T00:00"])
def test_a_clock_that_cannot_be_right_is_refused(moment: str) -> None:
    """C8: a machine without a battery starts at 1970."""
    with pytest.raises(ClockError, match=r"the clock shows [0-9-]{10} [0-9:]{5} UTC, so nothing is sent"):
        check_clock(at(moment))


@pytest.mark.parametrize("moment", ["2024-01-01T00:00", "2038-01-20T00:00", "2100-12-31T23:59"])
def test_a_clock_that_may_be_right_is_believed(moment: str) -> None:
    check_clock(at(moment))


DAILY = parse_schedule("daily at 07:30")  # 06:30 UTC


def planned(policy: CatchUp, settled: int | None, now: str, **options: Any) -> tuple[Any, ...]:
    """The dates in November: due, since, until; and those left out."""
    day = None if settled is None else date(2026, 11, settled)
    plan = plan_edition(DAILY, BERLIN, at(f"2026-11-{now}"), day, CATCH_UP, policy=policy, **options)
    due = plan.due
    moments = (due and due.date.day, due and due.since and due.since.day, due and due.until and due.until.day)
    return (*moments, [left.day for left in plan.left_out])


@pytest.mark.parametrize(
    ("policy", "settled", "now", "expected"),
    [
        (CatchUp.MERGE, 19, "20T06:30", (20, None, None, [])),
        (CatchUp.LATEST, 19, "20T06:30", (20, None, None, [])),
        (CatchUp.EACH, 19, "20T06:30", (20, None, None, [])),
        (CatchUp.NONE, 19, "20T07:30", (20, None, None, [])),
        (CatchUp.NONE, 19, "20T07:31", (None, None, None, [20])),
        (CatchUp.NONE, 17, "20T07:30", (20, None, None, [19, 18])),
        (CatchUp.MERGE, 10, "20T06:30", (20, None, None, [])),
        (CatchUp.LATEST, 10, "20T06:30", (20, 19, None, [])),
        (CatchUp.EACH, 18, "20T06:30", (19, None, 19, [])),
        (CatchUp.EACH, 17, "20T09:00", (18, None, 18, [])),
        (CatchUp.EACH, 13, "20T06:30", (17, None, 17, [16, 15, 14])),
        (CatchUp.EACH, 13, "20T06:31", (18, None, 18, [17, 16, 15, 14])),
        *((policy, None, "20T06:30", (20, None, None, [])) for policy in CatchUp),
        *((policy, 20, "20T23:00", (None, None, None, [])) for policy in CatchUp),
        (CatchUp.NONE, None, "20T09:00", (None, None, None, [])),
    ],
)
def test_what_becomes_of_missed_dates_is_a_matter_of_policy(
    policy: CatchUp, settled: int | None, now: str, expected: tuple[Any, ...]
) -> None:
    assert planned(policy, settled, now) == expected


def test_days_off_are_not_missed_and_separate_no_windows() -> None:
    off = DaysOff((DateSpan(date(2026, 11, 18), date(2026, 11, 19)),))

    assert planned(CatchUp.LATEST, 17, "20T06:30", off=off) == (20, None, None, [])
    assert planned(CatchUp.EACH, 16, "20T06:30", off=off) == (17, None, 17, [])
    assert planned(CatchUp.MERGE, 17, "19T12:00", off=off) == (None, None, None, [])
    assert next_send(DAILY, BERLIN, at("2026-11-17T06:30"), off) == at("2026-11-20T06:30")


def test_an_edition_that_may_wait_is_not_missed_before() -> None:
    assert planned(CatchUp.NONE, 19, "20T10:00", latest=time(10)) == (20, None, None, [])
    assert planned(CatchUp.NONE, 19, "20T10:01", latest=time(10)) == (None, None, None, [20])
    assert wait_until(date(2026, 11, 20), at("2026-11-20T06:30"), BERLIN, time(10)) == at("2026-11-20T09:00")
    assert wait_until(date(2026, 11, 20), at("2026-11-20T06:30"), BERLIN, None) == at("2026-11-20T06:30")
    # The gap moves the send time behind the time until which it would wait.
    gap = date(2027, 3, 28)
    assert wait_until(gap, at("2027-03-28T01:00"), BERLIN, time(2, 15)) == at("2027-03-28T01:00")


@pytest.mark.parametrize(
    ("cron", "is_met"), [("30 7 * * *", True), ("30 7 26 12 *", True), ("30 7 25 12 *", False), ("0 7 1 1 *", False)]
)
def test_a_schedule_of_holidays_only_never_comes_round(cron: str, is_met: bool) -> None:
    assert comes_round(Schedule("", cron), DaysOff(holidays="US")) is is_met


@settings(max_examples=50, deadline=None)
@given(
    policy=st.sampled_from(CatchUp),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    when=QUARTERS,
    steps=st.lists(st.integers(0, 6 * 96), min_size=1, max_size=12),
)
def test_under_every_policy_dates_only_grow_and_windows_do_not_overlap(
    policy: CatchUp, zone: ZoneInfo, when: time, steps: list[int]
) -> None:
    schedule, settled = a_schedule(when), None
    now, covered = datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    for step in steps:
        now += timedelta(minutes=15 * step)
        while due := plan_edition(schedule, zone, now, settled, CATCH_UP, policy=policy).due:
            assert settled is None or due.date > settled
            assert due.at <= now
            assert due.since is None or policy is CatchUp.LATEST
            ends = due.until or now
            assert covered <= ends <= now
            assert due.until is None or policy is CatchUp.EACH
            settled, covered = due.date, ends
