"""Shows what a backtest found: as tables for people, as plain values for machines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from digest.cli.common import console, number_of
from digest.rank.backtest import Series, Tally, compare_tallies, find_remarks, spread
from digest.rank.sparkline import GAP, NONE, draw_sparkline

if TYPE_CHECKING:
    from digest.match.topics import Judgement, Reading, TopicFilter
    from digest.model import Evidence, PaperKey, Subscriber

SHOWN = 10
"""So many papers of each kind are named, unless all are asked for."""
_HITS = 4


@dataclass(frozen=True, slots=True)
class Side:
    """What one wording of the subscriber's topics found."""

    subscriber: "Subscriber"
    file: Path
    tally: Tally
    filters: "dict[str, TopicFilter]"

    def judge(self, reading: "Reading") -> "list[Judgement]":
        """What each topic says to a paper, in the subscriber's order."""
        return [topic.judge(reading) for topic in self.filters.values()]


@dataclass(frozen=True, slots=True)
class Period:
    """Stored papers of some local days, oldest first."""

    zone: ZoneInfo
    """Which counts the days, whoever is asked."""
    days: tuple[date, ...]
    stored_at: tuple[datetime, ...]
    readings: "tuple[Reading, ...]"


def show_tally(side: Side, period: Period) -> None:
    """Print papers a day, of all topics and of each, what a mail would have held, and what is remarkable."""
    tally, subscriber = side.tally, side.subscriber
    console.print(
        f"[bold]{escape(subscriber.name)}[/bold], {tally.days[0]} to {tally.days[-1]} ({period.zone}):"
        f" {tally.found.total} of {len(period.readings)} stored papers"
    )
    # What may be long stands last, so that bars stay below each other on a narrow screen.
    console.print(f"[bold]{'papers a day':{len(tally.days)}}  total  median    busiest day  alone  topic[/bold]")
    for name, found, alone in (
        ("any topic", tally.found, ""),
        *((topic.name, topic.found, str(topic.alone)) for topic in tally.topics),
    ):
        figures = f"{found.total:5}  {found.median:6g}  {_busiest(found, tally.days):>13}  {alone:>5}"
        console.print(f"{draw_sparkline(found.counts):12}  {figures}  {escape(name)}")
    console.print(
        f"[dim]each line has its own scale; {NONE} none found, {GAP} nothing stored; alone: by no other topic[/dim]"
    )
    papers = sorted(papers for _, papers in tally.mails)
    console.print(
        f"{number_of(len(papers), 'mail')} ({escape(subscriber.schedule.text)}), the largest with {papers[-1]} papers;"
        f" {tally.mails_over(subscriber.limit)} over the limit of {subscriber.limit}"
    )
    for remark in find_remarks(tally, subscriber.limit):
        console.print(f"[yellow]![/yellow] {escape(remark.text)}")


def _busiest(found: Series, days: Sequence[date]) -> str:
    if found.busiest is None:
        return ""
    day = days[found.busiest]
    return f"{found.counts[found.busiest]} on {day.day} {day:%b}"


def show_difference(side: Side, before: Side, period: Period, *, show_all: bool) -> None:
    """Print what is found now and was not before, and the other way round, with the words or the reason.

    Args:
        side: What is found now.
        before: What another subscribers file finds on the same days.
        period: These days.
        show_all: Name every paper, not only `SHOWN` of each kind.
    """
    difference = compare_tallies(side.tally, before.tally)
    console.print(
        f"\n[bold]{escape(str(side.file))} against {escape(str(before.file))}[/bold]:"
        f" {len(difference.added)} added, {len(difference.lost)} lost, by day on one scale"
    )
    top = max(count or 0 for each in (side, before) for count in each.tally.found.counts)
    for each in (side, before):
        found = each.tally.found
        line = draw_sparkline(found.counts, top)
        console.print(f"{line}  {found.total:5} in all, {found.median:5g} a day  {escape(str(each.file))}")
    known = {reading.paper.key: reading for reading in period.readings}
    for sign, colour, keys, finder, misser in (
        ("+", "green", difference.added, side, before),
        ("-", "red", difference.lost, before, side),
    ):
        chosen = keys if show_all else spread(keys, SHOWN)
        if keys:
            few = f"; {len(chosen)} of them, from all days (--all names each)" if len(chosen) < len(keys) else ""
            console.print(
                f"[{colour}]{sign}[/{colour}] [bold]{len(keys)}[/bold]: {escape(_by_topic(finder, keys))}{few}"
            )
        for key in chosen:
            console.print(f"  [{colour}]{sign}[/{colour}] {escape(known[key].paper.title)} [dim]{escape(key)}[/dim]")
            for line in (*_found_by(finder, known[key]), *_kept_out(finder, misser, known[key])):
                console.print(f"      {escape(line)}")


def _by_topic(side: Side, papers: "Sequence[PaperKey]") -> str:
    """How many of these papers each topic finds, those of most first."""
    counts = Counter(name for paper in papers for name in side.tally.wanted[paper])
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _found_by(side: Side, reading: "Reading") -> Iterator[str]:
    """A line for each topic that wants a paper: with the words that hit."""
    for judgement in side.judge(reading):
        if judgement.wants:
            yield f"{side.file}, {judgement.topic}: {_hits(judgement.evidence) or 'nothing speaks against it'}"


def _hits(evidence: "Sequence[Evidence]") -> str:
    """What hit, each term once with the fields it was found in."""
    fields: dict[str, list[str]] = {}
    for hit in evidence:
        is_same = hit.found.casefold() == hit.term.casefold()
        fields.setdefault(f"“{hit.term}”" if is_same else f"“{hit.term}” as “{hit.found}”", []).append(hit.field)
    return "; ".join(f"{term} in the {' and '.join(where)}" for term, where in list(fields.items())[:_HITS])


def _kept_out(finder: Side, misser: Side, reading: "Reading") -> Iterator[str]:
    """A line for each topic that found a paper in the one file: why the topic of that name does not in the other."""
    for name in finder.tally.wanted[reading.paper.key]:
        topic = misser.filters.get(name)
        if topic is None:
            yield f"{misser.file}, {name}: no such topic"
        else:
            yield f"{misser.file}, {name}: {'; '.join(each.text for each in topic.judge(reading).objections)}"


def view_tally(side: Side, before: Side | None, period: Period) -> dict[str, Any]:
    """The figures, ready for JSON; the keys are described in docs/backtest.md."""
    tally, subscriber = side.tally, side.subscriber
    known = {reading.paper.key: reading for reading in period.readings}
    view: dict[str, Any] = {
        "subscriber": subscriber.id,
        "zone": str(period.zone),
        "limit": subscriber.limit,
        "days": [str(day) for day in tally.days],
        "stored": tally.stored,
        "found": _numbers(tally.found, tally.days),
        "topics": [
            {"name": topic.name, **_numbers(topic.found, tally.days), "alone": topic.alone} for topic in tally.topics
        ],
        "mails": [{"date": str(day), "papers": papers} for day, papers in tally.mails],
        "mails_over_limit": tally.mails_over(subscriber.limit),
        "remarks": [
            {"kind": remark.kind, "topics": remark.topics, "text": remark.text}
            for remark in find_remarks(tally, subscriber.limit)
        ],
    }
    if before:
        difference = compare_tallies(tally, before.tally)
        view["against"] = {
            "file": str(before.file),
            "found": _numbers(before.tally.found, tally.days),
            "added": [_change(known[key], side, before) for key in difference.added],
            "lost": [_change(known[key], before, side) for key in difference.lost],
        }
    return view


def _numbers(found: Series, days: Sequence[date]) -> dict[str, Any]:
    busiest = found.busiest
    return {
        "counts": found.counts,
        "total": found.total,
        "median": found.median,
        "busiest": None if busiest is None else str(days[busiest]),
    }


def _change(reading: "Reading", finder: Side, misser: Side) -> dict[str, Any]:
    return {
        "paper": reading.paper.key,
        "title": reading.paper.title,
        "topics": finder.tally.wanted[reading.paper.key],
        "found_by": list(_found_by(finder, reading)),
        "kept_out": list(_kept_out(finder, misser, reading)),
    }
