"""`tillstream refunds list`: money given back through the point of sale."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import (
    FirstDay,
    Json,
    LastDay,
    Limit,
    Store,
    TimeZone,
    ask,
    days,
    print_json,
    print_table,
)

refunds = typer.Typer(no_args_is_help=True, help="Refunds, as the history in Postgres has them.")


class Reversal(StrEnum):
    """Who gives the money back: it is on its way, or the merchant must at the processor."""

    PROCESSED = "processed"
    MANUAL = "manual"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(refunds, name="refunds", rich_help_panel=panels.LOOK)


@refunds.command("list", epilog="**Example**  `tillstream refunds list --store s1 --reversal manual`")
def list_refunds(
    store: Store = None,
    order: Annotated[str | None, typer.Option(help="Only of this order.", show_default=False)] = None,
    reversal: Annotated[
        Reversal | None,
        typer.Option(
            help="processed: the money is on its way; manual: the merchant must give it back. [default: any]",
            show_default=False,
        ),
    ] = None,
    first: FirstDay = None,
    last: LastDay = None,
    time_zone: TimeZone = "UTC",
    voided_too: Annotated[bool, typer.Option("--all", help="Those that were voided as well.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List refunds made through the point of sale, the last made first."""
    from storage.lookups.refunds import list_refunds as listed

    first_day, last_day = days(first, last)
    found = ask(
        lambda connection: listed(
            connection,
            store_id=store,
            order_id=order,
            reversal=reversal and reversal.value,
            first_day=first_day,
            last_day=last_day,
            time_zone=time_zone,
            voided_too=voided_too,
            limit=limit,
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "refunds",
        ("made (UTC)", "store", "order", "return", "outlet", "amount", "", "method", "reversal", "state"),
        (
            (
                one.made_at, one.store_id, one.order_id, one.return_id, one.outlet_id, one.amount,
                one.currency, one.method, one.reversal, one.state,
            )
            for one in found
        ),
    )  # fmt: skip
