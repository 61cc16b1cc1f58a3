"""Tells which papers are on one subject, by their words, so that it does not fill an edition."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from digest.model import Paper
from digest.text.fold import fold

# Of 3,486 pairs of one day's papers on language models 9 in 10 are below the first, and the few that are over the
# second share their subject.
_BEGINS = 0.06
_ALIKE = 0.2
_TITLE_WEIGHT = 3.0
_WORD = re.compile(r"[^\W\d_]{4,}")


class Variety:
    """How much each of some papers resembles those of them that were taken."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        """Weigh the words of each paper: one counts the more, the fewer of these papers hold it, and in a title 3 times
        as much as in an abstract.
        """
        texts = [_read_words(paper.title, paper.abstract) for paper in papers]
        numbers = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(w for w, _ in texts)))}
        self._columns = np.array([numbers[word] for words, _ in texts for word in words], np.intp)
        self._rows = np.repeat(np.arange(len(texts)), [len(words) for words, _ in texts])
        in_title = [place < of_title for words, of_title in texts for place in range(len(words))]
        rarity = np.log((1 + len(texts)) / np.bincount(self._columns))
        weights = np.where(in_title, _TITLE_WEIGHT, 1.0) * rarity[self._columns]
        lengths = np.sqrt(np.bincount(self._rows, weights**2, minlength=len(texts)))
        self._weights = weights / lengths[self._rows]
        self._words = len(rarity)
        self.likeness: NDArray[np.float64] = np.zeros(len(texts))
        """Of each paper, how much it resembles the one of those taken that it resembles most: from 0, by no more than
        chance, to 1, the same subject."""

    def take(self, number: int) -> None:
        """Compare all with this one as well."""
        its = self._rows == number
        row = np.zeros(self._words)
        row[self._columns[its]] = self._weights[its]
        cosines = np.bincount(self._rows, self._weights * row[self._columns], minlength=len(self.likeness))
        # Rounded, so that papers of the same words are equally alike.
        found = np.clip((cosines - _BEGINS) / (_ALIKE - _BEGINS), 0, 1).round(6)
        self.likeness = np.maximum(self.likeness, found)


@lru_cache(maxsize=4_000)
def _read_words(title: str, abstract: str) -> tuple[tuple[str, ...], int]:
    """The words of a paper, each once, and how many of them, the first ones, its title holds; short ones tell no
    subject.
    """
    of_title = dict.fromkeys(_WORD.findall(fold(title)))
    return tuple(of_title | dict.fromkeys(_WORD.findall(fold(abstract)))), len(of_title)
