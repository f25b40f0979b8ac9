"""The lines of a sale while it is being decided."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from streams.domain.parts import Part
from streams.domain.shop import Shop
from topics.ids import LineId
from topics.numbers import ZERO
from topics.orders import OrderItem
from topics.sales import LineComponent, SaleLine


class Line(msgspec.Struct, gc=False):
    """One line of the sale: what does not change by allocation, and its parts (none: it moves no stock).

    Where there are parts, `settle` works out how many of the line are fulfilled and so on from theirs.
    """

    line_id: LineId
    sku: str
    name: str
    quantity: Decimal
    price: Decimal
    tracked: bool
    bundle: bool
    fulfilled: Decimal = ZERO
    cancelled: Decimal = ZERO
    withdrawn: Decimal = ZERO
    returned: Decimal = ZERO
    recalled: Decimal = ZERO
    parts: list[Part] = []

    @property
    def gone(self) -> Decimal:
        """How many went out; of bundles: of how many any part did."""
        if not self.bundle:
            return self.parts[0].fulfilled if self.parts else self.fulfilled
        return self._most([(part.fulfilled, part.quantity) for part in self.parts])

    @property
    def owed(self) -> Decimal:
        """How many of those that the order no longer has are still out: they must come back."""
        if not self.recalled:
            return ZERO
        if not self.bundle:
            part = self.parts[0] if self.parts else self
            out = part.fulfilled - part.returned
        else:
            out = self._most([(part.fulfilled - part.returned, part.quantity) for part in self.parts])
        owed = out - (self.gone - self.recalled)
        return owed if owed > 0 else ZERO

    def per_piece(self) -> list[Decimal]:
        """Return how many pieces of each part one of the line is."""
        if not self.bundle:
            return [Decimal(1)] * len(self.parts)
        return [part.quantity / self.quantity if self.quantity else ZERO for part in self.parts]

    def cancel(self) -> None:
        """Cancel a line that moves no stock; one with parts is cancelled by them."""
        if not self.parts:
            self.cancelled = self.quantity - self.fulfilled

    def settle(self) -> None:
        """Bring the line's numbers to what its parts say."""
        parts = self.parts
        if not parts:
            return
        if not self.bundle:
            part = parts[0]
            self.fulfilled, self.cancelled = part.fulfilled, part.cancelled
            self.withdrawn, self.returned = part.withdrawn, part.returned
            return
        self.fulfilled = self._least([(part.fulfilled, part.quantity) for part in parts])
        self.returned = self._least([(part.returned, part.quantity) for part in parts])
        self.withdrawn = self._least([(part.withdrawn, part.quantity) for part in parts])
        still_open = self._most([(part.open, part.quantity) for part in parts])
        self.cancelled = max(self.quantity - self.fulfilled - still_open, ZERO)

    def finish(self) -> SaleLine:
        """Return the line as the sale shows it; what is nothing is the one ZERO, which events leave out."""
        self.settle()
        parts = self.parts
        part = parts[0] if parts and not self.bundle else None
        if part is not None:
            backordered, unallocated = part.backordered, part.wanted
        elif parts:
            backordered = self._most([(part.backordered, part.quantity) for part in parts])
            unallocated = self._most([(part.wanted, part.quantity) for part in parts])
        else:
            backordered = unallocated = ZERO
        return SaleLine(
            line_id=self.line_id,
            sku=self.sku,
            name=self.name,
            quantity=self.quantity,
            price=self.price,
            tracked=self.tracked,
            product_id=part.product_id if part is not None else None,
            allocations=tuple(part.allocations) if part is not None else (),
            backordered=backordered or ZERO,
            unallocated=unallocated or ZERO,
            fulfilled=self.fulfilled or ZERO,
            cancelled=self.cancelled or ZERO,
            withdrawn=self.withdrawn or ZERO,
            returned=self.returned or ZERO,
            recalled=self.recalled or ZERO,
            components=tuple([_component(part) for part in parts]) if self.bundle else (),
        )

    def _most(self, pieces: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
        """Return how many of the line's bundles are touched when so many pieces of each part's are."""
        return max(
            [
                (some * self.quantity / whole).to_integral_value(ROUND_CEILING)
                for some, whole in pieces
                if whole
            ],
            default=ZERO,
        )

    def _least(self, pieces: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
        """Return how many whole bundles so many pieces of each part's make."""
        return min(
            [
                (some * self.quantity / whole).to_integral_value(ROUND_FLOOR)
                for some, whole in pieces
                if whole
            ],
            default=ZERO,
        )


def _component(part: Part) -> LineComponent:
    return LineComponent(
        sku=part.sku,
        quantity=part.quantity,
        product_id=part.product_id,
        allocations=tuple(part.allocations),
        unallocated=part.wanted or ZERO,
        fulfilled=part.fulfilled or ZERO,
        cancelled=part.cancelled or ZERO,
        withdrawn=part.withdrawn or ZERO,
        returned=part.returned or ZERO,
    )


def ingredients(item: OrderItem) -> dict[str, Decimal]:
    """Return how many pieces of each SKU one bundle has; a part that is named twice is one part."""
    found: dict[str, Decimal] = {}
    for part in item.components:
        found[part.sku] = found.get(part.sku, ZERO) + part.quantity
    return found


def new_line(item: OrderItem, line_id: LineId, shop: Shop) -> Line:
    """Return the line of an item, nothing allocated yet and everything wanted."""
    line = Line(
        line_id,
        item.sku,
        item.name,
        item.quantity,
        shop.money(item.price),
        item.tracked,
        item.tracked and bool(item.components),
    )
    if item.tracked:
        if item.components:
            line.parts = [
                Part(line_id, sku, None, each * item.quantity, each * item.quantity)
                for sku, each in ingredients(item).items()
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
        sale_line.withdrawn,
        sale_line.returned,
        sale_line.recalled,
    )
    if sale_line.tracked:
        line.parts = [
            Part(
                sale_line.line_id,
                part.sku,
                part.product_id,
                part.quantity,
                part.unallocated,
                list(part.allocations),
                part.fulfilled,
                part.cancelled,
                part.withdrawn,
                part.returned,
            )
            for part in sale_line.components or (sale_line,)
        ]
    return line


def known_lines(sale_lines: Iterable[SaleLine]) -> list[Line]:
    return [known_line(line) for line in sale_lines]


def parts_of(lines: Iterable[Line]) -> Iterator[Part]:
    for line in lines:
        yield from line.parts
