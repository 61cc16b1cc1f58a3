"""Finds followed people among the authors of many papers at once, as `Name.is_met_by` compares them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from digest.match.names import SUFFIXES, Name, Words, are_initials, joined
from digest.match.topics import Reading, name_or_none

_PLAIN = re.compile(r"(?:(?![A-Z]{2}\b)[A-Za-z]++[. ]*+)++")
"""Without hyphens and accents, and without two capital letters that are two initials."""


class People:
    """Followed people, each with a number.

    Two names can only be one person's if they share a key: given names agree by their first word or as a whole, or
    where one side has initials only, by the first initial. One without given names has the empty key.
    """

    def __init__(self) -> None:
        self._by_key: defaultdict[str, list[tuple[Name, int]]] = defaultdict(list)

    def add(self, name: Name, number: int) -> None:
        """Follow someone."""
        for given, family in name.readings:
            for key in {_first(given), joined(given), _initial(given)}:
                self._by_key[f"{family} {key}"].append((name, number))
            if are_initials(given):
                self._by_key[f"{family} {_initial(given)}."].append((name, number))

    def find(self, readings: Sequence[Reading]) -> Iterator[tuple[int, int]]:
        """Number of the followed person, and place of the paper in the readings; a pair may come twice."""
        if not self._by_key:
            return
        for place, reading in enumerate(readings):
            for printed in reading.paper.authors:
                if self._may_be_followed(printed) and (name := name_or_none(printed)):
                    for given, family in name.readings:
                        for followed, number in self._candidates(given, family):
                            if followed.is_met_by(name):
                                yield number, place

    def _candidates(self, given: Words, family: str) -> Iterator[tuple[Name, int]]:
        if are_initials(given):
            yield from self._by_key.get(f"{family} {_initial(given)}", ())
        else:
            for key in {_first(given), joined(given), f"{_initial(given)}."}:
                yield from self._by_key.get(f"{family} {key}", ())
        if given:
            yield from self._by_key.get(f"{family} ", ())

    def _may_be_followed(self, printed: str) -> bool:
        """Whether a name may have a key of anyone followed; to take it apart takes longer."""
        if not _PLAIN.fullmatch(printed):
            return True
        given = printed.lower().replace(".", " ").split()
        if len(given) < 2 or not SUFFIXES.isdisjoint(given):
            return True
        family, first, known = "", given[0], self._by_key
        while len(given) > 1:
            family = given.pop() + family
            if (
                f"{family} {first}" in known
                or f"{family} {first[0]}." in known
                # One whose given names are initials has the key of the first, which others have with a dot.
                or f"{family} {first[0]}" in known
                or (len(given) > 1 and f"{family} {''.join(given)}" in known)
                or f"{family} " in known
            ):
                return True
        return False


def _first(given: Words) -> str:
    return "-".join(given[0]) if given else ""


def _initial(given: Words) -> str:
    return given[0][0][0] if given else ""
