"""Finds out which entries are about one work, and which papers it is already."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from digest.model import Entry, PaperKey
from digest.text.identity import may_be_same


@dataclass(slots=True)
class Work:
    """What some entries of a listing are about."""

    entries: list[Entry] = field(default_factory=list)
    """In the order of the listing."""
    ids: set[PaperKey] = field(default_factory=set)
    """Every identity that the entries and the known papers state."""
    titles: set[PaperKey] = field(default_factory=set)
    papers: set[PaperKey] = field(default_factory=set)
    """Known papers that it is; more than one if the entries are the first to say that these are one work."""


class _Groups:
    """Identities that are one work, joined one after the other."""

    def __init__(self, ids: Mapping[PaperKey, Collection[PaperKey]]) -> None:
        self._ups: dict[PaperKey, PaperKey] = {}
        self._stated = {key: set(names) for key, names in ids.items()}

    def top(self, key: PaperKey) -> PaperKey:
        """The same for all identities of a work."""
        while (up := self._ups.setdefault(key, key)) != key:
            self._ups[key] = key = self._ups[up]
        return key

    def join(self, key: PaperKey, other: PaperKey) -> None:
        """Make two works one, unless they state what one work cannot.

        A DOI that two works state, by mistake or as that of their volume, makes them no one work.
        """
        one, two = self.top(key), self.top(other)
        if one == two:
            return
        ours, theirs = self._stated.get(one, {one}), self._stated.get(two, {two})
        if may_be_same(ours, theirs):
            self._ups[one] = two
            self._stated[two] = theirs | ours


def find_works(
    entries: Sequence[Entry],
    titles: Sequence[PaperKey | None],
    aliases: Mapping[PaperKey, PaperKey],
    ids: Mapping[PaperKey, Collection[PaperKey]],
) -> list[Work]:
    """Group entries by the works that they are about.

    Entries and papers that share an identity are one work, however many links of the chain lie between them, unless
    they state different ids of a kind of which a work has only one (`may_be_same`): then the first keeps it. A work
    none of whose identities belongs to a known paper is the one with the same title and authors, if there is one and
    the identities of both allow it.

    Args:
        entries: What is listed.
        titles: The `title_key` of each.
        aliases: The paper that each known identity or title leads to.
        ids: Every identity of these papers.

    Returns:
        Works in the order in which they are listed first.
    """
    groups = _Groups(ids)
    for entry in entries:
        for key in entry.ids:
            groups.join(key, entry.key)
        for key in (entry.key, *entry.ids):
            if key in aliases:
                groups.join(aliases[key], entry.key)
    works: dict[PaperKey, Work] = {}
    for entry, title in zip(entries, titles, strict=True):
        work = works.setdefault(groups.top(entry.key), Work())
        work.entries.append(entry)
        work.ids.update((entry.key, *entry.ids))
        work.titles.update([title] if title else [])
        for paper in {aliases[key] for key in (entry.key, *entry.ids) if key in aliases}:
            if groups.top(paper) != groups.top(entry.key):
                continue
            work.papers.add(paper)
            work.ids.update(ids[paper])
    return _join_by_title(list(works.values()), aliases, ids)


def _join_by_title(
    works: Sequence[Work], aliases: Mapping[PaperKey, PaperKey], ids: Mapping[PaperKey, Collection[PaperKey]]
) -> list[Work]:
    known = [work for work in works if work.papers]
    owners = {paper: work for work in known for paper in work.papers}
    by_title = {title: work for work in reversed(known) for title in work.titles}
    joined: set[int] = set()
    for work in works:
        if work.papers:
            continue
        for title in sorted(work.titles):
            paper = aliases.get(title)
            if paper and paper not in owners and may_be_same(work.ids, ids[paper]):
                owners[paper] = work
                work.papers.add(paper)
                work.ids.update(ids[paper])
                break
            other = owners.get(paper) if paper else by_title.get(title)
            if other and may_be_same(work.ids, other.ids):
                other.entries += work.entries
                other.ids |= work.ids
                other.titles |= work.titles
                joined.add(id(work))
                break
        else:
            by_title |= {title: work for title in work.titles if title not in by_title}
    return [work for work in works if id(work) not in joined]
