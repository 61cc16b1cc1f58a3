"""What becomes of a delivery after one try: pure decisions."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.deliver.retry import next_try
from digest.errors import (
    BusyDomainError,
    ConfigError,
    DeliverError,
    DigestError,
    PermanentDeliverError,
    RenderError,
    SmtpRefusedError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Delivery, DeliveryState
from digest.text.masking import mask_addresses

_QUOTA_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one delivery."""

    delivery: Delivery
    state: DeliveryState
    detail: str = ""
    """The server's reply or the reason, without addresses."""
    next_try_at: datetime | None = None
    is_counted: bool = True
    """Whether the try counts: the trouble was with this message."""
    is_resend: bool = False
    """Whether it is tried again although it may have arrived."""
    is_postponed: bool = False
    """Whether it only waits for its turn, and may be accepted before the run ends."""
    error: Exception | None = None
    html_bytes: int = 0
    """Size of the accepted message's HTML; 0 for any other."""


def release(delivery: Delivery, error: DigestError | None = None) -> Outcome:
    """It waits as before: the trouble was not with it."""
    detail = mask_addresses(error.problem) if error else ""
    return Outcome(delivery=delivery, state=DeliveryState.PENDING, detail=detail, is_counted=False)


def fail(delivery: Delivery, detail: str, error: Exception | None = None) -> Outcome:
    """It is over, and its papers come with the next edition."""
    return Outcome(delivery=delivery, state=DeliveryState.FAILED, detail=mask_addresses(detail), error=error)


def postpone(delivery: Delivery, now: datetime, wait_s: float, error: DeliverError | None = None) -> Outcome:
    """It waits for its turn; ``math.inf`` seconds if the day has no more."""
    if math.isinf(wait_s):
        detail, again = "the limit of messages a day is reached", now + _QUOTA_WAIT
    else:
        detail, again = "waits for its turn at its domain", now + timedelta(seconds=wait_s)
    return Outcome(
        delivery=delivery,
        state=DeliveryState.DEFERRED,
        detail=mask_addresses(f"{error.problem}; {detail}") if error else detail,
        next_try_at=again,
        is_counted=False,
        is_postponed=True,
        error=error,
    )


def judge_composing(delivery: Delivery, error: Exception, now: datetime) -> Outcome:
    """After a message could not be made. What the operator repairs is tried again, without counting the tries."""
    if not isinstance(error, DigestError):
        return fail(delivery, f"cannot be composed ({type(error).__name__}: {error})", error)
    detail = mask_addresses(f"{error.where}: {error.problem}" if error.where else error.problem)
    if not isinstance(error, ConfigError | RenderError):
        return fail(delivery, detail, error)
    return Outcome(
        delivery=delivery,
        state=DeliveryState.DEFERRED,
        detail=detail,
        next_try_at=next_try(1, now),
        is_counted=False,
        error=error,
    )


def judge_delivering(
    delivery: Delivery, error: DeliverError, now: datetime, *, resend: bool, held_s: float | None
) -> Outcome:
    """After a message was not accepted, or nobody knows.

    Args:
        delivery: What was tried.
        error: How it ended.
        now: For the next try.
        resend: Whether what may have arrived is sent once more.
        held_s: After this many seconds the recipient's domain is tried again, if anything keeps account of that.
    """
    if isinstance(error, SmtpRefusedError | UnreachableError):
        return release(delivery, error)
    if isinstance(error, PermanentDeliverError):
        return fail(delivery, f"{error.problem}; {error.hint}" if error.hint else error.problem, error)
    if isinstance(error, BusyDomainError) and held_s is not None:
        return postpone(delivery, now, held_s, error)
    detail = mask_addresses(error.problem)
    again = next_try(delivery.attempts, now, error=error)
    is_resend = isinstance(error, UncertainDeliverError) and resend and not delivery.resends and again is not None
    if isinstance(error, UncertainDeliverError) and not is_resend:
        return Outcome(delivery=delivery, state=DeliveryState.UNCERTAIN, detail=detail, error=error)
    if again is None:
        return fail(delivery, f"given up after {delivery.attempts} tries: {error.problem}", error)
    return Outcome(
        delivery=delivery,
        state=DeliveryState.DEFERRED,
        detail=detail,
        next_try_at=again,
        is_resend=is_resend,
        error=error,
    )
