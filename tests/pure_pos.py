"""Messages of the point of sale about our sales: acknowledged, paid, picked, returned, voided."""

from decimal import Decimal
from typing import Any

from tests.pure_store import PureStore, count, item, order, shop
from topics.ids import OutletId, PosSaleId, ProductId
from topics.pos_fulfillments import PosFulfillment, PosFulfillmentLine
from topics.pos_sales import PosPayment, PosSale, PosSaleLine

PRICE = Decimal(10)


def pos_sale_id(order_id: str) -> PosSaleId:
    """Return the id that the point of sale gives to our sale of the order."""
    return PosSaleId(f"s-{order_id}")


def pos_line(product_id: str, quantity: int | str, line_id: str | None = None) -> PosSaleLine:
    """Return a line of ten a piece; it came back if the quantity is negative."""
    pieces = Decimal(quantity)
    return PosSaleLine(
        line_id=line_id or f"sl-{product_id}",
        product_id=ProductId(product_id),
        quantity=pieces,
        amount=pieces * PRICE,
    )


def tender(
    name: str, amount: int | str, payment_id: str | None = None, *, rounding: bool = False
) -> PosPayment:
    return PosPayment(
        payment_id=payment_id or f"pay-{name}", name=name, amount=Decimal(amount), rounding=rounding
    )


def pos_sale(name: str, *lines: PosSaleLine, version: int | None = 1, **changes: Any) -> PosSale:
    settings: dict[str, Any] = {
        "pos_sale_id": PosSaleId(name),
        "state": "closed",
        "outlet_id": OutletId("o1"),
        "version": version,
        "lines": lines,
    }
    return PosSale(**(settings | changes))


def acknowledged(order_id: str, *lines: PosSaleLine, version: int | None = 1, **changes: Any) -> PosSale:
    """Return the point of sale's own record of our sale, still to be handed over unless told otherwise."""
    settings: dict[str, Any] = {"state": "pending", "source_id": order_id}
    return pos_sale(pos_sale_id(order_id), *lines, version=version, **(settings | changes))


def returned(
    order_id: str,
    *lines: PosSaleLine,
    name: str = "r1",
    version: int | None = 1,
    method: str = "Stripe",
    **changes: Any,
) -> PosSale:
    """Return a completed return of our sale; what the lines come to goes back by one tender."""
    own_id = f"{pos_sale_id(order_id)}-{name}"
    amount = sum((line.amount for line in lines), Decimal(0))
    settings: dict[str, Any] = {
        "return_for": pos_sale_id(order_id),
        "payments": (tender(method, str(amount), f"pay-{own_id}"),) if amount else (),
    }
    return pos_sale(own_id, *lines, version=version, **(settings | changes))


def pos_row(
    product_id: str,
    quantity: int | str,
    fulfilled: int | str = 0,
    *,
    picked: int | str = 0,
    packed: int | str = 0,
    line_id: str | None = None,
) -> PosFulfillmentLine:
    return PosFulfillmentLine(
        line_id=line_id or f"sl-{product_id}",
        product_id=ProductId(product_id),
        quantity=Decimal(quantity),
        picked=Decimal(picked),
        packed=Decimal(packed),
        fulfilled=Decimal(fulfilled),
    )


def progress(
    order_id: str, *rows: PosFulfillmentLine, state: str, version: int | None = 1, **changes: Any
) -> PosFulfillment:
    """Return how far outlet o1, unless told otherwise, is with the order's parcel."""
    settings: dict[str, Any] = {
        "pos_fulfillment_id": f"f-{order_id}",
        "pos_sale_id": pos_sale_id(order_id),
        "outlet_id": OutletId("o1"),
        "type": "DISPATCH",
        "state": state,
        "version": version,
        "lines": rows,
    }
    return PosFulfillment(**(settings | changes))


def handed_over(
    order_id: str, *pieces: tuple[str, int], version: int | None = 9, **changes: Any
) -> PosFulfillment:
    """Return the fulfilment of so many pieces of these products, all gone out."""
    rows = (pos_row(name, count, count, picked=count, packed=count) for name, count in pieces)
    return progress(order_id, *rows, state="fulfilled", version=version, **changes)


def sold(
    quantity: int = 3, *, level: int = 10, link: dict[str, Any] | None = None, **changes: Any
) -> PureStore:
    """Return a store with order A of so many cups from o1, which the point of sale has acknowledged."""
    store = shop(count("cup", "o1", level), count("cup", "o2", 0), **(link or {}))
    store.tell(order("A", item("CUP", quantity), **changes))
    store.tell(acknowledged("A", pos_line("cup", quantity)))
    return store


def gone_out(quantity: int = 3, **settings: Any) -> PureStore:
    """Return such a store whose cups have been handed over and counted."""
    store = sold(quantity, **settings)
    store.tell(handed_over("A", ("cup", quantity)))
    store.tell(count("cup", "o1", settings.get("level", 10) - quantity))
    return store
