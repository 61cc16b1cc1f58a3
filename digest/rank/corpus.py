"""Papers as rows of weighted words, which topics by meaning and what readers like are both computed from."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.model import Paper, PaperKey
from digest.text.fold import Words, fold

_TITLE_WEIGHT = 2
_MANY = 1_000
"""From so many papers on, words that only one of them holds are left out: they tell nothing of another."""
_IS_PLURAL = re.compile(r"[a-z]{3,}(?<!s)(?<!u)(?<!i)(?<!a)(?<!ic)s")

Matrix = Any
"""A sparse or dense matrix of float32, a row a text; scipy's carry no types."""


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    """The word without case, accents and an English plural; empty for one that every text holds."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    word = fold(word)
    if word in ENGLISH_STOP_WORDS or (len(word) == 1 and word.isascii()):
        return ""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if _IS_PLURAL.fullmatch(word) else word


def _terms(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """The words and the pairs of words of a text, where each begins and ends, and whether it is a pair.

    Pairs are joined, so that "pre-training" is also the word "pretraining".
    """
    words = [(stem, start, end) for start, end in Words(text).spans if (stem := _stem(text[start:end]))]
    for stem, start, end in words:
        yield stem, start, end, False
    for (one, start, _), (other, _, end) in pairwise(words):
        yield one + other, start, end, True


def _counted(text: tuple[str, str]) -> list[str]:
    title, abstract = text
    return [term for term, *_ in _terms(title)] * _TITLE_WEIGHT + [term for term, *_ in _terms(abstract)]


class Corpus:
    """Papers as rows of weighted words (TF-IDF), made when first needed and shared by all readers and topics of a run.

    How rare a word is, is learnt from these papers. Others can be asked about as well.
    """

    def __init__(self, papers: Sequence[Paper]) -> None:
        """Take the papers.

        Args:
            papers: Of the run, of the last weeks, and those that readers spoke of: the more, the better.
        """
        self._papers = {paper.key: paper for paper in papers}
        self._others: dict[PaperKey, Matrix] = {}
        self._batch: tuple[tuple[PaperKey, ...], Matrix] | None = None

    @cached_property
    def _fitted(self) -> tuple[Any, Any, Matrix, dict[PaperKey, int]]:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        texts = [(paper.title, paper.abstract) for paper in self._papers.values()]
        counts = CountVectorizer(analyzer=_counted, min_df=2 if len(texts) >= _MANY else 1, dtype=np.float32)
        weights = TfidfTransformer(sublinear_tf=True)
        # A vocabulary may not be empty, and one word in two texts always stays.
        rows = weights.fit_transform(counts.fit_transform([*texts, *[("paper", "")] * 2]))[: len(texts)]
        return counts, weights, rows, {key: number for number, key in enumerate(self._papers)}

    @cached_property
    def centre(self) -> NDArray[np.float32]:
        """The mean of the papers: what any paper is like."""
        rows = self._fitted[2]
        total: NDArray[np.float32] = np.asarray(rows.sum(axis=0), dtype=np.float32).ravel()
        return total / np.float32(max(1, rows.shape[0]))

    @cached_property
    def terms(self) -> Sequence[str]:
        """The term of each column."""
        return list(self._fitted[0].get_feature_names_out())

    def batch(self, papers: Sequence[Paper]) -> Matrix:
        """As `rows`, of papers that are asked about again and again: the last answer is kept."""
        keys = tuple(paper.key for paper in papers)
        if self._batch is None or self._batch[0] != keys:
            self._batch = (keys, self.rows(papers))
        return self._batch[1]

    def rows(self, papers: Sequence[Paper]) -> Matrix:
        """A row of length 1 for each paper, sparse; all zeros for one without a known word."""
        from scipy.sparse import vstack

        *_, rows, number = self._fitted
        if all(paper.key in number for paper in papers):
            return rows[[number[paper.key] for paper in papers]]
        others = {paper.key: paper for paper in papers if paper.key not in number and paper.key not in self._others}
        if others:
            made = self.examples([(paper.title, paper.abstract) for paper in others.values()])
            self._others |= {key: made[at] for at, key in enumerate(others)}
        found = [rows[number[paper.key]] if paper.key in number else self._others[paper.key] for paper in papers]
        return vstack(found, format="csr")

    def examples(self, texts: Sequence[tuple[str, str]]) -> Matrix:
        """As `rows`, of titles and abstracts."""
        counts, weights, *_ = self._fitted
        return weights.transform(counts.transform(texts)).tocsr()

    def descriptions(self, texts: Sequence[str]) -> Matrix:
        """As `rows`, of plain texts; words that no paper holds make a row shorter than 1."""
        counts, weights, *_ = self._fitted
        rows = self.examples([("", text) for text in texts])
        rarest = float(weights.idf_.max())
        for at, text in enumerate(texts):
            words = {term for term, _, _, is_pair in _terms(text) if not is_pair}
            known = np.array([weights.idf_[counts.vocabulary_[word]] for word in words if word in counts.vocabulary_])
            missing = (len(words) - len(known)) * rarest**2
            share = np.sqrt(np.square(known).sum() / (np.square(known).sum() + missing)) if missing else 1.0
            rows.data[rows.indptr[at] : rows.indptr[at + 1]] *= share
        return rows

    def spoken(self, weights: NDArray[np.float32], paper: Paper, n: int) -> list[tuple[str, float]]:
        """The words and pairs of a paper that weigh most, as it prints them, with what each adds; largest first.

        Args:
            weights: Of each column.
            paper: Any paper.
            n: At most so many; no word twice, alone and in a pair.
        """
        row = self.rows([paper])
        added = {self.terms[at]: float(value * weights[at]) for at, value in zip(row.indices, row.data, strict=True)}
        text = f"{paper.title}\n\n{paper.abstract}"
        where = {term: (start, end) for term, start, end, _ in reversed(list(_terms(text)))}
        told: list[tuple[str, float]] = []
        taken: set[str] = set()
        for term in sorted(added, key=lambda term: (-abs(added[term]), term)):
            if term not in where or not added[term]:
                continue
            start, end = where[term]
            words = {_stem(text[first:last]) for first, last in _spans(text, start, end)}
            if words & taken or "\n" in text[start:end]:
                continue
            taken |= words
            told.append((text[start:end], added[term]))
            if len(told) == n:
                break
        return told


def _spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((start + first, start + last) for first, last in Words(text[start:end]).spans)
