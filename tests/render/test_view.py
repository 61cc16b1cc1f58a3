from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from digest.render.view import Sizes, view_edition
from tests.builders import a_match, a_paper, a_subscriber, an_edition


def test_a_listing_of_midnight_in_new_york_keeps_its_date_further_west() -> None:
    announced = datetime(2026, 11, 20, 0, 0, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    reader = a_subscriber(zone=ZoneInfo("America/Los_Angeles"))
    edition = an_edition(reader, matched=(a_match(a_paper(published=announced)),))

    [section] = view_edition(edition, Sizes(600, 20, 5, 200)).sections

    assert section.papers[0].date == date(2026, 11, 20)
