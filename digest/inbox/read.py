"""Goes through the mailbox."""

from datetime import datetime

from digest.inbox.apply import Desk
from digest.inbox.mailbox import Mailbox
from digest.inbox.outcome import Outcome


def read_mailbox(mailbox: Mailbox, desk: Desk, now: datetime, *, is_trial: bool = False) -> list[Outcome]:
    """Deal with what is unseen in a mailbox, oldest first, and mark as seen what nobody has to look at again.

    Everything is durable before a mail is marked; what was done twice after a crash is the same.

    Raises:
        ConfigError: The subscribers file was changed by somebody else meanwhile.
        MailboxError: The connection broke; what was not marked is dealt with again next time.
        StoreError: Nothing could be remembered.
    """
    outcomes = []
    for head in mailbox.heads(now):
        arrival = mailbox.read(head.uid, now) if desk.needs_body(head.raw) else head
        if arrival is not None:
            outcomes.append(desk.take(arrival))
    outcomes = desk.finish(outcomes)
    if not is_trial:
        mailbox.mark_seen([outcome.uid for outcome in outcomes if outcome.is_settled])
    return outcomes
