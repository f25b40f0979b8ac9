"""The statuses of online orders whose meaning is fixed (DOMAIN 2), in upper case as they are compared."""

from typing import Final

PAYMENT_STATUSES: Final = (
    "PAID",
    "AWAITING_PAYMENT",
    "CANCELLED",
    "REFUNDED",
    "PARTIALLY_REFUNDED",
)
ABANDONED: Final = "INCOMPLETE"
"""The payment status of a cart that was left: not a sale, so no status of a sale can stand for it."""
FULFILLMENT_STATUSES: Final = (
    "AWAITING_PROCESSING",
    "PROCESSING",
    "SHIPPED",
    "DELIVERED",
    "WILL_NOT_DELIVER",
    "RETURNED",
    "READY_FOR_PICKUP",
    "OUT_FOR_DELIVERY",
)
