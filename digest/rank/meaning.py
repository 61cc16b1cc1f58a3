"""How near papers are in meaning to what readers describe, by the words they share or by a model's vectors."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from digest.errors import EmbedError
from digest.match.query import About
from digest.match.topics import Nearness
from digest.model import Example, Paper, PaperKey
from digest.ports import Embedder
from digest.rank.corpus import Corpus, Matrix

_WORDS_COSINE = 0.1
"""By their words, the cosine from which a paper is about a description; measured in benchmarks/relevance.py."""
_DEFAULT = 0.5
_BLOCK = 1_000
_NAMED = 3
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class Nearnesses(Sequence[Nearness]):
    """How near each of several papers is: four bytes a paper, as descriptions and papers may be many."""

    def __init__(self, scores: NDArray[np.float32], threshold: float) -> None:
        self._scores = scores
        self._threshold = threshold

    @overload
    def __getitem__(self, place: int) -> Nearness: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Nearness]: ...
    def __getitem__(self, place: int | slice) -> Nearness | Sequence[Nearness]:
        """The nearness of one paper, or of some."""
        if isinstance(place, slice):
            return Nearnesses(self._scores[place], self._threshold)
        return Nearness(float(self._scores[place]), self._threshold)

    def __len__(self) -> int:
        return len(self._scores)


Measured = dict[About, Nearnesses]
"""For each description the nearness of each paper, in their order."""


@dataclass(frozen=True, slots=True)
class NearnessOf(Mapping[About, Nearness]):
    """How near one of the papers is to each description."""

    measured: Measured
    place: int

    def __getitem__(self, about: About) -> Nearness:
        return self.measured[about][self.place]

    def __iter__(self) -> Iterator[About]:
        return iter(self.measured)

    def __len__(self) -> int:
        return len(self.measured)


class Meaning:
    """Compares papers with descriptions and examples; built once a run."""

    def __init__(
        self, corpus: Corpus, embedder: Embedder | None, known: Callable[[Sequence[PaperKey]], Sequence[Paper]]
    ) -> None:
        """Take what it compares with.

        Args:
            corpus: Of the run; words are compared by it.
            embedder: Compares by vectors in place of words, as long as it answers.
            known: The stored papers with these keys; see `digest.ports.PaperStore.papers`.
        """
        self._corpus = corpus
        self._embedder = embedder
        self._known = known
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._notes: dict[tuple[About | None, str], None] = {}

    @property
    def notes(self) -> tuple[tuple[About | None, str], ...]:
        """What was not as readers or the operator would expect, a line each, and of which description, if of one."""
        return tuple(self._notes)

    def measure(self, abouts: Sequence[About], papers: Sequence[Paper]) -> "Measured":
        """Measure every paper against every description; each text is looked at once, however many readers share it.

        Returns:
            For each description the nearness of each paper, in their order.
        """
        wanted = list(dict.fromkeys(abouts))
        stored = self._stored(wanted)
        bars = {paper.key: paper for about in wanted if (paper := _bar(about, stored))}
        shown = [*papers, *bars.values()]
        result: Measured = {about: Nearnesses(np.zeros(0, np.float32), _DEFAULT) for about in wanted}
        if not wanted or not papers:
            return result
        self._embed_all(wanted, shown, stored)
        columns = self._rows(shown).T
        columns = columns if isinstance(columns, np.ndarray) else columns.tocsr()
        numbers = {key: len(papers) + at for at, key in enumerate(bars)}
        described = self._described([about.text for about in wanted if about.text], columns)
        for about in wanted:
            examples = self._examples(about, stored)
            scores = self._scores(described.get(about.text), examples, columns)
            threshold = about.threshold if isinstance(about.threshold, float | int) else _DEFAULT
            if isinstance(about.threshold, str):
                bar = _bar(about, stored)
                # Measured against itself, it would be nearer than any other can be.
                others = [example for example in examples if bar is None or example != _text(bar)]
                if bar is None:
                    self._note(about, f"the threshold {about.threshold!r} is no stored paper: {_DEFAULT} counts")
                elif not others and not about.text:
                    self._note(about, f"the threshold {about.threshold!r} is its only example: {_DEFAULT} counts")
                else:
                    at = slice(numbers[bar.key], numbers[bar.key] + 1)
                    text = described[about.text][at] if about.text else None
                    threshold = float(self._scores(text, others, columns[:, at])[0])
            result[about] = Nearnesses(scores[: len(papers)], threshold)
        return result

    def nearest_phrases(self, about: About, paper: Paper, n: int = 3) -> list[tuple[str, float]]:
        """What in a paper is nearest, as it prints it, nearest first.

        Returns:
            By words, at most ``n`` words and pairs with what each adds to the cosine; by vectors, sentences of the
            abstract with the score of each.
        """
        stored = self._stored([about])
        examples = self._examples(about, stored)
        sentences = [sentence for sentence in _SENTENCE.split(paper.abstract) if sentence]
        if self._embedder:
            self._embed([*([about.text] if about.text else []), *map(_joined, examples), *sentences])
        if self._embedder and sentences:
            columns = np.array([self._vectors[sentence] for sentence in sentences]).T
            described = self._described([about.text] if about.text else [], columns)
            scores = self._scores(described.get(about.text), examples, columns)
            order = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))
            return [(sentences[at], float(scores[at])) for at in order[:n] if scores[at] > 0]
        weights: NDArray[np.float32] = np.zeros_like(self._corpus.centre)
        if about.text:
            weights += self._corpus.descriptions([about.text]).toarray()[0]
        if examples:
            rows = self._corpus.examples(examples)
            weights += np.asarray(rows.sum(axis=0) / len(examples), dtype=np.float32).ravel()
        return [(phrase, added) for phrase, added in self._corpus.spoken(weights, paper, n) if added > 0]

    def _described(self, texts: Sequence[str], columns: Matrix) -> dict[str, NDArray[np.float32]]:
        """The cosine of each column with each description."""
        distinct = list(dict.fromkeys(texts))
        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(distinct), _BLOCK):
            block = distinct[start : start + _BLOCK]
            rows = (
                np.array([self._vectors[text] for text in block])
                if self._embedder
                else self._corpus.descriptions(block)
            )
            found |= dict(zip(block, _dense(rows @ columns), strict=True))
        return found

    def _scores(
        self, described: NDArray[np.float32] | None, examples: Sequence[tuple[str, str]], columns: Matrix
    ) -> NDArray[np.float32]:
        """The score of each column; near to the description or to the examples is near enough.

        Args:
            described: Its cosine with the description, if there is one.
            examples: Titles and abstracts.
            columns: Papers or sentences.
        """
        cosines: NDArray[Any] = np.zeros(columns.shape[1], dtype=np.float32) if described is None else described
        if examples:
            total: NDArray[np.float32] = np.zeros_like(cosines)
            nearest = np.zeros_like(cosines)
            sums = []
            for start in range(0, len(examples), _BLOCK):
                rows = self._example_rows(examples[start : start + _BLOCK])
                found = _dense(rows @ columns)
                total += found.sum(axis=0)
                nearest = np.maximum(nearest, found.max(axis=0))
                sums.append(np.asarray(rows.sum(axis=0), dtype=np.float32).ravel())
            length = float(np.linalg.norm(np.sum(sums, axis=0)))
            # The mean of the examples finds more, the nearest keeps a library of several subjects apart: half of each
            # was best with ten examples and nearly best with three.
            cosines = np.maximum(cosines, (total / length + nearest) / 2 if length else nearest)
        at = self._embedder.threshold if self._embedder else _WORDS_COSINE
        # A power that leaves 0 and 1 where they are, and moves the cosine that is just near enough to the middle.
        return np.asarray(np.clip(cosines, 0, 1) ** (log(_DEFAULT) / log(at)), dtype=np.float32)

    def _example_rows(self, examples: Sequence[tuple[str, str]]) -> Matrix:
        if self._embedder:
            return np.array([self._vectors[_joined(example)] for example in examples])
        return self._corpus.examples(examples)

    def _rows(self, papers: Sequence[Paper]) -> Matrix:
        if self._embedder:
            return np.array([self._vectors[_joined(_text(paper))] for paper in papers])
        return self._corpus.batch(papers)

    def _embed_all(self, abouts: Sequence[About], papers: Sequence[Paper], stored: dict[PaperKey, Paper]) -> None:
        if self._embedder:
            texts = [about.text for about in abouts if about.text]
            examples = [_joined(text) for about in abouts for text in self._examples(about, stored)]
            self._embed([*texts, *examples, *(_joined(_text(paper)) for paper in papers)])

    def _embed(self, texts: Sequence[str]) -> None:
        """Have vectors for these texts; without them, words are compared for the rest of the run."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if not missing or not self._embedder:
            return
        try:
            vectors = self._embedder.embed(missing)
        except EmbedError as exc:
            self._note(None, f"{exc.where}: {exc.problem}; words were compared in place of meanings".removeprefix(": "))
            self._embedder = None
            return
        self._vectors |= dict(zip(missing, vectors, strict=True))

    def _stored(self, abouts: Sequence[About]) -> dict[PaperKey, Paper]:
        """The stored papers that these need, by each of their identities."""
        bars = [PaperKey(about.threshold) for about in abouts if isinstance(about.threshold, str)]
        keys = [key for about in abouts for example in about.like if not _has_text(example) for key in example.keys]
        wanted = list(dict.fromkeys([*bars, *keys]))
        found = self._known(wanted) if wanted else ()
        return {key: paper for paper in found for key in (*paper.ids, paper.key)}

    def _examples(self, about: About, stored: dict[PaperKey, Paper]) -> list[tuple[str, str]]:
        texts, missing = [], []
        for example in about.like:
            if _has_text(example):
                texts.append((example.title, example.abstract))
            elif paper := next((stored[key] for key in example.keys if key in stored), None):
                texts.append(_text(paper))
            else:
                missing.append(next(iter(example.keys), "an empty one"))
        if missing:
            named = ", ".join(missing[:_NAMED]) + (f" and {more} more" if (more := len(missing) - _NAMED) > 0 else "")
            is_all = len(missing) == len(about.like) and not about.text
            finds = "all its examples, so that it finds nothing" if is_all else f"of its {len(about.like)} examples"
            self._note(about, f"no text is known of {named}, {finds}")
        return texts

    def _note(self, about: About | None, note: str) -> None:
        self._notes[about, note] = None


def _bar(about: About, stored: dict[PaperKey, Paper]) -> Paper | None:
    return stored.get(PaperKey(about.threshold)) if isinstance(about.threshold, str) else None


def _has_text(example: Example) -> bool:
    return bool(example.title or example.abstract)


def _text(paper: Paper) -> tuple[str, str]:
    return paper.title, paper.abstract


def _joined(text: tuple[str, str]) -> str:
    return ". ".join(part for part in text if part)


def _dense(found: Matrix) -> NDArray[np.float32]:
    return np.asarray(found if isinstance(found, np.ndarray) else found.toarray(), dtype=np.float32)
