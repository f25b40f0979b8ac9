"""The statuses of online orders whose meaning we know (DOMAIN 2)."""

from typing import Final

import msgspec

import topics.statuses
from topics.links import StoreLink
from topics.orders import Order

INCOMPLETE: Final = topics.statuses.ABANDONED
"""The payment status of an abandoned cart: never a sale, and nothing to wait for."""

PAYMENT_STATUSES: Final = frozenset({*topics.statuses.PAYMENT_STATUSES, ""})
FULFILLMENT_STATUSES: Final = frozenset({*topics.statuses.FULFILLMENT_STATUSES, ""})
"""What we know the meaning of. The custom statuses are not among them: what a merchant means by one, only the
merchant knows. An absent status promises nothing: not paid, not sent."""
GONE_OUT: Final = frozenset({"SHIPPED", "DELIVERED", "RETURNED"})


def understood(order: Order, link: StoreLink) -> Order:
    """Return the order with its custom statuses replaced by those that the link says they stand for."""
    payment = link.payment_statuses.get(order.payment_status, order.payment_status)
    fulfillment = link.fulfillment_statuses.get(order.fulfillment_status, order.fulfillment_status)
    if payment == order.payment_status and fulfillment == order.fulfillment_status:
        return order
    return msgspec.structs.replace(order, payment_status=payment, fulfillment_status=fulfillment)


def unknown_status(order: Order) -> str | None:
    """Say which of the order's statuses has no known meaning; None when both have."""
    if order.payment_status not in PAYMENT_STATUSES:
        return f"payment status {order.payment_status[:64]!r} has no known meaning"
    if order.fulfillment_status not in FULFILLMENT_STATUSES:
        return f"fulfillment status {order.fulfillment_status[:64]!r} has no known meaning"
    return None
