from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from digest.match.table import HashTable

KEYS = st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1))


@given(st.lists(st.lists(st.tuples(KEYS, st.integers(0, 2**31 - 1)), max_size=40), max_size=6), st.booleans())
def test_a_table_gives_back_every_number_of_every_key(rounds: list[list[tuple[int, int]]], at_once: bool) -> None:
    table = HashTable(fill=0.75)
    expected: defaultdict[int, list[int]] = defaultdict(list)
    for entries in rounds:
        if at_once:
            for key, number in entries:
                expected[key].append(number)
            keys, numbers = zip(*entries, strict=True) if entries else ((), ())
            table.add_all(np.array(keys, np.uint64), np.array(numbers, np.int32))
        else:
            for key, number in entries:
                expected[key] = expected[key] or [number]
                assert table.enter(key, number) == expected[key][0]
    asked = [*dict.fromkeys([*expected, 7, 2**63])]

    places, numbers_found = table.find(np.array(asked, np.uint64))

    found: defaultdict[int, list[int]] = defaultdict(list)
    for place, number in zip(places.tolist(), numbers_found.tolist(), strict=True):
        found[asked[place]].append(number)
    assert len(table) == sum(map(len, expected.values()))
    assert {key: sorted(some) for key, some in found.items()} == {key: sorted(some) for key, some in expected.items()}
    for key in asked:
        assert table.first(key) in (expected.get(key) or [-1])
