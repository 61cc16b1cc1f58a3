from datetime import datetime

import pytest
from cronsim import CronSim

from digest.schedule.rules import parse_schedule


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("daily at 07:30", "30 7 * * *"),
        ("daily", "30 7 * * *"),
        ("Daily  at 7:05", "5 7 * * *"),
        ("daily 18:00", "0 18 * * *"),
        ("daily at 00:00", "0 0 * * *"),
        ("daily at 23:59", "59 23 * * *"),
        ("weekdays at 07:30", "30 7 * * 1-5"),
        ("WEEKDAYS", "30 7 * * 1-5"),
        ("Monday, Wednesday and Fri at 07:30", "30 7 * * 1,3,5"),
        ("Monday, Wednesday, and Friday at 07:30", "30 7 * * 1,3,5"),
        ("fri, mon", "30 7 * * 1,5"),
        ("mon & thu at 8:15", "15 8 * * 1,4"),
        ("sunday at 09:00", "0 9 * * 0"),
        ("every Tuesday", "30 7 * * 2"),
        ("on Mondays at 6:00", "0 6 * * 1"),
        ("weekly on Monday at 07:30", "30 7 * * 1"),
        ("weekly", "30 7 * * 1"),
        ("weekly at 10:00", "0 10 * * 1"),
        ("monthly on 1 at 07:30", "30 7 1 * *"),
        ("monthly on the 15th", "30 7 15 * *"),
        ("monthly", "30 7 1 * *"),
        ("monthly on 31", "30 7 L * *"),
        ("monthly on the last day at 20:00", "0 20 L * *"),
        ("30 7 * * 1-5", "30 7 * * 1-5"),
        ("0 7 * * 0", "0 7 * * 0"),
        ("0 7 * * MON", "0 7 * * MON"),
        ("*/60 7 * * *", "*/60 7 * * *"),
    ],
)
def test_a_schedule_is_read(text: str, cron: str) -> None:
    assert parse_schedule(text).cron == cron


def test_the_text_is_kept_as_it_was_written() -> None:
    assert parse_schedule(" Monday  and Fri ").text == "Monday and Fri"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the schedule is empty"),
        ("daily at 25:00", "'25:00' is not a time of day"),
        ("daily at 07:60", "'07:60' is not a time of day"),
        ("daily at 7", "'7' is not a time of day"),
        ("daily at 7am", "'7am' is not a time of day"),
        ("daily at", "'' is not a time of day"),
        ("dialy at 07:30", "did you mean 'daily'"),
        ("Mnday at 07:30", "did you mean 'monday'"),
        ("weekly on Mondey", "did you mean 'monday'"),
        ("Monday, Wedensday", "did you mean 'wednesday'"),
        ("fortnightly", "unknown word 'fortnightly'"),
        ("daily on Monday", "'daily' takes only a time, got 'monday'"),
        ("at 07:30", "says no days"),
        ("monthly on 0", "not every month has a day 0"),
        ("monthly on 30", "'monthly on 31'"),
        ("monthly on 32", "not every month has a day 32"),
        ("monthly on Monday", "'monday' is not a day of the month"),
        ("@daily", "unknown schedule '@daily'"),
        ("07:30", "says no days"),
        ("30 7 * *", "five fields, '30 7 * *' has 4"),
        ("0 30 7 * * *", "five fields"),
        ("61 7 * * *", "'61' is not a minute"),
        ("0 24 * * *", "'24' is not a hour"),
        ("0 7 * * 8", "'8' is not a day-of-week"),
        ("0 7 31 2 *", "'31' is not a day-of-month"),
        ("0 7 x * *", "'x' is not a day-of-month"),
        ("* * * * *", "more than one time of day"),
        ("0 7,19 * * *", "more than one time of day"),
        ("0 */6 * * *", "more than one time of day"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_hint(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        parse_schedule(text)

    assert words in str(caught.value)


def test_monday_is_monday() -> None:
    # APScheduler reads `* * 1` as Tuesday.
    cron = parse_schedule("weekly on Monday").cron

    assert next(CronSim(cron, datetime(2026, 11, 20))).strftime("%A") == "Monday"


def test_the_last_day_comes_in_every_month() -> None:
    days = CronSim(parse_schedule("monthly on 31").cron, datetime(2027, 1, 1))

    assert [next(days).day for _ in range(4)] == [31, 28, 31, 30]
