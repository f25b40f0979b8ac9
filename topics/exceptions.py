"""`exceptions`: what needs a person, and when it no longer does."""

from datetime import datetime
from typing import Literal

from topics.event import Event
from topics.ids import OrderId, SaleId

ExceptionKind = Literal[
    "waiting_for_link",
    "unknown_status",
    "unknown_sku",
    "ambiguous_sku",
    "backordered",
    "unallocated",
    "total_differs",
    "outlet_disconnected",
    "unknown_outlet",
    "text_repaired",
    "refunded_in_ecom",
    "return_needed",
    "customer_duplicate",
    "overpaid",
    "unpaid_fulfilled",
    "pos_differs",
    "over_returned",
    "over_refunded",
    "manual_refund",
    "unknown_policy",
    "correction_refused",
]


class ExceptionChanged(Event, frozen=True, kw_only=True, gc=False):
    """One cause for attention, open or closed; it closes by itself when its cause goes.

    `subject` is what it is about within the store (an order, `order/line`, a customer): one exception for
    each (store, kind, subject). `detail` is for people and holds no personal data. An id is never reused: the
    same exception may open again later, at the next revision.
    """

    exception_id: str
    kind: ExceptionKind
    subject: str
    detail: str
    open: bool
    revision: int
    opened_at: datetime
    closed_at: datetime | None = None
    order_id: OrderId | None = None
    sale_id: SaleId | None = None
