"""What the two systems send, in short."""

from typing import Any

Payload = dict[str, Any]
PLACED = 1_772_010_000
"""2026-02-25 09:00 UTC, in seconds since the epoch."""


def order(order_id: str, *lines: tuple[str, int], minute: int = 0, **changes: Any) -> Payload:
    """Return a snapshot of an order of (SKU, quantity), paid by card, to be sent by post; 10 each."""
    total = sum(quantity for _, quantity in lines) * 10
    return {
        "id": order_id,
        "vendorOrderNumber": order_id,
        "email": f"{order_id.lower()}@example.com",
        "paymentStatus": "PAID",
        "fulfillmentStatus": "AWAITING_PROCESSING",
        "paymentMethod": "Credit or debit card",
        "paymentModule": "Stripe",
        "subtotal": total,
        "total": total,
        "createTimestamp": PLACED,
        "updateTimestamp": PLACED + 60 * minute,
        "pricesIncludeTax": True,
        "billingPerson": {"name": "Ada Quill"},
        "items": [
            {
                "id": place,
                "productId": 9_000 + place,
                "sku": sku,
                "name": sku,
                "price": 10,
                "quantity": quantity,
            }
            for place, (sku, quantity) in enumerate(lines, start=1)
        ],
        "shippingOption": {"shippingMethodName": "Post", "shippingRate": 0, "fulfillmentType": "SHIPPING"},
    } | changes


def count(sku: str, outlet_id: str, level: int, version: int = 1) -> Payload:
    """Return a stock count of the product that has this SKU."""
    product_id = f"p-{sku.lower()}"
    return {
        "id": f"{product_id}-{outlet_id}",
        "product_id": product_id,
        "product": {"id": product_id, "sku": sku, "name": sku},
        "outlet_id": outlet_id,
        "count": level,
        "version": version,
    }


def profile(customer_id: str, email: str, first_name: str) -> Payload:
    """Return a customer profile of the point of sale."""
    return {"id": customer_id, "email": email, "first_name": first_name, "last_name": None, "version": 1}


def pos_sale(pos_sale_id: str, *rows: tuple[str, int, float], **changes: Any) -> Payload:
    """Return a sale of the point of sale of (SKU, quantity, price), at outlet o1 and to be dispatched.

    `source_id` names our order, `return_for` the sale that it takes goods back of; `tenders`: (name, amount).
    """
    tenders = changes.pop("tenders", ())
    return {
        "id": pos_sale_id,
        "outlet_id": "o1",
        "register_id": "r1",
        "source_id": None,
        "return_for": None,
        "status": "AWAITING_DISPATCH",
        "total_price": sum(quantity * price for _, quantity, price in rows),
        "total_tax": 0,
        "version": 1,
        "line_items": [
            {
                "id": f"{pos_sale_id}-{place}",
                "product_id": f"p-{sku.lower()}",
                "quantity": quantity,
                "price": price,
                "price_total": quantity * price,
                "tax": 0,
                "tax_total": 0,
                "is_return": False,
            }
            for place, (sku, quantity, price) in enumerate(rows, start=1)
        ],
        "payments": [
            {
                "id": f"{pos_sale_id}-paid-{place}",
                "name": name,
                "payment_type_id": "122" if "rounding" in name else "1" if name == "Cash" else "3",
                "amount": amount,
                "payment_date": "2026-02-25T10:00:00Z",
            }
            for place, (name, amount) in enumerate(tenders, start=1)
        ],
    } | changes


def pos_fulfillment(
    pos_sale_id: str, outlet_id: str, state: str, version: int, *rows: tuple[int, str, int]
) -> Payload:
    """Return a fulfilment of (row of the sale, SKU, quantity), all of which is as far as the state says."""
    done = ("STARTED", "PICKED", "PACKED", "FULFILLED").index(state)
    return {
        "id": f"{pos_sale_id}-at-{outlet_id}",
        "sale_id": pos_sale_id,
        "outlet_id": outlet_id,
        "type": "DISPATCH",
        "state": state,
        "version": version,
        "line_items": [
            {
                "sale_line_item_id": f"{pos_sale_id}-{row}",
                "product_id": f"p-{sku.lower()}",
                "quantity": f"{quantity:.5f}",
                "picked_quantity": f"{quantity if done >= 1 else 0:.5f}",
                "packed_quantity": f"{quantity if done >= 2 else 0:.5f}",
                "fulfilled_quantity": f"{quantity if done >= 3 else 0:.5f}",
            }
            for row, sku, quantity in rows
        ],
    }
