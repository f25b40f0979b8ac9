"""`store.links`: how an online store is joined to its point of sale. One document per store, compacted."""

from decimal import Decimal
from typing import Literal

import msgspec

from topics.ids import OutletId


class Outlet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An outlet of the point of sale; only connected ones sell online (DOMAIN S1). Lower `priority` first."""

    id: OutletId
    name: str = ""
    connected: bool = True
    priority: int = 0
    safety_stock: Decimal = Decimal(0)


class Processor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payment processor that counts as integrated (DOMAIN S5).

    `reversal`: a refund in the POS also gives the money back (DOMAIN S11).
    """

    name: str
    reversal: bool = False


class StoreLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A store's link (DOMAIN 2).

    `shipping_methods` and `locations` map an eCom id to an outlet. `processors` absent: every processor that
    an order names counts as integrated, and only Lightspeed Payments reverses. `payment_statuses` and
    `fulfillment_statuses` say which known status a custom one of the online store stands for.
    """

    currency: str
    currency_precision: int = 2
    time_zone: str = "UTC"
    register: str | None = None
    outlets: tuple[Outlet, ...] = ()
    shipping_methods: dict[str, OutletId] = {}
    locations: dict[str, OutletId] = {}
    processors: tuple[Processor, ...] | None = None
    offline_payment: Literal["unpaid", "as_recorded"] = "unpaid"
    oversell: Literal["allow", "restrict"] = "allow"
    payment_statuses: dict[str, str] = {}
    fulfillment_statuses: dict[str, str] = {}
    levels_include_open_orders: bool = False
    policy: str = "lightspeed"
    repaired: tuple[str, ...] = ()
