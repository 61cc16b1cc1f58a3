"""Who hears of a pass while it goes on; by itself, so that commands start before everything else is loaded."""

from typing import TYPE_CHECKING

from digest.model import Edition, Poll, Recorded

if TYPE_CHECKING:
    from digest.deliver.outcome import Outcome


class Listener:
    """Hears of each step as it ends; the base class keeps silent."""

    def polled(self, poll: Poll, recorded: Recorded | None) -> None:
        """One source was read, and stored unless it failed."""

    def opened(self, edition: Edition) -> None:
        """One edition is owed."""

    def settled(self, outcome: "Outcome") -> None:
        """One delivery ended."""
