"""What became of a mail."""

from dataclasses import dataclass
from enum import StrEnum

from digest.model import SubscriberId


class Done(StrEnum):
    """What became of a mail."""

    UNSUBSCRIBED = "unsubscribed"
    PAUSED = "paused"
    RESUMED = "resumed"
    FEEDBACK = "feedback"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    NOTED = "noted"
    """Of ours, and nothing follows from it: a delay, a full mailbox, an automatic reply."""
    OPEN = "open"
    """The operator has to decide; the mail stays unseen."""
    OTHER = "other"
    """Has nothing to do with us; the mail is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one mail."""

    done: Done
    uid: str
    subscriber: SubscriberId | None = None
    text: str = ""
    """For people, without addresses."""

    @property
    def is_settled(self) -> bool:
        """Whether nobody has to look at the mail again."""
        return self.done not in (Done.OPEN, Done.OTHER)
