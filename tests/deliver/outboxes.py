"""An outbox with editions of one paper each, and what drains it."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from digest.deliver.outbox import DrainResult, Parcel, drain
from digest.deliver.outcome import Outcome
from digest.model import Delivery, DeliveryState, Message, Receipt, SubscriberId
from digest.ports import Backend, Ledger
from tests.deliver.mail import compose

RUN = "2026-11-20T12:00:00Z-test"


@dataclass
class Drained:
    """What one drain did, with each outcome."""

    outcomes: list[Outcome] = field(default_factory=list)
    result: DrainResult = field(default_factory=DrainResult)

    def of(self, name: str) -> Outcome:
        [outcome] = [each for each in self.outcomes if each.delivery.subscriber == name]
        return outcome

    @property
    def states(self) -> dict[str, DeliveryState]:
        return {outcome.delivery.subscriber: outcome.state for outcome in self.outcomes}


def drain_all(
    ledger: Ledger,
    backend: Backend,
    compose: Callable[[Delivery], Message] = compose,
    *,
    clock: Callable[[], datetime],
    only: Sequence[SubscriberId] | None = None,
    limit: int = 8,
    run: str = RUN,
    suppressed: Callable[[Delivery], str] = lambda delivery: "",
    **options: Any,
) -> Drained:
    """Claim and deliver whatever may be tried now."""

    async def feed() -> AsyncGenerator[Sequence[Parcel], None]:
        while claimed := ledger.claim(clock(), run=run, only=only, limit=limit):
            yield [
                Parcel(delivery, "example.org", partial(compose, delivery), partial(suppressed, delivery))
                for delivery in claimed
            ]

    drained = Drained()
    drained.result = drain(ledger, backend, feed, clock=clock, on_outcome=drained.outcomes.append, **options)
    return drained


class Scripted:
    """A backend that raises what it is told, by recipient, after the dot was announced."""

    room = 2

    def __init__(self, errors: Mapping[str, Exception] | None = None) -> None:
        self.errors = dict(errors or {})
        self.seen: list[str] = []
        self.is_closed = False

    async def deliver(self, message: Message, before_dot: Callable[[], Any]) -> Receipt:
        name = message.recipient.partition("@")[0]
        self.seen.append(name)
        await before_dot()
        if name in self.errors:
            raise self.errors[name]
        return Receipt(250, "ok")

    async def close(self) -> None:
        self.is_closed = True
