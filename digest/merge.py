"""Entries of several sources become one paper, whose text does not depend on the order in which they answer."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from digest.model import SIGNALS, Announcement, Entry, Paper, PaperKey, Signals
from digest.text.identity import may_be_same

_T = TypeVar("_T", bound=Hashable)

_TEXTS = ("title", "abstract")
_CHOSEN = (*_TEXTS, "authors", "venue", "summary")
_PUBLICATION = "doi"
"""Among the origins, the source that stated the venue and the DOI of a publication with it."""

# Of publications' DOIs a work has only one: who has one cannot be this, and who has none can be anything.
_SOME_PUBLICATION = (PaperKey("doi:10.0000/some.publication"),)

_MENTIONED, _SAID, _BEST = 1, 2, 3


def merge_entry(known: Paper | None, entry: Entry, source: str, now: datetime) -> Paper:
    """Add what one source says of a work to what is known of it.

    arXiv has the last word on title and abstract, and a replacement updates both; among other sources the longer
    text wins. A venue stated with the DOI of a publication is better than any other; of equally good venues, of
    summaries and of lists of authors the longest counts. A mention gives title, abstract and authors only where there
    are none, and any announcement replaces them. Identities, categories and links are the union in order, ``published``
    is the earliest, and of signals the latest that anybody stated counts.

    Args:
        known: The work so far; ``None`` if it is new.
        entry: What the source lists.
        source: Name of the source; arXiv's own start with ``arxiv:``.
        now: When this is learnt; becomes ``first_seen`` of a new paper, and ``published`` if no source says.
    """
    said = Paper(
        key=entry.key,
        title=entry.title,
        abstract=entry.abstract,
        authors=entry.authors,
        categories=_union(entry.categories),
        links=_union(entry.links),
        published=entry.published or (known.published if known else now),
        first_seen=known.first_seen if known else now,
        signals=entry.signals,
        # What comes from none of a paper's sources was only mentioned.
        sources=() if entry.announcement is Announcement.MENTION else (source,),
        ids=_others(entry.key, entry.ids),
        venue=entry.venue,
        summary=entry.summary,
        origins=_origins(entry, source),
    )
    if known is None:
        return said
    paper = unite(known, said, is_newer=entry.announcement.is_replacement)
    return replace(paper, signals=latest(known.signals, entry.signals))


def unite(first: Paper, second: Paper, *, is_newer: bool = False) -> Paper:
    """Make one paper of two that are one work, by the same rules; of each signal, the most counts.

    Args:
        first: Keeps its key, and its text where the second's is not better.
        second: Its key becomes one of the identities.
        is_newer: Whether the second's title and abstract are a newer version.
    """
    ours, theirs = dict(first.origins), dict(second.origins)
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name in _CHOSEN:
        known, said = _rank(first, name, ours), _rank(second, name, theirs)
        is_better = said > known or (is_newer and name in _TEXTS and said[0] >= max(known[0], _SAID))
        paper, its = (second, theirs) if is_better else (first, ours)
        chosen[name] = getattr(paper, name)
        parts = (name, _PUBLICATION) if name == "venue" else (name,)
        origins |= {part: its[part] for part in parts if part in its}
    return replace(
        first,
        **chosen,
        categories=_union(first.categories, second.categories),
        links=_union(first.links, second.links),
        published=min(first.published, second.published),
        first_seen=min(first.first_seen, second.first_seen),
        signals=_most(first.signals, second.signals),
        sources=_union(first.sources, second.sources),
        ids=_others(first.key, first.ids, (second.key,), second.ids),
        origins=tuple(origins.items()),
    )


def latest(known: Signals, said: Signals) -> Signals:
    """What was said last of each signal."""
    if not said:
        return known
    return replace(known, **{name: value for name in SIGNALS if (value := getattr(said, name)) is not None})


def _rank(paper: Paper, name: str, origins: Mapping[str, str]) -> tuple[Any, ...]:
    """How good a field is, as a tuple to compare; of equals the known one stays."""
    value, source = getattr(paper, name), origins.get(name, "")
    if not value:
        return (0,)
    if name == "venue":
        return (_BEST if _PUBLICATION in origins else _SAID, len(value), value)
    if name != "summary" and source and source not in paper.sources:
        return (_MENTIONED,)
    if name in _TEXTS and source.startswith("arxiv:"):
        return (_BEST,)
    return (_SAID, len(value), value)


def _origins(entry: Entry, source: str) -> tuple[tuple[str, str], ...]:
    stated = [name for name in _CHOSEN if getattr(entry, name)]
    if entry.venue and not may_be_same((entry.key, *entry.ids), _SOME_PUBLICATION):
        stated.insert(stated.index("venue") + 1, _PUBLICATION)
    return tuple([(name, source) for name in stated])


def _most(one: Signals, other: Signals) -> Signals:
    pairs = ((name, (getattr(one, name), getattr(other, name))) for name in SIGNALS)
    return Signals(**{name: max((n for n in stated if n is not None), default=None) for name, stated in pairs})


def _union(*parts: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(parts)))


def _others(key: PaperKey, *ids: Iterable[PaperKey]) -> tuple[PaperKey, ...]:
    return tuple(each for each in _union(*ids) if each != key)
