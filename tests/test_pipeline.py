from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import PermanentDeliverError, SmtpRefusedError, UncertainDeliverError
from digest.model import (
    Announcement,
    DeliveryState,
    Entry,
    Message,
    Poll,
    Receipt,
    Schedule,
    Signals,
    Subscriber,
    Topic,
    Verdict,
)
from digest.pipeline import Choice, Listener, Report, World, run_pass
from digest.service import Service
from tests.builders import NOW, a_subscriber, an_entry
from tests.worlds import a_world

DAY = timedelta(days=1)


class FakeBackend:
    """Keeps what it is given; a text in ``errors`` is raised for that recipient."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.errors: dict[str, Exception] = {}

    def deliver(self, message: Message, before_dot: Callable[[], None]) -> Receipt:
        error = self.errors.get(message.recipient)
        if isinstance(error, UncertainDeliverError):
            before_dot()
        if error:
            raise error
        before_dot()
        self.sent.append(message)
        return Receipt(250, "ok")

    def close(self) -> None:
        pass


class Morning:
    """A world whose clock and announcements the test moves on."""

    def __init__(self, folder: Path, *subscribers: Subscriber) -> None:
        self.now = NOW
        self.backend = FakeBackend()
        self.world: World = a_world(folder, clock=lambda: self.now, subscribers=subscribers)

    def announce(self, *entries: Entry, source: str = "arxiv") -> None:
        self.world.papers.record(Poll(source=source, verdict=Verdict.FRESH, entries=entries), self.now)

    def run(self, *, everyone: bool = False) -> Report:
        return run_pass(self.world, self.backend, self.now, Choice(everyone=everyone), Listener())

    def titles(self) -> list[str]:
        """The titles of all papers mailed so far, in order."""
        return [
            line.partition(". ")[2]
            for message in self.backend.sent
            for line in message.text.splitlines()
            if "Invented Paper" in line and ". " in line
        ]


@pytest.fixture
def morning(tmp_path: Path) -> Morning:
    return Morning(tmp_path, a_subscriber())


def test_what_is_announced_is_sent_once(morning: Morning) -> None:
    morning.announce(an_entry(1), an_entry(2))
    first = morning.run()
    second = morning.run()
    morning.now += DAY
    third = morning.run()

    assert first.counts == {DeliveryState.ACCEPTED: 1}
    assert second.counts == {}
    assert third.counts == {DeliveryState.SKIPPED: 1}
    assert sorted(morning.titles()) == ["Invented Paper 1", "Invented Paper 2"]


def test_a_paper_that_a_second_source_lists_later_is_not_sent_again(morning: Morning) -> None:
    morning.announce(an_entry(1))
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(1, signals=Signals(upvotes=9)), an_entry(2), source="huggingface")
    morning.run()

    assert morning.titles() == ["Invented Paper 1", "Invented Paper 2"]


def test_a_paper_whose_category_becomes_known_later_is_found_then(morning: Morning) -> None:
    morning.announce(an_entry(1, categories=()), source="huggingface")
    assert morning.run().counts == {DeliveryState.SKIPPED: 1}

    morning.now += DAY
    morning.announce(an_entry(1), source="arxiv")
    morning.run()

    assert morning.titles() == ["Invented Paper 1"]


def test_a_replacement_is_no_news(morning: Morning) -> None:
    morning.announce(an_entry(1, announcement=Announcement.REPLACE))

    assert morning.run().counts == {DeliveryState.SKIPPED: 1}


def test_an_edition_that_had_nothing_goes_out_later_the_same_day(morning: Morning) -> None:
    morning.run()
    morning.now += timedelta(hours=4)
    morning.announce(an_entry(1))

    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}


def test_a_week_without_runs_loses_nothing(morning: Morning) -> None:
    morning.announce(an_entry(1))
    morning.run()
    for day in range(2, 9):
        morning.now += DAY
        morning.announce(an_entry(day))
    morning.run()

    assert len(morning.titles()) == 8
    assert len(morning.backend.sent) == 2


def test_nobody_is_written_to_before_their_time_unless_asked_for(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(schedule=Schedule("weekly on Monday", "30 7 * * 1")))
    morning.announce(an_entry(1))

    assert morning.run().counts == {}
    assert morning.run(everyone=True).counts == {DeliveryState.ACCEPTED: 1}
    assert morning.run(everyone=True).counts == {}
    morning.now = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert morning.run().counts == {DeliveryState.SKIPPED: 1}


def test_one_refused_address_blocks_nobody(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber("Ada"), a_subscriber("Ben"), a_subscriber("Cleo"))
    morning.backend.errors["ben@example.org"] = PermanentDeliverError("550 no such user")
    morning.announce(an_entry(1))

    report = morning.run()

    assert report.counts == {DeliveryState.ACCEPTED: 2, DeliveryState.FAILED: 1}
    assert report.exit_code == 1
    assert {message.recipient for message in morning.backend.sent} == {"ada@example.org", "cleo@example.org"}


def test_papers_of_a_failed_or_uncertain_edition_come_with_the_next(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber("Ada"), a_subscriber("Ben"))
    morning.backend.errors = {
        "ada@example.org": PermanentDeliverError("550 no"),
        "ben@example.org": UncertainDeliverError("hung up after the dot"),
    }
    morning.announce(an_entry(1))
    report = morning.run()
    assert report.counts == {DeliveryState.FAILED: 1, DeliveryState.UNCERTAIN: 1}
    morning.backend.errors.clear()
    morning.now += DAY
    morning.announce(an_entry(2))
    morning.run()

    assert sorted(morning.titles()) == ["Invented Paper 1"] * 2 + ["Invented Paper 2"] * 2


def test_a_server_that_refuses_us_stops_the_run_and_keeps_everything(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber("Ada"), a_subscriber("Ben"))
    morning.backend.errors["ada@example.org"] = SmtpRefusedError("535 sign-in refused")
    morning.announce(an_entry(1))

    report = morning.run()
    assert report.exit_code == 3
    assert report.counts == {}
    morning.backend.errors.clear()

    assert morning.run().counts == {DeliveryState.ACCEPTED: 2}


def test_a_dry_run_records_and_sends_nothing(morning: Morning) -> None:
    morning.announce(an_entry(1))

    report = run_pass(morning.world, None, morning.now, Choice(), Listener())

    assert [len(edition.matched) for edition in report.editions] == [1]
    assert morning.world.ledger.editions() == []
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}


def test_why_a_paper_came_is_in_the_mail(tmp_path: Path) -> None:
    reader = a_subscriber(topics=(Topic(name="Inventions", any=("invent*",)),))
    morning = Morning(tmp_path, reader)
    morning.announce(an_entry(1))
    morning.run()

    [message] = morning.backend.sent
    assert "Inventions" in message.text
    assert "“Invented” in the title" in " ".join(message.text.split())


def test_a_new_subscriber_starts_with_the_last_day(tmp_path: Path) -> None:
    morning = Morning(tmp_path)
    morning.announce(an_entry(1))
    morning.now += 5 * DAY
    morning.announce(an_entry(2))
    morning.world = replace(morning.world, subscribers=[a_subscriber()])
    morning.run()

    assert morning.titles() == ["Invented Paper 2"]


def test_serving_runs_a_pass_only_when_there_is_something_to_do(morning: Morning) -> None:
    service = Service(lambda: morning.world, morning.backend, timedelta(hours=3), lambda: False)
    morning.announce(an_entry(1))
    reports = []
    for minute in range(0, 24 * 60, 10):
        morning.now = NOW + timedelta(minutes=minute)
        if report := service.tick(morning.now, Listener()):
            reports.append((minute, report.counts))

    assert reports[0] == (0, {DeliveryState.ACCEPTED: 1})
    assert [minute for minute, _ in reports] == [0, *range(180, 24 * 60, 180)]


def test_serving_tries_deferred_mail_again_in_time(morning: Morning) -> None:
    from digest.errors import TemporaryDeliverError

    service = Service(lambda: morning.world, morning.backend, timedelta(hours=3), lambda: False)
    morning.announce(an_entry(1))
    morning.backend.errors["ada@example.org"] = TemporaryDeliverError("450 later")
    service.tick(morning.now, Listener())
    morning.backend.errors.clear()
    assert service.tick(morning.now + timedelta(minutes=1), Listener()) is None
    morning.now += timedelta(minutes=6)

    report = service.tick(morning.now, Listener())

    assert report
    assert report.counts == {DeliveryState.ACCEPTED: 1}
