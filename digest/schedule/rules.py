"""Schedules as people write them: ``weekdays at 07:30``, ``monthly on 1``, or a cron expression."""

import difflib
import re
from datetime import datetime, time

from cronsim import CronSim, CronSimError

from digest.model import Schedule

DEFAULT_TIME = "07:30"
EXAMPLES = "'daily at 07:30', 'weekdays at 07:30', 'Monday and Thursday at 18:00', 'weekly on Monday', 'monthly on 1'"

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAY_NUMBERS = {
    **{day: number for number, day in enumerate(_DAYS)},
    **{day[:3]: number for number, day in enumerate(_DAYS)},
    **{f"{day}s": number for number, day in enumerate(_DAYS)},
    "tues": 2,
    "thur": 4,
    "thurs": 4,
}
_PERIODS = ("daily", "weekdays", "weekly", "monthly")
_CRON_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")

_ANY_START = datetime(2024, 1, 1)  # noqa: DTZ001 - only the fields of an expression are wanted
_CRON = re.compile(r"[\d*][^\s:]*\s+\S")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_PARTS = re.compile(r"(?P<days>.*?)(?:\s*\bat\b\s*(?P<time>.*)|\s*(?<!\S)(?P<bare_time>\d{1,2}:\S+))?")
_DAY_OF_MONTH = re.compile(r"(?:the )?(?:(\d{1,2})(?:st|nd|rd|th)?|last(?: day)?)")


class ScheduleError(ValueError):
    """A schedule that cannot be followed: what is wrong, and a hint."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}; {self.hint}"


def parse_schedule(text: str) -> Schedule:
    """Read a schedule.

    The time may be left out everywhere and is 07:30 then; ``weekly`` alone means Monday, ``monthly`` alone the first.
    ``monthly on 31`` is the last day of every month. A cron expression has five fields, 0 and 7 are both Sunday, and
    it must name one time of day: there is one edition a day.

    Raises:
        ScheduleError: The text is none of these.
    """
    said = " ".join(text.split())
    words = said.lower()
    if not words:
        raise ScheduleError("the schedule is empty", f"write for example {EXAMPLES}")
    if _CRON.match(words):
        return Schedule(said, _checked_cron(said))
    if words.startswith("@"):
        raise ScheduleError(f"unknown schedule '{said}'", f"write for example {EXAMPLES}")
    parts = _PARTS.fullmatch(words)
    assert parts is not None
    clock = parts["time"] if parts["time"] is not None else parts["bare_time"] or DEFAULT_TIME
    days = _cron_days(parts["days"].strip(), said)
    return Schedule(said, f"{_cron_time(clock)} {days}")


def send_time(schedule: Schedule) -> time:
    """The local time at which it sends."""
    cron = CronSim(schedule.cron, _ANY_START)
    (hour,), (minute,) = cron.hours, cron.minutes
    assert isinstance(hour, int)
    assert isinstance(minute, int)
    return time(hour, minute)


def read_time(text: str) -> time:
    """A time of day.

    Raises:
        ScheduleError: The text is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ScheduleError(
            f"'{text}' is not a time of day", "write hours and minutes from 00:00 to 23:59, as in 07:30"
        )
    return time(int(match[1]), int(match[2]))


def _cron_time(text: str) -> str:
    read = read_time(text)
    return f"{read.minute} {read.hour}"


def _cron_days(words: str, said: str) -> str:
    """The last three cron fields: day of month, month, day of week."""
    period, _, rest = words.partition(" ")
    rest = rest.removeprefix("on ").strip()
    match period:
        case "daily" if not rest:
            return "* * *"
        case "weekdays" if not rest:
            return "* * 1-5"
        case "weekly":
            return f"* * {_day_numbers(rest or 'monday', said)}"
        case "monthly":
            return f"{_day_of_month(rest or '1')} * *"
        case "daily" | "weekdays":
            raise ScheduleError(f"'{period}' takes only a time, got '{rest}'", f"write '{period} at {DEFAULT_TIME}'")
        case "":
            raise ScheduleError(f"'{said}' says no days", f"write 'daily {said}'")
        case _:
            return f"* * {_day_numbers(words.removeprefix('on ').removeprefix('every '), said)}"


def _day_numbers(words: str, said: str) -> str:
    numbers = set()
    for word in re.split(r"\s*,\s*and\s+|\s*[,&]\s*|\s+and\s+|\s+", words):
        if word not in _DAY_NUMBERS:
            raise ScheduleError(f"unknown word '{word}' in the schedule '{said}'", _suggestion(word))
        numbers.add(_DAY_NUMBERS[word])
    return ",".join(str(number) for number in sorted(numbers))


def _day_of_month(words: str) -> str:
    match = _DAY_OF_MONTH.fullmatch(words)
    if match is None:
        raise ScheduleError(f"'{words}' is not a day of the month", "write a number, as in 'monthly on 1'")
    if match[1] is None or match[1] == "31":
        return "L"
    day = int(match[1])
    if not 1 <= day <= 28:
        # Cron can say "the last day" but not "the 30th, or the last day where there is none".
        raise ScheduleError(
            f"not every month has a day {day}",
            "use 1 to 28, or 31 for the last day of every month, as in 'monthly on 31'",
        )
    return str(day)


def _suggestion(word: str) -> str:
    near = difflib.get_close_matches(word, [*_PERIODS, *_DAYS], n=1)
    return f"did you mean '{near[0]}'? Known: {EXAMPLES}" if near else f"write for example {EXAMPLES}"


def _checked_cron(text: str) -> str:
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        raise ScheduleError(
            f"a cron expression has five fields, '{text}' has {len(fields)}", f"they are {', '.join(_CRON_FIELDS)}"
        )
    try:
        cron = CronSim(text, _ANY_START)
        fires = next(cron, None) is not None
    except CronSimError as exc:
        raise ScheduleError(_cron_problem(str(exc), fields, text), f"see crontab(5), or write {EXAMPLES}") from exc
    if not fires:
        raise ScheduleError(f"the cron expression '{text}' never comes round", "check its day and month")
    if len(cron.minutes) > 1 or len(cron.hours) > 1:
        raise ScheduleError(
            f"the cron expression '{text}' names more than one time of day",
            "there is one edition a day: give one minute and one hour, as in '30 7 * * 1-5'",
        )
    return text


def _cron_problem(complaint: str, fields: list[str], text: str) -> str:
    name = complaint.removeprefix("Bad ")
    if name not in _CRON_FIELDS:
        return f"'{text}' is not a cron expression"
    return f"'{fields[_CRON_FIELDS.index(name)]}' is not a {name} in the cron expression '{text}'"
