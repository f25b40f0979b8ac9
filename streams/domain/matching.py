"""Which line of ours a line of the point of sale stands for (DOMAIN 2: it knows products, we know lines)."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from streams.domain.books import Books
from streams.domain.lines import Line
from streams.domain.parts import Part
from topics.ids import LineId, ProductId
from topics.pos_sales import PosSaleLine


class Match(NamedTuple):
    """A line of ours, or the one part of a bundle that has the product (None: the line as a whole)."""

    line: Line
    part: Part | None

    def shares(self) -> list[tuple[Part, Decimal]]:
        """Return the parts that are moved, and how many pieces of each one piece of the match is."""
        if self.part is not None:
            return [(self.part, Decimal(1))]
        return list(zip(self.line.parts, self.line.per_piece(), strict=True))


class Matcher:
    """The lines of a sale by the products that may stand for them; one decision makes it once.

    An order of 500 lines is told in 500 rows: to look through all lines for each would take seconds.
    """

    __slots__ = ("_by_product", "_lines")

    def __init__(self, books: Books, lines: Sequence[Line]) -> None:
        self._lines = {line.line_id: line for line in lines}
        self._by_product: dict[ProductId, list[Match]] = {}
        for line in lines:
            if line.bundle or not line.parts:
                for product_id in books.products(line.sku):
                    self._add(product_id, Match(line, None))
            for part in line.parts:
                if part.product_id is not None:
                    self._add(part.product_id, Match(line, part))

    def _add(self, product_id: ProductId, match: Match) -> None:
        self._by_product.setdefault(product_id, []).append(match)

    def find(self, product_id: ProductId | None, line_id: LineId | None = None) -> list[Match]:
        """Return what a product of the point of sale may stand for; first what is on the line of that id."""
        found = [] if product_id is None else self._by_product.get(product_id, [])
        if line_id is None:
            return list(found)
        own = [match for match in found if match.line.line_id == line_id]
        if not own and line_id in self._lines:
            own = [_whole(self._lines[line_id])]
        return own + [match for match in found if match.line.line_id != line_id]

    def name(self, match: Match, product_id: ProductId | None) -> None:
        """Take the product that the point of sale names for a part that has none yet."""
        if match.part is not None and match.part.product_id is None and product_id is not None:
            match.part.product_id = product_id
            self._add(product_id, match)


def _whole(line: Line) -> Match:
    return Match(line, line.parts[0] if len(line.parts) == 1 else None)


def line_ids(
    matcher: Matcher, lines: Sequence[Line], theirs: Iterable[PosSaleLine], known: Mapping[str, LineId]
) -> dict[str, LineId]:
    """Return our line for each line of theirs: by product, in order, as long as ours has pieces left.

    What is then left on both sides and has the same quantity is the same line: a product whose SKU we do not
    know yet.
    """
    left = {line.line_id: line.quantity for line in lines}
    found: dict[str, LineId] = {}
    unmatched: list[PosSaleLine] = []
    for one in theirs:
        if one.quantity <= 0:
            continue
        chosen = known.get(one.line_id)
        if chosen is None or chosen not in left:
            places = [match.line.line_id for match in matcher.find(one.product_id)]
            chosen = next((place for place in places if left[place] > 0), None)
            if chosen is None and not places:
                unmatched.append(one)
            if chosen is None:
                continue
        left[chosen] -= one.quantity
        found[one.line_id] = chosen
    taken = set(found.values())
    for one in unmatched:
        same = [line.line_id for line in lines if line.line_id not in taken and line.quantity == one.quantity]
        if len(same) == 1:
            taken.add(same[0])
            found[one.line_id] = same[0]
    return found
