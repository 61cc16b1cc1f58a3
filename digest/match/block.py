"""Many texts as one row of folded words, of whose every piece the hash is known at once.

All words of a block of texts are joined into one row of characters, whose running polynomial hash gives the hash of any
piece in one step (Karp and Rabin 1987). The base of the hash is drawn anew for each process, so that nobody can choose
words of a usual length that collide; two among a million collide with a chance of 1 in 30 million. (Words of hundreds
of letters can be made to collide whatever the base, as Thue and Morse's do.)
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.match.table import Hashes, HashTable, Places
from digest.text.fold import NET, NEVER_JOINED, Letter, fold, letter_of, strip_accents

HEAD = 5
"""So many characters are the head of a spelling or of a text; see `Row.heads`."""
_BASE = secrets.randbits(64) | 1
_INVERSE = pow(_BASE, -1, 1 << 64)
_BREAK = "\0"
"""Stands between texts; nothing that holds words together."""
_NET_SIGN = "\ue000"
"""Stands for the dot of ".NET"."""


def hash_texts(texts: Sequence[str]) -> Hashes:
    """The hash of each string: the sum of (code point + 1) times powers of the base, modulo 2**64."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    return Row.of(codes, np.cumsum([0, *map(len, texts)])).pieces()


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
class Row:
    """All words of a block, joined."""

    sums: Hashes
    """Running sum of the characters' terms; one more than there are characters."""
    starts: Places
    """Where each word begins among the characters, and where the last one ends."""

    @classmethod
    def of(cls, codes: NDArray[np.uint64], starts: Places) -> "Row":
        """Add up the characters' terms."""
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
        return self.hashes(begin, np.minimum(begin + HEAD, len(self.sums) - 1))


class Block:
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

    def cased_row(self) -> Row:
        """The words with their case."""
        return self._row(_ALPHABET.cased, _ALPHABET.long_cased)

    def _row(self, table: NDArray[np.uint32], long: dict[int, str]) -> Row:
        codes = self._codes[self._chars]
        values: NDArray[np.uint64] = table.take(codes).astype(np.uint64)
        count = np.concatenate(([0], np.cumsum(self._chars)))
        starts: Places = count.take(np.append(self._starts, self._ends[-1:] if len(self._ends) else 0))
        if codes.dtype != np.uint8:
            several = np.flatnonzero(values == 0)
            if len(several):
                values, starts = _spell_out(values, starts, [(int(at), long[int(codes[at])]) for at in several])
        return Row.of(values, starts)

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
