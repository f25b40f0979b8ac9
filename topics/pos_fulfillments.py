"""`pos.fulfillments`: how far the shop is with picking, packing and handing over."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from topics.fulfillments import FulfillmentType
from topics.ids import OutletId, PosSaleId, ProductId
from topics.numbers import ZERO

PosFulfillmentState = Literal["new", "in_progress", "packed", "fulfilled"]
"""The words of the screen for OPEN, STARTED and PICKED, PACKED, FULFILLED (DOMAIN 3)."""


class PosFulfillmentLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line: how many pieces are asked for, and how many of them are picked, packed, fulfilled so far.

    `line_id` is the line of the point of sale's own sale.
    """

    line_id: str | None
    product_id: ProductId | None
    quantity: Decimal
    picked: Decimal = ZERO
    packed: Decimal = ZERO
    fulfilled: Decimal = ZERO


class PosFulfillment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fulfilment as the point of sale has it, whole, at one version.

    In state `fulfilled` a line that does not say how many are fulfilled has all of its quantity fulfilled.
    `version` absent: the record always applies. `updated_at` absent: the record's own time counts.
    """

    pos_fulfillment_id: str
    pos_sale_id: PosSaleId
    outlet_id: OutletId
    type: FulfillmentType
    state: PosFulfillmentState
    version: int | None = None
    updated_at: datetime | None = None
    lines: tuple[PosFulfillmentLine, ...] = ()
    repaired: tuple[str, ...] = ()
