"""Compares people's names as papers print them: full or with initials, "First Last" or "Last, First"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digest.text.fold import fold

_PARTS = re.compile(r"[^\W_]+")
_SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv"])


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as every way to read it: given names and the family name, folded and joined."""

    readings: frozenset[tuple[tuple[str, ...], str]]
    """"Yann Le Cun" may be the family name Cun or Le Cun; with a comma there is one reading."""

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Read a name.

        Raises:
            ValueError: It holds no letter.
        """
        family, comma, given = text.partition(",")
        if comma and fold(given).strip(". ") not in _SUFFIXES:
            readings = {(_parts(given), "".join(_parts(family)))}
        else:
            readings = set(_splits(_parts(text.partition(",")[0])))
        if not any(family for _, family in readings):
            raise ValueError(f"author {text!r} holds no letter")
        return cls(frozenset(readings))

    def same_as(self, other: "Name") -> bool:
        """Whether both may name one person.

        The family names are equal, and of the given names each pair is equal or one is the other's initial; given
        names that only one of them has are not compared.
        """
        return any(
            mine == theirs and _given_agree(my_given, their_given)
            for my_given, mine in self.readings
            for their_given, theirs in other.readings
        )


def _parts(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    for word in _PARTS.findall(text):
        # "JP" and "J.-P." are the same initials; "LI" as a family name is restored by joining.
        parts += fold(word) if len(word) == 2 and word.isupper() else [fold(word)]
    return tuple(part for part in parts if part and part not in _SUFFIXES)


def _splits(parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Given and family part at every place where the family name may begin."""
    if len(parts) <= 1:
        yield (), "".join(parts)
    for at in range(1, len(parts)):
        yield parts[:at], "".join(parts[at:])


def _given_agree(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    if not mine or not theirs:
        return mine == theirs
    return all(a == b or (min(len(a), len(b)) == 1 and a[0] == b[0]) for a, b in zip(mine, theirs, strict=False))
