"""The part of a line: what is allocated, fulfilled and returned as one (DOMAIN 3, 5)."""

from datetime import datetime
from decimal import Decimal

import msgspec

from streams.domain.moves import Moves
from topics.ids import LineId, OutletId, ProductId
from topics.numbers import ZERO
from topics.sales import Allocation

Row = tuple[LineId, str, ProductId | None]
"""What a part is known by within its sale, its fulfilments and its returns: line, SKU, product."""


class Part(msgspec.Struct, gc=False):
    """A line, or one part of a bundle, in pieces.

    `quantity` = `fulfilled` + open + `cancelled`; what is open is what `allocations` hold and what is still
    `wanted`. `withdrawn` of the cancelled were taken back by a return, `returned` of the fulfilled came back.
    """

    line_id: LineId
    sku: str
    product_id: ProductId | None
    quantity: Decimal
    wanted: Decimal
    allocations: list[Allocation] = []
    fulfilled: Decimal = ZERO
    cancelled: Decimal = ZERO
    withdrawn: Decimal = ZERO
    returned: Decimal = ZERO

    @property
    def row(self) -> Row:
        return (self.line_id, self.sku, self.product_id)

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
                self.allocations[at] = _changed(allocation, quantity, backordered)
                return
        self.allocations.append(
            Allocation(outlet_id=outlet_id, quantity=quantity, backordered=backordered or ZERO)
        )

    def resize(self, quantity: Decimal, moves: Moves) -> None:
        """Make it so many pieces in all: more are wanted, fewer are let go of; what went out stays.

        What a return has taken back before it went out stays away; fewer pieces are first fewer of those.
        """
        self.withdrawn = min(self.withdrawn, max(quantity - self.fulfilled - self.open, ZERO))
        self.cancelled = self.withdrawn
        self.quantity = quantity
        more = quantity - self.fulfilled - self.cancelled - self.open
        if more > 0:
            self.wanted += more
        elif more < 0:
            self.reduce(-more, moves)

    def cancel(self, moves: Moves) -> None:
        """Cancel what is open."""
        self.release(moves)
        self.cancelled = self.quantity - self.fulfilled

    def withdraw(self, quantity: Decimal, moves: Moves) -> None:
        """Cancel open pieces that a return takes back before they went out."""
        self.reduce(quantity, moves)
        self.cancelled += quantity
        self.withdrawn += quantity

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
        free = allocation.quantity - allocation.taken
        taken = quantity - free if quantity > free else ZERO
        moves.release(
            self._product,
            allocation.outlet_id,
            quantity,
            backordered,
            self.line_id,
            taken,
            allocation.taken_at,
        )
        self._shrink(at, quantity, backordered, taken)

    def _shrink(self, at: int, quantity: Decimal, backordered: Decimal, taken: Decimal) -> None:
        allocation = self.allocations[at]
        if quantity == allocation.quantity:
            del self.allocations[at]
        else:
            self.allocations[at] = _changed(allocation, -quantity, -backordered, -taken)

    def cover(self, outlet_id: OutletId, most: Decimal, moves: Moves) -> Decimal:
        """Note that up to `most` backordered pieces are there now; return how many were."""
        for at, allocation in enumerate(self.allocations):
            if allocation.outlet_id == outlet_id and allocation.backordered:
                covered = min(most, allocation.backordered)
                moves.cover(self._product, outlet_id, covered)
                self.allocations[at] = _changed(allocation, ZERO, -covered)
                return covered
        return ZERO

    def take_over(self, most: Decimal, at: datetime, moves: Moves) -> Decimal:
        """Note that the point of sale took up to `most` promised pieces off its level; return how many."""
        left = most
        for place, allocation in enumerate(self.allocations):
            quantity = min(left, allocation.quantity - allocation.taken)
            if quantity > 0:
                left -= quantity
                moves.acknowledge(self._product, allocation.outlet_id, quantity, self.line_id, at)
                self.allocations[place] = msgspec.structs.replace(
                    allocation, taken=allocation.taken + quantity, taken_at=at
                )
        return most - left

    def fulfil(self, outlet_id: OutletId, most: Decimal, at: datetime, moves: Moves) -> Decimal:
        """Note that the outlet handed over up to `most` open pieces; return how many.

        First those that it was to fulfil, then those that nobody was, then those of other outlets.
        """
        left = most
        for place in range(len(self.allocations) - 1, -1, -1):
            allocation = self.allocations[place]
            if allocation.outlet_id == outlet_id and left > 0:
                quantity = min(left, allocation.quantity)
                left -= quantity
                kept = allocation.quantity - quantity
                backordered = allocation.backordered - min(allocation.backordered, kept)
                taken = min(quantity, allocation.taken)
                moves.fulfil(
                    self._product,
                    outlet_id,
                    quantity,
                    self.line_id,
                    at,
                    allocated=quantity - taken,
                    taken=taken,
                    backordered=backordered,
                )
                self._shrink(place, quantity, backordered, taken)
        elsewhere = min(left, self.open)
        if elsewhere > 0:
            left -= elsewhere
            self.reduce(elsewhere, moves)
            moves.fulfil(self._product, outlet_id, elsewhere, self.line_id, at)
        self.fulfilled += most - left
        return most - left

    def fulfil_cancelled(self, outlet_id: OutletId, most: Decimal, at: datetime, moves: Moves) -> Decimal:
        """Note that the outlet handed over up to `most` pieces that were cancelled; return how many."""
        quantity = min(most, self.cancelled - self.withdrawn)
        if quantity > 0:
            moves.fulfil(self._product, outlet_id, quantity, self.line_id, at)
            self.cancelled -= quantity
            self.fulfilled += quantity
        return quantity

    def fulfil_withdrawn(self, outlet_id: OutletId, most: Decimal, moves: Moves) -> Decimal:
        """Note that up to `most` pieces whose return came first had gone out before; return how many.

        They went out and came back: no level moves.
        """
        quantity = min(most, self.withdrawn)
        if quantity > 0:
            moves.note("fulfilled", self._product, outlet_id, quantity, self.line_id)
            moves.note("returned", self._product, outlet_id, quantity, self.line_id)
            self.cancelled -= quantity
            self.withdrawn -= quantity
            self.fulfilled += quantity
            self.returned += quantity
        return quantity

    def give_back(self, outlet_id: OutletId, quantity: Decimal, moves: Moves) -> None:
        """Note that fulfilled pieces came back to the outlet (negative: that they did not, after all)."""
        moves.note("returned", self._product, outlet_id, quantity, self.line_id)
        self.returned += quantity

    @property
    def _product(self) -> ProductId:
        if self.product_id is None:
            raise ValueError(f"line {self.line_id} has no product, and pieces of it are moved")
        return self.product_id


def _changed(
    allocation: Allocation, quantity: Decimal, backordered: Decimal, taken: Decimal = ZERO
) -> Allocation:
    still_taken = allocation.taken + taken or ZERO
    return Allocation(
        outlet_id=allocation.outlet_id,
        quantity=allocation.quantity + quantity,
        backordered=allocation.backordered + backordered or ZERO,
        taken=still_taken,
        taken_at=allocation.taken_at if still_taken else None,
    )
