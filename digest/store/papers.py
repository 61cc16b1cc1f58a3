"""Papers, the numbered announcements that owe them to readers, and what is remembered of sources."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, delete, func, insert, select, update

from digest.merge import merge_entry
from digest.model import Link, LinkKind, Paper, PaperKey, Poll, Recorded, Signals, Validators, Verdict
from digest.ports import SourceState
from digest.store.database import batches, reading, writing
from digest.store.schema import announcement as a
from digest.store.schema import paper as p
from digest.store.schema import source as s
from digest.store.schema import validator as v
from digest.text.identity import parse_key


class Papers:
    """A ``PaperStore`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, poll: Poll, now: datetime) -> Recorded:
        """Merge one poll into the papers; see ``PaperStore.record``.

        A poll that failed leaves only its state behind. Validators are kept of a complete poll only: with those of a
        partial one, the server would say "unchanged" the next time and the missing items would never come.
        """
        with writing(self._engine) as connection:
            recorded = _record_entries(connection, poll, now)
            if poll.is_good and poll.validators:
                _keep_validators(connection, dict(poll.validators))
            _keep_state(connection, poll, recorded, now)
            return recorded

    def last_good(self, source: str) -> datetime | None:
        """When this source was last read completely."""
        with reading(self._engine) as connection:
            return connection.scalar(select(s.c.last_good_at).where(s.c.name == source))

    def validators(self) -> Mapping[str, Validators]:
        """What to ask each known address with."""
        with reading(self._engine) as connection:
            return {row.url: Validators(row.etag, row.last_modified) for row in connection.execute(select(v))}

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
            return [_paper(row) for row in rows]

    def papers(self, keys: Sequence[PaperKey]) -> Sequence[Paper]:
        """Known papers with these keys, in the order asked."""
        with reading(self._engine) as connection:
            known = _known(connection, keys)
        return [known[key] for key in keys if key in known]

    def find_paper(self, text: str) -> Paper | None:
        """The paper that a person means; see ``PaperStore.find_paper``."""
        text = text.strip()
        if not text:
            return None
        ways = (
            p.c.key.in_([text, parse_key(text) or text]),
            p.c.links.cast(p.c.title.type).contains(f'"{text}"', autoescape=True),
            p.c.title.icontains(text, autoescape=True),
        )
        with reading(self._engine) as connection:
            for way in ways:
                row = connection.execute(select(p).where(way).order_by(p.c.first_seen.desc(), p.c.key).limit(1)).first()
                if row:
                    return _paper(row)
        return None

    def count(self) -> int:
        """How many papers are stored."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(p)) or 0

    def source_states(self) -> Sequence[SourceState]:
        """The last poll of every source, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(s).order_by(s.c.name)).mappings()
            return [SourceState(**row) for row in rows]


def _record_entries(connection: Connection, poll: Poll, now: datetime) -> Recorded:
    entries = () if poll.verdict is Verdict.FAILED else poll.entries
    keys = {entry.key for entry in entries}
    before = _known(connection, keys)
    announced = _announced_by(connection, poll.source, keys)
    papers = dict(before)
    announcements = []
    new = merged = 0
    for entry in entries:
        known = papers.get(entry.key)
        if known is None and not entry.announcement.is_news:
            continue
        papers[entry.key] = merge_entry(known, entry, poll.source, now)
        if entry.announcement.is_news and entry.key not in announced:
            announced.add(entry.key)
            announcements.append(
                {"paper_key": entry.key, "source": poll.source, "kind": entry.announcement, "stored_at": now}
            )
            new += known is None
            merged += known is not None
    fresh = [{"key": key, **_row(paper)} for key, paper in papers.items() if key not in before]
    changed = [{"the_key": key, **_row(paper)} for key, paper in papers.items() if before.get(key, paper) != paper]
    if fresh:
        connection.execute(insert(p), fresh)
    if changed:
        connection.execute(update(p).where(p.c.key == bindparam("the_key")), changed)
    if announcements:
        connection.execute(insert(a), announcements)
    return Recorded(source=poll.source, new=new, merged=merged, seen=len(entries) - new - merged)


def _keep_validators(connection: Connection, validators: Mapping[str, Validators]) -> None:
    rows = [{"url": url, "etag": known.etag, "last_modified": known.last_modified} for url, known in validators.items()]
    connection.execute(delete(v).where(v.c.url == bindparam("the_url")), [{"the_url": url} for url in validators])
    connection.execute(insert(v), rows)


def _keep_state(connection: Connection, poll: Poll, recorded: Recorded, now: datetime) -> None:
    state = {
        "verdict": poll.verdict,
        "polled_at": now,
        "entries": len(poll.entries),
        "new": recorded.new,
        "problem": poll.problems[0] if poll.problems else "",
        **({"last_good_at": now} if poll.is_good else {}),
    }
    if connection.execute(update(s).where(s.c.name == poll.source).values(state)).rowcount == 0:
        connection.execute(insert(s).values(**state, name=poll.source))


def _known(connection: Connection, keys: Iterable[PaperKey]) -> dict[PaperKey, Paper]:
    return {
        PaperKey(row.key): _paper(row)
        for some in batches(keys)
        for row in connection.execute(select(p).where(p.c.key.in_(some)))
    }


def _announced_by(connection: Connection, source: str, keys: Iterable[PaperKey]) -> set[PaperKey]:
    return {
        PaperKey(key)
        for some in batches(keys)
        for key in connection.scalars(select(a.c.paper_key).where(a.c.source == source, a.c.paper_key.in_(some)))
    }


def _row(paper: Paper) -> dict[str, Any]:
    return {
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": paper.authors,
        "categories": paper.categories,
        "links": [[link.kind, link.url] for link in paper.links],
        "published": paper.published,
        "first_seen": paper.first_seen,
        "upvotes": paper.signals.upvotes,
        "comments": paper.signals.comments,
        "stars": paper.signals.stars,
        "sources": paper.sources,
    }


def _paper(row: Row[Any]) -> Paper:
    return Paper(
        key=PaperKey(row.key),
        title=row.title,
        abstract=row.abstract,
        authors=tuple(row.authors),
        categories=tuple(row.categories),
        links=tuple(Link(LinkKind(kind), url) for kind, url in row.links),
        published=row.published,
        first_seen=row.first_seen,
        signals=Signals(upvotes=row.upvotes, comments=row.comments, stars=row.stars),
        sources=tuple(row.sources),
    )
