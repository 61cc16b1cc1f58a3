"""What a run does with one delivery at a time."""

from datetime import datetime, timedelta

from digest.model import Delivery, DeliveryState, Edition
from digest.ports import Move, OwedEdition
from digest.store.ledger import SqlLedger
from tests.builders import NOW

RUN = "a run"
SOON = timedelta(minutes=5)
"""After which what is deferred is tried again."""


def open_edition(
    ledger: SqlLedger, edition: Edition, *, since_seq: int = 0, through_seq: int = 10, now: datetime = NOW
) -> bool:
    """Whether it was written; nobody claims it yet."""
    owed = OwedEdition(edition=edition, since_seq=since_seq, through_seq=through_seq)
    (opened,) = ledger.open_editions([owed], now, run=RUN, claim=False)
    assert opened.delivery is None
    return opened.is_written


def claim_one(ledger: SqlLedger, now: datetime = NOW) -> Delivery | None:
    return next(iter(ledger.claim(now, run=RUN)), None)


def claimed(ledger: SqlLedger, now: datetime = NOW) -> Delivery:
    (delivery,) = ledger.claim(now, run=RUN)
    return delivery


def move(ledger: SqlLedger, delivery: Delivery, state: DeliveryState, now: datetime = NOW, *, detail: str = "") -> bool:
    """Whether it was written; what is deferred waits for `SOON`, and what is pending again was no try."""
    (is_written,) = ledger.move(
        [
            Move(
                delivery=delivery,
                state=state,
                now=now,
                detail=detail,
                next_try_at=now + SOON if state is DeliveryState.DEFERRED else None,
                is_counted=state is not DeliveryState.PENDING,
            )
        ]
    )
    return is_written
