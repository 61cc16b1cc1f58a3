"""Where the time of a message goes: what the ledger's thread does, what the event loop's does, and which functions."""

import cProfile
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from benchmarks.render import NOW
from benchmarks.sending.ours import make_editions, open_world, send, to_sink
from digest.background import Background
from digest.model import Edition, Paper
from digest.ports import Ledger
from digest.render.compose import Composer
from digest.world import World


class TimedLedger:
    """A ledger whose calls are measured, by what they are called with."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.calls: defaultdict[str, int] = defaultdict(int)
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self.wall_s: defaultdict[str, float] = defaultdict(float)

    def __getattr__(self, name: str) -> Any:
        """The ledger's own."""
        found = getattr(self._ledger, name)
        return partial(self._measure, name, found) if name in ("open_editions", "move", "claim") else found

    def _measure(self, name: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        cpu, wall = time.thread_time(), time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            self.calls[name] += 1
            self.cpu_s[name] += time.thread_time() - cpu
            self.wall_s[name] += time.perf_counter() - wall


def profile(port: int, papers: Sequence[Paper], count: int) -> None:
    """Print it, from one sending for the sums and a second one for the functions."""
    with _world() as world:
        ledger = TimedLedger(world.ledger)
        watched = replace(world, ledger=cast("Ledger", ledger))
        cpu, loop, wall = time.process_time(), time.thread_time(), time.perf_counter()
        send(watched, to_sink(port), papers, count, 1, {})
        wall_s, cpu_s, loop_s = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - loop
        made = [each.edition for each in make_editions(papers, count, 1)]
        parts = {
            "wall": wall_s,
            "all threads": cpu_s,
            "event loop's thread": loop_s,
            "- composing": _composing(world, made),
            "- making readers' editions": _making(papers, count),
        }
        for name, seconds in ledger.cpu_s.items():
            parts[f"- {name}"] = seconds
            parts[f"- {name}, with the disk"] = ledger.wall_s[name]
    sys.stdout.write(f"microseconds a message, of {count} messages\n")
    for name, seconds in parts.items():
        sys.stdout.write(f"{name:36}{seconds / count * 1e6:8.1f}\n")
    for name, calls in ledger.calls.items():
        sys.stdout.write(f"calls of {name:27}{calls:8}, one for {count / calls:.1f} messages\n")
    with _world() as world:
        profiler = cProfile.Profile()
        profiler.enable()
        send(world, to_sink(port), papers, count, 2, {})
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


@contextmanager
def _world() -> Iterator[World]:
    with TemporaryDirectory(prefix="paperround-") as folder, open_world(Path(folder)) as world:
        yield world


def _composing(world: World, made: Sequence[Edition]) -> float:
    """CPU seconds of composing all of them, by a composer that starts as cold as that of the sending."""
    background = Background(world)
    composer = Composer(world.templates[made[0].subscriber.look], sender=world.sender, answers=world.answers)
    began = time.thread_time()
    for edition in made:
        composer.compose(background.complete(edition), NOW)
    return time.thread_time() - began


def _making(papers: Sequence[Paper], count: int) -> float:
    began = time.thread_time()
    for _ in make_editions(papers, count, 3):
        pass
    return time.thread_time() - began
