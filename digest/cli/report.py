"""Shows a pass while it goes on and what it did: bars for a person, plain lines for a log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from digest.cli.common import console, errors, number_of, show_error, table
from digest.listener import Listener
from digest.model import DeliveryState, Edition, Poll, Recorded, SubscriberId, Verdict

if TYPE_CHECKING:
    from digest.deliver.outcome import Outcome
    from digest.pipeline import Report

_COLOURS = {
    Verdict.FRESH: "green",
    Verdict.UNCHANGED: "green",
    Verdict.QUIET: "cyan",
    Verdict.STALE: "yellow",
    Verdict.PARTIAL: "yellow",
    Verdict.SUSPICIOUS: "red",
    Verdict.FAILED: "red",
    DeliveryState.ACCEPTED: "green",
    DeliveryState.SKIPPED: "cyan",
    DeliveryState.DEFERRED: "yellow",
    DeliveryState.UNCERTAIN: "yellow",
    DeliveryState.SUPPRESSED: "yellow",
    DeliveryState.FAILED: "red",
}


def coloured(word: Verdict | DeliveryState | str) -> str:
    """A verdict or state in its colour."""
    known: dict[str, str] = {str(key): colour for key, colour in _COLOURS.items()}
    colour = known.get(str(word), "default")
    return f"[{colour}]{word}[/{colour}]"


class Watcher(Listener):
    """Prints each step as it ends, under progress bars when a person is watching."""

    def __init__(self, sources: int, now: datetime | None = None) -> None:
        self._now = now
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._reading = self._bars.add_task("reading sources", total=sources, visible=sources > 0)
        self._sending = self._bars.add_task("sending", total=0, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def polled(self, poll: Poll, recorded: Recorded | None) -> None:
        """One line for the source, one for each of its problems."""
        self._bars.advance(self._reading)
        counts = f"{len(poll.entries)} listed"
        if recorded:
            counts += f", {recorded.new} new" + (f", {recorded.merged} merged" if recorded.merged else "")
        via = f", by way of {' and '.join(poll.via)}" if poll.via else ""
        console.print(f"{coloured(poll.verdict)} {escape(poll.source)}: {counts}{escape(via)}")
        for problem in poll.problems:
            console.print(f"  [yellow]![/yellow] {escape(problem)}")

    def opened(self, edition: Edition) -> None:
        """One line for what a subscriber is owed."""
        name = escape(edition.subscriber.name)
        if edition.is_empty:
            console.print(f"{coloured(DeliveryState.SKIPPED)} {name}: nothing is owed for {edition.date}")
            return
        self._bars.update(self._sending, total=(self._bars.tasks[1].total or 0) + 1, visible=True)
        is_of_today = self._now is None or edition.date == self._now.astimezone(edition.subscriber.zone).date()
        day = "" if is_of_today else f" {edition.date}"
        console.print(f"[bold]due[/bold] {name}{day}: {contents(edition)}")

    def settled(self, outcome: "Outcome") -> None:
        """One line for what became of a delivery."""
        self._bars.advance(self._sending)
        size = f"{outcome.html_bytes / 1000:.0f} kB of HTML" if outcome.html_bytes else ""
        said = ", ".join(filter(None, (outcome.detail, size)))
        detail = f" ({escape(said)})" if said else ""
        again = f", next try {outcome.next_try_at:%Y-%m-%d %H:%M} UTC" if outcome.next_try_at else ""
        console.print(f"{coloured(outcome.state)} {outcome.delivery.subscriber} {outcome.delivery.date}{detail}{again}")


def contents(edition: Edition) -> str:
    """What an edition holds, in a few words."""
    parts = [f"{len(edition.matched)} matched"]
    if edition.rest:
        parts.append(f"{len(edition.rest)} more by title")
    if edition.trending:
        parts.append(f"{len(edition.trending)} trending")
    if edition.follow_ups:
        parts.append(f"{len(edition.follow_ups)} followed up")
    return ", ".join(parts)


def show_report(report: "Report", *, dry_run: bool = False) -> None:
    """The last lines of a pass: what went wrong, and one line of counts."""
    for edition in report.uncertain:
        console.print(
            f"{coloured(DeliveryState.UNCERTAIN)} {edition.subscriber} {edition.date}: an earlier run died while"
            " sending; not sent again, its papers come with the next edition"
        )
    for failure in report.failures:
        show_error(failure)
    for error in filter(None, (report.stopped_by, report.mismatch)):
        show_error(error)
    show_notes(report)
    if not console.is_terminal:
        _warn_of_sources(report)
    console.print(escape(sum_up(report, dry_run=dry_run)))


def sum_up(report: "Report", *, dry_run: bool = False) -> str:
    """What a pass did, on one line."""
    papers = sum(recorded.new for recorded in report.recorded.values())
    bad = [poll.source for poll in report.polls if not poll.is_good]
    line = f"{number_of(len(report.polls), 'source')} read, {number_of(papers, 'new paper')}"
    if bad:
        line += f", not complete: {', '.join(bad)}"
    if dry_run:
        line += f"; {len(report.editions)} due, nothing sent (dry run)"
    elif report.counts:
        line += "; " + ", ".join(f"{number} {state}" for state, number in sorted(report.counts.items()))
    elif not report.waiting:
        line += "; nothing is owed now"
    if report.waiting:
        line += f"; {number_of(report.waiting, 'message')} waiting" + (", sending stopped" if report.stopped_by else "")
    return line


def view_report(report: "Report") -> dict[str, object]:
    """What a pass did, for machines."""
    return {
        "run": report.run,
        "exit_code": report.exit_code,
        "counts": {str(state): number for state, number in report.counts.items()},
        "waiting": report.waiting,
        "sources": [
            {"name": poll.source, "verdict": poll.verdict, "listed": len(poll.entries), "problems": poll.problems}
            for poll in report.polls
        ],
        "editions": [
            {"subscriber": edition.subscriber.id, "date": edition.date, "papers": len(edition.papers)}
            for edition in report.editions
        ],
        "troubles": [
            {
                "subscriber": each.delivery.subscriber,
                "date": each.delivery.date,
                "state": each.state,
                "detail": each.detail,
                "next_try": each.next_try_at,
            }
            for each in report.troubles
        ],
        "uncertain": [{"subscriber": each.subscriber, "date": each.date} for each in report.uncertain],
        "problems": [
            str(problem)
            for problem in (report.stopped_by, report.mismatch, *report.failures, *report.problems)
            if problem
        ],
        "notes": report.notes,
    }


def _warn_of_sources(report: "Report") -> None:
    """Where output is a log, a dead source is an error: cron mails what goes to stderr."""
    for poll in report.polls:
        if not poll.is_good:
            cause = f": {poll.problems[0]}" if poll.problems else ""
            errors.print(f"warning {escape(poll.source)} is {poll.verdict}{escape(cause)}")


def show_notes(report: "Report") -> None:
    """What the pass went without."""
    for note in report.notes:
        console.print(f"[dim]note:[/dim] {escape(note)}")


def sources_table(report: "Report") -> Table:
    """What was collected, a row a source."""
    rows = table("Collected", "source", "verdict", numbers=("listed", "new", "merged", "seen", "time"))
    for poll in report.polls:
        recorded = report.recorded.get(poll.source)
        numbers = (recorded.new, recorded.merged, recorded.seen) if recorded else ("", "", "")
        counts = map(str, (len(poll.entries), *numbers))
        rows.add_row(escape(poll.source), coloured(poll.verdict), *counts, f"{poll.took_s:.1f} s")
    return rows


def editions_table(editions: Sequence[Edition], states: Mapping[SubscriberId, DeliveryState]) -> Table:
    """What was matched and delivered, a row an edition."""
    rows = table("Matched and delivered", "subscriber", "date", "delivery", numbers=("matched", "more", "trending"))
    for edition in editions:
        state = states.get(edition.subscriber.id, DeliveryState.SKIPPED if edition.is_empty else DeliveryState.PENDING)
        numbers = (len(edition.matched), len(edition.rest), len(edition.trending))
        rows.add_row(escape(edition.subscriber.name), str(edition.date), coloured(state), *map(str, numbers))
    return rows
