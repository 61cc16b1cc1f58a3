"""``digest demo``: one real morning with invented papers, on this machine alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, examples, read_clock, reference_time
from digest.cli.report import Watcher, editions_table, show_report, sources_table
from digest.model import DeliveryState, Edition, SubscriberId

if TYPE_CHECKING:
    from digest.deliver.outcome import Outcome

EPILOG = examples("digest demo", "digest demo --fresh --dir /tmp/demo")


class _Memory(Watcher):
    """Keeps what the table at the end shows."""

    def __init__(self, sources: int) -> None:
        super().__init__(sources)
        self.editions: list[Edition] = []
        self.states: dict[SubscriberId, DeliveryState] = {}

    def opened(self, edition: Edition) -> None:
        """Print and keep it."""
        super().opened(edition)
        self.editions.append(edition)

    def settled(self, outcome: "Outcome") -> None:
        """Print and keep its state."""
        super().settled(outcome)
        self.states[outcome.delivery.subscriber] = outcome.state


def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier demos sent, and start again.")] = False,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Keeps the demo's database and its inbox.")
    ] = Path("var/demo"),
    now: NowOption = None,
) -> None:
    """Collect, match, render and send invented papers to the example subscribers, without any network.

    Everything is as in digest run, but the listings come from this machine and the mail stays on it; settings, .env
    and subscribers of yours are not used.
    """
    from digest.demo import open_demo
    from digest.pipeline import run_pass
    from digest.world import Choice

    moment = reference_time(now)
    console.print("[bold]digest demo[/bold]: invented papers, served and mailed on this machine alone\n")
    with (
        open_demo(folder, moment, read_clock, fresh=fresh) as stage,
        _Memory(sources=len(stage.world.sources)) as watcher,
    ):
        report = run_pass(stage.world, stage.backend, moment, Choice(everyone=True), watcher)
    console.print()
    console.print(sources_table(report))
    if watcher.editions:
        console.print(editions_table(watcher.editions, watcher.states))
    show_report(report)
    if not watcher.states:
        console.print("these papers were sent before, and none is sent twice; to start again: digest demo --fresh")
    pages = sorted(stage.inbox.glob("*.html"))
    console.print(f"\ninbox: {escape(str(stage.inbox))}, each message as .eml, .html and .txt")
    if pages:
        console.print(f"open:  {escape(pages[0].resolve().as_uri())}")
    console.print("next:  [bold]digest init[/bold] writes the two files to make it yours")
    raise typer.Exit(report.exit_code)
