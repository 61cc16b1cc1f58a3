"""What mails tell besides their papers, morning after morning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from digest.background import Background
from digest.choose import owed_edition
from digest.errors import TemporaryDeliverError
from digest.model import (
    DayCount,
    Edition,
    Growth,
    Observation,
    Paper,
    PaperKey,
    Schedule,
    Signals,
    Subscriber,
    Topic,
    Week,
)
from digest.paths import shipped
from digest.ports import PaperStore
from digest.render.compile import load_template
from digest.schedule.due import edition_now
from tests.builders import NOW, a_subscriber, an_entry
from tests.mornings import Morning

DAY = timedelta(days=1)
FRIDAY = NOW.date()
INVENTED = Topic(name="Inventions", any=("invented",))
THIRD = Topic(name="Third", query="title:3")
FRIDAYS = Schedule("weekly on Friday", "30 7 * * 5")


def looking_back(folder: Path, *subscribers: Subscriber) -> Morning:
    """A world with the template that wants the week."""
    morning = Morning(folder, *subscribers)
    weekly = load_template("weekly", [shipped("templates")])
    morning.world = replace(morning.world, templates={**morning.world.templates, ("weekly", "paper"): weekly})
    return morning


def shown(morning: Morning, reader: Subscriber | None = None) -> Edition:
    """What a reader would see now."""
    reader = reader or morning.world.subscribers[0]
    today = edition_now(reader.schedule, reader.zone, morning.now)
    return Background(morning.world).complete(owed_edition(morning.world, reader, today, morning.now).edition)


def week_of(morning: Morning, reader: Subscriber | None = None) -> Week:
    week = shown(morning, reader).week
    assert week
    return week


def counts(week: Week) -> list[tuple[int, int]]:
    return [(day.announced, day.matched) for day in week.days]


def vote(morning: Morning, *upvotes: int, number: int = 1) -> None:
    """Have a paper counted once a day, the last time today."""
    today = morning.now
    for ago, votes in zip(reversed(range(len(upvotes))), upvotes, strict=True):
        morning.now = today - ago * DAY
        entry = an_entry(number, signals=Signals(upvotes=votes), published=today)
        morning.announce(entry, source="huggingface")
    morning.now = today


def test_papers_in_full_tell_how_their_signals_grew(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), limit=2, schedule=FRIDAYS))
    vote(morning, 2, 2, 5, 30)
    vote(morning, 7, number=2)
    vote(morning, 1, 9, number=3)

    edition = shown(morning)
    morning.run()

    [named] = edition.rest
    assert edition.growth.keys() == {an_entry(1).key, an_entry(3).key} - {named.key}
    assert edition.growth[an_entry(1).key] == Growth(signal="upvotes", counts=(2, 2, 5, 30), since=NOW - 3 * DAY)
    [message] = morning.backend.sent
    assert "+28 since Tue 17 Nov" in " ".join(message.text.replace("\xa0", " ").split())


def test_an_edition_that_is_tried_again_says_what_it_said(tmp_path: Path) -> None:
    """Whatever was counted since: growth ends with the edition's date."""
    morning = looking_back(tmp_path, a_subscriber(topics=(INVENTED,), template="weekly", schedule=FRIDAYS))
    vote(morning, 2, 30)
    [reader] = morning.world.subscribers
    edition = owed_edition(morning.world, reader, edition_now(reader.schedule, reader.zone, NOW), NOW).edition
    before = Background(morning.world).complete(edition)
    morning.now += DAY
    morning.announce(an_entry(1, signals=Signals(upvotes=500)), an_entry(2), source="huggingface")

    after = Background(morning.world).complete(edition)

    assert before.growth
    assert after == before
    assert (after.growth, after.week) == (before.growth, before.week)


def test_an_edition_that_is_tried_again_the_same_day_tells_what_came_meanwhile(tmp_path: Path) -> None:
    """As it shows its papers, too, as they are by then."""
    morning = looking_back(tmp_path, a_subscriber(topics=(INVENTED,), template="weekly", schedule=FRIDAYS))
    vote(morning, 2, 30)
    morning.backend.errors["ada@example.org"] = TemporaryDeliverError("450 later")
    morning.run()
    morning.backend.errors.clear()
    morning.now += timedelta(hours=2)
    morning.announce(an_entry(1, signals=Signals(upvotes=500)), an_entry(2), source="huggingface")

    morning.run()

    [message] = morning.backend.sent
    assert "+498 since Thu 19 Nov" in " ".join(message.text.replace("\xa0", " ").split())


class CountingPapers:
    """A store that keeps whose observations and how many weeks were read."""

    def __init__(self, papers: PaperStore) -> None:
        self._papers = papers
        self.observed: list[PaperKey] = []
        self.weeks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._papers, name)

    def observations(self, since: datetime, keys: Sequence[PaperKey] | None = None) -> Sequence[Observation]:
        self.observed += keys or []
        return self._papers.observations(since, keys)

    def announced_at(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, Paper]]:
        self.weeks += 1
        return self._papers.announced_at(since, until)


def test_what_readers_share_is_read_once_a_pass(tmp_path: Path) -> None:
    readers = [a_subscriber(name, topics=(INVENTED,), template="weekly") for name in ("Ada", "Ben", "Cleo")]
    morning = looking_back(tmp_path, *readers)
    morning.announce(an_entry(1), an_entry(2))
    papers = CountingPapers(morning.world.papers)
    morning.world = replace(morning.world, papers=cast("PaperStore", papers))

    morning.run()

    assert len(morning.backend.sent) == 3
    assert sorted(papers.observed) == [an_entry(1).key, an_entry(2).key]
    assert papers.weeks == 1


def test_only_who_looks_back_is_told_of_the_week(tmp_path: Path) -> None:
    morning = looking_back(tmp_path, a_subscriber(), a_subscriber("Ben", template="weekly", schedule=FRIDAYS))
    morning.announce(an_entry(1))

    daily, weekly = morning.world.subscribers

    assert shown(morning, daily).week is None
    assert shown(morning, weekly).week


@pytest.mark.parametrize("schedule", [a_subscriber().schedule, FRIDAYS], ids=["every day", "on Fridays"])
def test_the_week_counts_what_came_each_day_and_what_the_reader_wants(tmp_path: Path, schedule: Schedule) -> None:
    reader = a_subscriber(topics=(THIRD,), template="weekly", schedule=schedule)
    morning = looking_back(tmp_path, reader)
    morning.now = NOW - 8 * DAY
    for number in range(1, 10):
        morning.announce(an_entry(number), an_entry(100 + number, title=f"Other 3 of {number}"))
        if number < 9:
            morning.run()
            morning.now += DAY

    week = week_of(morning)

    assert [day.date for day in week.days] == [FRIDAY - ago * DAY for ago in reversed(range(7))]
    assert counts(week) == [(2, 2)] + [(2, 1)] * 6
    assert week.days[0] == DayCount(date(2026, 11, 14), 2, 2)


def test_a_new_readers_week_goes_back_to_days_of_which_they_were_sent_nothing(tmp_path: Path) -> None:
    """Also if they only look at what another template would show."""
    daily, weekly = a_subscriber(topics=(THIRD,)), a_subscriber("Ben", topics=(THIRD,), template="weekly")
    morning = looking_back(tmp_path, daily, weekly)
    for day in (3, 2, 0):
        morning.now = NOW - day * DAY
        morning.announce(an_entry(day), an_entry(10 + day, title=f"Paper 3 of {day}"))

    assert counts(week_of(morning, weekly))[-4:] == [(2, 2), (2, 1), (0, 0), (2, 1)]
    tried = Background(morning.world).complete(
        replace(shown(morning, daily), subscriber=replace(daily, template="weekly"))
    )
    assert tried.week == week_of(morning, weekly)


def test_days_are_those_of_the_readers_clock(tmp_path: Path) -> None:
    reader = a_subscriber(topics=(INVENTED,), template="weekly", zone=ZoneInfo("Pacific/Auckland"))
    morning = looking_back(tmp_path, reader, replace(reader, zone=ZoneInfo("UTC")))
    morning.now = NOW - DAY + timedelta(hours=6)
    morning.announce(an_entry(1))
    morning.now = NOW

    there, here = (week_of(morning, each) for each in morning.world.subscribers)

    assert counts(there)[-2:] == [(0, 0), (1, 1)]
    assert counts(here)[-2:] == [(1, 1), (0, 0)]


def test_what_a_description_found_counts_where_an_edition_named_it(tmp_path: Path) -> None:
    animals = Topic(name="Animals", about="zebras grazing in the savannah")
    morning = looking_back(tmp_path, a_subscriber(topics=(animals,), template="weekly"))
    zebras = "We watch zebras graze in the savannah for a year."
    for day in (1, 0):
        morning.now = NOW - day * DAY
        morning.announce(
            an_entry(2 * day + 1, title=f"Grazing zebras {day}", abstract=zebras),
            an_entry(2 * day + 2, title=f"Kettles {day}", abstract="Kettles boil water with steam."),
        )
        if day:
            morning.run()

    assert counts(week_of(morning))[-2:] == [(2, 1)] * 2


def test_the_week_names_what_was_discussed_and_what_was_sent(tmp_path: Path) -> None:
    morning = looking_back(tmp_path, a_subscriber(topics=(INVENTED,), template="weekly", limit=1))
    entries = [an_entry(1, signals=Signals(comments=4)), an_entry(2, title="Other", abstract="It."), an_entry(3)]
    for day, entry in zip((7, 2, 1), entries, strict=True):
        morning.now = NOW - day * DAY
        morning.announce(entry)
        morning.run()
    morning.now = NOW
    morning.announce(an_entry(2, title="Other", signals=Signals(points=50)), an_entry(4), source="hackernews")

    week = week_of(morning)
    morning.run()

    assert [paper.title for paper in week.discussed] == ["Other"], "of those that were announced in it"
    assert [paper.title for paper in week.sent] == ["Invented Paper 3"]
    text = morning.backend.sent[-1].text
    assert "Other" in text
    assert "Invented Paper 3" in text


def test_a_withdrawn_paper_is_announced_and_wanted_by_nobody(tmp_path: Path) -> None:
    morning = looking_back(tmp_path, a_subscriber(topics=(INVENTED,), template="weekly"))
    morning.announce(an_entry(1), an_entry(2, abstract="This paper has been withdrawn."))

    assert counts(week_of(morning))[-1] == (2, 1)


def test_a_week_without_anything_has_its_days(tmp_path: Path) -> None:
    morning = looking_back(tmp_path, a_subscriber(template="weekly"))

    week = week_of(morning)

    assert counts(week) == [(0, 0)] * 7
    assert (week.discussed, week.sent) == ((), ())
