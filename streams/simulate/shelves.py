"""What the shelves would hold: the real counts, corrected by what another policy hands over elsewhere.

A count says what the shop really has, after it really handed goods over. Under another policy the same goods
go out at another outlet. So a report of goods handed over is told of the outlets that have the order there;
each level is shifted by what went out really and not there, or there and not really; and an outlet that hands
over what it really did not is counted at once, for no real count will show it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from streams.domain import tables
from streams.domain.books import Moment
from streams.domain.state import PosEntry
from streams.domain.versions import stale
from streams.simulate.world import World
from topics.corrections import Correction
from topics.event import Event
from topics.ids import LineId, OutletId, ProductId, StoreId
from topics.inventory import InventoryLevel
from topics.movements import Movement, StockMoved
from topics.numbers import ZERO
from topics.pos_fulfillments import PosFulfillment, PosFulfillmentLine
from topics.sales import Sale

Shelf = tuple[StoreId, ProductId, OutletId]


class Shelves:
    """Tells the world of another policy what the shop really told, as it would have told it there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shifts: defaultdict[Shelf, Decimal] = defaultdict(Decimal)
        self._counts: dict[Shelf, InventoryLevel] = {}
        self._reported: dict[tuple[StoreId, str], int] = {}
        # How many pieces of a line of a report went out at which outlet.
        self._handed: defaultdict[tuple[StoreId, str, str], dict[OutletId, Decimal]] = defaultdict(dict)

    def told(self, store_id: StoreId, moment: Moment, message: Any) -> Sequence[Any]:
        """Return the messages in the place of one that the point of sale really sent."""
        if isinstance(message, InventoryLevel):
            return self._counted(store_id, message)
        if isinstance(message, PosFulfillment):
            return self._reports(store_id, moment, message)
        if isinstance(message, Correction):
            level = (
                self._world.books(store_id, moment).stock(message.product_id).outlets.get(message.outlet_id)
            )
            revision = 0 if level is None else level.revision
            # What an operator found on the shelf; what is promised is this world's own.
            return (
                msgspec.structs.replace(
                    message, revision=revision, allocated=ZERO, awaiting=ZERO, ledger=None
                ),
            )
        return (message,)

    def settle(
        self, store_id: StoreId, moment: Moment, really: Iterable[Event], there: Iterable[Event]
    ) -> Sequence[InventoryLevel]:
        """Note what left the shelves really and there; return the counts of those that it left only there."""
        link = self._world.books(store_id, moment).link()
        on_receipt = link is not None and link.levels_include_open_orders
        left: defaultdict[Shelf, Decimal] = defaultdict(Decimal)
        for events, sign in ((really, 1), (there, -1)):
            for movement in _movements(events):
                if pieces := _leaving(movement, on_receipt=on_receipt):
                    left[store_id, movement.product_id, movement.outlet_id] += sign * pieces
        counts = []
        for shelf, pieces in left.items():
            self._shifts[shelf] += pieces
            if pieces < 0 and shelf in self._counts:
                counts.append(self._as_there(shelf))
        return counts

    def _counted(self, store_id: StoreId, count: InventoryLevel) -> Sequence[InventoryLevel]:
        shelf = (store_id, count.product_id, count.outlet_id)
        known = self._counts.get(shelf)
        if stale(count.version, None if known is None else known.version) is not None:
            return ()
        self._counts[shelf] = count
        return (self._as_there(shelf),)

    def _as_there(self, shelf: Shelf) -> InventoryLevel:
        count = self._counts[shelf]
        # Without a version: each of these is the latest, and there are more of them than really came.
        return msgspec.structs.replace(count, level=count.level + self._shifts[shelf], version=None)

    def _reports(self, store_id: StoreId, moment: Moment, told: PosFulfillment) -> Sequence[PosFulfillment]:
        name = told.pos_fulfillment_id
        if stale(told.version, self._reported.get((store_id, name))) is not None:
            return ()
        if told.version is not None:
            self._reported[store_id, name] = told.version
        books = self._world.books(store_id, moment)
        entry: PosEntry | None = books.get(tables.POS_SALES, told.pos_sale_id)
        sale = None if entry is None or entry.sale_id is None else books.sale(entry.sale_id)
        if entry is None or sale is None:
            return (told,)  # it waits for its order
        left = {
            id(part): {one.outlet_id: one.quantity for one in part.allocations}
            for line in sale.lines
            for part in line.components or (line,)
        }
        rows: defaultdict[OutletId, list[PosFulfillmentLine]] = defaultdict(list)
        for place, line in enumerate(told.lines):
            key = line.line_id or str(line.product_id or place)
            handed = self._handed[store_id, name, key]
            more = line.fulfilled - sum(handed.values(), ZERO)
            for part in _parts(sale, line.product_id, entry.lines.get(line.line_id or "")):
                shares = left[id(part)]
                for outlet, there in shares.items():
                    taken = min(more, there)
                    if taken > 0:
                        shares[outlet] = there - taken
                        more -= taken
                        handed[outlet] = handed.get(outlet, ZERO) + taken
            if more > 0:
                handed[told.outlet_id] = handed.get(told.outlet_id, ZERO) + more
            for outlet, gone in handed.items():
                row = msgspec.structs.replace(line, quantity=gone, picked=gone, packed=gone, fulfilled=gone)
                rows[outlet].append(row)
        return [
            msgspec.structs.replace(
                told,
                pos_fulfillment_id=f"{name}@{outlet}",
                outlet_id=outlet,
                lines=tuple(lines),
                version=None,
            )
            for outlet, lines in rows.items()
        ]


def _parts(sale: Sale, product_id: ProductId | None, line_id: LineId | None) -> Iterator[Any]:
    """Yield the lines, or parts of bundles, that a line of a report may be."""
    for line in sale.lines:
        for part in line.components or (line,):
            if (
                part.product_id == product_id
                if line_id is None or line.components
                else line.line_id == line_id
            ):
                yield part


def _movements(events: Iterable[Event]) -> Iterator[Movement]:
    for event in events:
        if isinstance(event, StockMoved):
            yield from event.movements


def _leaving(movement: Movement, *, on_receipt: bool) -> Decimal:
    """Return how many pieces the next count of the point of sale has fewer (DOMAIN 4)."""
    if movement.kind == "acknowledged":
        return movement.quantity
    if movement.kind == "fulfilled":
        return -movement.allocated if on_receipt else movement.quantity
    return ZERO
