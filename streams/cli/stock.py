"""`tillstream stock show|movements|why`: stock levels, and why they are what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.exits import Exit
from streams.cli.history import Json, Limit, Since, Store, ask, failed, point, print_json, print_table

if TYPE_CHECKING:
    from decimal import Decimal

    from storage.lookups.why import LevelExplained, MovementTold

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


_WHY = """
**Examples**

    tillstream stock why SHOE-42 --store s1

    tillstream stock why SHOE-42 --store s1 --outlet auckland --json

**Exit codes**  0 it all adds up; 1 no such SKU, or Postgres does not answer; 3 it does not add up
"""


@stock.command("why", epilog=_WHY)
def why(
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    store: Annotated[str, typer.Option("--store", help="The store's id.")],
    outlet: Annotated[
        str | None, typer.Option(help="Only at this outlet. [default: all]", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="At most so many movements of each level.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """Show the movements that make today's number, from the last count on; say so if they do not add up.

    All movements of the level are added up, not only those that are shown. `tillstream reconcile list` holds
    the history against the topics and the point of sale.
    """
    from storage.lookups.why import explain_stock

    found = ask(lambda connection: explain_stock(connection, store, sku, outlet))
    if not found:
        raise failed(
            f"store {store!r} has no level of SKU {sku!r}"
            + (f" at outlet {outlet!r}" if outlet else "")
            + ": nothing was counted or allocated under it yet; `tillstream stock show` lists those that were"
        )
    if as_json:
        print_json(found)
    else:
        for level in found:
            _print_level(level, limit)
    if any(level.problems for level in found):
        raise typer.Exit(Exit.FOUND)


def _print_level(level: LevelExplained, limit: int) -> None:
    typer.echo(f"{level.sku} (product {level.product_id}) at {level.outlet_id}: {level.level},")
    typer.echo(f"so {level.available} are available before safety stock, at revision {level.revision}.")
    if level.first_revision != 1:
        typer.echo(f"Movements before number {level.first_revision or level.revision + 1} were pruned.")
    hidden = len(level.movements) - limit
    if hidden > 0:
        typer.echo(f"{hidden} movements since the last count are not shown; --limit shows more.")
    print_table(
        "movements",
        ("number", "happened (UTC)", "kind", "pieces", "on hand", "allocated", "awaiting count", "cause"),
        (
            (
                one.revision, one.event_time, one.kind, one.quantity or "",
                _after(one.running.on_hand, one.on_hand),
                _after(one.running.allocated, one.allocated),
                _after(one.running.awaiting, one.awaiting),
                _cause(one),
            )
            for one in level.movements[-limit:]
        ),
    )  # fmt: skip
    if level.problems:
        typer.echo("It does NOT add up:")
        for problem in level.problems:
            typer.echo(f"  * {problem}")
        typer.echo(
            f"  `tillstream reconcile list --store {level.store_id} --sku {level.sku}` finds the cause."
        )
    else:
        typer.echo("It adds up.")
    typer.echo()


def _cause(one: MovementTold) -> str:
    order = f" of order {one.order_id}" if one.order_id else ""
    place = f", {one.source_topic}/{one.source_partition}@{one.source_offset}"
    who = f": {one.why} ({one.by})" if one.by else ""
    return f"{one.cause}{order}{who}{place}"
