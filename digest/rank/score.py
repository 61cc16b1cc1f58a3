"""Says what ranks a paper for one reader, part by part; docs/ranking.md has the same table in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import fsum

from digest.match.topics import Judgement, Reading
from digest.model import Paper, Score

CATEGORY = 1.0
"""What a paper is given that matches by its category, its source or what it does not say: as much as a word in the
abstract."""
TASTE = 3.0
"""What a paper is given that is just as what the reader liked; as much is taken for what they disliked."""
NEARNESS = 3.0
"""What a paper is given that is as near as can be to what a topic describes."""
TREND = 0.5
"""Times the expected notice, ln(1 + upvotes)."""
RECENCY = 1.0
"""What a paper of this minute is given."""
HALF_LIFE = timedelta(days=3)
"""Age at which recency is half of that."""
LESS = 3.0
"""What each word takes that lowers a paper, but no more than the words that match gave."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paper that at least one topic of a reader wants, with all that ranks it."""

    reading: Reading
    judgements: tuple[Judgement, ...]
    """Of the topics that want it, in the reader's order; at least one."""
    notice: float = 0.0
    """See `digest.rank.trending.expected_notice`."""
    taste: float = 0.0
    """From 1, as what the reader liked, to -1, as what they disliked."""
    carried: date | None = None
    """Of the edition that only named it, for a paper that has another chance."""

    @property
    def paper(self) -> Paper:
        """The paper."""
        return self.reading.paper


def score_candidate(candidate: Candidate, now: datetime) -> Score:
    """Sum up what speaks for a paper.

    Args:
        candidate: The paper.
        now: The run's reference time, from which its age is counted.
    """
    judgements = candidate.judgements
    follow = fsum(judgement.follow for judgement in judgements)
    match = fsum(judgement.strength for judgement in judgements) or (0.0 if follow else CATEGORY)
    lowering = {hit.term.casefold() for judgement in judgements for hit in judgement.lowered_by}
    nearness = max((judgement.nearness for judgement in judgements), default=0.0)
    return Score(
        match=match,
        follow=follow,
        relevance=TASTE * candidate.taste + NEARNESS * nearness,
        trend=TREND * candidate.notice,
        recency=RECENCY * 0.5 ** (max(timedelta(0), now - candidate.paper.published) / HALF_LIFE),
        less=-min(LESS * len(lowering), match),
    )


def rank_candidates(candidates: Iterable[Candidate], now: datetime) -> list[tuple[Candidate, Score]]:
    """Best first: by the sum, then by recency, then by key."""
    scored = [(candidate, score_candidate(candidate, now)) for candidate in candidates]
    return sorted(scored, key=lambda each: (-each[1].total, -each[1].recency, each[0].paper.key))
