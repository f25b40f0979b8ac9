"""Stock as one decision moves it: the only place that changes a level (DOMAIN 4)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from streams.domain import awaiting, strays
from streams.domain.books import Books
from streams.domain.levels import free, publish
from streams.domain.policies import Row
from streams.domain.shop import Shop
from streams.domain.state import Awaited, Level, Stock
from topics.corrections import LedgerLevel
from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId
from topics.inventory import InventoryLevel
from topics.movements import Movement, MovementKind, StockMoved
from topics.numbers import ZERO

NO_LEVEL = Level()


class _Shelf(msgspec.Struct, gc=False):
    """One product while it is being moved."""

    stock: Stock
    outlets: dict[OutletId, Level]
    raw: Decimal
    moved: bool = False

    def set(self, outlet_id: OutletId, level: Level) -> None:
        if not self.moved:
            self.moved = True
            self.outlets = dict(self.outlets)
        self.outlets[outlet_id] = level


class _Row(msgspec.Struct, frozen=True, gc=False):
    """What is available at each outlet, worked out where one looks: mostly the first outlet has it all."""

    levels: dict[OutletId, Level]
    outlets: Sequence[OutletId]
    safety: dict[OutletId, Decimal]

    def __iter__(self) -> Iterator[Decimal]:
        return map(self.__getitem__, range(len(self.outlets)))

    def __getitem__(self, place: int, /) -> Decimal:
        outlet = self.outlets[place]
        level = self.levels.get(outlet)
        if level is None:
            return ZERO
        have = free(level, self.safety.get(outlet, ZERO))
        return have if have > 0 else ZERO


class Moves:
    """The movements of one cause. They count at once for `available`, and are written by `post`."""

    __slots__ = ("_books", "_movements", "_shelves", "_shop", "_strayed", "freed")

    def __init__(self, books: Books, shop: Shop) -> None:
        self._books = books
        self._shop = shop
        self._shelves: dict[ProductId, _Shelf] = {}
        self._movements: list[Movement] = []
        self._strayed: dict[OutletId, Decimal] = {}
        self.freed: dict[ProductId, None] = {}
        """Products that have more than before: who waits for them may be served."""

    def _shelf(self, product_id: ProductId) -> _Shelf:
        shelf = self._shelves.get(product_id)
        if shelf is None:
            stock = self._books.stock(product_id)
            shelf = self._shelves[product_id] = _Shelf(stock, stock.outlets, stock.raw)
        return shelf

    def available(self, product_id: ProductId, outlets: Sequence[OutletId]) -> Row:
        """Return what is available of the product at each outlet now, not below zero."""
        return _Row(self._shelf(product_id).outlets, outlets, self._shop.safety)

    def has(self, product_id: ProductId, outlet_id: OutletId, quantity: Decimal) -> bool:
        """Say whether so many pieces, more than none, are available of the product at the outlet now."""
        level = self._shelf(product_id).outlets.get(outlet_id)
        return level is not None and free(level, self._shop.safety.get(outlet_id, ZERO)) >= quantity

    def allocate(
        self,
        product_id: ProductId,
        outlet_id: OutletId,
        quantity: Decimal,
        backordered: Decimal,
        line_id: LineId,
    ) -> None:
        """Promise pieces to a sale; `backordered` of them are not there."""
        shelf = self._shelves.get(product_id) or self._shelf(product_id)
        old = shelf.outlets.get(outlet_id, NO_LEVEL)
        if outlet_id in self._shop.connected:
            shelf.raw -= quantity
        else:
            self._stray(outlet_id, quantity)
        allocated = old.allocated + quantity
        revision = old.revision + 1
        shelf.set(
            outlet_id,
            Level(
                old.on_hand,
                allocated,
                old.awaiting,
                old.backordered + backordered if backordered else old.backordered,
                revision,
                old.version,
                old.counted_at,
                old.awaited,
            ),
        )
        self._movements.append(
            Movement(
                kind="allocated",
                product_id=product_id,
                sku=shelf.stock.sku,
                outlet_id=outlet_id,
                revision=revision,
                quantity=quantity,
                allocated=quantity,
                on_hand_after=old.on_hand,
                allocated_after=allocated,
                awaiting_after=old.awaiting or ZERO,
                line_id=line_id,
            )
        )

    def release(
        self,
        product_id: ProductId,
        outlet_id: OutletId,
        quantity: Decimal,
        backordered: Decimal,
        line_id: LineId,
        taken: Decimal = ZERO,
        taken_at: datetime | None = None,
    ) -> None:
        """Take back a promise: the pieces are free at once.

        Of those that the point of sale had `taken` only what still awaits the count is: the rest it has off
        its level, and puts back there itself.
        """
        self.freed[product_id] = None
        level = self._shelf(product_id).outlets.get(outlet_id, NO_LEVEL)
        uncounted = (
            awaiting.without(level.awaited, taken, taken_at) if taken_at is not None else level.awaited
        )
        self._change(
            "released",
            product_id,
            outlet_id,
            quantity,
            line_id,
            allocated=taken - quantity,
            awaited=uncounted,
            backordered=-backordered,
        )

    def acknowledge(
        self, product_id: ProductId, outlet_id: OutletId, quantity: Decimal, line_id: LineId, at: datetime
    ) -> None:
        """Note that the point of sale took promised pieces off its own level: they await the count."""
        awaited = self._await(product_id, outlet_id, quantity, at)
        self._change(
            "acknowledged", product_id, outlet_id, quantity, line_id, allocated=-quantity, awaited=awaited
        )

    def fulfil(
        self,
        product_id: ProductId,
        outlet_id: OutletId,
        quantity: Decimal,
        line_id: LineId,
        at: datetime,
        *,
        allocated: Decimal = ZERO,
        taken: Decimal = ZERO,
        backordered: Decimal = ZERO,
    ) -> None:
        """Note that pieces went out of the outlet; what was not `taken` before awaits the count now.

        `allocated` of them were a promise until now, `backordered` of them one without stock.
        """
        awaited = self._await(product_id, outlet_id, quantity - taken, at)
        self._change(
            "fulfilled",
            product_id,
            outlet_id,
            quantity,
            line_id,
            allocated=-allocated,
            awaited=awaited,
            backordered=-backordered,
        )

    def note(
        self,
        kind: MovementKind,
        product_id: ProductId,
        outlet_id: OutletId,
        quantity: Decimal,
        line_id: LineId,
    ) -> None:
        """Note a step that moves no level: the count that the point of sale sends does."""
        awaited = self._shelf(product_id).outlets.get(outlet_id, NO_LEVEL).awaited
        self._change(kind, product_id, outlet_id, quantity, line_id, awaited=awaited)

    def _await(
        self, product_id: ProductId, outlet_id: OutletId, quantity: Decimal, at: datetime
    ) -> tuple[Awaited, ...]:
        level = self._shelf(product_id).outlets.get(outlet_id, NO_LEVEL)
        if level.counted_at is not None and level.counted_at >= at:
            return level.awaited  # a count that has the pieces in it was seen already
        return awaiting.added(level.awaited, quantity, at)

    def _change(
        self,
        kind: MovementKind,
        product_id: ProductId,
        outlet_id: OutletId,
        quantity: Decimal,
        line_id: LineId,
        *,
        awaited: tuple[Awaited, ...],
        allocated: Decimal = ZERO,
        backordered: Decimal = ZERO,
    ) -> None:
        shelf = self._shelf(product_id)
        old = shelf.outlets.get(outlet_id, NO_LEVEL)
        waits = awaiting.total(awaited)
        more = waits - old.awaiting
        if outlet_id in self._shop.connected:
            shelf.raw -= allocated + more
        else:
            self._stray(outlet_id, allocated)
        if allocated + more < 0:
            self.freed[product_id] = None
        level = Level(
            old.on_hand,
            old.allocated + allocated,
            waits,
            old.backordered + backordered,
            old.revision + 1,
            old.version,
            old.counted_at,
            awaited,
        )
        shelf.set(outlet_id, level)
        self._movements.append(
            Movement(
                kind=kind,
                product_id=product_id,
                sku=shelf.stock.sku,
                outlet_id=outlet_id,
                revision=level.revision,
                quantity=quantity or ZERO,
                allocated=allocated or ZERO,
                awaiting=more or ZERO,
                on_hand_after=level.on_hand or ZERO,
                allocated_after=level.allocated or ZERO,
                awaiting_after=waits or ZERO,
                line_id=line_id,
            )
        )

    def _stray(self, outlet_id: OutletId, quantity: Decimal) -> None:
        self._strayed[outlet_id] = self._strayed.get(outlet_id, ZERO) + quantity

    def count(self, level: InventoryLevel) -> bool:
        """Set a level to what was counted; False when all is what it was (only the version is noted)."""
        shelf = self._shelf(level.product_id)
        old = shelf.outlets.get(level.outlet_id)
        before = NO_LEVEL if old is None else old
        delta = level.level - before.on_hand
        counted_at = self._books.moment.received_at
        awaited = awaiting.after_count(before.awaited, counted_at) if before.awaited else ()
        waits = awaiting.total(awaited) if before.awaited else ZERO
        changed = old is None or delta != 0 or waits != before.awaiting
        if before.counted_at is not None and before.counted_at > counted_at:
            counted_at = before.counted_at
        new = Level(
            before.on_hand + delta,
            before.allocated,
            waits,
            before.backordered,
            before.revision + changed,
            before.version if level.version is None else level.version,
            counted_at,
            awaited,
        )
        shelf.set(level.outlet_id, new)
        if not changed:
            return False
        more = delta + before.awaiting - waits
        if more > 0:
            self.freed[level.product_id] = None
        if level.outlet_id in self._shop.connected:
            shelf.raw += more
        self._movements.append(
            Movement(
                kind="counted",
                product_id=level.product_id,
                sku=shelf.stock.sku,
                outlet_id=level.outlet_id,
                revision=new.revision,
                on_hand=delta or ZERO,
                awaiting=waits - before.awaiting or ZERO,
                on_hand_after=new.on_hand or ZERO,
                allocated_after=new.allocated or ZERO,
                awaiting_after=waits or ZERO,
            )
        )
        return True

    def correct(self, product_id: ProductId, outlet_id: OutletId, level: Level, ledger: LedgerLevel) -> None:
        """Set a level to what an operator says, by a movement that leads there from what the ledger has."""
        shelf = self._shelf(product_id)
        old = shelf.outlets.get(outlet_id, NO_LEVEL)
        more = level.on_hand - old.on_hand
        more -= level.allocated - old.allocated
        more -= level.awaiting - old.awaiting
        shelf.set(outlet_id, level)
        if more > 0:
            self.freed[product_id] = None
        if outlet_id in self._shop.connected:
            shelf.raw += more
        else:
            self._stray(outlet_id, level.allocated - old.allocated)
        self._movements.append(
            Movement(
                kind="corrected",
                product_id=product_id,
                sku=shelf.stock.sku,
                outlet_id=outlet_id,
                revision=level.revision,
                on_hand=level.on_hand - ledger.on_hand or ZERO,
                allocated=level.allocated - ledger.allocated or ZERO,
                awaiting=level.awaiting - ledger.awaiting or ZERO,
                on_hand_after=level.on_hand or ZERO,
                allocated_after=level.allocated or ZERO,
                awaiting_after=level.awaiting or ZERO,
            )
        )

    def uncovered(self, product_id: ProductId, outlet_id: OutletId) -> Decimal:
        """Return how much of what is backordered there is there by now: the oldest sales get it first.

        Backordered stays what the outlet still lacks for all its promises, if available is negative.
        """
        level = self._shelf(product_id).outlets.get(outlet_id, NO_LEVEL)
        if not level.backordered:
            return ZERO
        lacks = -free(level, self._shop.safety.get(outlet_id, ZERO))
        covered = level.backordered - lacks if lacks > 0 else level.backordered
        return covered if covered > 0 else ZERO

    def cover(self, product_id: ProductId, outlet_id: OutletId, quantity: Decimal) -> None:
        """Note that backordered pieces are there now. No stock moves: they were allocated before."""
        shelf = self._shelf(product_id)
        old = shelf.outlets[outlet_id]
        shelf.set(
            outlet_id,
            Level(
                old.on_hand,
                old.allocated,
                old.awaiting,
                old.backordered - quantity,
                old.revision,
                old.version,
                old.counted_at,
                old.awaited,
            ),
        )

    def post(self, cause: str, sale_id: SaleId | None = None, order_id: OrderId | None = None) -> None:
        """Write the levels, the movements as one event, and the online levels that are others now."""
        books, movements = self._books, self._movements
        if movements:
            moment = books.moment
            first = movements[0]
            books.events.append(
                StockMoved(
                    event_id=f"{books.store_id}/{first.product_id}/{first.outlet_id}:{first.revision}",
                    store_id=books.store_id,
                    event_time=books.event_time,
                    received_at=moment.received_at,
                    processed_at=moment.processed_at,
                    cause=cause,
                    source=moment.source,
                    movements=tuple(movements),
                    sale_id=sale_id,
                    order_id=order_id,
                )
            )
        for product_id, shelf in self._shelves.items():
            if shelf.moved:
                publish(books, product_id, shelf.stock, shelf.outlets, shelf.raw)
        if self._strayed:
            strays.note(books, self._strayed)
        self._movements = []
        self._shelves = {}
        self._strayed = {}
