"""The ledger: nothing is sent that is not claimed here first, so that no paper is lost and none is sent twice."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, Select, and_, func, or_, select, update

from digest.errors import TakenOverError
from digest.failpoints import pass_by
from digest.model import Delivery, DeliveryState, PaperKey, Placed, Sent, SubscriberId
from digest.ports import EditionState, Move, Opened, OwedEdition
from digest.rank.placed import IN_FULL, SENT
from digest.store.claims import IN_HAND, WAITING, check_move, claim_some, move_all, settle_dead
from digest.store.database import batches, reading, writing
from digest.store.opening import open_all
from digest.store.places import delete_places, insert_places, is_accepted, placed_of, sent, sent_of, under_their_names
from digest.store.rows import aliases_of
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep

LEASE = timedelta(minutes=20)
"""How long a claim is left alone. More than the 10 minutes a server may take after the final dot (RFC 5321 4.5.3.2.6);
a move to ``dot`` starts it anew."""

_HANDLED = (DeliveryState.ACCEPTED, DeliveryState.SKIPPED)
_CLOSED = (DeliveryState.ACCEPTED, DeliveryState.FAILED, DeliveryState.SUPPRESSED, DeliveryState.UNCERTAIN)


class SqlLedger:
    """A ``Ledger`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def recover(self, now: datetime, *, resend: bool = False) -> Sequence[EditionState]:
        """Settle what dead runs left; see ``Ledger.recover``.

        A delivery with which three runs died one after the other has failed: it is the reason.

        Args:
            now: The time.
            resend: Whether one that may have arrived is sent once more; the second time it is uncertain.
        """
        with writing(self._engine) as connection:
            lost = settle_dead(connection, now, resend=resend)
            return [
                edition_state(row)
                for ids in batches(lost)
                for row in connection.execute(for_people().where(e.c.id.in_(ids)))
            ]

    def expire(self, before: date, now: datetime) -> None:
        """Give up what waited too long; see ``Ledger.expire``."""
        with writing(self._engine) as connection:
            connection.execute(
                update(e)
                .where(e.c.state.in_(WAITING), e.c.date < before)
                .values(
                    state=DeliveryState.EXPIRED,
                    next_try_at=None,
                    detail="it could not be sent for days; its papers come with the next edition",
                    updated_at=now,
                )
            )

    def settled_date(self, subscriber: SubscriberId, today: date) -> date | None:
        """The newest local date that is closed; see ``Ledger.settled_date``."""
        with reading(self._engine) as connection:
            newest: date | None = connection.scalar(
                select(func.max(e.c.date)).where(
                    e.c.subscriber_id == subscriber,
                    or_(e.c.state.in_(_CLOSED), and_(e.c.state == DeliveryState.SKIPPED, e.c.date < today)),
                    # A zone or a clock may have moved back by a day.
                    e.c.date <= today + timedelta(days=1),
                )
            )
            return newest

    def owed_since(self, subscriber: SubscriberId) -> int | None:
        """The announcement number after which papers are owed; see ``Ledger.owed_since``."""
        with reading(self._engine) as connection:
            # The highest and not the newest by date: where a zone or a clock moved back, an older date is sent later.
            handled: int | None = connection.scalar(
                select(func.max(e.c.through_seq)).where(e.c.subscriber_id == subscriber, e.c.state.in_(_HANDLED))
            )
            if handled is not None:
                return handled
            first: int | None = connection.scalar(
                select(func.min(e.c.since_seq)).where(e.c.subscriber_id == subscriber)
            )
            return first

    def sent_keys(self, subscriber: SubscriberId) -> frozenset[PaperKey]:
        """Papers of accepted editions.

        Those of a delivery in hand are not among them: it may still fail, and an edition composed without its papers
        would then lose them. ``open_editions`` refuses while one is in hand.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(sent().where(e.c.subscriber_id == subscriber))
            return frozenset(PaperKey(row.paper_key) for row in rows)

    def carried(self, subscriber: SubscriberId) -> Mapping[PaperKey, date]:
        """The papers that the newest edition only named; see ``Ledger.carried``."""
        with reading(self._engine) as connection:
            newest = connection.execute(
                select(e.c.id, e.c.date)
                .where(e.c.subscriber_id == subscriber, is_accepted())
                .order_by(e.c.date.desc())
                .limit(1)
            ).one_or_none()
            if newest is None:
                return {}
            places = select(ep.c.paper_key).where(ep.c.edition_id == newest.id, ep.c.section == "rest")
            named = [*map(PaperKey, connection.scalars(places))]
            shown = {row.paper_key for row in sent_of(connection, [subscriber], named) if row.section in IN_FULL}
            return {key: newest.date for key in named if key not in shown}

    def history(self, subscriber: SubscriberId, since: date) -> Sequence[Sent]:
        """Every place in accepted editions; see ``Ledger.history``."""
        places = (
            select(e.c.date, ep)
            .join(e, e.c.id == ep.c.edition_id)
            .where(e.c.subscriber_id == subscriber, is_accepted(), e.c.date >= since)
            .order_by(e.c.date, ep.c.position)
        )
        with reading(self._engine) as connection:
            return [Sent(row.date, placed_of(row)) for row in connection.execute(places)]

    def open_editions(
        self, owed: Sequence[OwedEdition], now: datetime, *, run: str, claim: bool = True
    ) -> Sequence[Opened]:
        """Write editions and their papers; see ``Ledger.open_editions``."""
        with writing(self._engine) as connection:
            opened = open_all(connection, owed, now, run=run, lease_until=now + LEASE if claim else None)
        pass_by("after_open")
        return opened

    def claim(
        self, now: datetime, *, run: str, only: Sequence[SubscriberId] | None = None, limit: int = 1
    ) -> Sequence[Delivery]:
        """Take deliveries that may be tried now; see ``Ledger.claim``."""
        with writing(self._engine) as connection:
            claimed = claim_some(connection, now, run=run, lease_until=now + LEASE, only=only, limit=limit)
        if claimed:
            pass_by("after_claim")
        return claimed

    def edition_papers(self, delivery: Delivery) -> Sequence[Placed]:
        """The places of an edition, in order."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(ep).where(ep.c.edition_id == delivery.id).order_by(ep.c.position))
            return [placed_of(row) for row in rows]

    def rewrite_papers(self, delivery: Delivery, placed: Sequence[Placed], now: datetime) -> None:
        """Put these in place of what the claimed edition holds; see ``Ledger.rewrite_papers``."""
        is_ours = and_(e.c.id == delivery.id, e.c.token == delivery.token, e.c.state == DeliveryState.CLAIMED)
        with writing(self._engine) as connection:
            if connection.execute(update(e).where(is_ours).values(updated_at=now)).rowcount != 1:
                raise TakenOverError(
                    f"another run took the delivery of {delivery.date} over",
                    where=delivery.subscriber,
                    hint="this run was asleep for too long; see digest outbox list for what became of it",
                )
            names = under_their_names(placed, aliases_of(connection, {each.paper for each in placed}))
            delete_places(connection, [delivery.id])
            insert_places(connection, {delivery.id: names})

    def move(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Write what became of claimed deliveries; see ``Ledger.move``.

        One that goes to ``uncertain`` with a time for the next try is sent once more: the first time it is ``deferred``
        until then, and only then uncertain.
        """
        for each in moves:
            check_move(each)
        with writing(self._engine) as connection:
            written = move_all(connection, moves, lease=LEASE)
            pass_by("mid_commit")
        return written

    def tally(self, run: str) -> Mapping[DeliveryState, int]:
        """How many editions this run opened or claimed last, by state."""
        counts = select(e.c.state, func.count()).where(e.c.run == run).group_by(e.c.state)
        with reading(self._engine) as connection:
            return {DeliveryState(state): number for state, number in connection.execute(counts)}

    def accepted_since(self, moment: datetime) -> int:
        """How many deliveries were accepted at this moment or later; without those that were only counted as sent."""
        with reading(self._engine) as connection:
            accepted = select(func.count()).where(e.c.state == DeliveryState.ACCEPTED, e.c.updated_at >= moment)
            return connection.scalar(accepted.where(e.c.attempts > 0)) or 0

    def waiting(self) -> int:
        """How many deliveries are not settled."""
        with reading(self._engine) as connection:
            unsettled = select(func.count()).where(e.c.state.in_((*WAITING, *IN_HAND)))
            return connection.scalar(unsettled) or 0

    def editions(self, subscriber: SubscriberId | None = None, limit: int = 100) -> Sequence[EditionState]:
        """Ledger rows, newest first."""
        with reading(self._engine) as connection:
            return [edition_state(row) for row in connection.execute(newest(subscriber, limit))]

    def recent(self, since: date) -> Sequence[EditionState]:
        """Everyone's rows since this date, and those that are not settled."""
        rows = for_people().where(or_(e.c.date >= since, e.c.state.in_((*WAITING, *IN_HAND))))
        with reading(self._engine) as connection:
            return [edition_state(row) for row in connection.execute(rows)]


def newest(subscriber: SubscriberId | None, limit: int) -> Select[Any]:
    """So many rows as `for_people`, of this subscriber or of all, newest first."""
    rows = for_people().order_by(e.c.date.desc(), e.c.id.desc()).limit(limit)
    return rows if subscriber is None else rows.where(e.c.subscriber_id == subscriber)


def for_people() -> Select[Any]:
    """Rows of the ledger, each with the number of papers for which it is sent."""
    papers = select(func.count()).where(ep.c.edition_id == e.c.id, ep.c.section.in_(SENT)).scalar_subquery()
    return select(e, papers.label("papers"))


def edition_state(row: Row[Any]) -> EditionState:
    """What such a row says."""
    return EditionState(
        subscriber=SubscriberId(row.subscriber_id),
        date=row.date,
        state=DeliveryState(row.state),
        papers=row.papers,
        attempts=row.attempts,
        detail=row.detail,
        updated_at=row.updated_at,
        next_try_at=row.next_try_at,
    )
