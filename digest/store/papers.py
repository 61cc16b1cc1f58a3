"""Papers, the numbered announcements that owe them to readers, and what is remembered of sources."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, bindparam, delete, exists, func, insert, select, update

from digest.model import Entry, Observation, Paper, PaperKey, Poll, Recorded, Validators, Verdict
from digest.ports import SourceState
from digest.store.database import batches, reading, writing
from digest.store.record import Listed, names_of, record_entries
from digest.store.rows import aliases_of, paper_of, papers_with, signals_of
from digest.store.schema import alias as al
from digest.store.schema import announcement as a
from digest.store.schema import observation as o
from digest.store.schema import paper as p
from digest.store.schema import source as s
from digest.store.schema import validator as v
from digest.store.works import find_works
from digest.text.identity import parse_key, title_key

_KEPT = timedelta(days=60)


class Papers:
    """A ``PaperStore`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, poll: Poll, now: datetime) -> Recorded:
        """Merge one poll into the papers; see ``PaperStore.record``.

        A poll that failed leaves only its state behind. Validators are kept of a poll that covers its window only: with
        those of another, the server would say "unchanged" the next time and what is missing would never come.
        """
        with writing(self._engine) as connection:
            listed = record_entries(connection, poll, now)
            is_complete = poll.covers and not poll.verdict.is_bad
            if is_complete and poll.validators:
                _keep_validators(connection, dict(poll.validators), now)
            _keep_state(connection, poll, listed, is_complete, now)
            return listed.recorded

    def source_state(self, source: str) -> SourceState | None:
        """What is remembered of this source."""
        return next(iter(self._source_states(source)), None)

    def source_states(self) -> Sequence[SourceState]:
        """The last poll of every source, by name."""
        return self._source_states()

    def _source_states(self, *names: str) -> list[SourceState]:
        wanted = select(s).order_by(s.c.name)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.where(s.c.name.in_(names)) if names else wanted).mappings()
            return [SourceState(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows]

    def seen(self, source: str, entries: Sequence[Entry], before: datetime | None = None) -> frozenset[PaperKey]:
        """Keys of those entries whose work this source announced before; see ``PaperStore.seen``."""
        of_source = select(a.c.paper_key, a.c.version).where(a.c.source == source)
        if before:
            of_source = of_source.where(a.c.stored_at < before)
        titles = [title_key(entry.title, entry.authors) for entry in entries]
        with reading(self._engine) as connection:
            aliases = aliases_of(connection, names_of(entries, titles))
            ids: dict[PaperKey, list[PaperKey]] = {}
            listed: dict[PaperKey, set[int]] = {}
            for keys in batches(set(aliases.values())):
                ids |= {
                    key: [key, *its]
                    for key, its in connection.execute(select(p.c.key, p.c.ids).where(p.c.key.in_(keys)))
                }
                for key, version in connection.execute(of_source.where(a.c.paper_key.in_(keys))):
                    listed.setdefault(key, set()).add(version)
        return frozenset(
            entry.key
            for work in find_works(entries, titles, aliases, ids)
            if (versions := set().union(*(listed.get(key, ()) for key in work.papers)))
            for entry in work.entries
            if not (entry.announcement.is_replacement and entry.version) or entry.version in versions
        )

    def validators(self) -> Mapping[str, Validators]:
        """What to ask each known address with, by `Poll.validators`' names."""
        with reading(self._engine) as connection:
            return {row.name: Validators(row.etag, row.last_modified) for row in connection.execute(select(v))}

    def latest_seq(self) -> int:
        """The number of the newest announcement."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.max(a.c.seq))) or 0

    def seq_before(self, moment: datetime) -> int:
        """The number before that of the first announcement stored at this moment or later.

        Not the highest of those stored before: where a clock was set back, it comes after newer ones.
        """
        with reading(self._engine) as connection:
            first = connection.scalar(select(func.min(a.c.seq)).where(a.c.stored_at >= moment))
            return first - 1 if first is not None else connection.scalar(select(func.max(a.c.seq))) or 0

    def announced(self, since_seq: int, through_seq: int) -> Sequence[Paper]:
        """Papers announced between two numbers, each once, in the order in which they were first announced there."""
        first = (
            select(a.c.paper_key, func.min(a.c.seq).label("seq"))
            .where(a.c.seq > since_seq, a.c.seq <= through_seq)
            .group_by(a.c.paper_key)
            .subquery()
        )
        with reading(self._engine) as connection:
            rows = connection.execute(select(p).join(first, first.c.paper_key == p.c.key).order_by(first.c.seq))
            return [paper_of(row) for row in rows]

    def announced_at(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, Paper]]:
        """Papers by the time of their first announcement; see ``PaperStore.announced_at``."""
        earlier = a.alias()
        is_first = ~exists().where(earlier.c.paper_key == a.c.paper_key, earlier.c.seq < a.c.seq)
        first = select(p, a.c.stored_at).join(a, a.c.paper_key == p.c.key).order_by(a.c.stored_at, a.c.seq)
        with reading(self._engine) as connection:
            rows = connection.execute(first.where(a.c.stored_at >= since, a.c.stored_at < until, is_first))
            return [(row.stored_at, paper_of(row)) for row in rows]

    def replaced(self, since_seq: int, through_seq: int) -> frozenset[PaperKey]:
        """Papers of which only newer versions were announced between two numbers."""
        only_newer = (
            select(a.c.paper_key)
            .where(a.c.seq > since_seq, a.c.seq <= through_seq)
            .group_by(a.c.paper_key)
            .having(func.min(a.c.version) > 0)
        )
        with reading(self._engine) as connection:
            return frozenset(PaperKey(key) for key in connection.scalars(only_newer))

    def papers(self, keys: Sequence[PaperKey]) -> Sequence[Paper]:
        """Known papers with these keys or other identities, each once, in the order asked."""
        with reading(self._engine) as connection:
            aliases = aliases_of(connection, keys)
            known = papers_with(connection, set(aliases.values()))
        return [known[key] for key in dict.fromkeys(aliases[key] for key in keys if key in aliases)]

    def recent(self, since: datetime, limit: int) -> Sequence[Paper]:
        """Papers first seen since then, newest first."""
        newest = select(p).where(p.c.first_seen >= since).order_by(p.c.first_seen.desc(), p.c.published.desc(), p.c.key)
        with reading(self._engine) as connection:
            return [paper_of(row) for row in connection.execute(newest.limit(limit))]

    def observations(self, since: datetime, keys: Sequence[PaperKey] | None = None) -> Sequence[Observation]:
        """What sources said of signals since then, oldest first; of these papers, or of all."""
        wanted = select(o).where(o.c.at >= since)
        with reading(self._engine) as connection:
            rows = (
                list(connection.execute(wanted))
                if keys is None
                else [
                    row for some in batches(keys) for row in connection.execute(wanted.where(o.c.paper_key.in_(some)))
                ]
            )
        rows.sort(key=lambda row: (row.at, row.id))
        return [Observation(PaperKey(row.paper_key), row.source, row.at, signals_of(row)) for row in rows]

    def find_paper(self, text: str) -> Paper | None:
        """The paper that a person means; see ``PaperStore.find_paper``."""
        text = text.strip()
        if not text:
            return None
        ways = (
            p.c.key.in_(select(al.c.paper_key).where(al.c.id.in_([text, parse_key(text) or text]))),
            p.c.links.cast(p.c.title.type).contains(f'"{text}"', autoescape=True),
            p.c.title.icontains(text, autoescape=True),
        )
        with reading(self._engine) as connection:
            for way in ways:
                row = connection.execute(select(p).where(way).order_by(p.c.first_seen.desc(), p.c.key).limit(1)).first()
                if row:
                    return paper_of(row)
        return None

    def count(self) -> int:
        """How many papers are stored."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(p)) or 0


def _keep_validators(connection: Connection, validators: Mapping[str, Validators], now: datetime) -> None:
    rows = [
        {"name": name, "etag": known.etag, "last_modified": known.last_modified, "at": now}
        for name, known in validators.items()
    ]
    connection.execute(delete(v).where(v.c.name == bindparam("the_name")), [{"the_name": name} for name in validators])
    # Most addresses hold a date: after it, nobody asks them again.
    connection.execute(delete(v).where(v.c.at < now - _KEPT))
    connection.execute(insert(v), rows)


def _keep_state(connection: Connection, poll: Poll, listed: Listed, is_complete: bool, now: datetime) -> None:
    state = {
        "verdict": poll.verdict,
        "polled_at": now,
        "new": listed.recorded.new,
        "merged": listed.recorded.merged,
        "seen": listed.recorded.seen,
        "took_s": poll.took_s,
        "problem": poll.problems[0] if poll.problems else "",
    }
    if is_complete:
        state["last_good_at"] = now
    if listed.is_fresh:
        state["fresh_at"] = now
    # A server that says "unchanged" lists what it listed the last time.
    if is_complete and (poll.entries or poll.verdict is not Verdict.UNCHANGED):
        state["listed"] = len(poll.entries)
    if connection.execute(update(s).where(s.c.name == poll.source).values(state)).rowcount == 0:
        connection.execute(insert(s).values({"listed": 0, **state, "name": poll.source}))
