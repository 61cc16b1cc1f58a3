"""JSON as no server should send it: parts of a good answer in the place of others, cut off, or replaced."""

import json
from typing import Any

from hypothesis import strategies as st

_SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**30)
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@st.composite
def mutated(draw: st.DrawFn, good: object) -> bytes:
    """The value with one to four changes, as bytes that may end early."""
    value = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 4))):
        value = _changed(draw, value)
    body = json.dumps(value).encode()
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


def _changed(draw: st.DrawFn, value: Any) -> Any:
    places = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not places or draw(st.integers(0, 5)) == 0:
        return draw(_ANYTHING)
    place = draw(st.sampled_from(places))
    if draw(st.integers(0, 5)) == 0:
        del value[place]
    else:
        value[place] = _changed(draw, value[place])
    return value
