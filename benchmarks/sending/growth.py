"""How a process grows while it sends: ``python -m benchmarks.sending.growth PORT READERS FOLDER DATA`` prints JSON."""

import gc
import json
import re
import sys
from functools import partial
from pathlib import Path

from benchmarks.render import recorded_papers
from benchmarks.sending.ours import open_world, send, to_sink

FIRST = 1_000


def main(port: int, count: int, folder: Path, data: Path) -> None:
    """Send, and look at the memory after the first thousand and after the last."""
    seen: dict[str, float] = {}

    def look(when: str) -> None:
        gc.collect()
        seen[when] = memory_mb("VmRSS")

    with open_world(folder) as world:
        marks = {FIRST: partial(look, "first"), count: partial(look, "last")}
        send(world, to_sink(port), recorded_papers(data), count, 1, marks)
    result = {
        "rss_growth_mb": seen["last"] - seen["first"],
        "peak_mb": memory_mb("VmHWM"),
    }
    print(json.dumps({key: round(value, 1) for key, value in result.items()}))


def memory_mb(what: str) -> float:
    """What Linux says of this process: ``VmRSS`` now, ``VmHWM`` at most so far."""
    found = re.search(rf"^{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
