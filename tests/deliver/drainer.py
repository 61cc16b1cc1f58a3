"""Drains an outbox in a process of its own, which ``DIGEST_FAILPOINT`` may end: arguments are URL and PORT."""

import sys
from datetime import UTC, datetime

from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from tests.deliver.mail import a_backend
from tests.deliver.outboxes import drain_all


def main(url: str, port: str) -> None:
    ledger = SqlLedger(open_database(url))
    drained = drain_all(ledger, a_backend(int(port)), clock=lambda: datetime.now(UTC), limit=1)  # noqa: TID251
    print(len(drained.outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
