"""How fast mail goes out: all of it, and that to each recipient's provider, which may want less than we send."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from digest.errors import BusyDomainError, DeliverError, UncertainDeliverError

OTHERS = "*"
"""Stands for each domain that has no rate of its own."""

_BURST_S = 0.2
"""Turns of this long may be caught up with, or every late wake-up would cost one."""
_FIRST_HOLD_S = 1.0
_LONGEST_HOLD_S = 1_800.0
_TRIAL_S = 60.0
"""A trial that is not heard of for so long is followed by another."""
_GLANCE_S = 0.2
_NOTHING = 1e-9
"""Of a turn or a second: what rounding may lack."""


class Pace:
    """Gives out turns to send; it delays, and neither drops nor reorders anything. For one run.

    A provider that says it is too much (`BusyDomainError`) gets nothing for a second, then one mail as a trial; while
    trials are turned away the wait doubles, up to half an hour. After that its rate is half of what it took since it
    last complained, grows back soon to just below that, and slowly at first from there on.

    Every ``now`` is in seconds, by one clock that never goes back.
    """

    def __init__(
        self,
        per_minute: int | None = None,
        domain_per_minute: Mapping[str, int] | None = None,
        left_today: int | None = None,
    ) -> None:
        """Get ready.

        Args:
            per_minute: At most so many turns a minute, all together.
            domain_per_minute: The same for single domains, in lower case; `OTHERS` stands for each other one.
            left_today: At most so many messages are accepted in all.
        """
        self._all = _Bucket(per_minute / 60) if per_minute else None
        self._rates = {domain: rate / 60 for domain, rate in (domain_per_minute or {}).items()}
        self._left = left_today
        self._providers: dict[str, _Provider] = {}

    def take(self, domain: str, now: float) -> float:
        """Take a turn for a message to this domain, if it may go now; `note` what became of it.

        Returns:
            0.0 if the turn was taken; else after how many seconds to ask again. ``inf`` if none is left for today.
        """
        if self._left is not None and self._left <= 0:
            return math.inf
        domain = domain.lower()
        provider = self._providers.get(domain)
        if provider is None and (rate := self._rates.get(domain, self._rates.get(OTHERS))):
            provider = self._providers[domain] = _Provider(since=now, most=rate, bucket=_Bucket(rate))
        buckets = [bucket for bucket in (self._all, provider and provider.bucket) if bucket]
        wait = max([bucket.wait(now) for bucket in buckets], default=0.0)
        if provider:
            wait = max(wait, provider.held(now))
        if wait:
            return wait
        for bucket in buckets:
            bucket.tokens -= 1
        if provider:
            provider.go(now)
        if self._left is not None:
            self._left -= 1
        return 0.0

    def note(self, domain: str, error: DeliverError | None, now: float) -> None:
        """Learn what became of a turn that was taken; ``None`` if the message was accepted."""
        if self._left is not None and error and not isinstance(error, UncertainDeliverError):
            self._left += 1
        domain = domain.lower()
        provider = self._providers.get(domain)
        if isinstance(error, BusyDomainError):
            if provider is None:
                provider = self._providers[domain] = _Provider(since=now)
            provider.complain(now)
        elif provider:
            provider.answer(is_accepted=error is None, now=now)

    def is_held(self, domain: str, now: float) -> float:
        """For how many seconds nothing goes to this domain, as it wanted no more; 0.0 if that is over."""
        provider = self._providers.get(domain.lower())
        return provider.held(now) if provider else 0.0


class _Bucket:
    """Turns come in at a rate, and a few of them are kept."""

    __slots__ = ("_at", "rate", "tokens")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        """A second."""
        self.tokens = self._most
        self._at = -math.inf

    def wait(self, now: float) -> float:
        """In how many seconds there will be a turn."""
        if now > self._at:
            self.tokens = min(self._most, self.tokens + (now - self._at) * self.rate)
            self._at = now
        return (1 - self.tokens) / self.rate if self.tokens < 1 - _NOTHING else 0.0

    @property
    def _most(self) -> float:
        return 1 + self.rate * _BURST_S


@dataclass(slots=True, kw_only=True)
class _Provider:
    """What is known of one domain."""

    since: float
    """When it last complained, or was first written to."""
    most: float = math.inf
    """A second, as the operator wants it."""
    bucket: _Bucket | None = None
    accepted: int = 0
    """Since then."""
    took: float = math.inf
    """Messages a second that it took before it last complained."""
    hold_s: float = 0.0
    """How long the wait is that it is in, if it is in one."""
    until: float = 0.0
    is_tried: bool = False
    """Whether a trial is under way."""

    def held(self, now: float) -> float:
        if not self.hold_s or self.until - now < _NOTHING:
            return 0.0
        return min(self.until - now, _GLANCE_S) if self.is_tried else self.until - now

    def go(self, now: float) -> None:
        if self.hold_s:
            self.is_tried, self.until = True, now + _TRIAL_S

    def complain(self, now: float) -> None:
        if self.hold_s and not self.is_tried:
            return  # It was under way before the wait began.
        if self.accepted:
            self.took = min(self.accepted / max(now - self.since, _FIRST_HOLD_S), self.most)
            self.bucket = self.bucket or _Bucket(self.took)
            self.bucket.rate = self.took / 2
        self.accepted, self.since = 0, now
        self.hold_s = min(max(2 * self.hold_s, _FIRST_HOLD_S), _LONGEST_HOLD_S)
        self.is_tried, self.until = False, now + self.hold_s

    def answer(self, *, is_accepted: bool, now: float) -> None:
        if is_accepted:
            self.accepted += 1
            if self.is_tried:
                self.hold_s = 0.0
            if self.bucket and self.took < math.inf:
                # The longer it does not complain, the bolder: what it took was measured at an unlucky moment, perhaps.
                step = 1 / 50 if self.bucket.rate < 0.95 * self.took else self.accepted / 200_000
                self.bucket.rate = min(self.bucket.rate + step * self.took, self.most)
        if self.is_tried:
            self.is_tried, self.until = False, now
