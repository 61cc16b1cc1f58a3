import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from digest.choose import choose_editions
from digest.collect.sources import Feed, HackerNews
from digest.deliver.outcome import Outcome
from digest.errors import (
    ConfigError,
    PermanentDeliverError,
    RenderError,
    SmtpRefusedError,
    TemporaryDeliverError,
    UncertainDeliverError,
)
from digest.listener import Listener
from digest.mailing import gaps
from digest.model import (
    Announcement,
    Delivery,
    DeliveryState,
    Edition,
    Gap,
    Link,
    LinkKind,
    Paper,
    PaperKey,
    Poll,
    Recorded,
    Schedule,
    Signals,
    SubscriberId,
    Topic,
    Verdict,
    Wording,
)
from digest.paths import shipped
from digest.pipeline import Report, run_pass
from digest.ports import Ledger, Move
from digest.render.compile import Template, load_template
from digest.service import Service
from digest.telemetry.logs import JsonFormatter, Redactor
from digest.world import Choice
from tests.builders import NOW, a_subscriber, an_entry
from tests.mornings import Morning

DAY = timedelta(days=1)


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


def a_service(morning: Morning) -> Service:
    return Service(lambda: morning.world, morning.backend, timedelta(hours=3), lambda: False)


def passes(morning: Morning, service: Service, minutes: int, errors: dict[str, Exception]) -> list[int]:
    """The minutes at which a service that ticks once a minute went to work; passing mail that fails with ``errors``."""
    morning.backend.errors = errors
    start = morning.now
    worked = []
    for minute in range(minutes):
        morning.now = start + timedelta(minutes=minute)
        if service.tick(morning.now, Listener()):
            worked.append(minute)
    return worked


def test_serving_asks_a_server_that_turns_us_away_less_and_less_often(morning: Morning) -> None:
    """A wrong password tried once a minute would lock the account."""
    service = a_service(morning)
    morning.announce(an_entry(1))
    refused: dict[str, Exception] = {"ada@example.org": SmtpRefusedError("535 sign-in refused")}

    assert passes(morning, service, 179, refused) == [0, 5, 20, 80]

    # After three hours the sources are read again, but the server is not asked before its time.
    assert passes(morning, service, 120, {}) == [2, 82]
    assert len(morning.backend.sent) == 1


def test_sources_that_are_read_while_the_server_refuses_us_are_no_success(morning: Morning) -> None:
    service = Service(lambda: morning.world, morning.backend, timedelta(minutes=3), lambda: False)
    morning.announce(an_entry(1))
    morning.backend.errors = {"ada@example.org": SmtpRefusedError("535 sign-in refused")}
    service.tick(morning.now, Listener())

    collected = service.tick(morning.now + timedelta(minutes=3), Listener())

    assert collected
    assert (collected.run, collected.exit_code, collected.waiting) == ("", 3, 1)


def test_serving_does_not_wake_for_an_edition_whose_papers_were_sent_meanwhile(morning: Morning) -> None:
    service = a_service(morning)
    morning.announce(an_entry(1))
    opened = next(choose_editions(morning.world, morning.now, Choice(), (), [], []))
    morning.world.ledger.open_editions([opened], morning.now, run="another", claim=False)
    assert passes(morning, service, 1, {"ada@example.org": SmtpRefusedError("535 sign-in refused")}) == [0]
    [delivery] = morning.world.ledger.claim(morning.now, run="another")
    morning.world.ledger.rewrite_papers(delivery, [], morning.now)
    released = Move(delivery=delivery, state=DeliveryState.PENDING, now=morning.now, is_counted=False)
    morning.world.ledger.move([released])
    morning.now += timedelta(minutes=5)

    assert passes(morning, service, 30, {}) == []


def test_serving_tells_when_it_goes_to_work(morning: Morning) -> None:
    began = []
    service = Service(
        lambda: morning.world, morning.backend, timedelta(hours=3), lambda: False, lambda: began.append(morning.now)
    )

    assert passes(morning, service, 3, {}) == [0]
    assert began == [NOW]


def test_an_idle_tick_asks_the_ledger_once_for_all_readers(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> object:
            asked.append(name)
            return getattr(self._ledger, name)

    morning = Morning(tmp_path, *(a_subscriber(f"Reader {number}") for number in range(20)))
    service = a_service(morning)
    morning.announce(an_entry(1))
    assert passes(morning, service, 1, {}) == [0]
    morning.world = replace(morning.world, ledger=cast("Ledger", Counting(morning.world.ledger)))

    assert passes(morning, service, 3, {}) == []
    assert asked == ["recent"] * 3


def test_the_lines_of_a_pass_name_it(morning: Morning) -> None:
    lines = []

    class Ear(Listener):
        def settled(self, outcome: Outcome) -> None:
            lines.append(json.loads(JsonFormatter(Redactor()).format(logging.makeLogRecord({"msg": outcome.state}))))

    morning.announce(an_entry(1))

    report = run_pass(morning.world, morning.backend, morning.now, Choice(), Ear())

    assert report.run.startswith("2026-11-20T07:30:00Z-")
    assert [line["run"] for line in lines] == [report.run]


def test_what_was_skipped_may_be_opened_by_another_run_meanwhile(morning: Morning) -> None:
    class Another(Listener):
        def opened(self, edition: Edition) -> None:
            morning.announce(an_entry(1))
            # It has an event loop of its own.
            with ThreadPoolExecutor() as aside:
                assert aside.submit(morning.run).result().counts == {DeliveryState.ACCEPTED: 1}

    report = run_pass(morning.world, morning.backend, morning.now, Choice(), Another())

    assert (report.counts, report.mismatch, report.exit_code) == ({DeliveryState.SKIPPED: 1}, None, 0)


def test_serving_does_not_wake_for_mail_to_somebody_who_left(morning: Morning) -> None:
    service = a_service(morning)
    morning.announce(an_entry(1))
    passes(morning, service, 1, {"ada@example.org": SmtpRefusedError("535 sign-in refused")})
    morning.world = replace(morning.world, subscribers=[a_subscriber("Ben")])
    morning.now += timedelta(minutes=5)

    assert passes(morning, service, 60, {}) == [0]


def test_serving_tries_deferred_mail_again_however_many_others_there_are(tmp_path: Path) -> None:
    morning = Morning(tmp_path, *(a_subscriber(f"Reader {number}") for number in range(120)))
    service = a_service(morning)
    morning.announce(an_entry(1))
    later: dict[str, Exception] = {"reader-0@example.org": TemporaryDeliverError("450 later")}

    assert passes(morning, service, 1, later) == [0]
    assert passes(morning, service, 10, {}) == [5]
    assert len(morning.backend.sent) == 120


def test_serving_goes_on_with_what_a_run_that_died_had_in_hand(morning: Morning) -> None:
    service = a_service(morning)
    morning.announce(an_entry(1))
    opened = next(choose_editions(morning.world, morning.now, Choice(), (), [], []))
    [claimed] = morning.world.ledger.open_editions([opened], morning.now, run="dead")
    assert claimed.delivery

    assert passes(morning, service, 60, {}) == [0, 20]
    assert len(morning.backend.sent) == 1


def test_a_clock_that_was_wrong_for_once_silences_nobody(morning: Morning) -> None:
    morning.now = datetime(2099, 1, 1, 8, tzinfo=UTC)
    morning.announce(an_entry(1))
    morning.run()
    morning.now = NOW
    morning.announce(an_entry(2))
    service = Service(lambda: morning.world, morning.backend, timedelta(hours=3), lambda: False)

    report = service.tick(morning.now, Listener())

    assert report
    assert report.counts == {DeliveryState.ACCEPTED: 1}
    assert sorted(morning.titles()) == ["Invented Paper 1", "Invented Paper 2"]


def test_every_match_is_named_however_many_there_are(morning: Morning) -> None:
    morning.announce(*(an_entry(number) for number in range(1, 701)))
    morning.run()

    [message] = morning.backend.sent
    named = {line.strip() for line in message.text.splitlines() if "arxiv.org/abs/" in line}
    assert len(named) == 700
    assert len(message.html.encode()) < 100_000


@pytest.mark.parametrize("reason", ["not asked for", "left"])
def test_waiting_mail_of_others_stays_as_it_is(tmp_path: Path, reason: str) -> None:
    ada, ben = a_subscriber("Ada"), a_subscriber("Ben")
    morning = Morning(tmp_path, ada, ben)
    morning.announce(an_entry(1))
    morning.backend.errors["ben@example.org"] = TemporaryDeliverError("450 later")
    morning.run()
    waits = morning.world.ledger.editions(ben.id)
    morning.backend.errors.clear()
    morning.now += timedelta(minutes=10)
    choice = Choice(only=frozenset({ada.id})) if reason == "not asked for" else Choice()
    if reason == "left":
        morning.world = replace(morning.world, subscribers=[ada])

    report = run_pass(morning.world, morning.backend, morning.now, choice, Listener())

    assert [(row.state, row.attempts) for row in waits] == [(DeliveryState.DEFERRED, 1)]
    assert morning.world.ledger.editions(ben.id) == waits
    assert (report.counts, report.waiting) == ({}, 1)


def an_outcome(state: DeliveryState, error: Exception) -> Outcome:
    delivery = Delivery(id=1, subscriber=SubscriberId("ada"), date=date(2026, 11, 20), token="t", attempts=1)
    return Outcome(delivery=delivery, state=state, detail="", error=error)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        pytest.param(
            Report(stopped_by=SmtpRefusedError("535"), problems=(ConfigError("no name"),)),
            3,
            id="refused, and a problem",
        ),
        pytest.param(
            Report(
                troubles=(an_outcome(DeliveryState.DEFERRED, TemporaryDeliverError("450 later")),) * 200,
                delivery_code=RenderError.exit_code,
            ),
            2,
            id="a broken template, after many deferred ones",
        ),
        pytest.param(Report(counts={DeliveryState.DEFERRED: 1}), 1, id="deferred"),
        pytest.param(Report(), 0, id="nothing"),
    ],
)
def test_the_exit_code_tells_of_the_worst(report: Report, code: int) -> None:
    assert report.exit_code == code


def test_a_clock_that_was_wrong_by_days_silences_nobody(morning: Morning) -> None:
    morning.now = NOW + 3 * DAY
    morning.announce(an_entry(1))
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
    morning.now = NOW
    morning.announce(an_entry(2))

    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}


def test_a_dry_run_for_everyone_shows_nobody_a_second_edition_of_today(morning: Morning) -> None:
    morning.announce(an_entry(1))
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
    morning.announce(an_entry(2))

    assert run_pass(morning.world, None, morning.now, Choice(everyone=True), Listener()).editions == ()


def test_a_paper_whose_topic_was_changed_before_the_retry_is_sent_for_the_topic_that_it_was_chosen_for(
    tmp_path: Path,
) -> None:
    reader = a_subscriber(topics=(Topic(name="Inventions", any=("invent*",)),))
    morning = Morning(tmp_path, reader)
    morning.announce(an_entry(1))
    morning.backend.errors["ada@example.org"] = TemporaryDeliverError("450 later")
    assert morning.run().counts == {DeliveryState.DEFERRED: 1}
    morning.backend.errors.clear()
    morning.world = replace(morning.world, subscribers=[replace(reader, topics=(Topic(name="Zoo", any=("zebra",)),))])
    morning.now += timedelta(minutes=10)

    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
    assert morning.titles() == ["Invented Paper 1"]
    [message] = morning.backend.sent
    assert "in the title" not in message.text
    assert "> Inventions\n" in message.text


def test_whatever_goes_wrong_for_one_reader_the_others_get_their_mail(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber("Ada"), a_subscriber("Ben", topics=(Topic(name="Empty"),)))
    morning.announce(an_entry(1))

    report = morning.run()

    assert report.counts == {DeliveryState.ACCEPTED: 1}
    assert report.exit_code == 1
    assert [failure.where for failure in report.failures] == ["ben"]


def test_serving_reads_the_sources_once_in_hours_even_if_every_pass_fails(morning: Morning) -> None:
    polled = []

    class Failing(Listener):
        def polled(self, poll: Poll, recorded: Recorded | None) -> None:
            polled.append(poll.source)
            raise RuntimeError("the disk is full")

    morning.world = replace(morning.world, sources=[Feed("nonsense:", name="blog")])
    service = a_service(morning)
    for minute in range(60):
        with suppress(RuntimeError):
            service.tick(NOW + timedelta(minutes=minute), Failing())

    assert len(polled) == 1


def test_a_source_that_was_absent_is_named_until_it_is_back(morning: Morning) -> None:
    morning.world = replace(morning.world, sources=[Feed("https://example.org/rss", name="blog")])
    morning.world.papers.record(Poll(source="blog", verdict=Verdict.FAILED, problems=("down",)), NOW)
    morning.announce(an_entry(1))

    run_pass(morning.world, morning.backend, NOW, Choice(collect=False), Listener())

    assert "May be missing: blog: could not be read" in morning.backend.sent[0].text


def test_a_gap_says_when_the_source_last_had_something_new_and_an_extra_leaves_none(morning: Morning) -> None:
    morning.world = replace(morning.world, sources=[Feed("https://example.org/rss", name="blog"), HackerNews()])
    morning.announce(an_entry(1), source="blog")
    run_pass(morning.world, morning.backend, morning.now, Choice(collect=False), Listener())
    morning.now += DAY
    morning.announce(an_entry(2))
    for name in ("blog", "hackernews:points"):
        morning.world.papers.record(Poll(source=name, verdict=Verdict.STALE, covers=False), morning.now)
    run_pass(morning.world, morning.backend, morning.now, Choice(collect=False), Listener())

    assert gaps(morning.world) == (Gap("blog", Verdict.STALE, NOW.date()),)
    text = " ".join(morning.backend.sent[1].text.split())
    assert f"May be missing: blog: no new batch where one was due, last new on {NOW:%a %d %b}" in text
    assert "hackernews" not in text


def test_an_outcome_tells_how_large_the_mail_was(morning: Morning) -> None:
    morning.announce(an_entry(1))

    told: list[Outcome] = []

    class Ear(Listener):
        def settled(self, outcome: Outcome) -> None:
            told.append(outcome)

    run_pass(morning.world, morning.backend, morning.now, Choice(), Ear())

    assert [outcome.html_bytes for outcome in told] == [morning.backend.sent[0].html_bytes]


def broken_when_filled(folder: Path) -> Template:
    """The shipped template with a card that asks for what no paper has."""
    own = folder / "templates" / "daily"
    own.mkdir(parents=True)
    (own / "card.txt.j2").write_text("{{ paper.nonsense }}\n", encoding="utf-8")
    return load_template("daily", [own.parent, shipped("templates")])


def test_what_is_shipped_stands_in_for_a_template_that_fails_and_that_is_told_once(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber("Ada"), a_subscriber("Ben"))
    look = morning.world.subscribers[0].look
    shipped_one = morning.world.templates[look]
    broken = {look: broken_when_filled(tmp_path)}
    morning.world = replace(morning.world, templates=broken, fallbacks={look: shipped_one})
    morning.announce(an_entry(1))

    report = morning.run()

    assert report.counts == {DeliveryState.ACCEPTED: 2}
    assert morning.titles() == ["Invented Paper 1"] * 2
    [problem] = report.problems
    assert "card.txt.j2" in str(problem)
    assert "nonsense" in str(problem)
    assert "what is shipped stands in for it" in str(problem)
    assert report.notes == (), "it is told once"
    assert report.exit_code == RenderError.exit_code


def test_what_stands_in_for_a_template_has_its_week_though_that_has_none(tmp_path: Path) -> None:
    readers = [a_subscriber(name, topics=(Topic(name="First", query="title:1*"),)) for name in ("Ada", "Ben")]
    look = readers[0].look
    weekly = load_template("weekly", [shipped("templates")])
    broken = broken_when_filled(tmp_path)
    assert (broken.wants_week, weekly.wants_week) == (False, True)

    def mailed(folder: str, template: Template) -> list[str]:
        morning = Morning(tmp_path / folder, *readers)
        morning.world = replace(morning.world, templates={look: template}, fallbacks={look: weekly})
        morning.now = NOW - 3 * DAY
        morning.announce(an_entry(1), an_entry(2))
        morning.now = NOW
        morning.announce(an_entry(10), an_entry(3), source="other")
        morning.run()
        return [message.text for message in morning.backend.sent]

    assert mailed("broken", broken) == mailed("whole", weekly)


def test_a_template_that_fails_keeps_the_mail_waiting_if_nothing_stands_in_for_it(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber())
    look = morning.world.subscribers[0].look
    morning.world = replace(morning.world, templates={look: broken_when_filled(tmp_path)})
    morning.announce(an_entry(1))

    report = morning.run()

    assert report.counts == {DeliveryState.DEFERRED: 1}
    assert (report.problems, report.exit_code) == ((), RenderError.exit_code)


def test_the_same_morning_gives_the_same_mail(tmp_path: Path) -> None:
    """Whoever delivers it, with all that is read anew: follow-ups, growth and the week."""
    sent = []
    for copy in ("one", "two"):
        (tmp_path / copy).mkdir()
        reader = a_subscriber(topics=(Topic(name="It", any=("invented",)),), template="weekly", limit=2)
        morning = Morning(tmp_path / copy, reader)
        weekly = load_template("weekly", [shipped("templates")])
        morning.world = replace(morning.world, templates={reader.look: weekly})
        for day in range(1, 4):
            votes = Signals(upvotes=day**3, comments=day)
            code = (Link(LinkKind.CODE, "https://github.com/example/invented"),) if day == 3 else ()
            entries = [an_entry(number, signals=votes, links=code) for number in range(1, 3 * day)]
            morning.announce(*entries, source="huggingface")
            morning.backend.errors = {"ada@example.org": TemporaryDeliverError("450 later")} if day == 3 else {}
            morning.run()
            morning.now += DAY
        # Its second try finds what the first one found.
        morning.now += timedelta(hours=1) - DAY
        morning.backend.errors = {}
        assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
        sent.append(morning.backend.sent)

    first, second = sent
    assert [message.raw for message in first] == [message.raw for message in second]
    assert "code appeared" in first[2].text


def test_what_a_late_mail_shows_of_its_papers_is_not_told_again(morning: Morning) -> None:
    """Papers are shown as they are when the mail goes out."""
    code = Link(LinkKind.CODE, "https://github.com/example/invented")
    arxiv = "arxiv:cs.CL"
    morning.announce(an_entry(1), an_entry(2), source=arxiv)
    morning.backend.errors["ada@example.org"] = TemporaryDeliverError("450 later")
    assert morning.run().counts == {DeliveryState.DEFERRED: 1}
    morning.backend.errors.clear()
    morning.now += timedelta(hours=1)
    newer = {"announcement": Announcement.REPLACE, "version": 2}
    morning.announce(
        an_entry(1, links=(code,), **newer),
        an_entry(2, abstract="This paper has been withdrawn by the authors.", **newer),
        source=arxiv,
    )
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(3), source=arxiv)
    morning.run()

    assert morning.titles() == ["Invented Paper 1", "Invented Paper 3"], "one was withdrawn before it was shown"
    late, next_one = morning.backend.sent
    assert code.url in late.text
    assert "code appeared" not in next_one.text
    assert "Invented Paper 2" not in next_one.text


def test_a_replaced_paper_is_named_to_who_was_sent_it_and_sent_to_who_was_not(morning: Morning) -> None:
    def replaced(number: int, version: int) -> Poll:
        entry = an_entry(number, announcement=Announcement.REPLACE, version=version)
        everything = frozenset(Announcement) - {Announcement.MENTION}
        return Poll(source="arxiv:a", verdict=Verdict.FRESH, entries=(entry,), announce=everything)

    morning.announce(an_entry(1), source="arxiv:a")
    morning.run()
    for day, version in enumerate((2, 2, 3), 2):
        morning.now += DAY
        morning.world.papers.record(replaced(1, version), morning.now)
        morning.world.papers.record(replaced(50, 7), morning.now)
        morning.announce(an_entry(day))
        morning.run()

    texts = [message.text for message in morning.backend.sent]
    assert sorted(morning.titles()) == [f"Invented Paper {number}" for number in (1, 2, 3, 4, 50)]
    assert ["Updated since you got them" in text for text in texts] == [False, True, False, True]
    assert "- Invented Paper 1\n" in texts[1].replace("\r", "")
    assert [state.papers for state in morning.world.ledger.editions()] == [1, 1, 2, 1]


def test_news_of_a_sent_paper_alone_is_no_reason_for_a_mail(morning: Morning) -> None:
    morning.announce(an_entry(1), source="arxiv:a")
    morning.run()
    morning.now += DAY
    entry = an_entry(1, announcement=Announcement.REPLACE, version=2)
    everything = frozenset(Announcement)
    poll = Poll(source="arxiv:a", verdict=Verdict.FRESH, entries=(entry,), announce=everything)
    morning.world.papers.record(poll, morning.now)

    assert morning.run().counts == {DeliveryState.SKIPPED: 1}


def test_what_a_language_model_writes_is_mailed_and_its_troubles_stop_nothing(tmp_path: Path) -> None:
    asked: list[dict[str, list[str]]] = []

    def write(papers: Mapping[str, Sequence[Paper]], *, now: datetime, stop: Callable[[], bool]) -> tuple[str, ...]:
        asked.append({language: [paper.key for paper in some] for language, some in papers.items()})
        return ("the language model is asleep",)

    def wordings(keys: Sequence[PaperKey], language: str) -> dict[PaperKey, Wording]:
        return {key: Wording(title="Erfunden", summary="", by="m") for key in keys if language == "de"}

    morning = Morning(tmp_path, a_subscriber(language="de"), a_subscriber("Bea"))
    morning.world = replace(morning.world, write=write, wordings=wordings)
    morning.announce(an_entry(1))

    report = morning.run()

    key = an_entry(1).key
    assert asked == [{"de": [key], "": [key]}]
    assert ["Erfunden" in message.text for message in morning.backend.sent] == [True, False]
    assert (report.exit_code, report.notes) == (0, ("the language model is asleep",))


def test_an_edition_that_was_skipped_is_not_opened_on_a_later_day(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(schedule=Schedule("weekly on Friday", "30 7 * * 5")))
    assert morning.run().counts == {DeliveryState.SKIPPED: 1}
    morning.now += DAY
    morning.announce(an_entry(1))

    assert morning.run().counts == {}
    morning.now += 6 * DAY
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}


def test_mail_that_waited_for_weeks_is_given_up_and_its_papers_come_with_the_next(morning: Morning) -> None:
    morning.announce(an_entry(1))
    morning.backend.errors["ada@example.org"] = SmtpRefusedError("535 sign-in refused")
    assert morning.run().waiting == 1
    morning.backend.errors.clear()
    everybody, morning.world = morning.world, replace(morning.world, subscribers=[])
    morning.now += 30 * DAY
    assert morning.run().waiting == 0

    morning.world = everybody
    morning.run()

    assert morning.titles() == ["Invented Paper 1"]


def test_a_run_that_is_asked_to_end_while_it_reads_sends_nothing(morning: Morning) -> None:
    morning.announce(an_entry(1))

    report = run_pass(morning.world, morning.backend, NOW, Choice(), Listener(), stop=lambda: True)

    assert (report.counts, morning.backend.sent, morning.world.ledger.editions()) == ({}, [], [])
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
