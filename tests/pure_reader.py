"""A consumer that knows a store by its events alone, and holds them to what they promise (DOMAIN 4, 5)."""

from collections import defaultdict
from decimal import Decimal
from typing import Final

from topics.customers import Customer
from topics.event import Event
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.ids import CustomerId, FulfillmentId, LineId, OutletId, ProductId, RefundId, SaleId
from topics.movements import Movement, StockMoved
from topics.online_stock import OnlineStock
from topics.refunds import Refund
from topics.sales import Sale

NOTHING: Final = Decimal(0)
Shelf = tuple[ProductId, OutletId]
Piece = tuple[SaleId, LineId, ProductId]
"""A product within a line of a sale: the line's own, or that of a part of a bundle."""


class Sums:
    """What the movements of one (product, outlet) come to."""

    def __init__(self) -> None:
        self.on_hand = self.allocated = self.awaiting = NOTHING
        self.revision = 0

    def add(self, movement: Movement) -> None:
        self.on_hand += movement.on_hand
        self.allocated += movement.allocated
        self.awaiting += movement.awaiting
        self.revision += 1
        assert movement.revision == self.revision, f"{movement} follows revision {self.revision - 1}"
        after = (movement.on_hand_after, movement.allocated_after, movement.awaiting_after)
        assert after == (self.on_hand, self.allocated, self.awaiting), movement
        assert self.allocated >= 0, movement
        assert self.awaiting >= 0, movement


class Reader:
    """The last revision of everything that the topics tell of, and the sums of the movements."""

    def __init__(self) -> None:
        self.sales: dict[SaleId, Sale] = {}
        self.fulfillments: dict[FulfillmentId, Fulfillment] = {}
        self.refunds: dict[RefundId, Refund] = {}
        self.customers: dict[CustomerId, Customer] = {}
        self.exceptions: dict[str, ExceptionChanged] = {}
        self.online: dict[str, OnlineStock] = {}
        self.shelves: dict[Shelf, Sums] = defaultdict(Sums)
        self.pieces: dict[Piece, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        """How many pieces were moved by each kind of movement."""
        self._ids: set[str] = set()

    def take(self, event: Event) -> None:
        assert event.event_id not in self._ids, f"event id {event.event_id} occurs twice"
        self._ids.add(event.event_id)
        if isinstance(event, Sale):
            _next(self.sales.get(event.sale_id), event)
            self.sales[event.sale_id] = event
        elif isinstance(event, Fulfillment):
            earlier = self.fulfillments.get(event.fulfillment_id)
            _next(earlier, event)
            if _gone(event) > (NOTHING if earlier is None else _gone(earlier)):
                assert self.sales[event.sale_id].paid, f"fulfilled, though unpaid (S6): {event}"
            self.fulfillments[event.fulfillment_id] = event
        elif isinstance(event, Refund):
            _next(self.refunds.get(event.refund_id), event)
            self.refunds[event.refund_id] = event
        elif isinstance(event, Customer):
            _next(self.customers.get(event.customer_id), event)
            self.customers[event.customer_id] = event
        elif isinstance(event, ExceptionChanged):
            before = self.exceptions.get(event.exception_id)
            _next(before, event)
            assert event.open or (before is not None and before.open), "closed without having been open"
            assert (event.closed_at is None) == event.open
            self.exceptions[event.exception_id] = event
        elif isinstance(event, StockMoved):
            for movement in event.movements:
                _is_sound(movement)
                self.shelves[movement.product_id, movement.outlet_id].add(movement)
                if event.sale_id is not None and movement.line_id is not None:
                    piece = (event.sale_id, movement.line_id, movement.product_id)
                    self.pieces[piece][movement.kind] += movement.quantity
        elif isinstance(event, OnlineStock):
            assert event.level == max(event.raw, NOTHING)
            before_this = self.online.get(event.sku)
            assert before_this is None or (before_this.level, before_this.product_id) != (
                event.level,
                event.product_id,
            ), "told without a change"
            self.online[event.sku] = event

    def open_exceptions(self) -> set[tuple[str, str]]:
        """Return (kind, subject) of what is open."""
        return {(event.kind, event.subject) for event in self.exceptions.values() if event.open}


Revised = Sale | Fulfillment | Refund | Customer | ExceptionChanged


def _next(before: Revised | None, after: Revised) -> None:
    expected = 1 if before is None else before.revision + 1
    assert after.revision == expected, f"{type(after).__name__} {after.revision} where {expected} is next"


def _gone(fulfillment: Fulfillment) -> Decimal:
    return sum((line.fulfilled for line in fulfillment.lines), NOTHING)


def _is_sound(movement: Movement) -> None:
    """Assert that a movement moves what its kind may move, and so many pieces as it says."""
    pieces, allocated, awaiting = movement.quantity, movement.allocated, movement.awaiting
    if movement.kind == "counted":
        assert not pieces, movement
        assert not allocated, movement
        assert awaiting <= 0, movement
        return
    if movement.kind == "corrected":
        assert not pieces, movement
        return
    assert not movement.on_hand, f"only counts move what is on hand: {movement}"
    assert pieces > 0 or (movement.kind == "returned" and pieces), movement
    if movement.kind == "allocated":
        assert (allocated, awaiting) == (pieces, 0), movement
    elif movement.kind == "released":
        assert -pieces <= allocated <= 0, movement
        assert -pieces <= allocated + awaiting <= 0, movement
        assert awaiting <= 0, movement
    elif movement.kind == "acknowledged":
        assert allocated == -pieces, movement
        assert awaiting in {NOTHING, pieces}, movement
    elif movement.kind == "fulfilled":
        assert -pieces <= allocated <= 0, movement
        assert 0 <= awaiting <= pieces, movement
    else:
        assert (allocated, awaiting) == (0, 0), f"a return moves no level: {movement}"
