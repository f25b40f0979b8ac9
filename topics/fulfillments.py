"""`fulfillments`: what an outlet has to pick, pack and hand over for a sale."""

from decimal import Decimal
from typing import Literal

import msgspec

from topics.event import Event
from topics.ids import FulfillmentId, LineId, OrderId, OutletId, ProductId, SaleId
from topics.numbers import ZERO

FulfillmentType = Literal["PICKUP", "DISPATCH"]
FulfillmentState = Literal["new", "in_progress", "packed", "fulfilled", "cancelled"]


class FulfillmentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Quantities of a sale line (or a part of a bundle) at this outlet; `quantity` is what is asked for."""

    line_id: LineId
    sku: str
    product_id: ProductId | None
    quantity: Decimal
    backordered: Decimal = ZERO
    picked: Decimal = ZERO
    packed: Decimal = ZERO
    fulfilled: Decimal = ZERO


class Fulfillment(Event, frozen=True, kw_only=True, gc=False):
    """One (sale, outlet, type), whole, at one revision (DOMAIN 3). Cancelled ones have no open lines."""

    fulfillment_id: FulfillmentId
    sale_id: SaleId
    order_id: OrderId
    outlet_id: OutletId
    type: FulfillmentType
    state: FulfillmentState
    revision: int
    lines: tuple[FulfillmentLine, ...]
