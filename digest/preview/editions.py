"""The edition of a subscriber that is worth looking at, sent or not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.background import Background
from digest.choose import choose_papers, owed_edition
from digest.demo import sample_papers
from digest.model import Edition, Paper, Subscriber
from digest.schedule.due import edition_now
from digest.world import World

_LOOK_BACK = timedelta(days=7)


def edition_to_show(world: World, subscriber: Subscriber, now: datetime) -> tuple[Edition, str]:
    """The best edition there is to look at, and where its papers are from."""
    owed = owed_now(world, subscriber, now)
    if not owed.is_empty:
        return Background(world).complete(owed), "owed now"
    edition, what = choose_papers(subscriber, owed.date, now, recent_papers(world, now)), "last seven days"
    if edition.is_empty:
        invented = choose_papers(subscriber, owed.date, now, sample_papers(now))
        # Topics that fit none of the invented papers either show what an empty mail looks like.
        if not invented.is_empty:
            edition, what = invented, "invented papers: the last seven days had none for these topics"
    return Background(world).complete(edition), what


def sample_edition(world: World, subscriber: Subscriber, now: datetime) -> tuple[Edition, str]:
    """What the subscriber's topics find among the invented papers."""
    today = edition_now(subscriber.schedule, subscriber.zone, now)
    return Background(world).complete(choose_papers(subscriber, today.date, now, sample_papers(now))), "invented papers"


def owed_now(world: World, subscriber: Subscriber, now: datetime) -> Edition:
    """What a run would send, which may be empty."""
    return owed_edition(world, subscriber, edition_now(subscriber.schedule, subscriber.zone, now), now).edition


def recent_papers(world: World, now: datetime) -> Sequence[Paper]:
    """What was announced in the last seven days, sent or not."""
    return world.papers.announced(world.papers.seq_before(now - _LOOK_BACK), world.papers.latest_seq())
