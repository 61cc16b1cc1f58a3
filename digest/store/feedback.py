"""What subscribers said of papers, the last word on each."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, delete, insert, select

from digest.model import Feedback, PaperKey, SubscriberId
from digest.store.database import reading, writing
from digest.store.rows import aliases_of
from digest.store.schema import feedback as f


class Feedbacks:
    """A ``FeedbackStore`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def give(self, subscriber: SubscriberId, feedback: Feedback) -> None:
        """Remember it, in place of what they said of this paper before."""
        with writing(self._engine) as connection:
            key = _forget(connection, subscriber, feedback.paper)[0]
            connection.execute(
                insert(f).values(subscriber_id=subscriber, paper_key=key, more=feedback.more, at=feedback.at)
            )

    def take_back(self, subscriber: SubscriberId, paper: PaperKey) -> bool:
        """Forget what they said of it; false if they had said nothing."""
        with writing(self._engine) as connection:
            return _forget(connection, subscriber, paper)[1]

    def of(self, subscriber: SubscriberId) -> Sequence[Feedback]:
        """What they said, oldest first; rows follow their papers, so that the names are those of now."""
        said = select(f).where(f.c.subscriber_id == subscriber).order_by(f.c.at, f.c.paper_key)
        with reading(self._engine) as connection:
            return [Feedback(PaperKey(row.paper_key), row.more, row.at) for row in connection.execute(said)]


def _forget(connection: Connection, subscriber: SubscriberId, paper: PaperKey) -> tuple[PaperKey, bool]:
    """The name that the paper has by now, and whether there was something to forget."""
    key = aliases_of(connection, [paper]).get(paper, paper)
    gone = connection.execute(delete(f).where(f.c.subscriber_id == subscriber, f.c.paper_key == key))
    return key, gone.rowcount > 0
