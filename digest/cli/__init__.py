"""The ``digest`` command: one subcommand a file."""

import logging
import sys
from typing import Annotated

import typer

from digest import __version__
from digest.cli import (
    backtest,
    check,
    collect,
    db,
    demo,
    doctor,
    explain,
    export,
    feedback,
    import_query,
    inbox,
    init,
    lint,
    outbox,
    preview,
    run,
    schedule,
    send_test,
    serve,
    status,
    templates,
)
from digest.cli.common import begin_logging, show_crash, show_error
from digest.errors import DigestError

app = typer.Typer(
    name="digest",
    help="Trending papers in your inbox: collects new papers, matches them against every subscriber's topics and"
    " mails each their own digest.\n\nStart with [bold]digest demo[/bold], then [bold]digest init[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    # A traceback with local variables would print addresses and passwords.
    pretty_exceptions_show_locals=False,
)
app.command("init", epilog=init.EPILOG)(init.init)
app.command("check", epilog=check.EPILOG)(check.check)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
app.command("collect", epilog=collect.EPILOG)(collect.collect)
app.command("preview", epilog=preview.EPILOG)(preview.preview)
app.command("lint", epilog=lint.EPILOG)(lint.lint)
app.command("send-test", epilog=send_test.EPILOG)(send_test.send_test)
app.command("run", epilog=run.EPILOG)(run.run)
app.command("serve", epilog=serve.EPILOG)(serve.serve)
app.command("schedule", epilog=schedule.EPILOG)(schedule.schedule)
app.command("explain", epilog=explain.EPILOG)(explain.explain)
app.command("backtest", epilog=backtest.EPILOG)(backtest.backtest)
app.command("import-query", epilog=import_query.EPILOG)(import_query.import_query)
app.command("export", epilog=export.EPILOG)(export.export)
app.command("feedback", epilog=feedback.EPILOG)(feedback.feedback)
app.command("inbox", epilog=inbox.EPILOG)(inbox.inbox)
app.command("status", epilog=status.EPILOG)(status.status)
app.add_typer(outbox.app, name="outbox")
app.add_typer(templates.app, name="templates")
app.add_typer(db.app, name="db")
app.command("demo", epilog=demo.EPILOG)(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paperround {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; an error raised on purpose ends it with its line, its hint and its exit code."""
    # The report says how often a source was tried; a line for each retry is noise.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    begin_logging()
    try:
        app()
    except DigestError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - what it says could hold an address or a password
        show_crash(error)
        sys.exit(1)
