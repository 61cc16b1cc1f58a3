"""Stores what one poll lists: papers, their announcements, their identities, and what was said of their signals."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from digest.merge import latest, merge_entry, unite
from digest.model import Announcement, Entry, Paper, PaperKey, Poll, Recorded, Signals, Verdict
from digest.store.database import batches
from digest.store.rows import aliases_of, insert_rows, paper_row, papers_with, signals_of, signals_row
from digest.store.schema import alias as al
from digest.store.schema import announcement as a
from digest.store.schema import observation as o
from digest.store.schema import paper as p
from digest.store.unite import move_papers
from digest.store.works import Work, find_works
from digest.text.identity import title_key


class Listed(NamedTuple):
    """What a poll changed."""

    recorded: Recorded
    is_fresh: bool
    """Whether the source listed anything that it never listed before."""


def record_entries(connection: Connection, poll: Poll, now: datetime) -> Listed:
    """Merge the entries of a poll into the papers; those of a failed poll are left out."""
    batch = merge_entries(connection, poll, now)
    batch.write(connection)
    return batch.listed


def merge_entries(connection: Connection, poll: Poll, now: datetime) -> "Batch":
    """Find out which works the entries are about, and merge them into what is known; nothing is written yet."""
    entries = () if poll.verdict is Verdict.FAILED else poll.entries
    titles = [title_key(entry.title, entry.authors) for entry in entries]
    aliases = aliases_of(connection, names_of(entries, titles))
    known = papers_with(connection, set(aliases.values()))
    ids = {key: (key, *paper.ids) for key, paper in known.items()}
    aliases |= {name: key for key, names in ids.items() for name in names}
    batch = Batch(
        poll=poll,
        count=len(entries),
        now=now,
        known=known,
        aliases=aliases,
        announced=_announced(connection, known),
        observed=_observed(connection, poll.source, known) if any(entry.signals for entry in entries) else {},
    )
    for work in find_works(entries, titles, aliases, ids):
        batch.take(work)
    return batch


def names_of(entries: Sequence[Entry], titles: Iterable[PaperKey | None]) -> set[PaperKey]:
    """Every identity of these entries, and the titles that serve as one."""
    return {name for entry in entries for name in (entry.key, *entry.ids)} | {title for title in titles if title}


@dataclass(kw_only=True)
class Batch:
    """The rows that one poll adds or changes; few statements write all of them."""

    poll: Poll
    count: int
    """Of its entries that are looked at."""
    now: datetime
    known: Mapping[PaperKey, Paper]
    aliases: Mapping[PaperKey, PaperKey]
    announced: Mapping[PaperKey, Sequence[tuple[int, str, int]]]
    """Number, source and version of what announced each known paper, oldest first."""
    observed: Mapping[PaperKey, tuple[int, Signals]]
    """Number and content of the last thing that this source said of a paper's signals."""
    new: int = 0
    merged: int = 0
    papers: list[Paper] = field(default_factory=list)
    changed: list[Paper] = field(default_factory=list)
    moves: list[tuple[PaperKey, PaperKey]] = field(default_factory=list)
    names: dict[PaperKey, PaperKey] = field(default_factory=dict)
    announcements: list[dict[str, Any]] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def listed(self) -> Listed:
        """What the poll changed."""
        seen = self.count - self.new - self.merged
        recorded = Recorded(source=self.poll.source, new=self.new, merged=self.merged, seen=seen)
        return Listed(recorded, bool(self.announcements))

    def take(self, work: Work) -> None:
        """Add what is listed of one work."""
        # The first announced keeps its key.
        keys = sorted(work.papers, key=lambda key: [seq for seq, *_ in self.announced[key][:1]])
        paper = self._merge(work, keys)
        if paper is None:
            return
        self.moves += [(key, paper.key) for key in keys[1:]]
        if not keys:
            self.papers.append(paper)
        elif paper != self.known[paper.key]:
            self.changed.append(paper)
        for name in (*work.ids, *work.titles):
            if name not in self.aliases:
                self.names.setdefault(name, paper.key)
        self._observe(paper.key, keys, work.entries)

    def _merge(self, work: Work, keys: Sequence[PaperKey]) -> Paper | None:
        """The paper with all that is said of it now; ``None`` if nothing announces it and it is unknown."""
        paper = reduce(unite, (self.known[key] for key in keys)) if keys else None
        versions = {version for key in keys for _, source, version in self.announced[key] if source == self.poll.source}
        listed = [(self._version(entry), entry) for entry in work.entries]
        if not keys and len(listed) > 1:
            # What announces a work comes first: it creates the paper that others may only mention.
            listed.sort(key=lambda each: each[0] is None)
        for version, entry in listed:
            is_new = paper is None
            if is_new and version is None:
                return None
            paper = merge_entry(paper, entry, self.poll.source, self.now)
            if version is None or version in versions:
                continue
            self.new += is_new
            self.merged += not (is_new or version or versions)
            versions.add(version)
            row = {"paper_key": paper.key, "source": self.poll.source, "version": version, "stored_at": self.now}
            self.announcements.append(row)
        return paper

    def _version(self, entry: Entry) -> int | None:
        """The version of the announcement that an entry is; ``None`` if it is no news."""
        kind = entry.announcement
        if kind not in self.poll.announce or kind is Announcement.MENTION:
            return None
        return (entry.version or None) if kind.is_replacement else 0

    def _observe(self, paper: PaperKey, keys: Sequence[PaperKey], entries: Sequence[Entry]) -> None:
        said = reduce(latest, [entry.signals for entry in entries])
        if not said:
            return
        before = max((self.observed[key] for key in keys if key in self.observed), default=None)
        if before is None or before[1] != said:
            row = {"paper_key": paper, "source": self.poll.source, "at": self.now, **signals_row(said)}
            self.observations.append(row)

    def write(self, connection: Connection) -> None:
        """Store everything that was added."""
        insert_rows(connection, p, [{"key": paper.key, **paper_row(paper)} for paper in self.papers])
        move_papers(connection, self.moves, self.now)
        if self.changed:
            rows = [{"the_key": paper.key, **paper_row(paper)} for paper in self.changed]
            connection.execute(update(p).where(p.c.key == bindparam("the_key")), rows)
        # In their order, in which the index grows fastest.
        insert_rows(connection, al, [{"id": name, "paper_key": key} for name, key in sorted(self.names.items())])
        insert_rows(connection, a, self.announcements)
        insert_rows(connection, o, self.observations)


def _announced(connection: Connection, keys: Collection[PaperKey]) -> dict[PaperKey, list[tuple[int, str, int]]]:
    announced: dict[PaperKey, list[tuple[int, str, int]]] = {key: [] for key in keys}
    for some in batches(keys):
        columns = select(a.c.paper_key, a.c.seq, a.c.source, a.c.version)
        for key, *row in connection.execute(columns.where(a.c.paper_key.in_(some)).order_by(a.c.seq)):
            announced[key].append(tuple(row))
    return announced


def _observed(connection: Connection, source: str, keys: Iterable[PaperKey]) -> dict[PaperKey, tuple[int, Signals]]:
    last = select(func.max(o.c.id)).where(o.c.source == source).group_by(o.c.paper_key)
    return {
        PaperKey(row.paper_key): (row.id, signals_of(row))
        for some in batches(keys)
        for row in connection.execute(select(o).where(o.c.id.in_(last.where(o.c.paper_key.in_(some)))))
    }
