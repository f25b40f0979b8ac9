"""What about a sale needs a person, and whom it waits for."""

from collections.abc import Iterable
from decimal import Decimal

from streams.domain import queues
from streams.domain.books import Books
from streams.domain.lines import Line
from streams.domain.parts import Part
from streams.domain.payments import FEW_CENTS, Amounts
from streams.domain.shop import Shop
from topics.ids import OutletId
from topics.orders import Order
from topics.sales import Sale, SaleFlag, SaleLine

STOCK_FLAGS = frozenset({"unknown_sku", "ambiguous_sku", "backordered", "unallocated"})
"""Flags that follow from where the lines' pieces are."""
MATTER_FLAGS = frozenset(
    {"overpaid", "refunded_in_ecom", "return_needed", "over_returned", "over_refunded", "manual_refund"}
)
"""Flags that follow from what was paid, refunded and returned (`matters.flags`)."""
SHOP_FLAGS = frozenset({"unpaid_fulfilled", "pos_differs"})
"""Flags that follow from what the shop reports. All others follow from the order."""


def stock_flags(lines: Iterable[Line], books: Books, shop: Shop, pinned: OutletId | None) -> list[SaleFlag]:
    """Return the flags of lines that lack a product or pieces."""
    flags: list[SaleFlag] = []
    for line in lines:
        for part in line.parts:
            if part.wanted or len(part.allocations) != 1 or part.allocations[0].backordered:
                flags += _line_flags(line, books, shop, pinned)
                break
    return flags


def _line_flags(line: Line, books: Books, shop: Shop, pinned: OutletId | None) -> list[SaleFlag]:
    texts: dict[str, list[str]] = {}
    for part in line.parts:
        if part.wanted and part.product_id is None:
            count = len(books.products(part.sku)) if part.sku else 0
            if count > 1:
                texts.setdefault("ambiguous_sku", []).append(f"{count} products have the SKU {part.sku!r}")
            else:
                texts.setdefault("unknown_sku", []).append(f"no active product has the SKU {part.sku!r}")
        elif part.wanted:
            texts.setdefault("unallocated", []).append(_unallocated(part, shop, pinned))
        backordered = [a for a in part.allocations if a.backordered]
        if backordered:
            where = ", ".join(f"{_text(a.backordered)} at {a.outlet_id}" for a in backordered)
            texts.setdefault("backordered", []).append(
                f"{_text(part.quantity)} of {part.sku!r} ordered, not in stock: {where}"
            )
    return [SaleFlag(kind=kind, detail="; ".join(text), line_id=line.line_id) for kind, text in texts.items()]


def _unallocated(part: Part, shop: Shop, pinned: OutletId | None) -> str:
    lacking = f"{_text(part.wanted)} of {part.sku!r} unallocated"
    if pinned is not None:
        return f"{lacking}: not in stock at {pinned}, and overselling is restricted"
    if not shop.outlets:
        return f"{lacking}: no outlet is connected"
    return f"{lacking}: not in stock, and overselling is restricted"


def order_flags(
    order: Order,
    money: Amounts,
    shop: Shop,
    *,
    unknown_status: str | None,
    pinned: OutletId | None,
) -> list[SaleFlag]:
    """Return the flags that follow from the order itself; most orders have none."""
    flags: list[SaleFlag] = []
    currency = shop.link.currency
    if unknown_status is not None:
        flags.append(SaleFlag(kind="unknown_status", detail=unknown_status))
    if abs(money.rounding) > shop.cents(FEW_CENTS):
        flags.append(
            SaleFlag(
                kind="total_differs",
                detail=f"the total {money.total} {currency} is {money.rounding} {currency} "
                "away from the sum of its parts",
            )
        )
    if pinned is not None:
        if not shop.knows(pinned):
            flags.append(
                SaleFlag(kind="unknown_outlet", detail=f"outlet {pinned} is not in the store's link")
            )
        elif pinned not in shop.connected:
            flags.append(
                SaleFlag(
                    kind="outlet_disconnected", detail=f"promised at outlet {pinned}, which is disconnected"
                )
            )
    elif order.fulfillment_type == "PICKUP" and order.location_id and shop.link.locations:
        flags.append(
            SaleFlag(
                kind="unknown_outlet",
                detail=f"pickup location {order.location_id!r} is not linked to an outlet",
            )
        )
    if order.repaired:
        flags.append(SaleFlag(kind="text_repaired", detail=", ".join(order.repaired)))
    return flags


def waits_in(lines: Iterable[SaleLine], pinned: OutletId | None) -> set[str]:
    """Return the queues in which a sale with these lines has to stand."""
    found: set[str] = set()
    for line in lines:
        for part in line.components or (line,):
            product_id = part.product_id
            if part.unallocated and line.tracked:
                if product_id is not None:
                    found.add(queues.short_of(product_id, pinned))
                elif part.sku:
                    found.add(queues.unnamed(part.sku))
            if product_id is not None:
                for allocation in part.allocations:
                    if allocation.backordered:
                        found.add(queues.short_of(product_id, allocation.outlet_id))
    return found


def keep_queues(books: Books, before: Sale | None, after: Sale) -> None:
    """Join and leave the queues of products and SKUs as the sale's lines say."""
    had = (
        waits_in(before.lines, before.pinned_outlet_id)
        if before is not None and before.flags and before.state != "parked"
        else set()
    )
    has = waits_in(after.lines, after.pinned_outlet_id) if after.flags and after.state != "parked" else set()
    for queue in sorted(had - has):
        queues.leave(books, queue, after.sale_id)
    for queue in sorted(has - had):
        queues.join(books, queue, after.sale_id)


def _text(quantity: Decimal) -> str:
    return f"{quantity:f}"
