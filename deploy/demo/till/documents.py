"""What the played point of sale sends, in the shapes that the real one does (API 2.0, and its webhooks)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from topics.ids import OutletId, ProductId

Payload = dict[str, Any]
CASH, CARD, ROUNDING = "1", "3", "122"
"""Payment type ids of the point of sale."""


class Row(NamedTuple):
    """A line of a sale of the point of sale; negative quantities came back."""

    row_id: str
    product_id: ProductId | None
    quantity: Decimal
    price: Decimal


class Tender(NamedTuple):
    """A payment of a sale of the point of sale; negative amounts went back."""

    tender_id: str
    name: str
    type_id: str
    amount: Decimal
    at: datetime


class Ticket(NamedTuple):
    """A sale of the point of sale as it stands now."""

    ticket_id: str
    version: int
    status: str
    outlet_id: OutletId
    register_id: str
    total: Decimal
    at: datetime
    rows: Sequence[Row]
    tenders: Sequence[Tender] = ()
    source_id: str | None = None
    return_for: str | None = None


def sale(ticket: Ticket) -> Payload:
    """Return the sale as API 2.0 has it."""
    return {
        "id": ticket.ticket_id,
        "outlet_id": ticket.outlet_id,
        "register_id": ticket.register_id,
        "source_id": ticket.source_id,
        "status": ticket.status,
        "note": "",
        "return_for": ticket.return_for,
        "total_price": float(ticket.total),
        "total_tax": 0,
        "updated_at": _time(ticket.at),
        "sale_date": _time(ticket.at),
        "line_items": [
            {
                "id": row.row_id,
                "product_id": row.product_id,
                "quantity": float(row.quantity),
                "price": float(row.price),
                "price_total": float(row.price * row.quantity),
                "discount": 0,
                "tax": 0,
                "tax_total": 0,
                "status": "SAVED",
                "is_return": ticket.return_for is not None,
            }
            for row in ticket.rows
        ],
        "payments": [
            {
                "id": tender.tender_id,
                "name": tender.name,
                "payment_type_id": tender.type_id,
                "retailer_payment_type_id": f"tender-{tender.type_id}",
                "amount": float(tender.amount),
                "payment_date": _time(tender.at),
            }
            for tender in ticket.tenders
        ],
        "version": ticket.version,
    }


def sale_webhook(ticket: Ticket) -> Payload:
    """Return the sale as the body of a sale.update webhook."""
    return {
        "id": ticket.ticket_id,
        "outlet_id": ticket.outlet_id,
        "register_id": ticket.register_id,
        "source": "ECOM",
        "source_id": ticket.source_id,
        "status": ticket.status,
        "deleted_at": None,
        "updated_at": _time(ticket.at),
        "sale_date": _time(ticket.at),
        "register_sale_products": [
            {
                "id": row.row_id,
                "product_id": row.product_id,
                "quantity": float(row.quantity),
                "price": _places(row.price),
                "price_total": _places(row.price * row.quantity),
                "discount": "0.00000",
                "tax": "0.00000",
                "tax_total": "0.00000",
            }
            for row in ticket.rows
        ],
        "register_sale_payments": [
            {
                "id": tender.tender_id,
                "amount": float(tender.amount),
                "payment_date": _time(tender.at),
                "payment_type_id": int(tender.type_id),
                "payment_type": {"id": tender.type_id, "name": tender.name, "has_native_support": False},
                "retailer_payment_type": {"id": f"tender-{tender.type_id}", "name": tender.name},
            }
            for tender in ticket.tenders
        ],
        "totals": {"total_price": _places(ticket.total), "total_tax": "0.00000"},
        "version": ticket.version,
    }


class Part(NamedTuple):
    """A line of a fulfilment of the point of sale."""

    row_id: str
    product_id: ProductId | None
    quantity: Decimal


def fulfillment(
    fulfillment_id: str,
    ticket_id: str,
    outlet_id: OutletId,
    kind: str,
    state: str,
    version: int,
    at: datetime,
    parts: Iterable[Part],
) -> Payload:
    """Return a fulfilment; what its state says is done of all its parts."""
    picked, packed, fulfilled = (state in done for done in _DONE)
    return {
        "id": fulfillment_id,
        "sale_id": ticket_id,
        "outlet_id": outlet_id,
        "type": kind,
        "state": state,
        "version": version,
        "updated_at": _time(at),
        "line_items": [
            {
                "sale_line_item_id": part.row_id,
                "product_id": part.product_id,
                "quantity": _places(part.quantity),
                "picked_quantity": _places(part.quantity * picked),
                "packed_quantity": _places(part.quantity * packed),
                "fulfilled_quantity": _places(part.quantity * fulfilled),
            }
            for part in parts
        ],
    }


_DONE = (
    frozenset({"PICKED", "PACKED", "FULFILLED"}),
    frozenset({"PACKED", "FULFILLED"}),
    frozenset({"FULFILLED"}),
)


def profile(customer_id: str, email: str, first_name: str, last_name: str | None, at: datetime) -> Payload:
    """Return a customer's profile."""
    return {
        "id": customer_id,
        "customer_code": customer_id,
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "deleted_at": None,
        "created_at": _time(at),
        "version": 1,
    }


def _places(number: Decimal) -> str:
    return f"{number:.5f}"


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
