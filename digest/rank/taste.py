"""Learns from what a reader said of papers which others they will like."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from digest.model import Paper
from digest.rank.corpus import Corpus, Matrix

# Tuned on seven of the thirteen sets of benchmarks/relevance.py, which names them.
_SMOOTHING = 3.0
_LIKED = 3.0
"""How much all that was liked counts, over all that was not."""
_ANY = 0.5
"""The share that the mean of all papers has in what was not liked, once something was disliked."""


class Taste:
    """What one reader likes, as a weight for each word; ridge regression on what they said."""

    def __init__(self, corpus: Corpus, rows: Matrix, factors: NDArray[np.float64], centre_factor: float) -> None:
        self._corpus = corpus
        self._rows = rows
        self._factors = factors
        self._centre_factor = centre_factor

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        """Scaled so that what they liked or disliked most is 1 or -1 away from what any paper is."""
        weights = np.asarray(self._rows.T @ self._factors).ravel() + self._centre_factor * self._corpus.centre
        said = np.abs(self._rows @ weights - self._corpus.centre @ weights).max()
        scaled: NDArray[np.float32] = (weights / said if said else weights).astype(np.float32)
        return scaled

    def score(self, papers: Sequence[Paper]) -> list[float]:
        """How much they will like each paper: 1 as what they liked most, 0 as any paper, -1 as what they disliked."""
        if not papers:
            return []
        found = self._corpus.batch(papers) @ self._weights - self._corpus.centre @ self._weights
        return [float(score) for score in np.clip(found, -1.0, 1.0)]

    def words(self, paper: Paper, n: int = 5) -> list[tuple[str, float]]:
        """The words of a paper that speak for it (above 0) and against it, as it prints them, strongest first."""
        return self._corpus.spoken(self._weights, paper, n)


def learn_taste(more: Sequence[Paper], less: Sequence[Paper], corpus: Corpus) -> Taste | None:
    """Learn from a reader's feedback; the same feedback always makes the same taste.

    Args:
        more: What they want more of.
        less: What they want less of.
        corpus: Of the run; the mean of its papers stands for what was not spoken of, so that one liking is enough.

    Returns:
        ``None`` if nothing was said.
    """
    said = [*more, *less]
    if not said:
        return None
    rows = corpus.rows(said)
    centre = corpus.centre
    # Who only dislikes wants any paper rather than those.
    any_target, any_share = (-1.0, _ANY if less else 1.0) if more else (1.0, 1.0)
    targets = np.array([1.0] * len(more) + [-1.0] * len(less) + [any_target])
    counts = [_LIKED / len(more)] * len(more) if more else []
    counts += [(1.0 - _ANY if more else 1.0) / len(less)] * len(less) if less else []
    weights = np.array([*counts, any_share])
    weights *= len(weights) / weights.sum()
    beside = np.asarray(rows @ centre, dtype=np.float64)
    inner = np.empty((len(targets), len(targets)))
    inner[:-1, :-1] = (rows @ rows.T).toarray()
    inner[-1, :-1] = inner[:-1, -1] = beside
    inner[-1, -1] = float(centre @ centre)
    # In the dual, as a reader has said little and words are many; the 1 is the intercept.
    factors = np.linalg.solve(inner + 1.0 + _SMOOTHING * np.diag(1.0 / weights), targets)
    return Taste(corpus, rows, factors[:-1], float(factors[-1]))
