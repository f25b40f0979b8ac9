"""The sales of a store: how far each is, and what of stock they hold."""

from collections import defaultdict, deque
from datetime import datetime
from decimal import Decimal

import msgspec

from streams.reconcile.standing import LevelKey
from topics.ids import OrderId, OutletId, ProductId, SaleId
from topics.numbers import ZERO


class _Allocation(msgspec.Struct, gc=False):
    outlet_id: OutletId
    quantity: Decimal
    taken: Decimal = ZERO


class _Part(msgspec.Struct, gc=False):
    product_id: ProductId | None = None
    allocations: tuple[_Allocation, ...] = ()


class _Line(_Part, gc=False):
    components: tuple[_Part, ...] = ()


class _Sale(msgspec.Struct, gc=False):
    """The part of topics.sales.Sale that is compared."""

    sale_id: SaleId
    order_id: OrderId
    revision: int
    processed_at: datetime
    lines: tuple[_Line, ...]


class SoldAt(msgspec.Struct, frozen=True, gc=False):
    """A sale at a revision, and where that stands on the topic."""

    revision: int
    order_id: OrderId
    offset: int


_decode = msgspec.json.Decoder(_Sale).decode


class Sold:
    """Takes the records of `sales` in order; `written` is the offset up to which Postgres has them.

    What a sale holds counts from `settle` on: sales are read beyond the point that levels are compared at.
    """

    def __init__(self, written: int) -> None:
        self.written: dict[SaleId, SoldAt] = {}
        """The last revision that Postgres must have."""
        self.last: dict[SaleId, int] = {}
        self.missing: list[tuple[SaleId, OrderId, int, int]] = []
        """Sales of which revisions are not on the topic: the first and last that are not."""
        self.promised: defaultdict[LevelKey, Decimal] = defaultdict(Decimal)
        """What sales hold of each level: allocated, and not yet taken over by the point of sale."""
        self._holds: dict[SaleId, dict[LevelKey, Decimal]] = {}
        self._unsettled: deque[_Sale] = deque()
        self._written = written

    def take(self, offset: int, value: bytes) -> None:
        """Take a record; msgspec.DecodeError when it is no event of ours."""
        sale = _decode(value)
        before = self.last.get(sale.sale_id)
        if before is not None and sale.revision > before + 1:
            self.missing.append((sale.sale_id, sale.order_id, before + 1, sale.revision - 1))
        self.last[sale.sale_id] = sale.revision
        if offset < self._written:
            self.written[sale.sale_id] = SoldAt(sale.revision, sale.order_id, offset)
        self._unsettled.append(sale)

    def settle(self, until: datetime | None) -> None:
        """Count what sales hold that were decided until then; None: all that were read."""
        while self._unsettled and (until is None or self._unsettled[0].processed_at <= until):
            self._settle(self._unsettled.popleft())

    def _settle(self, sale: _Sale) -> None:
        for key, quantity in self._holds.pop(sale.sale_id, {}).items():
            self.promised[key] -= quantity
        holds: defaultdict[LevelKey, Decimal] = defaultdict(Decimal)
        for line in sale.lines:
            for part in line.components or (line,):
                if part.product_id is not None:
                    for one in part.allocations:
                        holds[part.product_id, one.outlet_id] += one.quantity - one.taken
        if holds:
            self._holds[sale.sale_id] = holds
            for key, quantity in holds.items():
                self.promised[key] += quantity
