"""The lines of a sale while it is being decided."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, Decimal

import msgspec

from streams.domain.moves import Moves
from streams.domain.shop import Shop
from topics.ids import LineId, OutletId, ProductId
from topics.numbers import ZERO
from topics.orders import OrderItem
from topics.sales import Allocation, LineComponent, SaleLine


class Part(msgspec.Struct, gc=False):
    """What is allocated as one: a line, or one part of a bundle.

    `quantity` is in pieces. What is open of it is what `allocations` hold and what is still `wanted`.
    """

    line_id: LineId
    sku: str
    product_id: ProductId | None
    quantity: Decimal
    wanted: Decimal
    allocations: list[Allocation] = []

    @property
    def backordered(self) -> Decimal:
        if len(self.allocations) == 1:
            return self.allocations[0].backordered
        return sum((allocation.backordered for allocation in self.allocations), ZERO)

    @property
    def open(self) -> Decimal:
        return sum((allocation.quantity for allocation in self.allocations), self.wanted)

    def add(self, outlet_id: OutletId, quantity: Decimal, backordered: Decimal) -> None:
        """Add to what the outlet is to fulfil of it."""
        for at, allocation in enumerate(self.allocations):
            if allocation.outlet_id == outlet_id:
                self.allocations[at] = Allocation(
                    outlet_id=outlet_id,
                    quantity=allocation.quantity + quantity,
                    backordered=allocation.backordered + backordered or ZERO,
                )
                return
        self.allocations.append(
            Allocation(outlet_id=outlet_id, quantity=quantity, backordered=backordered or ZERO)
        )

    def reduce(self, by: Decimal, moves: Moves) -> None:
        """Let go of pieces: first what nobody promised, then what is not there, then the last promised."""
        dropped = min(by, self.wanted)
        self.wanted -= dropped
        by -= dropped
        for only_backordered in (True, False):
            at = len(self.allocations) - 1
            while by > 0 and at >= 0:
                allocation = self.allocations[at]
                freed = min(by, allocation.backordered if only_backordered else allocation.quantity)
                if freed > 0:
                    by -= freed
                    self._release(at, freed, min(freed, allocation.backordered), moves)
                at -= 1

    def release(self, moves: Moves) -> None:
        """Let go of everything that is promised; it is not wanted again by itself."""
        while self.allocations:
            allocation = self.allocations[-1]
            self._release(len(self.allocations) - 1, allocation.quantity, allocation.backordered, moves)
        self.wanted = ZERO

    def _release(self, at: int, quantity: Decimal, backordered: Decimal, moves: Moves) -> None:
        allocation = self.allocations[at]
        product_id = self.product_id
        if product_id is None:
            raise ValueError(f"line {self.line_id} has an allocation and no product: {allocation!r}")
        moves.release(product_id, allocation.outlet_id, quantity, backordered, self.line_id)
        if quantity == allocation.quantity:
            del self.allocations[at]
        else:
            self.allocations[at] = Allocation(
                outlet_id=allocation.outlet_id,
                quantity=allocation.quantity - quantity,
                backordered=allocation.backordered - backordered or ZERO,
            )

    def cover(self, outlet_id: OutletId, most: Decimal, moves: Moves) -> Decimal:
        """Note that up to `most` backordered pieces are there now; return how many were."""
        for at, allocation in enumerate(self.allocations):
            if allocation.outlet_id == outlet_id and allocation.backordered and self.product_id is not None:
                covered = min(most, allocation.backordered)
                moves.cover(self.product_id, outlet_id, covered)
                self.allocations[at] = Allocation(
                    outlet_id=outlet_id,
                    quantity=allocation.quantity,
                    backordered=allocation.backordered - covered or ZERO,
                )
                return covered
        return ZERO


class Line(msgspec.Struct, gc=False):
    """One line of the sale: what does not change by allocation, and its parts (none: it moves no stock)."""

    line_id: LineId
    sku: str
    name: str
    quantity: Decimal
    price: Decimal
    tracked: bool
    bundle: bool
    fulfilled: Decimal = ZERO
    cancelled: Decimal = ZERO
    returned: Decimal = ZERO
    parts: list[Part] = []

    def finish(self) -> SaleLine:
        """Return the line as the sale shows it; what is nothing is the one ZERO, which events leave out."""
        parts = self.parts
        if not parts:
            return SaleLine(
                line_id=self.line_id,
                sku=self.sku,
                name=self.name,
                quantity=self.quantity,
                price=self.price,
                tracked=self.tracked,
                fulfilled=self.fulfilled or ZERO,
                cancelled=self.cancelled or ZERO,
                returned=self.returned or ZERO,
            )
        if not self.bundle:
            part = parts[0]
            return SaleLine(
                line_id=self.line_id,
                sku=self.sku,
                name=self.name,
                quantity=self.quantity,
                price=self.price,
                tracked=True,
                product_id=part.product_id,
                allocations=tuple(part.allocations),
                backordered=part.backordered or ZERO,
                unallocated=part.wanted or ZERO,
                fulfilled=self.fulfilled or ZERO,
                cancelled=self.cancelled or ZERO,
                returned=self.returned or ZERO,
            )
        return SaleLine(
            line_id=self.line_id,
            sku=self.sku,
            name=self.name,
            quantity=self.quantity,
            price=self.price,
            tracked=True,
            backordered=self._bundles([(part.backordered, part.quantity) for part in parts]),
            unallocated=self._bundles([(part.wanted, part.quantity) for part in parts]),
            fulfilled=self.fulfilled or ZERO,
            cancelled=self.cancelled or ZERO,
            returned=self.returned or ZERO,
            components=tuple(
                LineComponent(
                    sku=part.sku,
                    quantity=part.quantity,
                    product_id=part.product_id,
                    allocations=tuple(part.allocations),
                    unallocated=part.wanted or ZERO,
                )
                for part in parts
            ),
        )

    def _bundles(self, pieces: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
        """Return how many of the line's bundles are touched when so many pieces of each part's are."""
        return max(
            (
                (missing * self.quantity / whole).to_integral_value(ROUND_CEILING)
                for missing, whole in pieces
                if whole
            ),
            default=ZERO,
        )


def new_line(item: OrderItem, line_id: LineId, shop: Shop) -> Line:
    """Return the line of an item, nothing allocated yet and everything wanted."""
    line = Line(
        line_id,
        item.sku,
        item.name,
        item.quantity,
        shop.money(item.price),
        item.tracked,
        bool(item.components),
    )
    if item.tracked:
        if item.components:
            line.parts = [
                Part(line_id, part.sku, None, pieces, pieces)
                for part in item.components
                for pieces in (part.quantity * item.quantity,)
            ]
        else:
            line.parts = [Part(line_id, item.sku, None, item.quantity, item.quantity)]
    return line


def known_line(sale_line: SaleLine) -> Line:
    """Return a sale's line as it stands, to be changed."""
    line = Line(
        sale_line.line_id,
        sale_line.sku,
        sale_line.name,
        sale_line.quantity,
        sale_line.price,
        sale_line.tracked,
        bool(sale_line.components),
        sale_line.fulfilled,
        sale_line.cancelled,
        sale_line.returned,
    )
    if sale_line.components:
        line.parts = [
            Part(
                sale_line.line_id,
                part.sku,
                part.product_id,
                part.quantity,
                part.unallocated,
                list(part.allocations),
            )
            for part in sale_line.components
        ]
    elif sale_line.tracked:
        line.parts = [
            Part(
                sale_line.line_id,
                sale_line.sku,
                sale_line.product_id,
                sale_line.quantity,
                sale_line.unallocated,
                list(sale_line.allocations),
            )
        ]
    return line


def parts_of(lines: Iterable[Line]) -> Iterator[Part]:
    for line in lines:
        yield from line.parts
