"""Keyed hashes: tokens that let a reader's answer be believed, and addresses that can be known again but not read."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from digest.model import Subscriber

_BITS = 128


@dataclass(frozen=True, slots=True)
class Keyring:
    """What is made with the operator's secret; another secret makes everything anew, and old tokens void."""

    secret: bytes = field(repr=False)
    """At least 16 bytes that nobody else knows."""

    def token(self, subscriber: Subscriber, purpose: str) -> str:
        """22 characters (A-Z, a-z, 0-9, ``-``, ``_``) that only this subscriber is sent, for one purpose.

        It holds neither address nor name. It is void once the subscriber's ``links`` is raised, and never expires
        otherwise: a reader may unsubscribe from a mail of last year.

        Args:
            subscriber: Who may use it.
            purpose: What for: ``unsubscribe``, ``feedback``, ``pause`` or ``bounce``.
        """
        return self._hash(f"{purpose}\n{subscriber.id}\n{subscriber.links}")

    def is_token(self, text: str, subscriber: Subscriber, purpose: str) -> bool:
        """Whether this is the subscriber's token for this purpose; takes as long for any answer."""
        return hmac.compare_digest(text.encode(), self.token(subscriber, purpose).encode())

    def know(self, address: str) -> str:
        """22 characters that stand for an address, whatever the case of its letters, where it must not be written."""
        return self._hash(f"address\n{address.strip().casefold()}")

    def name(self, identity: str) -> str:
        """22 characters that stand for a subscriber's id where others may read it."""
        return self._hash(f"subscriber\n{identity}")

    def _hash(self, text: str) -> str:
        digest = hmac.digest(self.secret, text.encode(), hashlib.sha256)[: _BITS // 8]
        return urlsafe_b64encode(digest).decode("ascii").rstrip("=")
