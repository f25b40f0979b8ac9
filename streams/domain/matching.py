"""Which line of ours a line of the point of sale stands for (DOMAIN 2: it knows products, we know lines)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def matches(
    books: Books,
    lines: Sequence[Line],
    product_id: ProductId | None,
    line_id: LineId | None = None,
) -> list[Match]:
    """Return what a product of the point of sale may stand for; first what is on the line of that id."""
    found = [match for line in lines for match in _of_line(books, line, product_id)]
    if line_id is None:
        return found
    own = [match for match in found if match.line.line_id == line_id]
    if not own:
        own = [_whole(line) for line in lines if line.line_id == line_id]
    return own + [match for match in found if match.line.line_id != line_id]


def _of_line(books: Books, line: Line, product_id: ProductId | None) -> Iterator[Match]:
    if product_id is None:
        return
    if product_id in books.products(line.sku) and (line.bundle or not line.parts):
        yield Match(line, None)
    for part in line.parts:
        if part.product_id == product_id:
            yield Match(line, part)


def _whole(line: Line) -> Match:
    return Match(line, line.parts[0] if len(line.parts) == 1 else None)


def line_ids(
    books: Books, lines: Sequence[Line], theirs: Iterable[PosSaleLine], known: Mapping[str, LineId]
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
            places = [match.line.line_id for match in matches(books, lines, one.product_id)]
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


def name_product(match: Match, product_id: ProductId | None) -> None:
    """Take the product that the point of sale names for a part that has none yet."""
    if match.part is not None and match.part.product_id is None:
        match.part.product_id = product_id
