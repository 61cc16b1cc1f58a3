from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from digest.collect.sources import Arxiv, Feed
from digest.model import DateSpan
from digest.schedule.days_off import NEVER, DaysOff
from digest.schedule.outlook import advise_times, look_ahead
from digest.schedule.rules import parse_schedule, send_time
from tests.builders import NOW, a_subscriber

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "notes"),
    [
        ("daily at 02:30", "2027-03-27T12:00", ["02:30 does not exist", "clocks went forward", ""]),
        ("daily at 07:30", "2027-03-27T12:00", ["clocks went forward", "", ""]),
        ("daily at 02:30", "2027-10-30T12:00", ["02:30 comes twice", "clocks went back", ""]),
        ("daily at 07:30", "2027-10-30T12:00", ["clocks went back", "", ""]),
    ],
)
def test_times_around_a_change_of_clocks_are_marked(schedule: str, now: str, notes: list[str]) -> None:
    coming = [*look_ahead(parse_schedule(schedule), BERLIN, at(now), NEVER, 3)]

    assert all(
        each.note.startswith(note) and bool(each.note) is bool(note) for each, note in zip(coming, notes, strict=True)
    )


def test_days_off_stand_between_the_sends() -> None:
    off = DaysOff((DateSpan(date(2026, 11, 23), date(2026, 11, 24)),))

    coming = [*look_ahead(parse_schedule("weekdays at 07:30"), BERLIN, NOW, off, 2)]

    assert [(each.date.day, each.left_out) for each in coming] == [(23, "quiet"), (24, "quiet"), (25, ""), (26, "")]
    assert coming[-1].at == at("2026-11-26T06:30")


@pytest.mark.parametrize(
    ("zone", "schedule", "is_early"),
    [
        pytest.param("Europe/Berlin", "daily at 05:30", True, id="G10 before arXiv's feed turns"),
        pytest.param("Europe/Berlin", "daily at 07:30", False, id="after it"),
        pytest.param("America/New_York", "daily at 22:00", True, id="the evening before"),
        pytest.param("America/New_York", "daily at 07:00", False, id="hours after it"),
        pytest.param("Asia/Tokyo", "daily at 08:00", False, id="far too early to be a slip"),
    ],
)
def test_a_send_time_shortly_before_the_papers_come_is_told(zone: str, schedule: str, is_early: bool) -> None:
    subscriber = a_subscriber(zone=ZoneInfo(zone), schedule=parse_schedule(schedule))
    sources = [Feed(url="https://example.org/rss"), Arxiv(categories=("cs.CL",))]

    told = [*advise_times(subscriber, sources, at("2026-11-16T12:00"))]

    assert len(told) == is_early
    assert all("arxiv:cs.CL begins to show" in line for line in told)


@pytest.mark.parametrize("text", ["daily at 18:05", "5 18 * * 1-5", "5 18 1 1 *", "*/60 18 * * *"])
def test_the_time_of_a_schedule_is_known(text: str) -> None:
    assert send_time(parse_schedule(text)) == (time(18) if "/" in text else time(18, 5))
