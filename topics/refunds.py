"""`refunds`: money given back for a sale through the point of sale (DOMAIN S10, S11)."""

from decimal import Decimal
from typing import Literal

from topics.event import Event
from topics.ids import OrderId, OutletId, PosSaleId, RefundId, SaleId
from topics.sales import PaymentKind, Reversal

RefundState = Literal["made", "voided"]


class Refund(Event, frozen=True, kw_only=True, gc=False):
    """One tender of one return, whole, at one revision.

    `amount` is what went back to the customer, in `currency`; a rounding may be negative. `method` is the
    tender's name. `reversal` is `processed` when the money is on its way, `manual` when the merchant must
    give it back at `processor` (S11). `return_id` is the return in the point of sale. `voided`: the return
    was taken back there.
    """

    refund_id: RefundId
    revision: int
    state: RefundState
    sale_id: SaleId
    order_id: OrderId
    return_id: PosSaleId
    method: str
    kind: PaymentKind
    amount: Decimal
    currency: str
    reversal: Reversal
    processor: str | None = None
    outlet_id: OutletId | None = None
