"""What readers get when nothing ran at the send time, when clocks and zones move, and when an edition has to wait."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from digest.collect.sources import Arxiv
from digest.errors import ClockError, DeliverError, TemporaryDeliverError, UncertainDeliverError
from digest.listener import Listener
from digest.model import CatchUp, DateSpan, DeliveryState, Message, Poll, Receipt, Schedule, Topic, Verdict
from digest.pipeline import Report, run_pass
from digest.world import Choice
from tests.builders import NOW, a_subscriber, an_entry
from tests.mornings import FakeBackend, Morning

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
INVENTED = Topic(name="Inventions", any=("invented",))
ARXIV = Arxiv(categories=("cs.CL",))


def a_morning(folder: Path, policy: CatchUp = CatchUp.MERGE, **changes: Any) -> Morning:
    """One reader, daily at 07:30 UTC, who was sent the first paper on the 20th of November."""
    morning = Morning(folder, a_subscriber(topics=(INVENTED,), **changes))
    morning.world = replace(morning.world, catch_up_policy=policy, sources=[ARXIV])
    morning.announce(an_entry(1))
    run(morning, everyone=True)
    assert mailed(morning) == [[1]]
    return morning


def run(morning: Morning, *, everyone: bool = False) -> Report:
    choice = Choice(everyone=everyone, collect=False)
    return run_pass(morning.world, morning.backend, morning.now, choice, Listener())


def mailed(morning: Morning) -> list[list[int]]:
    """The numbers of the papers in each mail, in the order of sending."""
    titles = [
        [line for line in message.text.splitlines() if "Invented Paper" in line and ". " in line]
        for message in morning.backend.sent
    ]
    return [sorted(int(line.rpartition(" ")[2]) for line in lines) for lines in titles]


def skipped(morning: Morning) -> dict[date, str]:
    """Why there was no mail, by date."""
    return {each.date: each.detail for each in morning.world.ledger.editions() if each.state is DeliveryState.SKIPPED}


def announce_daily(morning: Morning, numbers: range) -> None:
    """One paper each morning, half an hour before the send time."""
    for number in numbers:
        morning.now = NOW + (number - 1) * DAY - HOUR / 2
        morning.announce(an_entry(number))


@pytest.mark.parametrize(
    ("policy", "days", "mails", "told"),
    [
        pytest.param(CatchUp.MERGE, 1, [[2]], [], id="C9 8 h, merge"),
        pytest.param(CatchUp.NONE, 1, [], ["it was missed"], id="C9 8 h, none"),
        pytest.param(CatchUp.MERGE, 3, [[2, 3, 4]], [], id="C9 3 d, merge"),
        pytest.param(CatchUp.LATEST, 3, [[4]], [], id="C9 3 d, latest"),
        pytest.param(CatchUp.EACH, 3, [[2], [3], [4]], [], id="C9 3 d, each"),
        pytest.param(CatchUp.NONE, 3, [], ["3 editions from 2026-11-21 on were missed"], id="C9 3 d, none"),
        pytest.param(CatchUp.MERGE, 30, [[*range(2, 32)]], [], id="C9 30 d, merge"),
        pytest.param(CatchUp.LATEST, 30, [[31]], [], id="C9 30 d, latest"),
        pytest.param(
            CatchUp.EACH,
            30,
            [[*range(2, 30)], [30], [31]],
            ["27 editions from 2026-11-21 on were missed"],
            id="C9 30 d, each",
        ),
    ],
)
def test_after_a_sleep_the_policy_decides(
    tmp_path: Path, policy: CatchUp, days: int, mails: list[list[int]], told: list[str]
) -> None:
    morning = a_morning(tmp_path, policy, limit=50)
    announce_daily(morning, range(2, days + 2))
    morning.now = NOW + days * DAY + 8 * HOUR

    report = run(morning)
    again = run(morning)

    assert mailed(morning)[1:] == mails
    assert [detail.partition(";")[0] for detail in skipped(morning).values()] == told
    assert (report.exit_code, again.exit_code) == (0, 0)
    assert any("DIGEST_CATCH_UP=latest" in note for note in report.notes) is (policy is CatchUp.LATEST and days > 1)


@pytest.mark.parametrize(
    "error", [TemporaryDeliverError("451 later"), UncertainDeliverError("the connection broke")], ids=["later", "lost"]
)
def test_what_could_not_be_delivered_is_not_missed(tmp_path: Path, error: DeliverError) -> None:
    morning = a_morning(tmp_path, CatchUp.LATEST)
    announce_daily(morning, range(2, 3))
    morning.now = NOW + DAY
    morning.backend.errors["ada@example.org"] = error
    run(morning)
    morning.backend.errors.clear()
    announce_daily(morning, range(3, 5))
    morning.now = NOW + 3 * DAY

    run(morning)

    assert mailed(morning)[1:] == [[2, 3, 4]]


def test_what_was_not_made_up_for_comes_with_the_next_edition(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, CatchUp.NONE)
    announce_daily(morning, range(2, 4))
    morning.now = NOW + 2 * DAY + 2 * HOUR
    run(morning)
    announce_daily(morning, range(4, 5))
    morning.now = NOW + 3 * DAY + HOUR

    run(morning)

    assert mailed(morning)[1:] == [[2, 3, 4]]


def test_of_a_weekly_edition_that_is_too_late_the_status_tells(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, schedule=Schedule("weekly on Friday", "30 7 * * 5"))
    announce_daily(morning, range(2, 9))
    morning.now = NOW + 11 * DAY

    run(morning)
    run(morning)
    assert mailed(morning)[1:] == []
    assert skipped(morning) == {date(2026, 11, 27): "it was missed; the next one carries what they had"}

    morning.now = NOW + 14 * DAY
    run(morning)
    assert mailed(morning)[1:] == [[*range(2, 9)]]


def test_of_an_edition_that_could_not_be_delivered_the_status_tells_that(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, schedule=Schedule("weekly on Friday", "30 7 * * 5"))
    announce_daily(morning, range(2, 9))
    morning.now = NOW + 7 * DAY
    morning.backend.errors["ada@example.org"] = TemporaryDeliverError("451 later")
    run(morning)
    morning.now = NOW + 12 * DAY
    run(morning)

    newest, _ = morning.world.ledger.editions()
    assert (newest.state, newest.date) == (DeliveryState.EXPIRED, date(2026, 11, 27))
    assert "could not be sent" in newest.detail


@pytest.mark.parametrize(
    ("policy", "seed"),
    [
        (CatchUp.MERGE, 14),
        *(
            pytest.param(policy, seed, marks=pytest.mark.soak)
            for policy in (CatchUp.MERGE, CatchUp.EACH, CatchUp.NONE)
            for seed in range(15, 25)
        ),
    ],
)
def test_runs_that_come_hours_late_or_not_at_all_lose_and_repeat_nothing(
    tmp_path: Path, policy: CatchUp, seed: int
) -> None:
    """C14: for 60 days, three in ten runs are dropped, and the others up to twelve hours late."""
    dice = Random(seed)
    morning = a_morning(tmp_path, policy, limit=100)
    for day in range(1, 61):
        announce_daily(morning, range(day + 1, day + 2))
        if dice.random() >= 0.3:
            morning.now = NOW + day * DAY + dice.random() * 12 * HOUR
            run(morning)
    morning.now = NOW + 61 * DAY
    run(morning)

    papers = [number for mail in mailed(morning) for number in mail]
    assert sorted(papers) == [*range(1, 62)]
    dates = [each.date for each in morning.world.ledger.editions()]
    assert len(dates) == len(set(dates))


HOURS = {
    "C6 back 2 h between runs": [0, -2, 1, 22, 24],
    "C7 forward 2 d and back": [0, 48, 49, 3, 24, 25, 48, 72, 96],
    "C8 at 1970": [0, -498_600, 1, 24],
    "2038": [0, 100_000, 1, 24, 48],
    "back by a day": [0, -24, -12, 0, 12, 24],
}


@pytest.mark.parametrize("hours", HOURS.values(), ids=HOURS)
def test_whatever_the_clock_shows_no_paper_is_lost_or_comes_twice(tmp_path: Path, hours: list[int]) -> None:
    morning = a_morning(tmp_path)
    number = 1
    for hour in hours:
        morning.now = NOW + hour * HOUR
        number += 1
        morning.announce(an_entry(number))
        # At 1970 nothing is sent.
        with suppress(ClockError):
            run(morning)
    morning.now = NOW + 5 * DAY
    run(morning)

    assert Counter(each for mail in mailed(morning) for each in mail) == Counter(range(1, number + 1))


class SlowBackend(FakeBackend):
    """Moves the clock with each message."""

    def __init__(self, move: Callable[[], None]) -> None:
        super().__init__()
        self._move = move

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        self._move()
        return await super().deliver(message, before_dot)


@pytest.mark.parametrize(
    "hours", [pytest.param(-2, id="C6 back 2 h in a run"), pytest.param(26, id="C10 a run of more than a day")]
)
def test_a_clock_that_moves_in_a_run_sends_nothing_twice(tmp_path: Path, hours: int) -> None:
    readers = [a_subscriber(name, topics=(INVENTED,)) for name in ("Ada", "Ben", "Cora")]
    morning = Morning(tmp_path, *readers)

    def move() -> None:
        morning.now += hours * HOUR

    morning.announce(an_entry(1))
    morning.backend = SlowBackend(move)
    first = run(morning)
    morning.backend, slow = FakeBackend(), morning.backend
    morning.now = NOW + 6 * DAY
    morning.announce(an_entry(2))
    second = run(morning)

    assert first.exit_code == second.exit_code == 0
    assert Counter(message.recipient for message in slow.sent) == Counter(each.email for each in readers)
    assert mailed(morning) == [[2]] * 3


@pytest.mark.parametrize(
    "zones",
    [
        pytest.param(["Europe/Berlin", "Africa/Lagos", "Europe/Berlin"], id="C11 rules without summer time, and with"),
        pytest.param(["Asia/Tokyo", "America/Bogota"], id="C12 west"),
        pytest.param(["America/Bogota", "Asia/Tokyo"], id="C12 east"),
        pytest.param(["Pacific/Kiritimati", "Pacific/Niue", "Pacific/Kiritimati"], id="C12 over the date line"),
    ],
)
def test_a_zone_that_changes_gives_no_date_two_editions_and_loses_no_paper(tmp_path: Path, zones: list[str]) -> None:
    start = datetime(2026, 7, 1, tzinfo=UTC)
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,)))
    for hour in range(0, 96, 3):
        morning.now = start + hour * HOUR
        morning.announce(an_entry(hour // 3 + 1))
        zone = ZoneInfo(zones[min(hour // 30, len(zones) - 1)])
        morning.world = replace(
            morning.world, subscribers=[replace(each, zone=zone) for each in morning.world.subscribers]
        )
        run(morning)
    morning.now = start + 6 * DAY
    run(morning)

    assert Counter(each for mail in mailed(morning) for each in mail) == Counter(range(1, 33))
    assert 4 <= len(mailed(morning)) <= 7
    accepted = [each.date for each in morning.world.ledger.editions() if each.state is DeliveryState.ACCEPTED]
    assert len(accepted) == len(set(accepted)) == len(mailed(morning))


def test_quiet_dates_and_holidays_have_no_edition_and_nobody_misses_them(tmp_path: Path) -> None:
    quiet = (DateSpan(date(2026, 11, 21), date(2026, 11, 22)),)
    morning = a_morning(tmp_path, CatchUp.EACH, quiet=quiet, holidays="US")
    sent = {}
    for day in range(1, 8):
        announce_daily(morning, range(day + 1, day + 2))
        morning.now = NOW + day * DAY
        before = len(morning.backend.sent)
        run(morning)
        sent[morning.now.day] = mailed(morning)[before:]

    # The 26th is Thanksgiving.
    assert sent == {21: [], 22: [], 23: [[2, 3, 4]], 24: [[5]], 25: [[6]], 26: [], 27: [[7, 8]]}
    assert skipped(morning) == {}


def test_an_edition_waits_for_enough_papers(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, at_least=3)
    for number in (2, 3):
        announce_daily(morning, range(number, number + 1))
        morning.now = NOW + (number - 1) * DAY
        run(morning)
    assert mailed(morning)[1:] == []
    assert skipped(morning) == {
        date(2026, 11, 21): "1 paper, waits for 3",
        date(2026, 11, 22): "2 papers, waits for 3",
    }

    # Later on the same date there are enough.
    morning.now += HOUR
    morning.announce(an_entry(4))
    run(morning)
    assert mailed(morning)[1:] == [[2, 3, 4]]


def test_after_two_weeks_an_edition_waits_no_longer(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, at_least=3)
    announce_daily(morning, range(2, 3))
    morning.now = NOW + 13 * DAY
    run(morning)
    assert mailed(morning)[1:] == []

    morning.now = NOW + 14 * DAY
    run(morning)
    assert mailed(morning)[1:] == [[2]]


def test_a_new_reader_waits_two_weeks_at_most(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), at_least=3))
    morning.announce(an_entry(1))
    days = []
    for day in range(16):
        morning.now = NOW + day * DAY
        run(morning)
        days.append(len(morning.backend.sent))

    assert days == [0] * 14 + [1] * 2


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(0, Verdict.STALE), (60, Verdict.PARTIAL), (149, Verdict.FAILED)], id="until its latest time"),
        pytest.param([(0, Verdict.STALE)], id="until they are good"),
    ],
)
def test_an_edition_waits_for_late_sources(tmp_path: Path, steps: list[tuple[int, Verdict]]) -> None:
    morning = a_morning(tmp_path, CatchUp.NONE, latest_send=time(10))
    announce_daily(morning, range(2, 3))
    for minutes, verdict in steps:
        morning.now = NOW + DAY + timedelta(minutes=minutes)
        morning.world.papers.record(Poll(source=ARXIV.name, verdict=verdict), morning.now)
        report = run(morning)
        assert "editions that wait for arxiv:cs.CL: 1" in report.notes
    assert mailed(morning)[1:] == []

    if len(steps) == 1:
        morning.world.papers.record(Poll(source=ARXIV.name, verdict=Verdict.FRESH, entries=(an_entry(3),)), morning.now)
    else:
        morning.now = NOW + DAY + timedelta(minutes=150)
    run(morning)

    assert mailed(morning)[1:] == ([[2, 3]] if len(steps) == 1 else [[2]])
    assert skipped(morning) == {}


def test_a_run_for_everyone_waits_for_nothing(tmp_path: Path) -> None:
    morning = a_morning(tmp_path, latest_send=time(10), at_least=3)
    morning.now += DAY
    morning.announce(an_entry(2))
    morning.world.papers.record(Poll(source=ARXIV.name, verdict=Verdict.STALE), morning.now)

    run(morning, everyone=True)

    assert mailed(morning)[1:] == [[2]]
