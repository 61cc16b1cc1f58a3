"""Rounds of a pass that is killed again and again, and what became of every mail and paper in the end.

A round has a database of its own. Its first day's pass is struck at the given moments; each time another pass begins
after the dead one's lease, until nothing waits. A second day's pass shows whether the papers of whatever was not
delivered come then. The mail server keeps what it accepted, and is asked at the end.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from digest.failpoints import NAMES
from digest.model import DeliveryState
from digest.store.ledger import LEASE
from tests.builders import NOW
from tests.crash.sink import Taken, read_taken
from tests.crash.worker import Job

ROOT = Path(__file__).parents[2]
PAPERS = (1, 2, 3)
NEWS = (4,)
"""Of the second day."""
_BLOWS = 4
"""In a round."""
_PASS_S = 0.6
"""About what a pass takes."""
_ONCE = ("after_collect", "mid_open", "after_open", "after_claim", "after_connect", "before_quit", "before_summary")
"""What a pass comes by once, or a few times, however many readers there are."""
_PAST_LEASE = LEASE + timedelta(minutes=1)
_FINAL = frozenset(DeliveryState) - {
    DeliveryState.PENDING,
    DeliveryState.CLAIMED,
    DeliveryState.DOT,
    DeliveryState.DEFERRED,
}


@dataclass(frozen=True, slots=True)
class Blow:
    """How a pass is ended: by a failpoint, or by a signal after some time; signal 0 lets it live."""

    failpoint: str = ""
    after_s: float = 0
    signal: int = signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was seen, over some rounds."""

    kills: int = 0
    """Passes that were killed before their end."""
    stops: int = 0
    """Passes that were asked to end, and did so by themselves."""
    owed: int = 0
    """Editions of the first days."""
    accepted: int = 0
    """Of these, those that the mail server has."""
    lost_silently: int = 0
    """Neither accepted by the mail server nor in a state that says so."""
    unrecorded: int = 0
    """Accepted by the mail server, but said to be known not to be."""
    duplicates: int = 0
    """Copies too many of the same edition."""
    unflagged_duplicates: int = 0
    """Of these, those that are not recorded as sent once more, or have another Message-ID."""
    uncertain: int = 0
    """Recorded as uncertain, or as sent once more."""
    uncertain_accepted: int = 0
    """Of these, those that the mail server had accepted."""
    failed: int = 0
    """Given up, as three passes died with them."""
    papers_lost: int = 0
    """Owed to a reader, and in no mail of both days."""
    papers_lost_first_day: int = 0
    """The same before the second day's mail."""
    wrong_ends: int = 0
    """Passes that ended by themselves in another way than they should."""

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Counts)})


@dataclass
class Workshop:
    """Forks passes, one at a time."""

    process: "subprocess.Popen[str]"

    def start(self, job: Job) -> int:
        """Begin a job; returns its process id."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asdict(job)) + "\n")
        self.process.stdin.flush()
        return self._read()

    def wait(self) -> int:
        """The job's exit code, once it has ended."""
        return self._read()

    def run(self, job: Job) -> int:
        """Do a job to its end."""
        self.start(job)
        return self.wait()

    def _read(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())


@contextmanager
def a_workshop(folder: Path) -> Iterator[Workshop]:
    """A process that forks passes, with its files in this folder."""
    with _helper("tests.crash.worker", folder) as process:
        yield Workshop(process)


@contextmanager
def _helper(module: str, *words: object) -> Iterator["subprocess.Popen[str]"]:
    # Threads of the numeric library would be missing in the forks.
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "DIGEST_FAILPOINT": ""}
    command = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            # They end with their input.
            process.communicate()


@dataclass
class Lane:
    """A mail server and a workshop, for one round after the other."""

    folder: Path
    workshop: Workshop
    port: int
    number: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    """How often each failpoint has killed a pass."""

    @property
    def log(self) -> Path:
        """What the mail server accepted."""
        return self.folder / "taken"


@contextmanager
def a_lane(folder: Path | None = None) -> Iterator[Lane]:
    """A lane with its files in this folder, or in one that is removed."""
    if folder is None:
        with tempfile.TemporaryDirectory() as name, a_lane(Path(name)) as lane:
            yield lane
        return
    folder.mkdir(exist_ok=True)
    with _helper("tests.crash.sink", folder / "taken") as sink, a_workshop(folder) as workshop:
        assert sink.stdout
        yield Lane(folder, workshop, int(sink.stdout.readline()))


class Round:
    """One database with its readers, over two days."""

    def __init__(self, lane: Lane, *, readers: int = 120, resend: bool = False, poison: str = "") -> None:
        """Announce the first day's papers."""
        self._lane = lane
        lane.number += 1
        self.folder = lane.folder / f"round{lane.number}"
        self.folder.mkdir()
        self._offset = lane.log.stat().st_size
        self._readers = [f"r{number:03}" for number in range(readers)]
        self.now = NOW
        self._resend = resend
        self._poison = poison
        self._counts: Counter[str] = Counter()
        self._announce(PAPERS)

    def job(self, failpoint: str = "") -> Job:
        """A pass at this time."""
        return Job(
            folder=str(self.folder),
            at=self.now.isoformat(),
            port=self._lane.port,
            readers=len(self._readers),
            resend=self._resend,
            failpoint=failpoint,
            poison=self._poison,
        )

    def strike(self, blow: Blow) -> bool:
        """A pass that is struck; false if it was over before. Afterwards its lease is over."""
        pid = self._lane.workshop.start(self.job(f"{blow.failpoint}=kill" if blow.failpoint else ""))
        if not blow.failpoint:
            time.sleep(blow.after_s)
            with suppress(ProcessLookupError):
                os.kill(pid, blow.signal)
        code = self._lane.workshop.wait()
        if code == -signal.SIGKILL:
            self._counts["kills"] += 1
            self._lane.struck[blow.failpoint.partition(":")[0]] += 1
        elif blow.signal == signal.SIGTERM:
            # Before it listens for signals, the process ends at once.
            self._counts["stops"] += 1
            in_hand = {"claimed", "dot"} & set(self.states().values())
            self._counts["wrong_ends"] += code not in (0, 1, -signal.SIGTERM) or bool(in_hand)
        self.move_past_lease()
        return code == -signal.SIGKILL

    def move_past_lease(self) -> None:
        """Let so much time pass that another pass takes over what this one had in hand."""
        self.now += _PAST_LEASE

    def finish(self) -> None:
        """Passes that nobody strikes, until nothing waits."""
        for _ in range(10):
            self._pass()
            if not {"pending", "deferred", "claimed", "dot"} & set(self.states().values()):
                return
            self.move_past_lease()

    def judge(self) -> Counts:
        """Have a second day, and say what became of everything."""
        first = self.rows()
        taken = self.taken()
        before = self._missing(taken, PAPERS)
        today = self.now.date()
        self.now = datetime.combine(today + timedelta(days=1), NOW.timetz())
        self._poison = ""
        self._announce(NEWS)
        self._pass()
        both = self.taken()
        # What came in the first day's name; the second day's mail has its own.
        copies = Counter(each.recipient for each in both if each.message_id.startswith(f"<{today}."))
        ids: dict[str, set[str]] = {}
        for each in both:
            if each.message_id.startswith(f"<{today}."):
                ids.setdefault(each.recipient, set()).add(each.message_id)
        counts = self._counts
        counts["owed"] = len(self._readers)
        for reader in self._readers:
            state, resends = first.get(reader, (None, 0))
            address = f"{reader}@example.org"
            number = copies[address]
            is_open = state is DeliveryState.UNCERTAIN or bool(resends)
            counts["accepted"] += number > 0
            counts["lost_silently"] += state not in _FINAL or (state is DeliveryState.ACCEPTED and not number)
            counts["unrecorded"] += number > 0 and state is not DeliveryState.ACCEPTED and not is_open
            counts["duplicates"] += max(0, number - 1)
            is_flagged = resends and number == 2 and len(ids[address]) == 1
            counts["unflagged_duplicates"] += 0 if is_flagged else max(0, number - 1)
            counts["uncertain"] += is_open
            counts["uncertain_accepted"] += is_open and number > 0
            counts["failed"] += state is DeliveryState.FAILED
        counts["papers_lost_first_day"] = before
        counts["papers_lost"] = self._missing(both, PAPERS + NEWS)
        return Counts(**counts)

    def states(self) -> dict[str, str]:
        """The states of the editions, by reader."""
        return {reader: str(state) for reader, (state, _) in self.rows().items()}

    def rows(self) -> dict[str, tuple[DeliveryState, int]]:
        """State, and how often it was sent once more, of each reader's only edition."""
        with closing(sqlite3.connect(self.folder / "digest.sqlite3")) as connection:
            rows = connection.execute("SELECT subscriber_id, state, resends FROM edition").fetchall()
        assert len(rows) == len({row[0] for row in rows}), "more than one edition for a reader"
        return {reader: (DeliveryState(state), resends) for reader, state, resends in rows}

    def taken(self) -> Sequence[Taken]:
        """What the mail server accepted of this round."""
        return read_taken(self._lane.log, self._offset)

    def _missing(self, taken: Sequence[Taken], papers: Sequence[int]) -> int:
        shown = {(each.recipient.partition("@")[0], paper) for each in taken for paper in each.papers}
        return sum((reader, paper) not in shown for reader in self._readers for paper in papers)

    def _announce(self, papers: tuple[int, ...]) -> None:
        self._run(Job(folder=str(self.folder), at=self.now.isoformat(), announce=papers))

    def _pass(self) -> None:
        self._run(self.job())

    def _run(self, job: Job) -> None:
        # 1: some are uncertain, or have failed.
        self._counts["wrong_ends"] += self._lane.workshop.run(job) not in (0, 1)


def each_failpoint() -> Iterator[list[Blow]]:
    """Rounds in which a pass dies at every failpoint, in the order in which a delivery comes by them."""
    for start in range(0, len(NAMES), _BLOWS):
        yield [Blow(name) for name in NAMES[start : start + _BLOWS]]


def at_random(random: Random, readers: int) -> Iterator[list[Blow]]:
    """Rounds in which a pass dies at a random moment, or the n-th time that it comes by a failpoint, without end."""
    while True:
        yield [
            Blow(after_s=random.uniform(0, _PASS_S)) if random.random() < 1 / 2 else Blow(_somewhere(random, readers))
            for _ in range(_BLOWS)
        ]


def _somewhere(random: Random, readers: int) -> str:
    name = random.choice(NAMES)
    return name if name in _ONCE else f"{name}:{random.randint(1, readers)}"


def strike_rounds(
    lane: Lane, rounds: Iterable[Sequence[Blow]], *, kills: int = 0, readers: int = 120, resend: bool = False
) -> Counts:
    """Strike passes in one round after the other, until there are no more or that many were killed."""
    counts = Counts()
    for blows in rounds:
        one = Round(lane, readers=readers, resend=resend)
        for blow in blows:
            if not one.strike(blow) and blow.signal == signal.SIGKILL:
                break  # It was over before, and there is nothing left to strike.
        one.finish()
        counts = counts.plus(one.judge())
        if kills and counts.kills >= kills:
            break
    return counts


def strike_design(lane: Lane, design: str, *, kills: int, random: Random, readers: int = 120) -> dict[str, int]:
    """Strike another design in the same way, until that many processes were killed: what it lost and doubled."""
    counts = Counter[str](kills=0, owed=0, lost=0, duplicates=0)
    while counts["kills"] < kills:
        lane.number += 1
        folder = lane.folder / f"round{lane.number}"
        folder.mkdir()
        offset = lane.log.stat().st_size
        job = Job(folder=str(folder), at=NOW.isoformat(), port=lane.port, readers=readers, design=design)
        for _ in range(_BLOWS):
            pid = lane.workshop.start(job)
            time.sleep(random.uniform(0, _PASS_S))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if lane.workshop.wait() == 0:
                break
            counts["kills"] += 1
        assert lane.workshop.run(job) == 0
        copies = Counter(each.recipient for each in read_taken(lane.log, offset))
        counts["owed"] += readers
        counts["lost"] += readers - len(copies)
        counts["duplicates"] += copies.total() - len(copies)
    return dict(counts)
