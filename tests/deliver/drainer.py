"""Drains an outbox in a process of its own, and may be told where to die: arguments are URL, PORT and WHERE."""

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from digest.deliver.outbox import drain
from digest.model import Delivery
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from tests.deliver.mail import a_backend, compose


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(SqlLedger):
    where = ""

    def claim(self, *args: Any) -> Delivery | None:
        delivery = super().claim(*args)
        if self.where == "after claim":
            die()
        return delivery

    def mark_dot(self, *args: Any) -> None:
        super().mark_dot(*args)
        if self.where == "before the dot goes out":
            die()

    def settle(self, *args: Any, **kwargs: Any) -> None:
        if self.where == "before the reply is stored":
            die()
        super().settle(*args, **kwargs)
        if self.where == "after accepted":
            die()


def main(url: str, port: str, where: str = "") -> None:
    ledger = DyingLedger(open_database(url))
    ledger.where = where
    result = drain(ledger, a_backend(int(port)), compose, clock=lambda: datetime.now(UTC))  # noqa: TID251
    print(len(result.outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
