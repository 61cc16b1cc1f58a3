"""One morning as the ledger sees it: papers come, an edition is opened, its mail is sent and accepted."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from digest.model import DeliveryState, Poll, SubscriberId, Verdict
from digest.ports import Move, OwedEdition
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition, an_entry


def a_morning(
    engine: Engine,
    *numbers: int,
    send: Callable[[], None] = lambda: None,
    now: datetime = NOW,
    name: str = "Ada",
) -> None:
    """Go on where an earlier try of the same morning stopped.

    Raises:
        StoreError: At whatever step; ``send`` was called only if everything before it was durable.
    """
    numbers = numbers or (1, 2, 3)
    papers, ledger = Papers(engine), SqlLedger(engine)
    ledger.recover(now)
    papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=tuple(an_entry(n) for n in numbers)), now)
    known = papers.latest_seq()
    edition = an_edition(
        a_subscriber(name), date=now.date(), matched=tuple(a_match(a_paper(number)) for number in numbers)
    )
    since = ledger.owed_since(SubscriberId(name.lower())) or 0
    opened = ledger.open_editions([OwedEdition(edition=edition, since_seq=since, through_seq=known)], now, run="r")
    deliveries = [each.delivery for each in opened if each.delivery] or ledger.claim(now, run="r")
    for delivery in deliveries:
        if ledger.move([Move(delivery=delivery, state=DeliveryState.DOT, now=now)]) == [True]:
            send()
            ledger.move([Move(delivery=delivery, state=DeliveryState.ACCEPTED, now=now)])


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)
