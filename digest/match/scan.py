"""Finds every keyword in every text at once, with the very result of `digest.text.fold.Words.find`.

All words of a block of texts are joined into one row of characters, whose running polynomial hash gives the hash of any
piece in one step (Karp and Rabin 1987). Pieces that begin and end at words are looked up among the spellings of all
keywords. The base of the hash is drawn anew for each process, so that nobody can choose words of a usual length that
collide; two among a million collide with a chance of 1 in 30 million. (Words of hundreds of letters can be made to
collide whatever the base, as Thue and Morse's do.)
"""

import secrets
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.match.table import Hashes, HashTable, Places
from digest.text.fold import NET, NEVER_JOINED, Keyword, Letter, fold, letter_of, strip_accents

_BASE = secrets.randbits(64) | 1
_INVERSE = pow(_BASE, -1, 1 << 64)
_Hits = tuple[NDArray[np.int32], Places]
"""Numbers of keywords, and of the words where they begin."""

_HEAD = 5
"""Longer spellings are sought over several words only where their first characters are right."""
_LAST_BIT = 63
_BLOCK_CHARS = 300_000
"""So many characters are read at once, that the arrays stay in the processor's cache."""
_BREAK = "\0"
"""Stands between texts; nothing that holds words together."""
_NET_SIGN = "\ue000"
"""Stands for the dot of ".NET"."""


def hash_texts(texts: Sequence[str]) -> Hashes:
    """The hash of each string: the sum of (code point + 1) times powers of the base, modulo 2**64."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    return _Row.of(codes, np.cumsum([0, *map(len, texts)])).pieces()


class _Alphabet:
    """What is known of each character, by code point; learnt when one first comes up."""

    def __init__(self) -> None:
        self.letters: NDArray[np.uint8] = np.full(0x110000, Letter.UNKNOWN, np.uint8)
        self.folded: NDArray[np.uint32] = np.zeros(0x110000, np.uint32)
        """The one character that it folds to; 0 if it folds to none or several, as told in ``long``."""
        self.cased: NDArray[np.uint32] = np.zeros(0x110000, np.uint32)
        self.long_folded: dict[int, str] = {}
        self.long_cased: dict[int, str] = {}
        self.learn(range(128))

    def learn(self, codes: Sequence[int] | range) -> None:
        for code in codes:
            char = chr(code)
            for table, long, text in (
                (self.folded, self.long_folded, fold(char)),
                (self.cased, self.long_cased, strip_accents(char)),
            ):
                if len(text) == 1:
                    table[code] = ord(text)
                else:
                    long[code] = text
            # Last, as other threads may read what is known.
            self.letters[code] = letter_of(char)
        net = ord(_NET_SIGN)
        self.letters[net] = Letter.WORD
        self.folded[net] = self.cased[net] = ord(".")

    def read(self, codes: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.uint8]:
        letters: NDArray[np.uint8] = self.letters.take(codes)
        if codes.dtype != np.uint8 and letters.max(initial=0) == Letter.UNKNOWN:
            self.learn(np.unique(codes[letters == Letter.UNKNOWN]).tolist())
            letters = self.letters.take(codes)
        return letters


_ALPHABET = _Alphabet()
_powers: tuple[Hashes, Hashes] = np.ones(1, np.uint64), np.ones(1, np.uint64)
"""Powers of the base and of its inverse; replaced as one, as other threads may read them."""


def _powers_up_to(length: int) -> tuple[Hashes, Hashes]:
    global _powers  # noqa: PLW0603  a table that only grows
    if len(_powers[0]) < length:
        powers, inverses = (np.full(2 * length, base, np.uint64) for base in (_BASE, _INVERSE))
        powers[0] = inverses[0] = 1
        _powers = np.multiply.accumulate(powers), np.multiply.accumulate(inverses)
    return _powers


@dataclass(frozen=True, slots=True)
class _Row:
    """All words of a block, joined."""

    sums: Hashes
    """Running sum of the characters' terms; one more than there are characters."""
    starts: Places
    """Where each word begins among the characters, and where the last one ends."""

    @classmethod
    def of(cls, codes: NDArray[np.uint64], starts: Places) -> "_Row":
        powers, _ = _powers_up_to(len(codes) + 1)
        sums: Hashes = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum((codes + np.uint64(1)) * powers[: len(codes)], out=sums[1:])
        return cls(sums, starts)

    def hashes(self, begin: Places, end: Places) -> Hashes:
        """Of the characters from ``begin`` to ``end``."""
        return (self.sums.take(end) - self.sums.take(begin)) * _powers[1].take(begin)

    def pieces(self) -> Hashes:
        """Of every word."""
        return self.hashes(self.starts[:-1], self.starts[1:])

    def heads(self) -> Hashes:
        """Of the first characters from every word on; of less, or of none, near the end."""
        begin = self.starts[:-1]
        return self.hashes(begin, np.minimum(begin + _HEAD, len(self.sums) - 1))


class _Block:
    """The words of several texts, and what stands between them."""

    def __init__(self, texts: Sequence[str]) -> None:
        joined = _BREAK + _BREAK.join(texts).replace(_NET_SIGN, _BREAK)
        if ".net" in joined.casefold():
            joined = NET.sub(lambda net: _NET_SIGN + net[0][1:], joined)
        joined += _BREAK * 2
        codes: NDArray[np.uint8] | NDArray[np.uint32] = (
            np.frombuffer(joined.encode("ascii"), np.uint8)
            if joined.isascii()
            else np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        )
        letters = _ALPHABET.read(codes)
        is_cjk = letters == Letter.CJK
        is_word = (letters == Letter.WORD) | is_cjk
        changes = is_word[1:] != is_word[:-1]
        if is_cjk.any():
            # Each of these characters is a word, so that one begins and ends on both of its sides.
            changes |= (is_cjk[1:] | is_cjk[:-1]) & is_word[1:] & is_word[:-1]
            starts = np.flatnonzero(changes & is_word[1:]) + 1
            ends = np.flatnonzero(changes & is_word[:-1]) + 1
        else:
            edges = np.flatnonzero(changes) + 1
            starts, ends = edges[::2], edges[1::2]
        after = letters.take(ends)
        signs = np.flatnonzero((after == Letter.PLUS) | (after == Letter.HASH))
        for at in signs.tolist():
            end = int(ends[at])
            if is_cjk[end - 1] or codes[starts[at]] == ord(_NET_SIGN):
                continue
            length = 1 if after[at] == Letter.HASH else 2 if letters[end + 1] == Letter.PLUS else 0
            is_word[end : end + length] = True
            ends[at] += length
        self._codes = codes
        self._letters = letters
        self._read_words(starts, ends, is_word, [len(text) for text in texts])

    def _read_words(self, starts: Places, ends: Places, is_word: NDArray[np.bool_], lengths: Sequence[int]) -> None:
        letters, codes = self._letters, self._codes
        text_starts = np.cumsum([1, *(length + 1 for length in lengths)])
        texts = np.searchsorted(text_starts, starts, "right") - 1
        kept = np.ones(len(starts), np.bool_)
        # What folds to nothing, such as a sound mark alone, is no word.
        if codes.dtype != np.uint8 and _ALPHABET.long_folded:
            nothing = np.isin(codes, [code for code, text in list(_ALPHABET.long_folded.items()) if not text])
            if nothing.any():
                count = np.concatenate(([0], np.cumsum(nothing)))
                kept &= count[ends] - count[starts] < ends - starts
        # The s of a possessive is no word either, unless it is the first of its text.
        is_s = (
            (ends - starts == 1)
            & ((codes[starts] | 0x20) == ord("s"))
            & (letters.take(starts - 1) == Letter.APOSTROPHE)
        )
        if is_s.any():
            words = np.flatnonzero(kept)
            first = np.zeros(len(starts), np.bool_)
            first[words[np.flatnonzero(np.diff(texts[words], prepend=-1))]] = True
            kept &= ~is_s | first
        if not kept.all():
            for start, end in zip(starts[~kept].tolist(), ends[~kept].tolist(), strict=True):
                is_word[start:end] = False
        self._chars = is_word
        gap_starts = np.concatenate(([0], ends[:-1]))
        gaps = starts - gap_starts
        opening = letters.take(gap_starts)
        holding = (gaps == 0) | ((gaps == 1) & (opening >= Letter.POINT) & (opening <= Letter.BLANK))
        spaced = (gaps == 1) & (opening == Letter.BLANK)
        wide = np.flatnonzero((gaps > 1) & (opening > Letter.POINT) & (opening <= Letter.BLANK))
        if len(wide):
            # Few are left of which the second character may hold words together too.
            second = letters.take(gap_starts[wide] + 1)
            wide = wide[(second > Letter.POINT) & (second <= Letter.BLANK)]
            for at in wide.tolist():
                gap = letters[gap_starts[at] : starts[at]]
                holding[at] = bool(((gap > Letter.POINT) & (gap <= Letter.BLANK)).all())
                spaced[at] = bool((gap == Letter.BLANK).all())
        self.texts = texts[kept]
        """Number of the text that each word is in."""
        holding = holding[kept]
        holding[np.flatnonzero(np.diff(self.texts, prepend=-1))] = False
        self._breaks = np.append(np.flatnonzero(~holding), len(holding))
        self._spaced = spaced[kept]
        self._starts, self._ends = starts[kept], ends[kept]
        self.folded = self._row(_ALPHABET.folded, _ALPHABET.long_folded)
        self.closed = self._closed()
        """Whether the blank before a word keeps it apart from the one before, unless the keyword has one there too."""

    def cased_row(self) -> _Row:
        """The words with their case."""
        return self._row(_ALPHABET.cased, _ALPHABET.long_cased)

    def _row(self, table: NDArray[np.uint32], long: dict[int, str]) -> _Row:
        codes = self._codes[self._chars]
        values: NDArray[np.uint64] = table.take(codes).astype(np.uint64)
        count = np.concatenate(([0], np.cumsum(self._chars)))
        starts: Places = count.take(np.append(self._starts, self._ends[-1:] if len(self._ends) else 0))
        if codes.dtype != np.uint8:
            several = np.flatnonzero(values == 0)
            if len(several):
                values, starts = _spell_out(values, starts, [(int(at), long[int(codes[at])]) for at in several])
        return _Row.of(values, starts)

    def _closed(self) -> NDArray[np.bool_]:
        starts = self.folded.starts
        lengths = np.diff(starts)
        never = np.zeros(len(lengths), np.bool_)
        short = np.flatnonzero(lengths <= _LONGEST_NEVER_JOINED)
        known, _ = _NEVER_JOINED_TABLE.find(self.folded.hashes(starts[short], starts[short + 1]))
        never[short[known]] = True
        never |= lengths == 1
        closed = np.zeros(len(lengths), np.bool_)
        closed[1:] = self._spaced[1:] & never[:-1]
        return closed

    def run_ends(self, words: Places) -> Places:
        """For each word the number of the first one after it that does not hang together with those before."""
        ends: Places = self._breaks.take(np.searchsorted(self._breaks, words, "right"))
        return ends


def _spell_out(
    values: NDArray[np.uint64], starts: Places, several: Sequence[tuple[int, str]]
) -> tuple[NDArray[np.uint64], Places]:
    """Put in what stands for none or several characters."""
    lengths = np.ones(len(values), np.intp)
    for at, text in several:
        lengths[at] = len(text)
    places = np.concatenate(([0], np.cumsum(lengths)))
    spelt = np.repeat(values, lengths)
    for at, text in several:
        for offset, char in enumerate(text):
            spelt[places[at] + offset] = ord(char)
    return spelt, places.take(starts)


_NEVER_JOINED_TABLE = HashTable()
_NEVER_JOINED_TABLE.add_all(hash_texts([*NEVER_JOINED]), np.zeros(len(NEVER_JOINED), np.int32))
_LONGEST_NEVER_JOINED = max(map(len, NEVER_JOINED))


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
        long = [form for form in self._new if len(form) >= _HEAD]
        if long:
            heads, numbers = np.unique(hash_texts([form[:_HEAD] for form in long]), return_inverse=True)
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
            block = _Block(some)
            for numbers, words in self._scan_block(block):
                keywords.append(numbers)
                found_in.append(block.texts[words] + begin)
        return np.concatenate(keywords), np.concatenate(found_in)

    def _scan_block(self, block: _Block) -> Iterator[_Hits]:
        if not len(block.texts):
            return
        rows = [(block.folded, self._whole, self._prefixes)]
        if self._cased.lengths or self._cased_prefixes.lengths:
            rows.append((block.cased_row(), self._cased, self._cased_prefixes))
        for row, whole, prefixes in rows:
            heads = row.heads()
            yield from self._scan_whole(block, row, heads, whole)
            yield from self._scan_prefixes(block, row, heads, prefixes)

    def _scan_whole(self, block: _Block, row: _Row, heads: Hashes, forms: _Forms) -> Iterator[_Hits]:
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
        may_begin = (lengths > 0) | (starts[words + 2] - starts[words] < _HEAD)
        words, runs, lengths = words[may_begin], runs[may_begin], lengths[may_begin]
        firsts: list[Places] = []
        ends: list[Places] = []
        count = 2
        while len(words):
            end = np.minimum(words + count, len(starts) - 1)
            size = starts[end] - starts[words]
            within = (words + count <= runs) & (size <= longest)
            words, runs, lengths, end, size = words[within], runs[within], lengths[within], end[within], size[within]
            wanted = (size < _HEAD) | _has_bit(lengths, size)
            firsts.append(words[wanted])
            ends.append(end[wanted])
            count += 1
        if firsts:
            first, end = np.concatenate(firsts), np.concatenate(ends)
            places, numbers = forms.table.find(row.hashes(starts[first], starts[end]))
            yield self._held(block, row, numbers, first[places], end[places] - 1)

    def _scan_prefixes(self, block: _Block, row: _Row, heads: Hashes, forms: _Forms) -> Iterator[_Hits]:
        if not forms.lengths:
            return
        starts = row.starts
        words: Places = np.arange(len(starts) - 1)
        firsts = [words for length in forms.lengths if length < _HEAD]
        ends = [starts[:-1] + length for length in forms.lengths if length < _HEAD]
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

    def _held(self, block: _Block, row: _Row, numbers: NDArray[np.int32], first: Places, last: Places) -> _Hits:
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
