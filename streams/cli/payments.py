"""`tillstream payments report`: what came in and what went back."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, TimeZone, ask, days, print_json, print_table

payments = typer.Typer(no_args_is_help=True, help="Payment reporting, from the history in Postgres.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(payments, name="payments", rich_help_panel=panels.LOOK)


@payments.command(
    "report",
    epilog="**Example**  `tillstream payments report --store s1 --from 2026-03-01 --to 2026-03-31"
    " --time-zone Pacific/Auckland`",
)
def report(
    store: Annotated[str, typer.Option("--store", help="The store's id.")],
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First day, as 2026-03-01.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day; it is included.")],
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
) -> None:
    """Report payments taken and refunds given, by processor or tender, and day.

    The same numbers as the view payment_report, whose days are those of UTC. Refunds that were voided do not
    count. To give back: the part of what went out that the merchant must give back at the processor.
    """
    from storage.lookups.payments import report_payments

    first_day, last_day = days(first, last)
    if first_day is None or last_day is None:
        raise typer.BadParameter("both --from and --to are due")
    found = ask(
        lambda connection: report_payments(
            connection, store_id=store, first_day=first_day, last_day=last_day, time_zone=time_zone
        )
    )
    if as_json:
        print_json(found)
        return
    what = f"payments of store {store} from {first_day} to {last_day} ({found.time_zone})"
    money = ("in", "out", "net", "to give back", "", "count")
    print_table(
        what,
        ("day", "processor or tender", "kind", *money),
        (
            (
                one.day.isoformat(), one.name, one.kind, one.amount_in, one.amount_out, one.net, one.manual,
                one.currency, one.count,
            )
            for one in found.days
        ),
    )  # fmt: skip
    if found.totals:
        print_table(
            what,
            ("in all", *money),
            (
                (
                    one.name, one.amount_in, one.amount_out, one.net, one.manual, one.currency, one.count,
                )
                for one in found.totals
            ),
        )  # fmt: skip
