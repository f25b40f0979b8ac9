"""`tillstream stock show|movements`: stock levels, and why they are what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Since, Store, ask, failed, point, print_json, print_table

if TYPE_CHECKING:
    from decimal import Decimal

stock = typer.Typer(
    no_args_is_help=True, help="Stock levels and movements, as the history in Postgres has them."
)


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


@stock.command(
    "movements", epilog="**Example**  `tillstream stock movements SHOE-42 --store s1 --outlet auckland`"
)
def show_movements(
    sku: Annotated[str | None, typer.Argument(help="The SKU. [default: all]", show_default=False)] = None,
    store: Store = None,
    outlet: Annotated[
        str | None, typer.Option(help="Only at this outlet. [default: all]", show_default=False)
    ] = None,
    order: Annotated[str | None, typer.Option(help="Only of this order.", show_default=False)] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show what moved a level, the last first: on hand, allocated and awaiting count as they were after it.

    Only counts move what is on hand: a return or a hand-over shows there with the next count.
    """
    from storage.lookups.stock import list_movements

    after = point(since)
    found = ask(
        lambda connection: list_movements(
            connection, store_id=store, sku=sku, outlet_id=outlet, order_id=order, since=after, limit=limit
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "movements",
        (
            "happened (UTC)", "store", "SKU", "outlet", "number", "kind", "pieces", "cause", "order",
            "on hand", "allocated", "awaiting count",
        ),
        (
            (
                one.event_time, one.store_id, one.sku, one.outlet_id, one.revision, one.kind, one.quantity,
                one.cause, one.order_id,
                _after(one.on_hand_after, one.on_hand),
                _after(one.allocated_after, one.allocated),
                _after(one.awaiting_after, one.awaiting),
            )
            for one in found
        ),
    )  # fmt: skip


def _after(value: Decimal, change: Decimal) -> str:
    return f"{value} ({change:+})" if change else str(value)
