"""Identifiers: one type for each, and the deterministic ones made from the others."""

from hashlib import sha1
from typing import NewType
from uuid import UUID

StoreId = NewType("StoreId", str)
"""The id under which a store's link is set; the Kafka key of all its records."""
OrderId = NewType("OrderId", str)
"""An eCom order's id, unique within its store (DOMAIN 2)."""
SaleId = NewType("SaleId", str)
"""UUIDv5 of (store, order): the same order is the same sale for ever (DOMAIN 5)."""
LineId = NewType("LineId", str)
OutletId = NewType("OutletId", str)
ProductId = NewType("ProductId", str)
CustomerId = NewType("CustomerId", str)
FulfillmentId = NewType("FulfillmentId", str)
PosSaleId = NewType("PosSaleId", str)
"""A sale's id in the point of sale: of ours once acknowledged, of a return, or of the shop's own."""
RefundId = NewType("RefundId", str)

NAMESPACE = UUID("5f0c1c1e-7d3a-5b0e-9a53-0d7d5a1f4c11").bytes
"""The project's UUIDv5 namespace; changing it would give every sale a new id."""

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

WALK_IN = CustomerId("walk-in")
"""The customer of orders that give no e-mail (DOMAIN 6)."""


def uuid5(*parts: str) -> str:
    """Return the UUIDv5 of the parts, joined by a character that no id can hold (NUL is removed on entry).

    The same text as `uuid.uuid5` gives, at a third of its cost: one is made for every order.
    """
    text = sha1(NAMESPACE + "\0".join(parts).encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def sale_id(store_id: StoreId, order_id: OrderId) -> SaleId:
    return SaleId(uuid5("sale", store_id, order_id))


def fulfillment_id(sale: SaleId, outlet_id: OutletId, kind: str) -> FulfillmentId:
    """Return the id of the one fulfilment of a (sale, outlet, type) (DOMAIN 3)."""
    return FulfillmentId(uuid5("fulfillment", sale, outlet_id, kind))


def made_customer_id(store_id: StoreId, email: str) -> CustomerId:
    """Return the id of a customer made from an order; `email` is already normalised (DOMAIN 6)."""
    return CustomerId(uuid5("customer", store_id, email))


def refund_id(sale: SaleId, return_id: PosSaleId, payment_id: str) -> RefundId:
    """Return the id of the refund that a payment row of a return is; for ever the same."""
    return RefundId(uuid5("refund", sale, return_id, payment_id))


def exception_id(store_id: StoreId, kind: str, subject: str) -> str:
    return uuid5("exception", store_id, kind, subject)
