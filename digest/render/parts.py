"""What a mail is made of: a tree of parts, each a file of the template, filled in once for everything equal."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from digest.model import Score

HTML_SIDE: Final = 0
TEXT_SIDE: Final = 1
SIDES: Final = (HTML_SIDE, TEXT_SIDE)

HOLES: Final[Mapping[str, tuple[str, ...]]] = {
    "sections": ("section",),
    "cards": ("card",),
    "lines": ("line", "more"),
    "head": ("head",),
    "week": ("week",),
    "empty": ("empty",),
    "rest": ("rest",),
    "near": ("near",),
    "updated": ("updated",),
    "follow_ups": ("follow_ups",),
    "discussed": ("discussed",),
    "sent": ("sent",),
    "health": ("health",),
    "footer": ("footer",),
}
"""Which parts stand where a template writes ``{{ part.NAME }}``, by that name."""

SLOTS: Final = frozenset(
    {
        *("reader.name", "reader.heading", "reader.contents", "reader.preheader", "reader.standing"),
        *("reader.unsubscribe", "reader.pause", "reader.archive", "reader.id"),
        *("paper.number", "paper.score"),
    }
)
"""What differs from reader to reader: a template may print these and nothing else, as they are filled in last."""

_GENERATION = 3_000


class Fragment(NamedTuple):
    """A part that was filled in, but for its gaps."""

    pieces: tuple[bytes, ...]
    """Quoted-printable, and any may follow any other; empty where a gap is."""
    gaps: tuple[tuple[int, str], ...]
    """Their places among the pieces, and the names of the slots or holes."""
    has_holes: bool


class Slot:
    """What stands in a slot: plain text or an address."""

    __slots__ = ("sides", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sides: list[bytes | None] = [None, None]
        """Encoded for each of `SIDES`, once that was asked for."""


class Sheet:
    """One part with all that it shows but for its gaps; the same for every reader for whom it is equal."""

    __slots__ = ("context", "part", "sides")

    def __init__(self, part: str, context: Callable[[], Mapping[str, object]]) -> None:
        self.part = part
        """Names the files ``PART.mjml.j2`` and ``PART.txt.j2``."""
        self.context: Callable[[], Mapping[str, object]] | None = context
        """What the part is filled in with; called once for each side, then let go with all that it holds."""
        self.sides: list[Fragment | None] = [None, None]
        """Filled in for each of `SIDES`, once that was asked for."""


class Node(NamedTuple):
    """A sheet in the mail of one reader."""

    sheet: Sheet
    slots: Mapping[str, Slot] = {}
    """By their names in `SLOTS`; those of the root hold in all of the mail."""
    inside: Mapping[str, Sequence["Node"]] = {}
    """What stands in its holes, by their names in `HOLES`."""


class Stock:
    """Keeps the sheets of one template in one language.

    There are two generations: what was not asked for while the young one filled up goes, so memory stays flat.
    """

    def __init__(self) -> None:
        self.young: dict[Hashable, Sheet] = {}
        """Where to look first."""
        self._old: dict[Hashable, Sheet] = {}
        self._numbers: dict[Hashable, int] = {}
        self._by_identity: dict[int, tuple[Hashable, int]] = {}
        self._next = count(1)
        self._scores: dict[tuple[float, ...], Slot] = {}
        self._said: dict[str, Slot] = {}

    def find(self, key: Hashable) -> Sheet | None:
        """The sheet that was put under this key, if it was not long ago."""
        sheet = self.young.get(key)
        if sheet is None and (sheet := self._old.pop(key, None)):
            self.young[key] = sheet
        return sheet

    def put(self, key: Hashable, sheet: Sheet) -> Sheet:
        """Keep a sheet."""
        if len(self.young) >= _GENERATION:
            self._old, self.young = self.young, {}
        self.young[key] = sheet
        return sheet

    def number(self, value: Hashable) -> int:
        """A number that stands for an equal value in keys."""
        # Evidence takes longer to hash than a card to join, and readers who want the same share it.
        known = self._by_identity.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        number = self._numbers.get(value)
        if number is None:
            if len(self._numbers) > 10 * _GENERATION:
                self._numbers.clear()
            number = self._numbers[value] = next(self._next)
        if len(self._by_identity) > 2 * _GENERATION:
            self._by_identity.clear()
        self._by_identity[id(value)] = value, number
        return number

    def score(self, score: Score, say: Callable[[Score], str]) -> Slot:
        """The slot for a score, said once."""
        key = (score.match, score.trend, score.recency, score.relevance, score.follow, score.less)
        slot = self._scores.get(key)
        if slot is None:
            if len(self._scores) > 2 * _GENERATION:
                self._scores.clear()
            slot = self._scores[key] = self._said.setdefault(text := say(score), Slot(text))
            if len(self._said) > 4 * _GENERATION:
                self._said.clear()
        return slot
