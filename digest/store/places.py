"""What a place in an edition means for what may be sent later."""

from sqlalchemy import ColumnElement, exists

from digest.rank.placed import SENT
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep


def is_owed() -> ColumnElement[bool]:
    """Whether an edition holds a paper for which it is sent at all."""
    return exists().where(ep.c.edition_id == e.c.id, ep.c.section.in_(SENT))
