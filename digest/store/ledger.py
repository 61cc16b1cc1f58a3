"""The ledger: nothing is sent that is not claimed here first, so that no paper is lost and none is sent twice."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, func, insert, or_, select, update

from digest.errors import StoreError
from digest.model import Delivery, DeliveryState, Edition, PaperKey, Placed, Sent, SubscriberId
from digest.ports import EditionState
from digest.rank.placed import IN_FULL, SENT, placements
from digest.store.database import batches, reading, writing
from digest.store.places import is_owed
from digest.store.rows import aliases_of
from digest.store.schema import edition as e
from digest.store.schema import edition_paper as ep

LEASE = timedelta(minutes=20)
"""How long a claim is left alone. More than the 10 minutes a server may take after the final dot (RFC 5321 4.5.3.2.6);
``mark_dot`` starts it anew."""

_WAITING = (DeliveryState.PENDING, DeliveryState.DEFERRED)
_IN_HAND = (DeliveryState.CLAIMED, DeliveryState.DOT)
_HANDLED = (DeliveryState.ACCEPTED, DeliveryState.SKIPPED)
_CLOSED = (DeliveryState.ACCEPTED, DeliveryState.FAILED, DeliveryState.SUPPRESSED, DeliveryState.UNCERTAIN)
# Known not to have been sent, so that opening them again can send nothing twice.
_REOPENABLE = (DeliveryState.SKIPPED, DeliveryState.EXPIRED)


class SqlLedger:
    """A ``Ledger`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def recover(self, now: datetime) -> Sequence[EditionState]:
        """Settle what dead runs left; see ``Ledger.recover``."""
        with writing(self._engine) as connection:
            connection.execute(
                update(e)
                .where(e.c.state == DeliveryState.CLAIMED, e.c.lease_until <= now)
                .values(
                    state=DeliveryState.PENDING,
                    token=None,
                    lease_until=None,
                    detail="a run died before the message was handed over",
                    updated_at=now,
                )
            )
            lost = connection.scalars(
                update(e)
                .where(e.c.state == DeliveryState.DOT, e.c.lease_until <= now)
                .values(
                    state=DeliveryState.UNCERTAIN,
                    token=None,
                    lease_until=None,
                    detail="a run died between the final dot and the server's reply",
                    updated_at=now,
                )
                .returning(e.c.id)
            ).all()
            return [
                _edition_state(row)
                for ids in batches(lost)
                for row in connection.execute(_for_people().where(e.c.id.in_(ids)))
            ]

    def expire(self, before: date, now: datetime) -> None:
        """Give up what waited too long; see ``Ledger.expire``."""
        with writing(self._engine) as connection:
            connection.execute(
                update(e)
                .where(e.c.state.in_(_WAITING), e.c.date < before)
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
        would then lose them. ``open_edition`` refuses while one is in hand.
        """
        with reading(self._engine) as connection:
            return frozenset(PaperKey(row.paper_key) for row in connection.execute(_sent(subscriber)))

    def carried(self, subscriber: SubscriberId) -> Mapping[PaperKey, date]:
        """The papers that the newest edition only named; see ``Ledger.carried``."""
        with reading(self._engine) as connection:
            newest = connection.execute(
                select(e.c.id, e.c.date)
                .where(e.c.subscriber_id == subscriber, e.c.state == DeliveryState.ACCEPTED)
                .order_by(e.c.date.desc())
                .limit(1)
            ).one_or_none()
            if newest is None:
                return {}
            named = connection.scalars(
                select(ep.c.paper_key).where(ep.c.edition_id == newest.id, ep.c.section == "rest")
            ).all()
            shown = {row.paper_key for row in _sent_of(connection, subscriber, named) if row.section in IN_FULL}
            return {PaperKey(key): newest.date for key in named if key not in shown}

    def history(self, subscriber: SubscriberId, since: date) -> Sequence[Sent]:
        """Every place in accepted editions; see ``Ledger.history``."""
        places = (
            select(e.c.date, ep)
            .join(e, e.c.id == ep.c.edition_id)
            .where(e.c.subscriber_id == subscriber, e.c.state == DeliveryState.ACCEPTED, e.c.date >= since)
            .order_by(e.c.date, ep.c.position)
        )
        with reading(self._engine) as connection:
            return [Sent(row.date, _placed(row)) for row in connection.execute(places)]

    def open_edition(self, edition: Edition, *, since_seq: int, through_seq: int, now: datetime) -> bool:
        """Write an edition and its papers; see ``Ledger.open_edition``."""
        subscriber = edition.subscriber.id
        theirs = e.c.subscriber_id == subscriber
        with writing(self._engine) as connection:
            if connection.scalar(select(e.c.id).where(theirs, e.c.state.in_(_IN_HAND)).limit(1)) is not None:
                return False
            known = connection.execute(select(e).where(theirs, e.c.date == edition.date)).one_or_none()
            if known and (
                known.state not in _REOPENABLE or (edition.is_empty and known.state == DeliveryState.SKIPPED)
            ):
                return False
            places = _under_their_names(connection, placements(edition))
            if _repeats(connection, subscriber, places):
                return False
            connection.execute(
                update(e)
                .where(theirs, e.c.state.in_(_WAITING))
                .values(
                    state=DeliveryState.EXPIRED,
                    next_try_at=None,
                    detail=f"the edition of {edition.date} carries its papers",
                    updated_at=now,
                )
            )
            content = {
                "state": DeliveryState.SKIPPED if edition.is_empty else DeliveryState.PENDING,
                "since_seq": min(since_seq, known.since_seq) if known else since_seq,
                "through_seq": max(since_seq, through_seq),
                "attempts": 0,
                "detail": "",
                "updated_at": now,
            }
            if known:
                edition_id = known.id
                connection.execute(update(e).where(e.c.id == edition_id).values(content))
            else:
                edition_id = connection.scalar(
                    insert(e).values(**content, subscriber_id=subscriber, date=edition.date).returning(e.c.id)
                )
            _write_places(connection, edition_id, places)
            return True

    def claim(self, now: datetime, only: Sequence[SubscriberId] | None = None) -> Delivery | None:
        """Take one delivery that may be tried now; see ``Ledger.claim``."""
        may_be_tried = and_(
            or_(e.c.state == DeliveryState.PENDING, and_(e.c.state == DeliveryState.DEFERRED, e.c.next_try_at <= now)),
            # All its papers may have turned out to be others that were sent, while a run had it in hand.
            is_owed(),
        )
        with writing(self._engine) as connection:
            if only is None:
                return _claim(connection, may_be_tried, now)
            for some in batches(only):
                delivery = _claim(connection, and_(may_be_tried, e.c.subscriber_id.in_(some)), now)
                if delivery:
                    return delivery
            return None

    def edition_papers(self, delivery: Delivery) -> Sequence[Placed]:
        """The places of an edition, in order."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(ep).where(ep.c.edition_id == delivery.id).order_by(ep.c.position))
            return [_placed(row) for row in rows]

    def rewrite_papers(self, delivery: Delivery, placed: Sequence[Placed], now: datetime) -> None:
        """Put these in place of what the claimed edition holds; see ``Ledger.rewrite_papers``."""
        with writing(self._engine) as connection:
            _write(connection, delivery, (DeliveryState.CLAIMED,), updated_at=now)
            _write_places(connection, delivery.id, _under_their_names(connection, placed))

    def mark_dot(self, delivery: Delivery, now: datetime) -> None:
        """Durable before the final dot goes out; see ``Ledger.mark_dot``."""
        self._write(
            delivery, (DeliveryState.CLAIMED,), state=DeliveryState.DOT, lease_until=now + LEASE, updated_at=now
        )

    def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        detail: str,
        now: datetime,
        next_try_at: datetime | None = None,
    ) -> None:
        """End this claim; see ``Ledger.settle``."""
        if state is not DeliveryState.DEFERRED and state not in _CLOSED:
            raise ValueError(f"a claim cannot end as {state!r}")
        if (state is DeliveryState.DEFERRED) != (next_try_at is not None):
            raise ValueError("a deferred delivery, and no other, needs the time of its next try")
        self._write(
            delivery,
            _IN_HAND,
            state=state,
            token=None,
            lease_until=None,
            next_try_at=next_try_at,
            detail=detail,
            updated_at=now,
        )

    def release(self, delivery: Delivery, *, detail: str, now: datetime, next_try_at: datetime | None = None) -> None:
        """Put a claim back; see ``Ledger.release``."""
        self._write(
            delivery,
            _IN_HAND,
            state=DeliveryState.DEFERRED if next_try_at else DeliveryState.PENDING,
            attempts=delivery.attempts - 1,
            token=None,
            lease_until=None,
            next_try_at=next_try_at,
            detail=detail,
            updated_at=now,
        )

    def waiting(self) -> int:
        """How many deliveries are not settled."""
        with reading(self._engine) as connection:
            unsettled = select(func.count()).where(e.c.state.in_((*_WAITING, *_IN_HAND)))
            return connection.scalar(unsettled) or 0

    def editions(self, subscriber: SubscriberId | None = None, limit: int = 100) -> Sequence[EditionState]:
        """Ledger rows, newest first."""
        rows = _for_people().order_by(e.c.date.desc(), e.c.id.desc()).limit(limit)
        if subscriber is not None:
            rows = rows.where(e.c.subscriber_id == subscriber)
        with reading(self._engine) as connection:
            return [_edition_state(row) for row in connection.execute(rows)]

    def _write(self, delivery: Delivery, states: tuple[DeliveryState, ...], **values: Any) -> None:
        with writing(self._engine) as connection:
            _write(connection, delivery, states, **values)


def _write(connection: Connection, delivery: Delivery, states: tuple[DeliveryState, ...], **values: Any) -> None:
    written = connection.execute(
        update(e).where(e.c.id == delivery.id, e.c.token == delivery.token, e.c.state.in_(states)).values(values)
    )
    if written.rowcount != 1:
        raise StoreError(
            f"another run took the delivery of {delivery.date} over",
            where=delivery.subscriber,
            hint="this run was asleep for too long; see digest status for what became of it",
        )


def _claim(connection: Connection, wanted: ColumnElement[bool], now: datetime) -> Delivery | None:
    first = select(e.c.id).where(wanted).order_by(e.c.id).limit(1).scalar_subquery()
    row = connection.execute(
        update(e)
        .where(e.c.id == first, e.c.state.in_(_WAITING))
        .values(
            state=DeliveryState.CLAIMED,
            token=secrets.token_hex(16),
            lease_until=now + LEASE,
            next_try_at=None,
            attempts=e.c.attempts + 1,
            updated_at=now,
        )
        .returning(e.c.id, e.c.subscriber_id, e.c.date, e.c.token, e.c.attempts)
    ).one_or_none()
    if row is None:
        return None
    return Delivery(
        id=row.id, subscriber=SubscriberId(row.subscriber_id), date=row.date, token=row.token, attempts=row.attempts
    )


def _under_their_names(connection: Connection, places: Sequence[Placed]) -> list[Placed]:
    """The places of an edition under the names that papers have by now, each paper at its first: another run may have
    united some.
    """
    aliases = aliases_of(connection, {placed.paper for placed in places})
    first: dict[PaperKey, Placed] = {}
    for placed in places:
        key = aliases.get(placed.paper, placed.paper)
        first.setdefault(key, replace(placed, paper=key))
    return [*first.values()]


def _write_places(connection: Connection, edition_id: int, places: Sequence[Placed]) -> None:
    """Put these in place of what the edition holds."""
    connection.execute(ep.delete().where(ep.c.edition_id == edition_id))
    rows = [
        {
            "edition_id": edition_id,
            "position": position,
            "section": placed.section,
            "paper_key": placed.paper,
            "why": dict(placed.why),
        }
        for position, placed in enumerate(places)
    ]
    if rows:
        connection.execute(insert(ep), rows)


def _repeats(connection: Connection, subscriber: SubscriberId, places: Sequence[Placed]) -> bool:
    """Whether any of them was sent, other than by its name only where it is carried over."""
    sent = _sent_of(connection, subscriber, [placed.paper for placed in places if placed.section in SENT])
    named = {row.paper_key for row in sent}
    shown = {row.paper_key for row in sent if row.section in IN_FULL}
    return any(
        placed.paper in (shown if placed.section == "matched" and placed.why.get("carried") else named)
        for placed in places
        if placed.section in SENT
    )


def _sent_of(connection: Connection, subscriber: SubscriberId, keys: Sequence[str]) -> list[Row[Any]]:
    """The places in which any of these papers were sent."""
    sent = _sent(subscriber)
    return [row for some in batches(keys) for row in connection.execute(sent.where(ep.c.paper_key.in_(some)))]


def _placed(row: Row[Any]) -> Placed:
    return Placed(row.section, PaperKey(row.paper_key), row.why)


def _sent(subscriber: SubscriberId) -> Select[Any]:
    return (
        select(ep.c.paper_key, ep.c.section)
        .join(e, e.c.id == ep.c.edition_id)
        .where(e.c.subscriber_id == subscriber, e.c.state == DeliveryState.ACCEPTED, ep.c.section.in_(SENT))
    )


def _for_people() -> Select[Any]:
    papers = select(func.count()).where(ep.c.edition_id == e.c.id, ep.c.section.in_(SENT)).scalar_subquery()
    return select(e, papers.label("papers"))


def _edition_state(row: Row[Any]) -> EditionState:
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
