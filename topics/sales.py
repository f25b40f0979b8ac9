"""`sales`: a sale, whole, at each revision."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from topics.event import Event
from topics.fulfillments import FulfillmentState, FulfillmentType
from topics.ids import (
    CustomerId,
    FulfillmentId,
    LineId,
    OrderId,
    OutletId,
    PosSaleId,
    ProductId,
    RefundId,
    SaleId,
)
from topics.numbers import ZERO

SaleState = Literal["parked", "pending", "voided", "closed"]
SaleAttribute = Literal["pickup", "delivery", "backfilled", "deleted", "voided_in_pos"]
SaleCause = Literal[
    "placed",
    "parked",
    "paid",
    "edited",
    "cancelled",
    "reinstated",
    "deleted",
    "refunded_in_ecom",
    "stock_arrived",
    "product_arrived",
    "customer_changed",
    "link_changed",
    "acknowledged",
    "payment_taken",
    "fulfillment_changed",
    "returned",
    "refunded",
    "voided",
]
PaymentKind = Literal[
    "integrated", "recorded", "gift_card", "store_credit", "loyalty", "rounding", "pos", "exchange"
]
"""`pos`: taken by the point of sale. `exchange`: what came back was set off against other goods."""
Reversal = Literal["processed", "manual"]
ReturnState = Literal["returned", "refused", "voided"]


class SaleCustomer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who bought: the profile matched by e-mail, made, or the walk-in customer (DOMAIN 6)."""

    customer_id: CustomerId
    email: str | None
    name: str


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One tender. `name` is what Sales history shows: the processor for an integrated one (DOMAIN S5)."""

    payment_id: str
    kind: PaymentKind
    name: str
    amount: Decimal
    processor: str | None = None
    transaction_id: str | None = None
    paid_at: datetime | None = None


class Allocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How many pieces of a line an outlet is to fulfil, and how many of those it did not have.

    `taken` of them the point of sale took off its own level at `taken_at`: they are no longer allocated stock
    (DOMAIN 4, `levels_include_open_orders`).
    """

    outlet_id: OutletId
    quantity: Decimal
    backordered: Decimal = ZERO
    taken: Decimal = ZERO
    taken_at: datetime | None = None


class LineComponent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A part of a bundle: what is allocated for the line instead of the line's own SKU (DOMAIN 2).

    In pieces; `quantity` = `fulfilled` + Σ allocations + `unallocated` + `cancelled`, as for a line.
    """

    sku: str
    quantity: Decimal
    product_id: ProductId | None
    allocations: tuple[Allocation, ...] = ()
    unallocated: Decimal = ZERO
    fulfilled: Decimal = ZERO
    cancelled: Decimal = ZERO
    withdrawn: Decimal = ZERO
    returned: Decimal = ZERO


class SaleLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of the order.

    ordered `quantity` = `fulfilled` + open (Σ allocations + `unallocated`) + `cancelled` (DOMAIN 5). A line
    that moves no stock (digital, gift card) has `tracked` false and no allocations. `allocations` are what is
    still open at each outlet; for a bundle they stand in `components`. `returned` is how many of the
    fulfilled came back. `withdrawn` of the cancelled were taken back by a return before they went out: an
    edit does not bring them back. `recalled` of the fulfilled the order no longer has: they must come back as
    a return.
    """

    line_id: LineId
    sku: str
    name: str
    quantity: Decimal
    price: Decimal
    tracked: bool = True
    product_id: ProductId | None = None
    allocations: tuple[Allocation, ...] = ()
    backordered: Decimal = ZERO
    unallocated: Decimal = ZERO
    fulfilled: Decimal = ZERO
    cancelled: Decimal = ZERO
    withdrawn: Decimal = ZERO
    returned: Decimal = ZERO
    recalled: Decimal = ZERO
    components: tuple[LineComponent, ...] = ()


class SaleFulfillmentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    line_id: LineId
    sku: str
    product_id: ProductId | None
    quantity: Decimal
    picked: Decimal = ZERO
    packed: Decimal = ZERO
    fulfilled: Decimal = ZERO


class SaleReturnLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a return took back of a line: `quantity` in all, of which `unfulfilled` had not gone out yet."""

    line_id: LineId
    sku: str
    product_id: ProductId | None
    quantity: Decimal
    unfulfilled: Decimal = ZERO


class SaleReturn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A return of the point of sale (DOMAIN S10). Without lines: only money went back.

    `refused` when it takes back more than there is, as `detail` says: then nothing of it counts. `excess` is
    what was given back beyond what was paid: it does not count either.
    """

    return_id: PosSaleId
    state: ReturnState
    outlet_id: OutletId | None
    returned_at: datetime
    lines: tuple[SaleReturnLine, ...] = ()
    excess: Decimal = ZERO
    detail: str | None = None


class SaleRefund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A refund as the sale shows it; the whole one is in `refunds`."""

    refund_id: RefundId
    return_id: PosSaleId
    method: str
    kind: PaymentKind
    amount: Decimal
    reversal: Reversal
    processor: str | None = None
    revision: int = 1
    voided: bool = False


class SaleFulfillment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A sale's fulfilment as the sale shows it; the whole one is in `fulfillments`."""

    fulfillment_id: FulfillmentId
    outlet_id: OutletId
    type: FulfillmentType
    state: FulfillmentState
    revision: int
    lines: tuple[SaleFulfillmentLine, ...]


class SaleFlag(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something about the sale that needs a person; also an open exception (`exceptions`)."""

    kind: str
    detail: str
    line_id: LineId | None = None


class Sale(Event, frozen=True, kw_only=True, gc=False):
    """A sale, whole, at one revision (DOMAIN 5).

    Revisions of a sale are 1, 2, 3 … without gaps. `total` is what the customer owes in all, in `currency`:
    eCom's total plus what gift card, store credit and loyalty paid. `order_version` is the eCom snapshot it
    was decided from, in milliseconds since the epoch: an older snapshot changes nothing. `order_checksum`
    tells a snapshot that came twice from another one of the same version. `pinned_outlet_id` is the outlet
    that the customer was promised, if any (DOMAIN 3). `pos_sale_id` is the sale in the point of sale, once it
    has acknowledged it. `refunded` is what went back in all: the more of `refunded_in_ecom`, which the online
    store reports, and Σ `refunds`, for the one is the other's record.
    """

    sale_id: SaleId
    order_id: OrderId
    revision: int
    cause: SaleCause
    state: SaleState
    attributes: tuple[SaleAttribute, ...]
    payment_status: str
    fulfillment_status: str
    paid: bool
    currency: str
    subtotal: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    rounding: Decimal
    total: Decimal
    amount_paid: Decimal
    refunded: Decimal
    customer: SaleCustomer
    payments: tuple[Payment, ...]
    lines: tuple[SaleLine, ...]
    fulfillments: tuple[SaleFulfillment, ...]
    flags: tuple[SaleFlag, ...]
    placed_at: datetime
    order_version: int
    register_id: str | None = None
    payment_method: str | None = None
    external_order_id: str | None = None
    pinned_outlet_id: OutletId | None = None
    order_checksum: int = 0
    pos_sale_id: PosSaleId | None = None
    returns: tuple[SaleReturn, ...] = ()
    refunds: tuple[SaleRefund, ...] = ()
    refunded_in_ecom: Decimal = ZERO
