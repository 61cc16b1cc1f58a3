"""Puts matches in order and chooses what one edition holds."""

import math
from collections.abc import Sequence
from datetime import date

from digest.model import Edition, Match, Paper, Signals, Subscriber


def community_signal(signals: Signals) -> float:
    """What a community made of a paper, as one number from 0.

    Upvotes, comments and stars each count by their logarithm, so that one viral number does not drown the rest; an
    upvote weighs twice a comment, a comment twice a star. What no source said counts as nothing.
    """
    return (
        4 * math.log1p(max(0, signals.upvotes or 0))
        + 2 * math.log1p(max(0, signals.comments or 0))
        + math.log1p(max(0, signals.stars or 0))
    )


def rank_matches(matches: Sequence[Match]) -> list[Match]:
    """Best first: by strength of the match, then by community signal, then by recency; ties by key."""
    return sorted(
        matches,
        key=lambda match: (
            -match.strength,
            -community_signal(match.paper.signals),
            -match.paper.published.timestamp(),
            match.paper.key,
        ),
    )


def rank_trending(papers: Sequence[Paper]) -> list[Paper]:
    """Most upvoted first, papers without an upvote left out; ties by community signal, then by recency."""
    upvoted = [paper for paper in papers if paper.signals.upvotes]
    return sorted(
        upvoted,
        key=lambda paper: (
            -(paper.signals.upvotes or 0),
            -community_signal(paper.signals),
            -paper.published.timestamp(),
            paper.key,
        ),
    )


def select_edition(
    subscriber: Subscriber,
    day: date,
    owed: Sequence[Paper],
    matches: Sequence[Match],
    updated: Sequence[Paper] = (),
    gaps: tuple[str, ...] = (),
) -> Edition:
    """Choose an edition from what a subscriber is owed.

    Args:
        subscriber: Whose ``limit`` and ``trending`` count.
        day: The subscriber's local date.
        owed: Every paper of the window, each once.
        matches: Those of them that a topic wants.
        updated: Sent before, and replaced by a newer version since.
        gaps: A line for each source that may have had more.
    """
    ranked = rank_matches(matches)
    matched_keys = {match.paper.key for match in ranked}
    others = [paper for paper in owed if paper.key not in matched_keys]
    return Edition(
        subscriber=subscriber,
        date=day,
        matched=tuple(ranked[: subscriber.limit]),
        trending=tuple(rank_trending(others)[: subscriber.trending]),
        rest=tuple(match.paper for match in ranked[subscriber.limit :]),
        updated=tuple(updated),
        gaps=gaps,
    )
