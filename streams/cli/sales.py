"""`tillstream sales list|show`: the sales history."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.fulfillments import so_far
from streams.cli.history import Json, Limit, Since, Store, ask, failed, point, print_json, print_table

if TYPE_CHECKING:
    from storage.lookups.returns import RefundShown, ReturnShown
    from storage.lookups.sale import LineShown, SaleShown

sales = typer.Typer(no_args_is_help=True, help="Sales, as the history in Postgres has them.")


class State(StrEnum):
    """The states of a sale."""

    PARKED = "parked"
    PENDING = "pending"
    VOIDED = "voided"
    CLOSED = "closed"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(sales, name="sales", rich_help_panel=panels.LOOK)


@sales.command(
    "list",
    epilog="**Examples**  `tillstream sales list --store s1 --state pending --since 24h`,"
    " `tillstream sales list --customer ada@example.com`",
)
def list_sales(
    store: Store = None,
    state: Annotated[
        State | None, typer.Option(help="Only in this state. [default: any]", show_default=False)
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option(
            metavar="EMAIL|ID",
            help="Only of the customer with this e-mail, in any spelling, or this id.",
            show_default=False,
        ),
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List sales, the last placed first."""
    from storage.lookups.sales import list_sales as listed

    after = point(since)
    found = ask(
        lambda connection: listed(
            connection,
            store_id=store,
            state=state and state.value,
            since=after,
            customer=customer,
            limit=limit,
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "sales",
        (
            "placed (UTC)", "store", "order", "state", "paid", "total", "refunded", "", "customer", "outlets",
            "revision",
        ),
        (
            (
                sale.placed_at, sale.store_id, sale.order_id, sale.state, sale.paid, sale.total,
                sale.refunded, sale.currency, sale.customer_name, sale.outlets, sale.revision,
            )
            for sale in found
        ),
    )  # fmt: skip


@sales.command("show", epilog="**Example**  `tillstream sales show K8XTQ --store s1 --json`")
def show_sale(
    order: Annotated[str, typer.Argument(help="The online order's id.", metavar="ORDER")],
    store: Annotated[str, typer.Option("--store", help="The store's id.")],
    as_json: Json = False,
) -> None:
    """Show the sale of an order in full. Exit code 1: there is none."""
    from storage.lookups.sale import find_sale

    sale = ask(lambda connection: find_sale(connection, store, order))
    if sale is None:
        raise failed(
            f"store {store!r} has no sale of an order {order!r}. It may still be under way, wait for the"
            f" store's link, or be a dead letter: see `tillstream exceptions list --store {store}` and"
            " `tillstream dlq list`"
        )
    if as_json:
        print_json(sale)
    else:
        _print_sale(sale)


def _open_at(line: LineShown) -> list[str]:
    parts = [*line.allocations, *(part for component in line.components for part in component.allocations)]
    return [f"{part.outlet_id} x {part.quantity}" for part in parts]


def _print_sale(sale: SaleShown) -> None:
    customer = sale.customer
    attributes = f" ({', '.join(sale.attributes)})" if sale.attributes else ""
    settled = "paid" if sale.paid else f"{sale.amount_paid} paid"
    given_back = f", {sale.refunded} given back" if Decimal(sale.refunded) else ""
    for label, text in (
        ("sale", sale.sale_id),
        ("order", f"{sale.order_id} of store {sale.store_id}, placed {sale.placed_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("in the POS", sale.pos_sale_id or "not acknowledged yet"),
        ("state", f"{sale.state}{attributes}, revision {sale.revision} ({sale.cause})"),
        ("customer", customer.name + (f" <{customer.email}>" if customer.email else "")),
        ("total", f"{sale.total} {sale.currency}, {settled}{given_back}"),
        *(("payment", f"{payment.amount} {payment.name}") for payment in sale.payments),
        *(("refund", _refund(refund)) for refund in sale.refunds),
        *(("attention", f"{flag.kind}: {flag.detail}") for flag in sale.flags),
    ):
        typer.echo(f"{label:<10} {text}")
    print_table(
        "lines",
        (
            "line", "SKU", "name", "quantity", "price", "open at", "backordered", "unallocated", "fulfilled",
            "cancelled", "returned",
        ),
        (
            (
                line.line_id, line.sku, line.name, line.quantity, line.price, _open_at(line),
                line.backordered, line.unallocated, line.fulfilled, line.cancelled, line.returned,
            )
            for line in sale.lines
        ),
    )  # fmt: skip
    print_table(
        "fulfillments",
        ("outlet", "type", "state", "lines"),
        (
            (
                fulfillment.outlet_id,
                fulfillment.type,
                fulfillment.state,
                [f"{line.sku} x {line.quantity}{so_far(line)}" for line in fulfillment.lines],
            )
            for fulfillment in sale.fulfillments
        ),
    )
    if sale.returns:
        print_table(
            "returns",
            ("returned (UTC)", "return", "outlet", "state", "lines", "detail"),
            (
                (back.returned_at, back.return_id, back.outlet_id, back.state, _back(back), back.detail)
                for back in sale.returns
            ),
        )


def _refund(refund: RefundShown) -> str:
    todo = f", to be given back at {refund.processor or refund.method}" if refund.reversal == "manual" else ""
    state = "voided" if refund.state == "voided" else refund.reversal + todo
    return f"{refund.amount} {refund.method} ({state}), return {refund.return_id}"


def _back(back: ReturnShown) -> list[str]:
    return [f"{line.sku} x {line.quantity}" for line in back.lines] or ["money only"]
