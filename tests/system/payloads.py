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
