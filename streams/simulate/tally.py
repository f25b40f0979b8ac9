"""What a policy comes to: how many orders it splits, what is not there, and who has the work."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from storage.lookups.answer import quantity
from topics.ids import OrderId, OutletId, SaleId, StoreId
from topics.numbers import ZERO
from topics.sales import Sale

Work = dict[OutletId, Decimal]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """An outlet's part: orders that it fulfils, alone or with others, and pieces."""

    store_id: StoreId
    outlet_id: OutletId
    orders: int
    pieces: Decimal


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the orders that came in the range.

    `allocated`: those that at least one outlet has; `split`: those that more than one has. `backordered` and
    `unallocated` are as the order was first decided: what arrives later heals them.
    """

    orders: int
    allocated: int
    split: int
    split_rate: float
    backordered_orders: int
    backordered_pieces: Decimal
    unallocated_orders: int
    unallocated_pieces: Decimal
    load: tuple[Load, ...]


class _Order(msgspec.Struct):
    store_id: StoreId
    order_id: OrderId
    decided: bool = False
    backordered: Decimal = ZERO
    unallocated: Decimal = ZERO
    work: Work = {}


class Tally:
    """Counts the sales whose order came in a range, as they were last in it; `end` is after it."""

    def __init__(self, begin: datetime | None, end: datetime | None) -> None:
        self._begin = begin
        self._end = end
        self._orders: dict[SaleId, _Order] = {}

    def take(self, event: Any) -> None:
        """Take in an event; all but sales are passed over."""
        if not isinstance(event, Sale) or (self._end is not None and event.received_at >= self._end):
            return
        order = self._orders.get(event.sale_id)
        if order is None:
            before = self._begin is not None and event.received_at < self._begin
            if event.revision > 1 or before or "backfilled" in event.attributes:
                return
            order = self._orders[event.sale_id] = _Order(event.store_id, event.order_id)
        if event.state in ("parked", "voided"):
            return  # what was called off was work until then
        if not order.decided:
            order.decided = True
            order.backordered = sum((line.backordered for line in event.lines), ZERO)
            order.unallocated = sum((line.unallocated for line in event.lines), ZERO)
        order.work = _work(event)

    def figures(self) -> Figures:
        """Return the figures of what was taken in."""
        orders = self._orders.values()
        allocated = sum(bool(order.work) for order in orders)
        split = sum(len(order.work) > 1 for order in orders)
        load: defaultdict[tuple[StoreId, OutletId], list[Decimal]] = defaultdict(list)
        for order in orders:
            for outlet, pieces in order.work.items():
                load[order.store_id, outlet].append(pieces)
        return Figures(
            orders=len(orders),
            allocated=allocated,
            split=split,
            split_rate=round(split / allocated, 4) if allocated else 0.0,
            backordered_orders=sum(order.backordered > 0 for order in orders),
            backordered_pieces=quantity(sum((order.backordered for order in orders), ZERO)),
            unallocated_orders=sum(order.unallocated > 0 for order in orders),
            unallocated_pieces=quantity(sum((order.unallocated for order in orders), ZERO)),
            load=tuple(
                Load(store_id=store, outlet_id=outlet, orders=len(pieces), pieces=quantity(sum(pieces, ZERO)))
                for (store, outlet), pieces in sorted(load.items())
            ),
        )

    def shared(self, other: "Tally") -> int:
        """Return how many orders both have."""
        return len(self._orders.keys() & other._orders.keys())

    def elsewhere(self, other: "Tally") -> list[tuple[StoreId, OrderId, Work, Work]]:
        """Return the orders that other outlets, or the same with other pieces, have in the other tally."""
        found = [
            (order.store_id, order.order_id, order.work, there.work)
            for sale_id, order in self._orders.items()
            if (there := other._orders.get(sale_id)) is not None and there.work != order.work
        ]
        return sorted(found, key=lambda one: one[:2])


def _work(sale: Sale) -> Work:
    work: Work = {}
    for one in sale.fulfillments:
        if one.state != "cancelled":
            pieces = sum((line.quantity for line in one.lines), ZERO)
            work[one.outlet_id] = work.get(one.outlet_id, ZERO) + pieces
    return {outlet: quantity(pieces) for outlet, pieces in work.items()}
