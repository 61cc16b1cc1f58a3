"""Entries of several sources become one paper, whose text does not depend on the order in which they answer."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from digest.model import Entry, Paper, Signals

_Ordered = TypeVar("_Ordered", str, tuple[str, ...])


def merge_entry(known: Paper | None, entry: Entry, source: str, now: datetime) -> Paper:
    """Add what one source says of a work to what is known of it.

    arXiv has the last word on title and abstract, and a replacement updates both; among other sources the longer
    text wins. Authors are the longest list, categories and links the union in order, ``published`` is the earliest,
    and of signals the latest that anybody stated counts.

    Args:
        known: The work so far, with the key of ``entry``; ``None`` if it is new.
        entry: What the source lists.
        source: Name of the source; arXiv's own start with ``arxiv:``.
        now: When this is learnt; becomes ``first_seen`` of a new paper, and ``published`` if no source says.
    """
    if known is None:
        return Paper(
            key=entry.key,
            title=entry.title,
            abstract=entry.abstract,
            authors=entry.authors,
            categories=tuple(dict.fromkeys(entry.categories)),
            links=tuple(dict.fromkeys(entry.links)),
            published=entry.published or now,
            first_seen=now,
            signals=entry.signals,
            sources=(source,),
        )
    title, abstract = _texts(known, entry, source)
    return replace(
        known,
        title=title,
        abstract=abstract,
        authors=_better(known.authors, entry.authors),
        categories=tuple(dict.fromkeys((*known.categories, *entry.categories))),
        links=tuple(dict.fromkeys((*known.links, *entry.links))),
        published=min(known.published, entry.published or known.published),
        signals=_latest(known.signals, entry.signals),
        sources=tuple(dict.fromkeys((*known.sources, source))),
    )


def _texts(known: Paper, entry: Entry, source: str) -> tuple[str, str]:
    is_authority, was_authority = _is_arxiv(source), any(map(_is_arxiv, known.sources))
    if not entry.announcement.is_news or (is_authority and not was_authority):
        return entry.title or known.title, entry.abstract or known.abstract
    if was_authority:
        return known.title or entry.title, known.abstract or entry.abstract
    return _better(known.title, entry.title), _better(known.abstract, entry.abstract)


def _is_arxiv(source: str) -> bool:
    return source.startswith("arxiv:")


def _better(one: _Ordered, other: _Ordered) -> _Ordered:
    """The longer one; of equally long ones the same whichever comes first."""
    return max(one, other, key=lambda value: (len(value), value))


def _latest(known: Signals, said: Signals) -> Signals:
    return Signals(
        upvotes=known.upvotes if said.upvotes is None else said.upvotes,
        comments=known.comments if said.comments is None else said.comments,
        stars=known.stars if said.stars is None else said.stars,
    )
