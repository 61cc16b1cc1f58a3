"""``digest schedule``: when a subscriber is written to next."""

from typing import Annotated

import typer
from rich.markup import escape

from digest.cli.common import (
    JsonOption,
    NameArgument,
    NowOption,
    console,
    examples,
    find_subscriber,
    print_json,
    reference_time,
    show_problems,
    table,
)

EPILOG = examples('digest schedule "Vision group"', "digest schedule Me --count 3 --now 2027-03-26T12:00")


def schedule(
    name: NameArgument,
    count: Annotated[int, typer.Option("--count", min=1, max=1_000, help="So many sends.")] = 10,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Show when a subscriber's next editions are sent, in their own time zone and in UTC, and which dates are left out.

    Days on which clocks change are marked. Nothing is read but the subscribers file.
    """
    from digest.app import load_config
    from digest.schedule.days_off import DaysOff
    from digest.schedule.outlook import look_ahead

    moment = reference_time(now)
    config = load_config()
    show_problems(config.roster.problems)
    subscriber = find_subscriber(config.roster.subscribers, name)
    zone = subscriber.zone
    coming = [*look_ahead(subscriber.schedule, zone, moment, DaysOff.of(subscriber), count)]
    if as_json:
        print_json(
            {
                "subscriber": subscriber.id,
                "timezone": str(zone),
                "schedule": subscriber.schedule.text,
                "dates": [
                    {
                        "date": each.date,
                        "local": None if each.left_out else each.at.astimezone(zone),
                        "utc": None if each.left_out else each.at,
                        "left_out": each.left_out,
                        "note": "" if each.left_out else each.note,
                    }
                    for each in coming
                ],
            }
        )
        return
    rows = table(f"{escape(subscriber.name)}: {escape(subscriber.schedule.text)}", "date", str(zone), "UTC", "note")
    for each in coming:
        times = (f"{each.at.astimezone(zone):%H:%M}", f"{each.at:%Y-%m-%d %H:%M}") if not each.left_out else ("-", "-")
        rows.add_row(f"{each.date:%a %Y-%m-%d}", *times, escape(each.left_out or each.note))
    console.print(rows)
    if subscriber.latest_send:
        console.print(f"an edition waits for sources that are late, until {subscriber.latest_send:%H:%M} at most")
    if subscriber.at_least > 1:
        console.print(f"an edition is sent once it has {subscriber.at_least} papers, or after 14 days")
