"""Passes that are killed at random moments and at every failpoint: what is lost, doubled, or not known.

Each round is a real pass for 120 readers, over a real database and a real SMTP conversation, in a process that dies by
kill -9 some times until nothing waits; then a second day shows whether each paper came. The mail server is a process of
its own that keeps what it accepted. ``--baselines`` measures obvious designs in the same way. See README.md in this
folder for what each figure means.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.crash.baselines import DESIGNS
from tests.crash.rounds import Blow, Counts, a_lane, at_random, each_failpoint, strike_design, strike_rounds

_LANES = 2
"""At a time."""


def main() -> None:
    """Print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything")
    parser.add_argument("--kills", type=int, default=1000, help="at random, besides one at every failpoint")
    parser.add_argument("--readers", type=int, default=120)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--resend", action="store_true", help="send once more what may have arrived")
    parser.add_argument("--baselines", action="store_true", help="also obvious designs, each with a tenth of the kills")
    options = parser.parse_args()
    counts = measure(options.kills, options.readers, options.seed, resend=options.resend)
    result = {
        "mode": "resend" if options.resend else "hold",
        "readers": options.readers,
        "seed": options.seed,
        **asdict(counts),
    }
    if options.baselines:
        with a_lane() as lane:
            result["baselines"] = {
                name: strike_design(
                    lane,
                    name,
                    kills=-(-options.kills // 10),
                    random=Random(options.seed),
                    readers=options.readers,
                )
                for name in DESIGNS
            }
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for name, value in result.items():
        sys.stdout.write(f"{name:22} {value}\n")


def measure(kills: int, readers: int, seed: int, *, resend: bool) -> Counts:
    """Every failpoint once, and so many random moments, on two lanes."""

    def one_lane(number: int) -> Counts:
        named: Sequence[Sequence[Blow]] = [*each_failpoint()][number::_LANES]
        with a_lane() as lane:
            first = strike_rounds(lane, named, readers=readers, resend=resend)
            at_any_moment = at_random(Random(seed + number), readers)
            return first.plus(
                strike_rounds(lane, at_any_moment, kills=-(-kills // _LANES), readers=readers, resend=resend)
            )

    with ThreadPoolExecutor(_LANES) as pool:
        return reduce(Counts.plus, pool.map(one_lane, range(_LANES)))


if __name__ == "__main__":
    main()
