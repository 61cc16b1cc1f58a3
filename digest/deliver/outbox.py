"""Drains the outbox: claims one delivery after the other, hands it over, and records what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.deliver.retry import MAX_ATTEMPTS, next_try
from digest.errors import (
    ConfigError,
    DeliverError,
    DigestError,
    PermanentDeliverError,
    RenderError,
    SmtpRefusedError,
    StoreError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Delivery, DeliveryState, Message, SubscriberId
from digest.ports import Backend, Ledger
from digest.text.masking import mask_addresses

_OURS = (ConfigError, RenderError)
"""What the operator repairs: until then the delivery is tried again after some minutes, without counting the tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one delivery."""

    delivery: Delivery
    state: DeliveryState
    detail: str
    """The server's reply or the reason, without addresses."""
    next_try_at: datetime | None = None
    error: Exception | None = None
    html_bytes: int = 0
    """Size of the accepted message's HTML; 0 for any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainResult:
    """What one drain did."""

    outcomes: tuple[Outcome, ...] = ()
    stopped_by: DeliverError | None = None
    """Why it ended before the outbox was empty; what it had in hand waits again, uncounted."""


def drain(
    ledger: Ledger,
    backend: Backend,
    compose: Callable[[Delivery], Message],
    *,
    clock: Callable[[], datetime],
    only: Sequence[SubscriberId] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DrainResult:
    """Deliver until nothing is left that may be tried now.

    Whatever is wrong with one delivery ends as its own outcome. Only a server that cannot be reached or refuses us, and
    a ledger that cannot be written, end the drain. ``stop`` is asked before each claim: what is in hand is finished.

    Raises:
        StoreError: The ledger cannot be written; what is in hand is settled by a later run's ``recover``.
    """
    outcomes: list[Outcome] = []
    try:
        while not stop():
            delivery = ledger.claim(clock(), only)
            if delivery is None:
                break
            outcome = _attempt(ledger, backend, compose, delivery, clock)
            if isinstance(outcome, DeliverError):
                ledger.release(delivery, detail=mask_addresses(outcome.problem), now=clock())
                return DrainResult(outcomes=tuple(outcomes), stopped_by=outcome)
            if isinstance(outcome.error, _OURS):
                ledger.release(delivery, detail=outcome.detail, now=clock(), next_try_at=outcome.next_try_at)
            else:
                ledger.settle(
                    delivery, outcome.state, detail=outcome.detail, now=clock(), next_try_at=outcome.next_try_at
                )
            outcomes.append(outcome)
            if on_outcome:
                on_outcome(outcome)
    finally:
        backend.close()
    return DrainResult(outcomes=tuple(outcomes))


def _attempt(
    ledger: Ledger,
    backend: Backend,
    compose: Callable[[Delivery], Message],
    delivery: Delivery,
    clock: Callable[[], datetime],
) -> Outcome | DeliverError:
    """Try one delivery once; an error is given back if it is about all of them."""
    if delivery.attempts > MAX_ATTEMPTS:
        return _ended(delivery, DeliveryState.FAILED, f"given up: {MAX_ATTEMPTS} tries ended without a word")
    try:
        message = compose(delivery)
    except StoreError:
        raise
    except DigestError as error:
        detail = f"{error.where}: {error.problem}" if error.where else error.problem
        if isinstance(error, _OURS):
            return replace(_ended(delivery, DeliveryState.DEFERRED, detail, error), next_try_at=next_try(1, clock()))
        return _ended(delivery, DeliveryState.FAILED, detail, error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one edition, the others go out
        return _ended(delivery, DeliveryState.FAILED, f"cannot be composed ({type(error).__name__}: {error})", error)
    try:
        receipt = backend.deliver(message, lambda: ledger.mark_dot(delivery, clock()))
    except (SmtpRefusedError, UnreachableError) as error:
        return error
    except DeliverError as error:
        return _failed_try(delivery, error, clock())
    accepted = _ended(delivery, DeliveryState.ACCEPTED, f"{receipt.code} {receipt.text}".rstrip())
    return replace(accepted, html_bytes=message.html_bytes)


def _failed_try(delivery: Delivery, error: DeliverError, now: datetime) -> Outcome:
    if isinstance(error, UncertainDeliverError):
        return _ended(delivery, DeliveryState.UNCERTAIN, error.problem, error)
    if isinstance(error, PermanentDeliverError):
        detail = f"{error.problem}; {error.hint}" if error.hint else error.problem
        return _ended(delivery, DeliveryState.FAILED, detail, error)
    again = next_try(delivery.attempts, now)
    if again is None:
        detail = f"given up after {delivery.attempts} tries: {error.problem}"
        return _ended(delivery, DeliveryState.FAILED, detail, error)
    return replace(_ended(delivery, DeliveryState.DEFERRED, error.problem, error), next_try_at=again)


def _ended(delivery: Delivery, state: DeliveryState, detail: str, error: Exception | None = None) -> Outcome:
    return Outcome(delivery=delivery, state=state, detail=mask_addresses(detail), error=error)
