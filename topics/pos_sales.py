"""`pos.sales`: a sale of the point of sale: the acknowledgement of ours, a return, or the shop's own."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from topics.ids import OutletId, PosSaleId, ProductId
from topics.numbers import ZERO

PosSaleState = Literal["parked", "pending", "closed", "voided"]


class PosSaleLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line. A negative `quantity` came back, whatever `is_return` says (DOMAIN 2).

    `amount` is what the line comes to, with tax; of what came back it is negative.
    """

    line_id: str
    product_id: ProductId | None
    quantity: Decimal
    amount: Decimal = ZERO


class PosPayment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tender; a negative `amount` went back to the customer. `rounding`: it is the cash rounding."""

    payment_id: str
    name: str
    amount: Decimal
    rounding: bool = False
    paid_at: datetime | None = None


class PosSale(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sale as the point of sale has it, whole, at one version.

    `source_id` names what it was made from: our order or sale, if it is the acknowledgement of one.
    `return_for` is the sale of the point of sale that it takes goods back of. `handed_over`: it is closed
    with all its goods picked up or dispatched. `version` absent: the record always applies. `updated_at`
    absent: the record's own time counts.
    """

    pos_sale_id: PosSaleId
    state: PosSaleState
    handed_over: bool = False
    outlet_id: OutletId | None = None
    source_id: str | None = None
    return_for: PosSaleId | None = None
    version: int | None = None
    updated_at: datetime | None = None
    lines: tuple[PosSaleLine, ...] = ()
    payments: tuple[PosPayment, ...] = ()
    repaired: tuple[str, ...] = ()
