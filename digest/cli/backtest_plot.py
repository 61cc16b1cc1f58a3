"""Draws what topics found a day; needs matplotlib, the extra ``plots``."""

from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from digest.errors import ConfigError
from digest.model import Subscriber
from digest.rank.backtest import Series, Tally

# Okabe and Ito's, which colour-blind people tell apart, in an order in which neighbours also differ in lightness;
# without black, which the line has, and without yellow, which is lost on white.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_OTHERS = "#BBBBBB"
_NAME_CHARS = 32


def draw_backtest(path: Path, subscriber: Subscriber, tally: Tally, before: tuple[str, Series] | None) -> None:
    """Draw papers a day, stacked by the first topic that found them.

    Args:
        path: Ends with ``.png`` or ``.svg``.
        subscriber: Whose topics and limit.
        tally: What they found.
        before: Name of another subscribers file, and what its topics found on the same days.

    Raises:
        ConfigError: The file cannot be written.
    """
    # Without pyplot there is no state that outlives the call; the file's ending decides how it is drawn.
    figure = Figure(figsize=(10, 4.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    at = np.asarray(date2num(tally.days))  # type: ignore[no-untyped-call]  # matplotlib.dates has no hints
    _stack(axes, at, tally)
    if before:
        name, found = before
        edges = np.append(at, at[-1] + 1) - 0.5
        line = [np.nan if count is None else count for count in found.counts]
        label = f"{_short(name)}: {found.total} papers"
        axes.stairs(line, edges, baseline=None, color="black", linewidth=1.4, label=label, zorder=3)
    _mark_limit(
        axes, subscriber.limit, max(count or 0 for each in (tally.found, *(before or ())[1:]) for count in each.counts)
    )
    _hatch_gaps(axes, at, tally.found)
    axes.set_xlim(at[0] - 0.5, at[-1] + 0.5)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=10))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(lambda day, _: f"{(moment := num2date(day)).day} {moment:%b}")  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"day ({subscriber.zone})")
    axes.set_ylabel("papers found")
    axes.set_title(
        f"{_short(subscriber.name)}: {tally.found.total} papers, {tally.days[0]} to {tally.days[-1]}",
        loc="left",
        parse_math=False,
    )
    # The other way round: as the bars are stacked, topmost first, and what is no bar below.
    legend = figure.legend(
        handles=axes.get_legend_handles_labels()[0][::-1],
        loc="outside right upper",
        frameon=False,
        title="papers by the first topic\nthat finds them",
        alignment="left",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    try:
        figure.savefig(path)
    except OSError as exc:
        hint = "name a file in a folder of yours"
        raise ConfigError(f"'{path}' cannot be written ({exc.strerror})", where="--plot", hint=hint) from exc


def _stack(axes: Axes, at: NDArray[np.float64], tally: Tally) -> None:
    """A part of each bar for each topic; of more topics than colours, those with fewest papers share the last."""
    by_size = sorted(tally.topics, key=lambda topic: -topic.first.total)
    own = set(by_size if len(by_size) <= len(_COLOURS) else by_size[: len(_COLOURS)])
    bottom = np.zeros(len(at))

    def add(counts: NDArray[np.float64], colour: str, label: str) -> None:
        nonlocal bottom
        axes.bar(at, counts, bottom=bottom, width=0.86, color=colour, label=label, zorder=2)
        bottom = bottom + counts

    colours = iter(_COLOURS)
    others = np.zeros(len(at))
    for topic in tally.topics:
        counts = np.array([count or 0 for count in topic.first.counts], dtype=float)
        if topic in own:
            add(counts, next(colours), f"{_short(topic.name)} ({topic.first.total})")
        else:
            others += counts
    if len(own) < len(tally.topics):
        add(others, _OTHERS, f"{len(tally.topics) - len(own)} other topics ({others.sum():.0f})")


def _mark_limit(axes: Axes, limit: int, top: int) -> None:
    """A line at the limit; it is only named where it would leave the bars no room."""
    label = f"limit: {limit} a mail"
    if limit <= 3 * top:
        axes.axhline(limit, color="#555555", linestyle=(0, (5, 3)), linewidth=1.2, label=label, zorder=3)
    else:
        axes.plot([], [], " ", label=f"{label}, far above")


def _hatch_gaps(axes: Axes, at: NDArray[np.float64], found: Series) -> None:
    label = "nothing stored"
    for is_gap, some in groupby(zip(at, found.counts, strict=True), key=lambda day: day[1] is None):
        if is_gap:
            days = [day for day, _ in some]
            axes.axvspan(
                days[0] - 0.5,
                days[-1] + 0.5,
                facecolor="none",
                edgecolor="#E4E4E4",
                hatch="////",
                linewidth=0,
                label=label,
            )
            label = ""


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"
