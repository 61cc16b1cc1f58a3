"""A growing table from 64-bit hashes to numbers, asked for whole arrays at once."""

from array import array

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int32]
Places = NDArray[np.intp]

_SPREAD = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: its product's high bits depend on every bit of a hash (Knuth, TAOCP 6.4)."""
_HALF = (1 << 32) - 1


class HashTable:
    """Open addressing with linear probing; one hash may stand for several numbers.

    12 bytes a slot, and no Python object an entry.
    """

    def __init__(self, *, fill: float = 0.5) -> None:
        """Make an empty one.

        Args:
            fill: Share of the slots that may be taken, from 0.1 to 0.9: the more, the smaller and the slower.
        """
        self._fill = fill
        self._count = 0
        self._make_room(16)

    def enter(self, key: int, number: int) -> int:
        """Enter a number, from 0, for a hash from 0 to 2**64 - 1 that has none; returns the number that it has."""
        if self._count + 1 > self._most:
            self._grow(1)
        keys, numbers, slots = self._key_slots, self._number_slots, self._slots
        at = (key * _SPREAD >> 32 & _HALF) * slots >> 32
        while (known := numbers[at]) >= 0:
            if keys[at] == key:
                return known
            at = (at + 1) % slots
        keys[at] = key
        numbers[at] = number
        self._count += 1
        return number

    def first(self, key: int) -> int:
        """A number of one hash, or -1."""
        keys, numbers, slots = self._key_slots, self._number_slots, self._slots
        at = (key * _SPREAD >> 32 & _HALF) * slots >> 32
        while (known := numbers[at]) >= 0 and keys[at] != key:
            at = (at + 1) % slots
        return known

    def add_all(self, keys: Hashes, numbers: Numbers) -> None:
        """Enter many."""
        if self._count + len(keys) > self._most:
            self._grow(len(keys))
        self._place(keys, numbers)
        self._count += len(keys)

    def find(self, keys: Hashes) -> tuple[Places, Numbers]:
        """Places in ``keys`` and numbers, for every number of every key that is known."""
        at = self._start(keys)
        found = self._numbers.take(at)
        asked: Places = np.flatnonzero(found >= 0)
        at, found = at[asked], found[asked]
        places: list[Places] = []
        numbers: list[Numbers] = []
        while len(asked):
            same = np.flatnonzero(self._keys.take(at) == keys.take(asked))
            places.append(asked[same])
            numbers.append(found[same])
            at = (at + 1) % self._slots
            found = self._numbers.take(at)
            taken = np.flatnonzero(found >= 0)
            asked, at, found = asked[taken], at[taken], found[taken]
        if not places:
            return np.zeros(0, np.intp), np.zeros(0, np.int32)
        return np.concatenate(places), np.concatenate(numbers)

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return self._keys.nbytes + self._numbers.nbytes

    def __len__(self) -> int:
        return self._count

    def _start(self, keys: Hashes) -> Places:
        # A half of the bits, spread over the slots by a multiplication in place of a division.
        high = (keys * np.uint64(_SPREAD)) >> np.uint64(32)
        return (high * np.uint64(self._slots) >> np.uint64(32)).astype(np.intp)

    def _make_room(self, slots: int) -> None:
        self._slots = slots
        self._most = int(self._fill * slots)
        # One by one they are read and written as arrays of Python, which is faster; all at once as those of numpy.
        self._key_slots = array("Q", bytes(8 * slots))
        self._number_slots = array("i", b"\xff" * (4 * slots))
        self._keys: Hashes = np.frombuffer(self._key_slots, np.uint64)
        self._numbers: Numbers = np.frombuffer(self._number_slots, np.int32)

    def _grow(self, more: int) -> None:
        filled = np.flatnonzero(self._numbers >= 0)
        keys, numbers = self._keys[filled], self._numbers[filled]
        self._make_room(int(1.4 * (self._count + more) / self._fill) + 16)
        self._place(keys, numbers)

    def _place(self, keys: Hashes, numbers: Numbers) -> None:
        at = self._start(keys)
        waiting: Places = np.arange(len(keys))
        while len(waiting):
            places = at[waiting]
            is_free = self._numbers[places] < 0
            # Of several that want one slot, the one that is written last has it.
            self._numbers[places[is_free]] = waiting[is_free]
            is_placed = is_free & (self._numbers[places] == waiting)
            settled = waiting[is_placed]
            self._keys[places[is_placed]] = keys[settled]
            self._numbers[places[is_placed]] = numbers[settled]
            waiting = waiting[~is_placed]
            at[waiting] = (at[waiting] + 1) % self._slots
