"""Many queries against many papers in one pass, with the very result of `digest.match.topics.meets`.

Every distinct leaf of all queries is sought once, and becomes a row of bits: one a paper. A query is a few numbers of
rows: of each group it requires one, and of those it excludes none. Groups of one length stand together, so that whole
arrays are combined at a time, and there is no object a query. Equal queries are one.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from digest.match.names import Name
from digest.match.people import People
from digest.match.query import (
    About,
    And,
    Author,
    Category,
    Leaf,
    Listed,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Scope,
    Word,
)
from digest.match.scan import Scanner
from digest.match.table import HashTable
from digest.match.topics import Reading, is_category, is_source, meets
from digest.text.fold import Keyword

Rows = NDArray[np.uint64]
"""A row of bits for each query or leaf: bit ``n % 64`` of word ``n // 64`` is the n-th paper's."""

PAPERS_AT_ONCE = 1024
"""So many papers are asked about at a time, that the rows of all leaves stay in the processor's cache."""
_QUERIES_AT_ONCE = 16_384
_SCOPES = {Scope.TEXT: 0, Scope.TITLE: 1, Scope.ABSTRACT: 2, Scope.VENUE: 3}
_EVERYONE = -1
"""Row of all papers."""
_MASK = (1 << 64) - 1

_Program = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]
"""The groups of rows of each of which a query requires one, and the rows that it excludes.

Keywords have the numbers from 0, four each, one a scope; -1 is everybody's, and whatever else has those from -3
downwards: Python hashes -1 and -2 alike.
"""


class Engine:
    """Queries, each with a number."""

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._keywords = HashTable(fill=0.75)
        """Number of each keyword, by the hash of its text."""
        self._new_keywords: dict[str, int] = {}
        """First row of those that came up since papers were asked about."""
        self._others: dict[Node, int] = {}
        """Row of each node that is no keyword, those that a node is made of before it."""
        self._category_sets: dict[tuple[str, ...], int] = {}
        """Row of each set of categories of which one is wanted, by their patterns."""
        self._people = People()
        self.groups: list[_Groups] = []
        """The first group of each query with one more row that it requires; the second group of those that have two;
        and so on."""
        self.none = _Groups()
        self._programs = HashTable(fill=0.75)
        self._count = 0

    def add(self, query: Query) -> int:
        """Enter a query.

        Returns:
            Its number, from 0; the same for equal ones.

        Raises:
            ValueError: A keyword, name or pattern cannot be sought.
        """
        program = self._compile(query.wants)
        key = hash(program) & _MASK
        number = self._programs.enter(key, self._count)
        if number < self._count:
            return number
        self._count += 1
        (first, *groups), none = program
        # Half of all queries require one row besides, mostly of their categories.
        alone = next((group for group in groups if len(group) == 1), (_EVERYONE,))
        if alone in groups:
            groups.remove(alone)
        groups.insert(0, first + alone)
        while len(self.groups) < len(groups):
            self.groups.append(_Groups())
        for together, group in zip(self.groups, groups, strict=False):
            together.add(number, group)
        if none:
            self.none.add(number, none)
        return number

    def settle(self) -> None:
        """Make what was added ready to be asked; `ask` does so itself."""
        self._scanner.settle()
        self._new_keywords.clear()

    def ask(self, readings: Sequence[Reading]) -> "Answer":
        """Ask every query about every paper."""
        self.settle()
        blocks = [readings[at : at + PAPERS_AT_ONCE] for at in range(0, len(readings), PAPERS_AT_ONCE)]
        return Answer(self, [self._read(block) for block in blocks])

    @property
    def nbytes(self) -> int:
        """Resident size, as far as it grows with the queries; nodes that are no keywords are not counted."""
        groups = sum(each.nbytes for each in (*self.groups, self.none))
        return groups + self._programs.nbytes + self._keywords.nbytes + self._scanner.nbytes

    def __len__(self) -> int:
        """How many numbers were given out."""
        return self._count

    # Queries to numbers

    def _compile(self, wants: Node) -> _Program:
        groups: list[tuple[int, ...]] = []
        none: list[int] = []
        row, known = self._row, self._new_keywords.get
        for part in wants.parts if isinstance(wants, And) else (wants,):
            if isinstance(part, Or) and part.parts:
                if isinstance(part.parts[0], Category):
                    groups.append((self._category_set(part),))
                else:
                    groups.append(
                        tuple(
                            [
                                known(each.text) or row(each)
                                if type(each) is Word and each.scope is Scope.TEXT
                                else row(each)
                                for each in part.parts
                            ]
                        )
                    )
            elif isinstance(part, Not):
                unwanted = part.part
                none += [row(each) for each in unwanted.parts] if isinstance(unwanted, Or) else [row(unwanted)]
            else:
                groups.append((row(part),))
        if not groups:
            groups.append((_EVERYONE,))
        return tuple(groups), tuple(none)

    def _row(self, node: Node) -> int:
        if type(node) is Word:
            first = self._new_keywords.get(node.text)
            if first is None:
                first = self._new_keywords[node.text] = 4 * self._keyword(node.text)
            # Compared first: members of an enumeration are slow to look up.
            return first if node.scope is Scope.TEXT else first + _SCOPES[node.scope]
        row = self._others.get(node)
        return self._enter(node) if row is None else row

    def _category_set(self, node: Or) -> int:
        """Few sets of categories are asked for by many."""
        if not all(type(part) is Category for part in node.parts):
            return self._row(node)
        key = tuple([part.pattern for part in node.parts if type(part) is Category])
        known = self._category_sets.get(key)
        if known is None:
            known = self._category_sets[key] = self._row(node)
        return known

    def _keyword(self, text: str) -> int:
        key = hash(text) & _MASK
        known = self._keywords.first(key)
        # A keyword that cannot be read leaves nothing behind.
        return known if known >= 0 else self._keywords.enter(key, self._scanner.add(Keyword.parse(text)))

    def _enter(self, node: Node) -> int:
        match node:
            case And(parts) | Or(parts):
                for part in parts:
                    self._row(part)
            case Not(part):
                self._row(part)
            case Near(words, _, scope):
                for text in words:
                    self._row(Word(text, scope))
            case _:
                pass
        row = self._others[node] = -3 - len(self._others)
        if isinstance(node, Author):
            self._people.add(Name.parse(node.name), row)
        return row

    # Papers to rows

    def _read(self, readings: Sequence[Reading]) -> "_Block":
        texts = [
            text for reading in readings for text in (reading.paper.title, reading.paper.abstract, reading.paper.venue)
        ]
        keywords, found_in = self._scanner.scan(texts)
        places, fields = np.divmod(found_in, 3)
        in_text = fields < 2
        rows = np.concatenate((4 * keywords + 1 + fields, 4 * keywords[in_text]))
        places = np.concatenate((places, places[in_text]))
        slots: NDArray[np.int32] = np.zeros(4 * len(self._scanner) + len(self._others) + 2, np.int32)
        slots[rows] = 1
        hit = np.flatnonzero(slots)
        slots[hit] = np.arange(1, len(hit) + 1)
        width = -(-len(readings) // 64)
        bits = np.zeros((1 + len(hit), 64 * width), np.bool_)
        bits[slots[rows], places] = True
        packed = np.packbits(bits, axis=1, bitorder="little")
        others = self._read_others(readings, slots, packed)
        slots[[*others]] = np.arange(len(packed), len(packed) + len(others))
        more = np.frombuffer(b"".join(row.to_bytes(8 * width, "little") for row in others.values()), np.uint8)
        return _Block(slots, np.concatenate((packed, more.reshape(-1, 8 * width))).view(np.uint64))

    def _read_others(  # noqa: C901  a case for each kind
        self, readings: Sequence[Reading], slots: NDArray[np.int32], packed: NDArray[np.uint8]
    ) -> dict[int, int]:
        """Rows of the nodes that are no keywords, as far as any paper meets them, each as one number."""
        found: defaultdict[int, int] = defaultdict(int)
        for row, place in self._people.find(readings):
            found[row] |= 1 << place
        by_category: defaultdict[str, int] = defaultdict(int)
        by_source: defaultdict[str, int] = defaultdict(int)
        for place, reading in enumerate(readings):
            for category in reading.paper.categories:
                by_category[category] |= 1 << place
            for source in reading.paper.sources:
                by_source[source] |= 1 << place

        def row_of(node: Node) -> int:
            row = self._row(node)
            return found.get(row, 0) if row < 0 else int.from_bytes(packed[slots[row]].tobytes(), "little")

        def ask_each(leaf: Leaf, candidates: int) -> int:
            return sum(1 << at for at, each in enumerate(readings) if candidates >> at & 1 and meets(leaf, each))

        everyone = found[_EVERYONE] = (1 << len(readings)) - 1
        for node, row in self._others.items():
            match node:
                case Author():
                    continue
                case Category(pattern):
                    bits = reduce(or_, (bits for known, bits in by_category.items() if is_category(pattern, known)), 0)
                case Listed(source):
                    bits = reduce(or_, (bits for known, bits in by_source.items() if is_source(source, known)), 0)
                case Near((first, second), _, scope):
                    bits = ask_each(node, row_of(Word(first, scope)) & row_of(Word(second, scope)))
                case Pattern() | About():
                    bits = ask_each(node, everyone)
                case And(parts):
                    bits = reduce(and_, map(row_of, parts), everyone)
                case Or(parts):
                    bits = reduce(or_, map(row_of, parts), 0)
                case Not(part):
                    bits = everyone & ~row_of(part)
                case Word():
                    raise AssertionError(node)
                case _:
                    assert_never(node)
            if bits:
                found[row] = bits
        return found


@dataclass(frozen=True, slots=True)
class _Block:
    """What up to `PAPERS_AT_ONCE` papers say."""

    slots: NDArray[np.int32]
    """Which of the rows belongs to each number; 0 where no paper is hit."""
    rows: Rows
    """The first is empty."""


class Answer:
    """Which of the papers asked about meet each query."""

    def __init__(self, engine: Engine, blocks: Sequence["_Block"]) -> None:
        """Keep what the papers say; queries are evaluated when they are asked for."""
        self.engine = engine
        self.blocks = blocks
        self._page = 0, np.zeros((0, 0), np.uint64)

    def places(self, number: int) -> list[int]:
        """Which papers meet one query; those of its neighbours, which are mostly asked for next, cost little more."""
        begin, rows = self._page
        if not begin <= number < begin + len(rows):
            begin = number - number % _QUERIES_AT_ONCE
            rows = self.rows(begin, min(begin + _QUERIES_AT_ONCE, len(self.engine)))
            self._page = begin, rows
        return places(rows[number - begin])

    def rows(self, first: int, last: int) -> Rows:
        """A row of bits for each query from ``first`` to before ``last``, in their order.

        Any range can be asked for by itself, for instance by several processes or one part after another.
        """
        results: list[Rows] = [np.zeros((last - first, 0), np.uint64)]
        for block in self.blocks:
            result: Rows = np.zeros((last - first, block.rows.shape[1]), np.uint64)
            for begin in range(first, last, _QUERIES_AT_ONCE):
                self._evaluate(block, begin, result[begin - first : begin - first + _QUERIES_AT_ONCE])
            results.append(result)
        return np.concatenate(results, axis=1) if len(results) > 2 else results[-1]

    def _evaluate(self, block: _Block, begin: int, result: Rows) -> None:
        end = begin + len(result)
        # Filled again and again: to make new arrays would take longer than to fill them.
        found, other, spare = (np.empty_like(result) for _ in range(3))
        # Within one of these no query stands twice, so that no write is lost.
        for number, together in enumerate(self.engine.groups):
            for queries, groups in together.between(begin, end):
                if number:
                    some = _any_of(block, groups, found, spare)
                    some &= np.take(result, queries - begin, axis=0, out=other[: len(queries)], mode="clip")
                else:
                    some = _any_of(block, groups[:, :-1], found, spare)
                    some &= _any_of(block, groups[:, -1:], other, spare)
                result[queries - begin] = some
        for queries, groups in self.engine.none.between(begin, end):
            some = np.invert(_any_of(block, groups, found, spare), out=found[: len(queries)])
            some &= np.take(result, queries - begin, axis=0, out=other[: len(queries)], mode="clip")
            result[queries - begin] = some


def _any_of(block: _Block, groups: NDArray[np.int32], found: Rows, spare: Rows) -> Rows:
    """What any row of each group holds, in the first rows of ``found``."""
    found, spare = found[: len(groups)], spare[: len(groups)]
    slots = block.slots.take(groups.T, mode="wrap").astype(np.intp)
    np.take(block.rows, slots[0], axis=0, out=found, mode="clip")
    for each in slots[1:]:
        found |= np.take(block.rows, each, axis=0, out=spare, mode="clip")
    return found


def places(row: Rows) -> list[int]:
    """Which bits of one row are set."""
    found: list[int] = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
    return found


class _Groups:
    """Groups of rows that play one part in their queries, those of one length together."""

    def __init__(self) -> None:
        self._shapes: defaultdict[int, tuple[array[int], array[int]]] = defaultdict(lambda: (array("i"), array("i")))
        """By length: whose groups they are, ascending, and their rows, one group after another."""

    def add(self, query: int, group: tuple[int, ...]) -> None:
        queries, rows = self._shapes[len(group)]
        queries.append(query)
        rows.extend(group)

    def between(self, first: int, last: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Of each length: the queries from ``first`` to before ``last`` that have such groups, and the groups."""
        for length, (numbers, rows) in self._shapes.items():
            queries = np.frombuffer(numbers, np.int32)
            begin, end = np.searchsorted(queries, (first, last))
            if begin < end:
                yield queries[begin:end], np.frombuffer(rows, np.int32).reshape(-1, length)[begin:end]

    @property
    def nbytes(self) -> int:
        return sum(each.itemsize * len(each) for pair in self._shapes.values() for each in pair)
