"""The parts of the outgoing events that the checks need, decoded by themselves: no code of the workers."""

from decimal import Decimal

import msgspec

from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId, StoreId

NONE = Decimal(0)


class SeenAllocation(msgspec.Struct, frozen=True, gc=False):
    outlet_id: OutletId
    quantity: Decimal
    backordered: Decimal = NONE
    taken: Decimal = NONE


class SeenPart(msgspec.Struct, frozen=True, gc=False):
    """What moves stock: a line, or a component of a bundle."""

    sku: str
    quantity: Decimal
    product_id: ProductId | None = None
    allocations: tuple[SeenAllocation, ...] = ()
    unallocated: Decimal = NONE
    fulfilled: Decimal = NONE
    cancelled: Decimal = NONE
    returned: Decimal = NONE

    @property
    def open(self) -> Decimal:
        return sum((allocation.quantity for allocation in self.allocations), self.unallocated)


class SeenLine(SeenPart, frozen=True, gc=False, kw_only=True):
    line_id: LineId
    tracked: bool = True
    components: tuple[SeenPart, ...] = ()


class SeenShown(msgspec.Struct, frozen=True, gc=False):
    """A fulfilment as its sale shows it."""

    fulfillment_id: str
    outlet_id: OutletId
    state: str
    revision: int


class SeenPayment(msgspec.Struct, frozen=True, gc=False):
    name: str
    amount: Decimal


class SeenReturnLine(msgspec.Struct, frozen=True, gc=False):
    quantity: Decimal


class SeenReturn(msgspec.Struct, frozen=True, gc=False):
    return_id: str
    state: str
    lines: tuple[SeenReturnLine, ...] = ()

    @property
    def pieces(self) -> Decimal:
        return sum((line.quantity for line in self.lines), NONE)


class SeenSaleRefund(msgspec.Struct, frozen=True, gc=False):
    """A refund as its sale shows it."""

    refund_id: str
    method: str
    amount: Decimal
    reversal: str
    voided: bool = False


class SeenCustomer(msgspec.Struct, frozen=True, gc=False):
    customer_id: str
    name: str


class SeenFlag(msgspec.Struct, frozen=True, gc=False):
    kind: str


class SeenSale(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    store_id: StoreId
    order_id: OrderId
    sale_id: SaleId
    revision: int
    cause: str
    state: str
    attributes: tuple[str, ...]
    paid: bool
    amount_paid: Decimal
    refunded: Decimal
    customer: SeenCustomer
    lines: tuple[SeenLine, ...]
    payments: tuple[SeenPayment, ...]
    fulfillments: tuple[SeenShown, ...]
    flags: tuple[SeenFlag, ...]
    returns: tuple[SeenReturn, ...] = ()
    refunds: tuple[SeenSaleRefund, ...] = ()
    refunded_in_ecom: Decimal = NONE

    @property
    def parts(self) -> list[SeenPart]:
        """What of the sale moves stock."""
        return [part for line in self.lines for part in line.components or (line,)]


class SeenFulfillment(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    fulfillment_id: str
    revision: int
    state: str


class SeenRefund(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    refund_id: str
    sale_id: SaleId
    revision: int
    state: str
    amount: Decimal


class SeenMovement(msgspec.Struct, frozen=True, gc=False):
    kind: str
    product_id: ProductId
    outlet_id: OutletId
    revision: int
    quantity: Decimal = NONE
    on_hand: Decimal = NONE  # left out of the event where nothing changed
    allocated: Decimal = NONE
    awaiting: Decimal = NONE


class SeenMoves(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    store_id: StoreId
    movements: tuple[SeenMovement, ...]
    sale_id: SaleId | None = None


class SeenException(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    exception_id: str
    revision: int
    open: bool


class SeenLetter(msgspec.Struct, frozen=True, gc=False):
    dead_letter_id: str
