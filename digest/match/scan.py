"""Finds every keyword in every text at once, with the very result of `digest.text.fold.Words.find`.

Pieces of the texts that begin and end at words are looked up, by their hashes, among the spellings of all keywords; see
``digest.match.block``.
"""

from array import array
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from digest.match.block import HEAD, Block, Row, hash_texts
from digest.match.table import Hashes, HashTable, Places
from digest.text.fold import Keyword

_Hits = tuple[NDArray[np.int32], Places]
"""Numbers of keywords, and of the words where they begin."""

_LAST_BIT = 63
_BLOCK_CHARS = 300_000
"""So many characters are read at once, that the arrays stay in the processor's cache."""


class _Forms:
    """Spellings of one kind, each with the number of its keyword."""

    def __init__(self) -> None:
        self.table = HashTable()
        self.lengths: set[int] = set()
        self._heads = HashTable()
        self._head_lengths: NDArray[np.uint64] = np.zeros(0, np.uint64)
        """For each beginning of a long spelling a bit for every length of those that begin so; the last bit stands for
        all longer ones."""
        self._new: list[str] = []
        self._new_numbers = array("i")

    def add(self, forms: Sequence[str], number: int) -> None:
        for form in forms:
            self._new.append(form)
            self._new_numbers.append(number)

    def settle(self) -> None:
        """Enter what is new, all at once."""
        if not self._new:
            return
        self.table.add_all(hash_texts(self._new), np.frombuffer(self._new_numbers, np.int32))
        self.lengths.update(map(len, self._new))
        long = [form for form in self._new if len(form) >= HEAD]
        if long:
            heads, numbers = np.unique(hash_texts([form[:HEAD] for form in long]), return_inverse=True)
            known, known_numbers = self._heads.find(heads)
            is_new = np.ones(len(heads), np.bool_)
            is_new[known] = False
            all_numbers = np.zeros(len(heads), np.int32)
            all_numbers[known] = known_numbers
            all_numbers[is_new] = len(self._head_lengths) + np.arange(is_new.sum())
            self._heads.add_all(heads[is_new], all_numbers[is_new])
            self._head_lengths = np.append(self._head_lengths, np.zeros(is_new.sum(), np.uint64))
            bits = np.uint64(1) << np.minimum([*map(len, long)], _LAST_BIT).astype(np.uint64)
            np.bitwise_or.at(self._head_lengths, all_numbers[numbers], bits)
        self._new, self._new_numbers = [], array("i")

    def lengths_at(self, heads: Hashes) -> NDArray[np.uint64]:
        """Which lengths the long spellings have that may begin so; see ``_head_lengths``."""
        lengths = np.zeros(len(heads), np.uint64)
        known, numbers = self._heads.find(heads)
        lengths[known] = self._head_lengths[numbers]
        return lengths

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)

    @property
    def nbytes(self) -> int:
        return self.table.nbytes + self._heads.nbytes + self._head_lengths.nbytes


class Scanner:
    """Keywords, each with a number, sought together."""

    def __init__(self) -> None:
        self._whole, self._cased, self._prefixes, self._cased_prefixes = (_Forms() for _ in range(4))
        self._splits = array("Q")
        """Of each keyword, a bit for every offset at which it may be split; the last bit stands for all later ones."""
        self._late_splits: dict[int, frozenset[int]] = {}
        """Of keywords that have some behind the last bit."""

    def add(self, keyword: Keyword) -> int:
        """Enter a keyword; returns its number, counted from 0."""
        number = len(self._splits)
        self._splits.append(sum(1 << split for split in keyword.splits if split < _LAST_BIT))
        if any(split >= _LAST_BIT for split in keyword.splits):
            self._late_splits[number] = keyword.splits
        if keyword.is_prefix:
            forms = self._cased_prefixes if keyword.is_acronym else self._prefixes
        else:
            forms = self._cased if keyword.is_acronym else self._whole
        forms.add(keyword.forms, number)
        return number

    def settle(self) -> None:
        """Make what was added ready to be sought."""
        for forms in (self._whole, self._cased, self._prefixes, self._cased_prefixes):
            forms.settle()

    def __len__(self) -> int:
        return len(self._splits)

    @property
    def nbytes(self) -> int:
        """Resident size, as far as it grows with the keywords."""
        forms = (self._whole, self._cased, self._prefixes, self._cased_prefixes)
        return sum(each.nbytes for each in forms) + self._splits.itemsize * len(self._splits)

    def scan(self, texts: Sequence[str]) -> _Hits:
        """Seek all keywords.

        Returns:
            Number of the keyword and number of the text, for every hit; a keyword may be told of a text more than once.
        """
        self.settle()
        keywords: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        found_in: list[Places] = [np.zeros(0, np.intp)]
        for begin, some in _blocks(texts):
            block = Block(some)
            for numbers, words in self._scan_block(block):
                keywords.append(numbers)
                found_in.append(block.texts[words] + begin)
        return np.concatenate(keywords), np.concatenate(found_in)

    def _scan_block(self, block: Block) -> Iterator[_Hits]:
        if not len(block.texts):
            return
        rows = [(block.folded, self._whole, self._prefixes)]
        if self._cased.lengths or self._cased_prefixes.lengths:
            rows.append((block.cased_row(), self._cased, self._cased_prefixes))
        for row, whole, prefixes in rows:
            heads = row.heads()
            yield from self._scan_whole(block, row, heads, whole)
            yield from self._scan_prefixes(block, row, heads, prefixes)

    def _scan_whole(self, block: Block, row: Row, heads: Hashes, forms: _Forms) -> Iterator[_Hits]:
        if not forms.lengths:
            return
        places, numbers = forms.table.find(row.pieces())
        yield numbers, places
        # Those of several words, one word more in each round.
        starts, longest = row.starts, forms.longest
        words: Places = np.flatnonzero(np.diff(starts) < longest)
        runs = block.run_ends(words)
        several = runs > words + 1
        words, runs = words[several], runs[several]
        lengths = forms.lengths_at(heads[words])
        # Spellings shorter than a head have few characters for several words.
        may_begin = (lengths > 0) | (starts[words + 2] - starts[words] < HEAD)
        words, runs, lengths = words[may_begin], runs[may_begin], lengths[may_begin]
        firsts: list[Places] = []
        ends: list[Places] = []
        count = 2
        while len(words):
            end = np.minimum(words + count, len(starts) - 1)
            size = starts[end] - starts[words]
            within = (words + count <= runs) & (size <= longest)
            words, runs, lengths, end, size = words[within], runs[within], lengths[within], end[within], size[within]
            wanted = (size < HEAD) | _has_bit(lengths, size)
            firsts.append(words[wanted])
            ends.append(end[wanted])
            count += 1
        if firsts:
            first, end = np.concatenate(firsts), np.concatenate(ends)
            places, numbers = forms.table.find(row.hashes(starts[first], starts[end]))
            yield self._held(block, row, numbers, first[places], end[places] - 1)

    def _scan_prefixes(self, block: Block, row: Row, heads: Hashes, forms: _Forms) -> Iterator[_Hits]:
        if not forms.lengths:
            return
        starts = row.starts
        words: Places = np.arange(len(starts) - 1)
        firsts = [words for length in forms.lengths if length < HEAD]
        ends = [starts[:-1] + length for length in forms.lengths if length < HEAD]
        lengths = forms.lengths_at(heads)
        words = np.flatnonzero(lengths)
        lengths = lengths[words]
        late = words[_has_bit(lengths, np.full(len(words), _LAST_BIT))]
        firsts += [late for length in forms.lengths if length >= _LAST_BIT]
        ends += [starts[late] + length for length in forms.lengths if length >= _LAST_BIT]
        lengths &= np.uint64((1 << _LAST_BIT) - 1)
        while len(words := words[lengths > 0]):
            lengths = lengths[lengths > 0]
            # The lowest bit of each, which a float holds exactly.
            lowest = lengths & (~lengths + np.uint64(1))
            firsts.append(words)
            ends.append(starts[words] + np.log2(lowest.astype(np.float64)).astype(np.intp))
            lengths = lengths ^ lowest
        if not firsts:
            return
        first, end = np.concatenate(firsts), np.concatenate(ends)
        within = end < len(row.sums)
        first, end = first[within], end[within]
        places, numbers = forms.table.find(row.hashes(starts[first], end))
        first = first[places]
        last = np.searchsorted(starts, end[places], "left") - 1
        within = last < block.run_ends(first)
        yield self._held(block, row, numbers[within], first[within], last[within])

    def _held(self, block: Block, row: Row, numbers: NDArray[np.int32], first: Places, last: Places) -> _Hits:
        """Those hits whose words may be read as one keyword: nothing is joined that only looks so."""
        right = np.ones(len(numbers), np.bool_)
        splits = np.frombuffer(self._splits, np.uint64)
        begin = row.starts[first]
        word, within = first + 1, np.flatnonzero(first < last)
        while len(within):
            closed = within[block.closed[word[within]]]
            offsets = row.starts[word[closed]] - begin[closed]
            is_split = _has_bit(splits[numbers[closed]], offsets)
            for at in np.flatnonzero(offsets >= _LAST_BIT).tolist():
                is_split[at] = int(offsets[at]) in self._late_splits.get(int(numbers[closed[at]]), ())
            right[closed] &= is_split
            word += 1
            within = within[word[within] <= last[within]]
        return numbers[right], first[right]


def _has_bit(bits: NDArray[np.uint64], numbers: Places) -> NDArray[np.bool_]:
    """Whether each number's bit is set; the last one stands for all from there on."""
    return (bits >> np.minimum(numbers, _LAST_BIT).astype(np.uint64) & np.uint64(1)).astype(np.bool_)


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Consecutive texts of a block's size, each with the number of its first text."""
    begin = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > _BLOCK_CHARS:
            yield begin, texts[begin:number]
            begin, size = number, 0
        size += len(text)
    if begin < len(texts):
        yield begin, texts[begin:]
