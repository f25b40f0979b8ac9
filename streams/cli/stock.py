"""`tillstream stock show`: stock levels."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Store, ask, failed, print_json, print_table

stock = typer.Typer(no_args_is_help=True, help="Stock levels, as the history in Postgres has them.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(stock, name="stock", rich_help_panel=panels.LOOK)


@stock.command("show", epilog="**Example**  `tillstream stock show SHOE-42 --store s1`")
def show_stock(
    sku: Annotated[str | None, typer.Argument(help="The SKU. [default: all]", show_default=False)] = None,
    store: Store = None,
    outlet: Annotated[
        str | None, typer.Option(help="Only at this outlet. [default: all]", show_default=False)
    ] = None,
    limit: Limit = 200,
    as_json: Json = False,
) -> None:
    """Show levels per outlet. Available is before the outlet's safety stock. Exit code 1: no such SKU."""
    from storage.lookups.stock import list_stock

    found = ask(
        lambda connection: list_stock(connection, store_id=store, sku=sku, outlet_id=outlet, limit=limit)
    )
    if sku is not None and not found:
        raise failed(
            f"no level of SKU {sku!r}"
            + (f" in store {store!r}" if store else "")
            + (f" at outlet {outlet!r}" if outlet else "")
            + ": nothing was counted or allocated under it yet; `tillstream stock show` lists those that were"
        )
    if as_json:
        print_json(found)
        return
    print_table(
        "levels",
        ("store", "SKU", "product", "outlet", "on hand", "allocated", "awaiting count", "available"),
        (
            (
                level.store_id, level.sku, level.product_id, level.outlet_id,
                level.on_hand, level.allocated, level.awaiting, level.available,
            )
            for level in found
        ),
    )  # fmt: skip
