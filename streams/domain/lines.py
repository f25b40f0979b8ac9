"""The lines of a sale while it is being decided."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_CEILING, Decimal

from streams.domain.books import Books
from streams.domain.moves import Moves
from streams.domain.policies import Counter, Want
from streams.domain.shop import Shop
from streams.domain.state import ZERO
from topics.ids import LineId, OutletId, ProductId
from topics.orders import OrderItem
from topics.sales import Allocation, LineComponent, SaleLine


class Part:
    """What is allocated as one: a line, or one part of a bundle.

    `quantity` is in pieces. What is open of it is what `allocations` hold and what is still `wanted`.
    """

    __slots__ = ("allocations", "line_id", "product_id", "quantity", "sku", "wanted")

    def __init__(
        self,
        line_id: LineId,
        sku: str,
        product_id: ProductId | None,
        quantity: Decimal,
        allocations: Sequence[Allocation],
        wanted: Decimal,
    ) -> None:
        self.line_id = line_id
        self.sku = sku
        self.product_id = product_id
        self.quantity = quantity
        self.allocations = list(allocations) if allocations else []
        self.wanted = wanted

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
                    backordered=allocation.backordered + backordered,
                )
                return
        self.allocations.append(Allocation(outlet_id=outlet_id, quantity=quantity, backordered=backordered))

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
                backordered=allocation.backordered - backordered,
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
                    backordered=allocation.backordered - covered,
                )
                return covered
        return ZERO


class Line:
    """One line of the sale: what does not change by allocation, and its parts (none: it moves no stock)."""

    __slots__ = (
        "bundle", "cancelled", "fulfilled", "line_id", "name", "parts", "price", "quantity", "returned",
        "sku", "tracked",
    )  # fmt: skip

    def __init__(
        self,
        line_id: LineId,
        sku: str,
        name: str,
        quantity: Decimal,
        price: Decimal,
        tracked: bool,
        bundle: bool,
    ) -> None:
        self.line_id = line_id
        self.sku = sku
        self.name = name
        self.quantity = quantity
        self.price = price
        self.tracked = tracked
        self.bundle = bundle
        self.parts: list[Part] = []
        self.fulfilled = ZERO
        self.cancelled = ZERO
        self.returned = ZERO

    def finish(self) -> SaleLine:
        """Return the line as the sale shows it."""
        parts = self.parts
        if not parts:
            return SaleLine(
                line_id=self.line_id,
                sku=self.sku,
                name=self.name,
                quantity=self.quantity,
                price=self.price,
                tracked=self.tracked,
                fulfilled=self.fulfilled,
                cancelled=self.cancelled,
                returned=self.returned,
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
                backordered=part.backordered,
                unallocated=part.wanted,
                fulfilled=self.fulfilled,
                cancelled=self.cancelled,
                returned=self.returned,
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
            fulfilled=self.fulfilled,
            cancelled=self.cancelled,
            returned=self.returned,
            components=tuple(
                LineComponent(
                    sku=part.sku,
                    quantity=part.quantity,
                    product_id=part.product_id,
                    allocations=tuple(part.allocations),
                    unallocated=part.wanted,
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
                Part(line_id, part.sku, None, pieces, (), pieces)
                for part in item.components
                for pieces in (part.quantity * item.quantity,)
            ]
        else:
            line.parts = [Part(line_id, item.sku, None, item.quantity, (), item.quantity)]
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
    )
    line.fulfilled = sale_line.fulfilled
    line.cancelled = sale_line.cancelled
    line.returned = sale_line.returned
    if sale_line.components:
        line.parts = [
            Part(
                sale_line.line_id,
                part.sku,
                part.product_id,
                part.quantity,
                part.allocations,
                part.unallocated,
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
                sale_line.allocations,
                sale_line.unallocated,
            )
        ]
    return line


def name_products(parts: Iterable[Part], books: Books) -> None:
    """Find the product of each part that has none yet by the SKU it was ordered under.

    A part keeps its product for ever: a renamed SKU does not disturb it (DOMAIN 4).
    """
    for part in parts:
        if part.product_id is None and part.sku:
            products = books.products(part.sku)
            if len(products) == 1:
                part.product_id = products[0]


def allocate(
    parts: Sequence[Part],
    moves: Moves,
    shop: Shop,
    pinned: OutletId | None,
    used: Iterable[OutletId] = (),
) -> None:
    """Decide which outlets fulfil what is wanted of the parts, and move the stock (DOMAIN 3).

    A pinned order is the pinned outlet's, whole. Else the store's policy says; what is left then goes, with
    `oversell: allow`, to the first outlet of the order as backordered; with `restrict` it stays wanted. So it
    does when no outlet is connected. `used` are the outlets that fulfil other parts of the order.
    """
    wanting = [part for part in parts if part.product_id is not None and part.wanted > 0]
    if not wanting:
        return
    if pinned is not None:
        _allocate_at(pinned, wanting, moves, shop)
        return
    outlets = shop.outlets
    if not outlets:
        return
    available: dict[ProductId, Sequence[Decimal]] = {}
    wants = []
    for part in wanting:
        product_id: ProductId = part.product_id  # type: ignore[assignment]  # filtered above
        if product_id not in available:
            available[product_id] = moves.available(product_id, outlets)
        wants.append(Want(product_id, part.wanted))
    places = (
        frozenset(outlets.index(outlet) for outlet in used if outlet in shop.connected)
        if used
        else frozenset()
    )
    takes = shop.policy(wants, Counter(outlets, shop.ranks, available, places))
    first = min((take.place for take in takes), default=len(outlets))
    for number, place, quantity in takes:
        part = wanting[number]
        outlet = outlets[place]
        part.wanted = ZERO if part.wanted is quantity else part.wanted - quantity
        if part.allocations:
            part.add(outlet, quantity, ZERO)
        else:
            part.allocations = [Allocation(outlet_id=outlet, quantity=quantity)]
        moves.allocate(wants[number].product_id, outlet, quantity, ZERO, part.line_id)
    if shop.oversell:
        if places:
            first = min(first, *places)
        outlet = outlets[first if first < len(outlets) else 0]
        for part, want in zip(wanting, wants, strict=True):
            if part.wanted > 0:
                part.add(outlet, part.wanted, part.wanted)
                moves.allocate(want.product_id, outlet, part.wanted, part.wanted, part.line_id)
                part.wanted = ZERO


def _allocate_at(outlet: OutletId, wanting: Sequence[Part], moves: Moves, shop: Shop) -> None:
    for part in wanting:
        product_id: ProductId = part.product_id  # type: ignore[assignment]  # wanting parts have a product
        there = min(part.wanted, moves.available(product_id, (outlet,))[0])
        backordered = part.wanted - there if shop.oversell else ZERO
        quantity = there + backordered
        if quantity > 0:
            part.wanted -= quantity
            part.add(outlet, quantity, backordered)
            moves.allocate(product_id, outlet, quantity, backordered, part.line_id)


def parts_of(lines: Iterable[Line]) -> Iterator[Part]:
    for line in lines:
        yield from line.parts
