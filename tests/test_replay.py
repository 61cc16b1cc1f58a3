"""Every recorded day once more, with a mirror that fails and a computer that is often asleep: nothing is missed."""

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.collect.sources import Arxiv, HuggingFace
from digest.listener import Listener
from digest.model import NEWS, Poll
from digest.pipeline import collect
from digest.ports import HostTurns, Source
from digest.store.database import open_database
from digest.store.turns import SqlHostTurns
from digest.world import World
from tests.announcing import (
    ARXIV,
    FEEDS,
    Archive,
    Event,
    Fault,
    Mirror,
    Trouble,
    Way,
    mirroring,
    new_york,
    recorded_days,
)
from tests.worlds import a_world

LIMITS = Limits(tries=2, backoff_s=0.0, arxiv_spacing_s=0.0, spacing_s=0.0)
HELD = timedelta(hours=1)
"""Asked for by `Fault.TOO_MANY`."""

CAUSES = {
    Fault.LATE: "no new batch where one was due",
    Fault.STALE: "no new batch where one was due",
    Fault.STALE_CATEGORY: "an old batch of cs\\.(CL|SD)",
    Fault.EMPTY: "empty",
    Fault.FORBIDDEN: "HTTP 403",
    Fault.NOT_ACCEPTABLE: "HTTP 406",
    Fault.TOO_MANY: "HTTP 429|left alone",
    Fault.UNAVAILABLE: "HTTP 503",
    Fault.RATE: "Rate exceeded",
    Fault.TRUNCATED: "broke off",
    Fault.CUT: "broke off|broken JSON",
    Fault.HTML: "HTML page",
    Fault.RESET: "no (valid )?(answer|connection)",
    Fault.REFUSED: "no connection",
}

FEED, LISTING, OAI = frozenset({Way.FEED}), frozenset({Way.LISTING}), frozenset({Way.OAI})
PAGES = FEED | LISTING
HUGGINGFACE = frozenset({Way.HUGGINGFACE})
Course = tuple[tuple[Fault, frozenset[Way], float] | None, ...]
"""What each announcing day in turn is like: what is wrong from midnight in New York, where, and for how many hours."""

COURSE: Course = (
    None,
    (Fault.LATE, FEED, 7),
    (Fault.STALE, FEED, 24),
    None,
    (Fault.STALE_CATEGORY, FEED, 24),
    (Fault.EMPTY, FEED, 24),
    (Fault.LATE, PAGES, 9),
    (Fault.FORBIDDEN, FEED, 10),
    None,
    (Fault.STALE, PAGES, 24),
    (Fault.NOT_ACCEPTABLE, ARXIV, 11),
    (Fault.TOO_MANY, FEED, 12),
    (Fault.RESET, HUGGINGFACE, 24),
    None,
    (Fault.UNAVAILABLE, FEED, 24),
    (Fault.TRUNCATED, FEED, 24),
    (Fault.HTML, FEED, 24),
    (Fault.EMPTY, PAGES, 24),
    (Fault.RATE, FEED, 24),
    None,
    (Fault.CUT, FEED, 24),
    (Fault.RESET, FEED, 24),
    (Fault.TOO_MANY, HUGGINGFACE, 12),
    (Fault.STALE, PAGES | OAI, 24),
    (Fault.REFUSED, ARXIV, 24 * 3),
    None,
    None,
    None,
    (Fault.HTML, HUGGINGFACE, 24),
    (Fault.RATE, ARXIV, 10),
    (Fault.REFUSED, PAGES, 24 * 5),
    None,
    (Fault.REFUSED, HUGGINGFACE, 24 * 4),
    None,
    None,
    (Fault.CUT, OAI | FEED, 24),
    (Fault.TRUNCATED, HUGGINGFACE, 24),
    (Fault.STALE, FEED, 24 * 2),
    None,
    (Fault.HTML, ARXIV, 24),
    None,
)

WEEK: Course = (
    (Fault.STALE, FEED, 24),
    (Fault.TOO_MANY, ARXIV, 24),
    (Fault.STALE_CATEGORY, FEED, 24),
    (Fault.LATE, PAGES, 9),
    None,
    (Fault.RESET, ARXIV | HUGGINGFACE, 24),
    (Fault.EMPTY, FEED, 24),
)


def troubles(days: Sequence[date], course: Course) -> list[Trouble]:
    """The first day is good: there is nothing yet that it could be compared with; so is the last."""
    found = []
    for number, day in enumerate(days[1:-1]):
        if wrong := course[number % len(course)]:
            fault, ways, hours = wrong
            until = min(new_york(day, 0) + timedelta(hours=hours), new_york(days[-1], 0))
            # In OAI-PMH nothing is ever stale; it fails instead.
            if Way.OAI in ways and fault is Fault.STALE:
                found.append(Trouble(Fault.UNAVAILABLE, OAI, new_york(day, 0), until))
                ways -= OAI
            found.append(Trouble(fault, ways, new_york(day, 0), until))
    return found


def wake_ups(days: Sequence[date], seed: int) -> list[datetime]:
    """Twice a day; three in ten are slept through, half of the others come up to twelve hours late."""
    chance = random.Random(seed)
    first = datetime.combine(days[0], datetime.min.time(), UTC) + timedelta(hours=7)
    last = datetime.combine(days[-1], datetime.min.time(), UTC) + timedelta(hours=19)
    planned = [first + timedelta(hours=12 * number) for number in range(1, (last - first) // timedelta(hours=12))]
    kept = [at for at in planned if chance.random() >= 0.3]
    late = [at + timedelta(hours=chance.uniform(0, 12) if chance.random() < 0.5 else 0) for at in kept]
    return sorted({first, *late, last})


class Oracle:
    """What was announced, read from the records without our parsers."""

    def __init__(self, data: Path, archive: Archive) -> None:
        self.announced: list[dict[date, set[str]]] = [{} for _ in FEEDS]
        self.listed: dict[date, set[str]] = {}
        for day in archive.days:
            for feed in range(len(FEEDS)):
                self.announced[feed][day] = {
                    event.id for event in archive.batches[day] if event.kinds[feed] in ("new", "cross")
                }
            if day in archive.recorded:
                text = gzip.decompress((data / "arxiv-rss" / "days" / f"{day}.json.gz").read_bytes()).decode()
                for feed, recorded in enumerate(json.loads(text).values()):
                    dumped = json.dumps(recorded["entries"])
                    found = re.findall(r'"arXiv:([\w./-]+?)v\d+ Announce Type: (?:new|cross) ', dumped)
                    assert len(found) == dumped.count("Announce Type: new ") + dumped.count("Announce Type: cross ")
                    self.announced[feed][day] = set(found)
        # The first poll looks back.
        for number in range(-7, (archive.days[-1] - archive.days[0]).days + 1):
            day = archive.days[0] + timedelta(days=number)
            path = data / "hf-daily" / "raw" / f"{day}.json.gz"
            text = json.dumps(json.loads(gzip.decompress(path.read_bytes()))) if path.exists() else ""
            self.listed[day] = set(re.findall(r'"paper": {"id": "(\d{4}\.\d{5})"', text))


@dataclass
class Replayed:
    """Polls in simulated time, each judged by what the mirror did to it."""

    world: World
    mirror: Mirror
    oracle: Oracle
    collected: dict[str, set[str]] = field(default_factory=dict)
    """Ids listed as news, by source."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """What a poll should have said and did not, or the other way round."""
    held_until: datetime | None = None
    """Until when arXiv wants to be left alone."""

    def wake(self, now: datetime) -> None:
        self.mirror.now = now
        self.mirror.served.clear()
        polls, _ = collect(self.world, now, Listener())
        self.counts["polls"] += len(polls)
        faults = {fault for path, fault in self.mirror.served if fault and not path.startswith(Way.HUGGINGFACE)}
        is_held = self.held_until is not None and now < self.held_until
        if Fault.TOO_MANY in faults:
            self.held_until = now + HELD
        for poll in polls:
            if poll.source.startswith("arxiv:"):
                self._judge_arxiv(poll, next(n for n in range(2) if FEEDS[n][0] in poll.source), faults, is_held)
            else:
                self._judge_huggingface(poll)
            known = self.collected.setdefault(poll.source, set())
            known |= {entry.key.removeprefix("arxiv:") for entry in poll.entries if entry.announcement in NEWS}

    def _judge_arxiv(self, poll: Poll, feed: int, faults: set[Fault], is_held: bool) -> None:
        announced, known = self.oracle.announced[feed], self.collected.get(poll.source, set())
        shown = self.mirror.shown()
        gone = {day for day in announced if new_york(day, 0) <= self.mirror.now and day != shown}
        missing = announced[shown] - known if shown else set()
        missed = set[str]().union(*(announced[day] for day in gone)) - known
        fault = self._fault(Way.FEED, FEEDS[feed][0])
        if fault and shown and fault.is_old_news:
            before = announced[self.mirror.archive.before(shown)] if fault is not Fault.EMPTY else set()
            if fault is Fault.STALE_CATEGORY:
                one = {
                    each for each, events in self.mirror.archive.histories.items() if _primary(events) == FEEDS[feed][0]
                }
                missing, before = missing & one, before & one
            # An old batch is news to who missed it.
            missing = missing if before <= known else set()
        if fault and (not fault.is_old_news or missing):
            self._expect(poll, fault)
        elif not faults and not is_held:
            self._expect_good(poll, may_explain=bool(missed))

    def _judge_huggingface(self, poll: Poll) -> None:
        if fault := self._fault(Way.HUGGINGFACE, ""):
            self._expect(poll, fault)
        else:
            self._expect_good(poll)

    def _fault(self, way: Way, part: str) -> Fault | None:
        """The first fault that a source met on its first way."""
        met = (fault for path, fault in self.mirror.served if fault and path.startswith(way))
        named = (f for path, f in self.mirror.served if f and path.startswith(way) and part in path)
        return next(named, None) or (Fault.REFUSED if Fault.REFUSED in met else None)

    def _expect(self, poll: Poll, fault: Fault) -> None:
        self.counts[f"met {fault.name}"] += 1
        if not re.search(CAUSES[fault], " ".join(poll.problems)):
            self._complain(poll, f"does not name {fault.name}")

    def _expect_good(self, poll: Poll, *, may_explain: bool = False) -> None:
        """Where a batch was missed that is not shown any more, other ways are asked, and it may be said why."""
        self.counts["good polls"] += 1
        if not poll.verdict.is_good or ((poll.problems or poll.via) and not may_explain):
            self._complain(poll, "is called bad")

    def _complain(self, poll: Poll, what: str) -> None:
        said = f"{poll.verdict} via {poll.via}: {poll.problems}"
        self.wrong.append(f"{self.mirror.now:%a %m-%d %H:%M} {poll.source} {what}: {said}")


def _primary(history: Sequence[Event]) -> str:
    return history[0].categories[0]


def replay(data: Path, folder: Path, days: tuple[date, date], seed: int, course: Course) -> Replayed:
    archive = Archive(data, *days)
    mirror = Mirror(archive, data, datetime.min.replace(tzinfo=UTC), troubles(archive.days, course))
    with mirroring(mirror):
        sources: list[Source] = [
            Arxiv(
                categories,
                url=mirror.url(Way.FEED),
                listing_url=mirror.url(Way.LISTING),
                oai_url=mirror.url(Way.OAI),
                api_url=mirror.url(Way.API),
                allow_private=True,
            )
            for categories in FEEDS
        ]
        sources.append(HuggingFace(url=mirror.url(Way.HUGGINGFACE), allow_private=True))
        world = a_world(folder, clock=lambda: mirror.now, sources=sources)
        engine = open_database(f"sqlite:///{folder / 'digest.sqlite3'}")
        world = replace(world, limits=LIMITS, connect=lambda: a_client(mirror, SqlHostTurns(engine)))
        replayed = Replayed(world, mirror, Oracle(data, archive))
        for now in wake_ups(archive.days, seed):
            replayed.wake(now)
        engine.dispose()
    return replayed


def a_client(mirror: Mirror, turns: HostTurns) -> Client:
    return Client(
        contact="tests@example.org", limits=LIMITS, resolve=mirror.resolve, turns=turns, clock=lambda: mirror.now
    )


def check(replayed: Replayed) -> None:
    world, oracle, archive = replayed.world, replayed.oracle, replayed.mirror.archive
    first, today = archive.days[0], replayed.mirror.now.date()
    stored = world.papers.announced(0, world.papers.latest_seq())
    keys = [paper.key for paper in stored]
    by_arxiv = {paper.key[6:] for paper in stored if any(each.startswith("arxiv:") for each in paper.sources)}
    by_huggingface = {paper.key[6:] for paper in stored if "huggingface:daily" in paper.sources}
    announced = set[str]().union(*(ids for feed in oracle.announced for ids in feed.values()))
    listed = {each for day, ids in oracle.listed.items() if first <= day < today for each in ids}
    missing, beyond = announced - by_arxiv, by_arxiv - announced
    replayed.counts.update(
        {
            "papers announced": len(announced),
            "papers listed by Hugging Face": len(listed),
            "announced, not collected": len(missing),
            "touched, collected": len(beyond & archive.touched),
            "replaced, collected as news": len(beyond - archive.touched),
        }
    )
    print(f"\n{dict(replayed.counts)}", *replayed.wrong, sep="\n")
    assert not replayed.wrong
    assert len(keys) == len(set(keys)) == len({re.sub(r"v\d+$", "", key) for key in keys})
    assert missing <= {each for each, history in archive.histories.items() if cannot_be_told(history)}
    assert len(missing) < 5
    assert listed <= by_huggingface <= set[str]().union(*oracle.listed.values())
    # Rather once too often than never: comments that look like a cross-list, and replacements of papers that were
    # announced before the first poll or on a day that was not recorded.
    assert beyond <= archive.touched | {each for each, history in archive.histories.items() if not history[0].added}


def cannot_be_told(history: Sequence[Event]) -> bool:
    """Whether nothing in OAI-PMH tells that a paper was announced while nothing else could be read.

    Either it had been new on a day that was not recorded and was only cross-listed to one more category now, which
    looks like a new comment. Or moderators had held it for over a week, and it was replaced before anything could be
    read again, which looks like the replacement of a paper that was announced long before.
    """
    if not any("new" in event.kinds for event in history):
        return any(history[0].categories[0] in categories for categories in FEEDS)
    was_held = history[0].submitted[0] < new_york(history[0].day, 0) - timedelta(days=7)
    return was_held and history[-1].version > 1


@pytest.mark.parametrize("seed", [1])
def test_a_recorded_week_is_collected_whole_through_faults_and_missed_runs(
    real_data: Path, tmp_path: Path, seed: int
) -> None:
    check(replay(real_data, tmp_path, (date(2025, 6, 3), date(2025, 6, 13)), seed, WEEK))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_every_recorded_day_is_collected_whole_through_faults_and_missed_runs(
    real_data: Path, tmp_path: Path, seed: int
) -> None:
    first, last = recorded_days(real_data)[0], recorded_days(real_data)[-1]

    check(replay(real_data, tmp_path, (first, last + timedelta(days=2)), seed, COURSE))
