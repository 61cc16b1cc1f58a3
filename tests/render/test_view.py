from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from digest.model import DayCount, Gap, Link, LinkKind, PaperKey, Verdict, Week
from digest.render.language import find_language
from digest.render.view import PaperView, view_health, view_paper, view_week
from tests.builders import a_paper

ENGLISH = find_language("en")


def view(**values: object) -> PaperView:
    return view_paper(
        a_paper(**values),  # type: ignore[arg-type]
        number=1,
        language=ENGLISH,
        abstract=600,
        zone=ZoneInfo("America/Los_Angeles"),
        day=date(2026, 11, 20),
    )


def test_a_listing_of_midnight_in_new_york_keeps_its_date_further_west() -> None:
    announced = datetime(2026, 11, 20, 0, 0, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)

    assert view(published=announced).date == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        pytest.param("arxiv:2401.01234", ["arXiv", "HTML", "Code", "BibTeX"], id="arXiv has the text as a page"),
        pytest.param("arxiv:2311.01234", ["arXiv", "Code", "BibTeX"], id="but not of older papers"),
        pytest.param("arxiv:hep-ex/0101001", ["arXiv", "Code", "BibTeX"], id="nor of the oldest"),
        pytest.param("doi:10.1000/x", ["arXiv", "Code"], id="elsewhere"),
    ],
)
def test_links_stand_in_one_order(key: str, labels: list[str]) -> None:
    links = Link(LinkKind.CODE, "https://github.com/a/b"), Link(LinkKind.ABSTRACT, "https://arxiv.org/abs/2401.01234")

    assert [link.label for link in view(key=PaperKey(key), links=links).links] == labels


def test_the_week_is_drawn_in_proportion() -> None:
    counts = (3, 5, 0, 0, 10, 1, 0)
    days = tuple(DayCount(date(2026, 11, 14 + number), 100, count) for number, count in enumerate(counts))

    week = view_week(Week(days=days), ENGLISH)

    assert week.heading == "19 papers on your topics in seven days"
    assert [len(day.bar) for day in week.days] == [6, 10, 0, 0, 20, 2, 0]
    assert week.days[0].label == "Sat 14 Nov"
    assert {len(day.label + day.padding) for day in week.days} == {10}
    assert week.line == "▃▄··█▁·"


def test_gaps_say_which_source_and_why_in_the_readers_language() -> None:
    gaps = (
        Gap("arxiv:cs.CL", Verdict.STALE, date(2026, 11, 19)),
        *(Gap(f"feed {number}", Verdict.FAILED, None) for number in range(11)),
    )

    assert view_health(gaps, ENGLISH).lines[0] == "arxiv:cs.CL: no new batch where one was due, last new on Thu 19 Nov"
    assert view_health(gaps, ENGLISH).lines[1] == "feed 0: could not be read"
    assert view_health(gaps, ENGLISH).lines[-1] == "2 more"
    assert "19. Nov." in view_health(gaps, find_language("de")).lines[0]
