"""Named places where a test may stop, kill or fail a process; without ``DIGEST_FAILPOINT`` they do nothing.

``DIGEST_FAILPOINT=after_claim=kill`` kills the process (kill -9) the first time it comes by ``after_claim``;
``after_claim:3=kill`` the third time. Actions: ``kill``, ``raise`` (`FailpointError`), ``stop`` (SIGSTOP), ``sleep``.
"""

import os
import signal
import time
from collections import Counter

NAMES = (
    "after_collect",
    "mid_open",
    "after_open",
    "after_claim",
    "after_compose",
    "after_connect",
    "after_envelope",
    "mid_body",
    "before_dot",
    "after_dot_commit",
    "after_dot",
    "after_250",
    "mid_commit",
    "after_accept_commit",
    "before_quit",
    "before_summary",
)
"""Every failpoint, in the order in which one delivery comes by them."""

_SLEEP_S = 30


class FailpointError(RuntimeError):
    """What a failpoint raises."""


def _read(text: str) -> tuple[str, int, str]:
    place, _, action = text.partition("=")
    name, _, number = place.partition(":")
    if name not in NAMES or action not in ("kill", "raise", "stop", "sleep") or not (number or "1").isdecimal():
        raise ValueError(f"DIGEST_FAILPOINT={text!r} names no failpoint")
    return name, int(number or 1), action


_SET = _read(os.environ["DIGEST_FAILPOINT"]) if os.environ.get("DIGEST_FAILPOINT") else None
_passed: Counter[str] = Counter()


def pass_by(name: str) -> None:
    """Do here what ``DIGEST_FAILPOINT`` says."""
    if _SET is None or _SET[0] != name:
        return
    _passed[name] += 1
    if _passed[name] != _SET[1]:
        return
    match _SET[2]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(_SLEEP_S)
        case _:
            raise FailpointError(f"the failpoint {name} was told to fail")
