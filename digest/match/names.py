"""Compares people's names as papers print them: full or with initials, "First Last" or "Last, First"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digest.text.fold import fold

_PARTS = re.compile(r"[^\W_]+")
SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv"])

Words = tuple["_Word", ...]
_Word = tuple[str, ...]
"""The parts of a hyphenated word: ``("jun", "yan")``; of any other word its one part."""


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as every way to read it: the words of the given names, and the family name folded and joined."""

    readings: frozenset[tuple[Words, str]]
    """"Yann Le Cun" may be the family name Cun or Le Cun; with a comma there is one reading."""

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Read a name.

        Raises:
            ValueError: It holds no letter.
        """
        family, comma, given = text.partition(",")
        if comma and fold(given).strip(". ") not in SUFFIXES:
            readings = {(_words(given), joined(_words(family)))}
        else:
            readings = set(_splits(_words(family)))
        if not any(family for _, family in readings):
            raise ValueError(f"author {text!r} holds no letter")
        return cls(frozenset(readings))

    def same_as(self, other: "Name") -> bool:
        """Whether both may name one person: the family names are equal, and the given names agree.

        Given names agree when they are equal, or when initials on one side begin those on the other; a middle name
        that only one of them has is not compared. "Jun-Yan" and "Jun" are two names, "J.-Y." may be either's.
        """
        return not self.readings.isdisjoint(other.readings) or any(
            mine == theirs and _given_agree(my_given, their_given)
            for my_given, mine in self.readings
            for their_given, theirs in other.readings
        )

    def is_met_by(self, author: "Name") -> bool:
        """Whether an author may be the person with this name; a family name alone may be anyone's of the family."""
        return self.same_as(author) or any(
            not given and any(family == theirs for _, theirs in author.readings) for given, family in self.readings
        )


def _words(text: str) -> Words:
    words: list[_Word] = []
    for printed in text.split():
        if "-" in printed or "‐" in printed:
            words.append(tuple(map(fold, _PARTS.findall(printed))))
            continue
        for part in _PARTS.findall(printed):
            # "JP" is "J.-P."; as a family name, "LI" is joined again.
            is_initials = len(part) == 2 and part.isascii() and part.isupper()
            words.append(tuple(fold(part)) if is_initials else (fold(part),))
    # Of a sound mark alone, as in "ﾞ", nothing is left.
    kept = (tuple(filter(None, word)) for word in words)
    return tuple(word for word in kept if word and word[0] not in SUFFIXES)


def joined(words: Words) -> str:
    """All parts in one word."""
    return "".join(_parts(words))


def _splits(words: Words) -> Iterator[tuple[Words, str]]:
    """Given and family part at every place where the family name may begin."""
    if len(words) <= 1:
        yield (), joined(words)
    for at in range(1, len(words)):
        yield words[:at], joined(words[at:])
    # "Li Fei-Fei": a family name that comes first is only told apart by the hyphen behind it.
    if len(words) == 2 and len(words[1]) > 1 and len(words[0]) == 1:
        yield words[1:], joined(words[:1])


def _given_agree(mine: Words, theirs: Words) -> bool:
    if not mine or not theirs:
        return mine == theirs
    if joined(mine) == joined(theirs):
        return True
    if are_initials(mine) or are_initials(theirs):
        return all(a[0] == b[0] for a, b in zip(_parts(mine), _parts(theirs), strict=False))
    return mine[0] == theirs[0] and all(
        a == b or (min(map(len, (*a, *b))) == 1 and a[0][0] == b[0][0])
        for a, b in zip(mine[1:], theirs[1:], strict=False)
    )


def _parts(words: Words) -> list[str]:
    return [part for word in words for part in word]


def are_initials(words: Words) -> bool:
    """Whether every part is one letter."""
    return all(len(part) == 1 for part in _parts(words))
