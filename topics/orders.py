"""`ecom.orders`: an online order as Tillstream understands it, whatever spelling it came in."""

from datetime import datetime
from decimal import Decimal

import msgspec

from topics.fulfillments import FulfillmentType
from topics.ids import LineId, OrderId
from topics.numbers import ZERO


class Component(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a bundle: `quantity` is per bundle."""

    sku: str
    quantity: Decimal


class OrderItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line. `tracked` is false for digital and gift-card lines: they move no stock (DOMAIN 2)."""

    line_id: LineId
    sku: str
    name: str
    quantity: Decimal
    price: Decimal
    tracked: bool = True
    components: tuple[Component, ...] = ()


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A full order snapshot, normalised.

    `version` is the snapshot's update time in milliseconds since the epoch (its record's Kafka timestamp when
    it has none); the newest wins. Statuses are upper case, empty when absent. Amounts are in the store's
    currency, unrounded; `total` is what was left to pay after gift card, store credit and loyalty.
    `fulfillment_type` is absent when there is nothing to ship. `repaired` names the fields whose text had to
    be mended (NUL, lone surrogates).
    """

    order_id: OrderId
    version: int
    updated_at: datetime
    placed_at: datetime
    payment_status: str
    fulfillment_status: str
    total: Decimal
    subtotal: Decimal = ZERO
    discount: Decimal = ZERO
    coupon_discount: Decimal = ZERO
    shipping: Decimal = ZERO
    handling: Decimal = ZERO
    surcharges: Decimal = ZERO
    tax: Decimal = ZERO
    gift_card: Decimal = ZERO
    store_credit: Decimal = ZERO
    loyalty: Decimal = ZERO
    refunded: Decimal = ZERO
    prices_include_tax: bool = False
    payment_method: str | None = None
    processor: str | None = None
    transaction_id: str | None = None
    email: str | None = None
    billing_name: str | None = None
    shipping_name: str | None = None
    items: tuple[OrderItem, ...] = ()
    fulfillment_type: FulfillmentType | None = None
    location_id: str | None = None
    shipping_method_id: str | None = None
    external_order_id: str | None = None
    deleted: bool = False
    repaired: tuple[str, ...] = ()
