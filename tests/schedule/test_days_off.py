import subprocess
import sys
from datetime import date

import pytest

from digest.model import DateSpan
from digest.schedule.days_off import NEVER, DaysOff, country_names, known_places
from tests.builders import a_subscriber


def test_quiet_dates_count_from_the_first_to_the_last() -> None:
    off = DaysOff.of(a_subscriber(quiet=(DateSpan(date(2026, 12, 24), date(2027, 1, 2)),)))

    assert [bool(off(date(2026, 12, day))) for day in (23, 24, 31)] == [False, True, True]
    assert [bool(off(date(2027, 1, day))) for day in (2, 3)] == [True, False]
    assert not NEVER(date(2026, 12, 25))


@pytest.mark.parametrize(
    ("place", "day", "reason"),
    [
        ("DE", date(2026, 12, 25), "holiday: Christmas Day"),
        ("DE", date(2026, 3, 8), ""),
        ("DE-BE", date(2026, 3, 8), "holiday: Women's Day"),
        ("US", date(2026, 11, 26), "holiday: Thanksgiving Day"),
        ("NO", date(2028, 5, 17), "holiday: Constitution Day"),
        ("JP", date(2027, 5, 3), "holiday: Constitution Day"),
    ],
)
def test_holidays_are_those_of_the_country_or_its_part(place: str, day: date, reason: str) -> None:
    assert DaysOff(holidays=place)(day) == reason


def test_every_country_that_is_known_can_be_asked() -> None:
    known = known_places()

    assert len(known) > 200
    assert set(country_names().values()) <= known.keys()
    for country, parts in [*known.items()][::25]:
        for place in (country, *(f"{country}-{part}" for part in parts[:2])):
            # Some countries have none on that date, but nobody fails.
            assert isinstance(DaysOff(holidays=place)(date(2027, 1, 1)), str)


def test_who_has_no_holidays_does_not_load_them() -> None:
    code = "import sys; from digest.config.subscribers import load_subscribers; print('holidays' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
