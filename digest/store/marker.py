"""A small file beside the database that tells when the ledger is not the one with which mail was sent last."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from digest.errors import StoreError
from digest.model import DeliveryState, SubscriberId
from digest.store.claims import IN_HAND, WAITING
from digest.store.database import batches, database_file, reading, writing
from digest.store.files import replace_durably
from digest.store.schema import announcement as a
from digest.store.schema import edition as e
from digest.store.schema import paper as p
from digest.store.trouble import cannot_write


@dataclass(frozen=True, slots=True)
class Marker:
    """How far a ledger has come; it names nobody."""

    edition: int
    """Number of the newest edition; 0 if there is none."""
    accepted: int
    """How many were accepted."""
    date: str
    """Of the newest that was accepted, ISO 8601; empty if none was."""


def marker_file(engine: Engine) -> Path | None:
    """Where the marker is; ``None`` for a database that is no file: a server's backups are its administrator's."""
    path = database_file(engine.url)
    return Path(f"{path}.last") if path else None


def write_marker(engine: Engine) -> None:
    """Remember how far the ledger has come: when editions were opened, and after each pass.

    Raises:
        StoreError: It went back, as in `check_marker`, or the file cannot be written.
    """
    path = marker_file(engine)
    if path is None:
        return
    known, found = _read(path), _measure(engine)
    _compare(path, known, found)
    if found != known:
        _write(path, found)


def check_marker(engine: Engine) -> None:
    """Look whether the ledger is older than what was sent, before anything is.

    Raises:
        StoreError: It is, and would send those days again.
    """
    path = marker_file(engine)
    if path:
        _compare(path, _read(path), _measure(engine))


def check_missing(database: Path) -> None:
    """As `check_marker`, for a database whose file is not there."""
    path = Path(f"{database}.last")
    _compare(path, _read(path), Marker(0, 0, ""))


def assume_sent(engine: Engine, subscribers: Iterable[SubscriberId], until: date, now: datetime) -> int:
    """Count everything until the end of a day as sent, and go on from there with this ledger.

    What the lost days announced has to be collected before: papers that say they were published after that day (in
    UTC) are owed still, all others are not. Nobody is sent another edition of that day, nor what the edition before it
    only named: where it was carried over, it may have been shown in one that is lost.

    Args:
        engine: The database.
        subscribers: Who is subscribed now; whoever the ledger knows counts as well.
        until: The last day on which mail went out.
        now: When this is decided.

    Returns:
        How many subscribers it is written for.

    Raises:
        StoreError: The database or the marker cannot be written.
    """
    with writing(engine) as connection:
        through = _put_last(connection, until)
        people = {*subscribers, *connection.scalars(select(e.c.subscriber_id).distinct())}
        content = {
            "state": DeliveryState.SKIPPED,
            "through_seq": through,
            "attempts": 0,
            "token": None,
            "lease_until": None,
            "next_try_at": None,
            "detail": f"counted as sent until {until}, by the operator",
            "updated_at": now,
        }
        connection.execute(update(e).where(e.c.date <= until, e.c.state.in_((*WAITING, *IN_HAND))).values(content))
        # The last one is accepted and not skipped: what is skipped may be opened again on its day, and takes no other
        # edition's place as the one from which is carried over.
        content["state"] = DeliveryState.ACCEPTED
        has_one = set(connection.scalars(select(e.c.subscriber_id).where(e.c.date == until)))
        of_day = update(e).where(e.c.date == until)
        connection.execute(of_day.where(e.c.state == DeliveryState.ACCEPTED).values(through_seq=through))
        connection.execute(of_day.where(e.c.state != DeliveryState.ACCEPTED).values(content))
        common = {**content, "date": until, "since_seq": through}
        for some in batches(sorted(people - has_one)):
            connection.execute(insert(e), [{**common, "subscriber_id": each} for each in some])
    path = marker_file(engine)
    if path:
        _write(path, _measure(engine))
    return len(people)


def _put_last(connection: Connection, until: date) -> int:
    """Give what is owed still the highest numbers; returns the one before them."""
    begins = datetime.combine(until + timedelta(days=1), time(), UTC)
    settled = select(func.coalesce(func.max(e.c.through_seq), 0)).scalar_subquery()
    newer = select(a).join(p, p.c.key == a.c.paper_key).where(a.c.seq > settled, p.c.published >= begins)
    rows = [dict(row) for row in connection.execute(newer.order_by(a.c.seq)).mappings()]
    for some in batches([row.pop("seq") for row in rows]):
        connection.execute(delete(a).where(a.c.seq.in_(some)))
    through = connection.scalar(select(func.max(a.c.seq))) or 0
    highest = connection.scalar(select(func.max(e.c.through_seq))) or 0
    for row in rows:
        connection.execute(insert(a), row)
    return max(through, highest)


def _measure(engine: Engine) -> Marker:
    accepted = e.c.state == DeliveryState.ACCEPTED
    with reading(engine) as connection:
        edition = connection.scalar(select(func.max(e.c.id))) or 0
        count, newest = connection.execute(select(func.count(), func.max(e.c.date)).where(accepted)).one()
    return Marker(edition, count, newest.isoformat() if newest else "")


def _compare(path: Path, known: Marker | None, found: Marker) -> None:
    if known is None or (found.edition >= known.edition and found.accepted >= known.accepted):
        return
    ledger = "the ledger is empty"
    if found.date:
        ledger = f"{found.accepted} editions were sent according to the ledger, the last of {found.date}"
    last = f"{known.date or f'number {known.edition}'} ({known.accepted} in all)"
    raise StoreError(
        f"{ledger}, but the marker {path.name} says that the last one sent was {last}; refusing to send those again",
        where=str(path.with_suffix("")),
        hint="put the right file back, or restore its newest backup; then digest db restore --assume-sent-until"
        f" {known.date or 'DATE'} counts everything until then as sent. Without the marker all may be sent again",
    )


def _read(path: Path) -> Marker | None:
    try:
        held = json.loads(path.read_text(encoding="ascii"))
        return Marker(int(held["edition"]), int(held["accepted"]), str(held["date"]))
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise cannot_write(str(path), exc) from exc
    except (ValueError, KeyError, TypeError) as exc:
        hint = "delete it if the ledger is the one that mail was last sent with: see digest db check"
        raise StoreError("the marker cannot be read", where=str(path), hint=hint) from exc


def _write(path: Path, marker: Marker) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(asdict(marker)) + "\n", encoding="ascii")
        replace_durably(draft, path)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise cannot_write(str(path), exc) from exc
