"""Counts as a line of text."""

from collections.abc import Sequence

NONE = "·"
GAP = "░"
_BARS = "▁▂▃▄▅▆▇█"


def draw_sparkline(counts: Sequence[int | None], top: int | None = None) -> str:
    """A sign for each count: a bar, `NONE` for 0, `GAP` where nothing is known.

    Args:
        counts: From 0.
        top: What the highest bar stands for, so that several lines compare; the highest count unless given.
    """
    top = top or max((count or 0 for count in counts), default=0)
    return "".join(
        GAP if count is None else _BARS[min(7, (count * 8 - 1) // top)] if count else NONE for count in counts
    )
