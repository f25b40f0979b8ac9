"""What an edited, cancelled or reinstated order does to the lines of its sale (DOMAIN 5)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from streams.domain.lines import Line, known_line, new_line
from streams.domain.moves import Moves
from streams.domain.shop import Shop
from topics.ids import LineId
from topics.numbers import ZERO
from topics.orders import OrderItem
from topics.sales import SaleLine


def line_ids(items: Sequence[OrderItem]) -> list[LineId]:
    """Return an id for each item, its own; of items that share one, the later ones get a number behind it."""
    ids = [item.line_id for item in items]
    if len(set(ids)) == len(ids):
        return ids
    seen: dict[str, int] = {}
    unique: list[LineId] = []
    for line_id in ids:
        count = seen[line_id] = seen.get(line_id, 0) + 1
        unique.append(line_id if count == 1 else LineId(f"{line_id}#{count}"))
    return unique


def new_lines(items: Sequence[OrderItem], shop: Shop) -> list[Line]:
    return [new_line(item, line_id, shop) for item, line_id in zip(items, line_ids(items), strict=True)]


def shipped_lines(items: Sequence[OrderItem], shop: Shop) -> list[Line]:
    """Return the lines of an order that was fulfilled before it was seen: recorded, nothing wanted."""
    lines = new_lines(items, shop)
    for line in lines:
        line.fulfilled = line.quantity
        for part in line.parts:
            part.wanted = ZERO
    return lines


def edited_lines(
    before: Iterable[SaleLine], items: Sequence[OrderItem], moves: Moves, shop: Shop
) -> list[Line]:
    """Return the lines as the items say: what is more is wanted, what is less is released.

    What is already fulfilled stays. A line that is gone from the order goes, unless pieces of it went out.
    """
    known = {line.line_id: line for line in before}
    lines = []
    for item, line_id in zip(items, line_ids(items), strict=True):
        old = known.pop(line_id, None)
        if old is not None and (old.fulfilled or _same_ware(old, item)):
            lines.append(_changed(old, item, moves, shop))
        else:
            if old is not None:
                _let_go(old, moves)
            lines.append(new_line(item, line_id, shop))
    for old in known.values():
        line = _let_go(old, moves)
        if line.fulfilled:
            line.quantity = line.fulfilled
            line.cancelled = ZERO
            lines.append(line)
    return lines


def cancel(lines: Iterable[Line], moves: Moves) -> None:
    """Cancel what is open of each line; what is fulfilled stays so, and has to come back as a return."""
    for line in lines:
        for part in line.parts:
            part.release(moves)
        line.cancelled = line.quantity - line.fulfilled


def _let_go(old: SaleLine, moves: Moves) -> Line:
    line = known_line(old)
    for part in line.parts:
        part.release(moves)
    return line


def _changed(old: SaleLine, item: OrderItem, moves: Moves, shop: Shop) -> Line:
    line = known_line(old)
    line.name = item.name
    line.price = shop.money(item.price)
    line.quantity = max(item.quantity, old.fulfilled)
    line.cancelled = ZERO
    per_piece = _per_line(old)
    for part, per in zip(line.parts, per_piece, strict=True):
        part.quantity = per * line.quantity
        more = per * (line.quantity - line.fulfilled) - part.open
        if more > 0:
            part.wanted += more
        elif more < 0:
            part.reduce(-more, moves)
    return line


def _per_line(old: SaleLine) -> list[Decimal]:
    """Return how many pieces of each part one of the line is."""
    if not old.components:
        return [Decimal(1)] if old.tracked else []
    return [part.quantity / old.quantity for part in old.components]


def _same_ware(old: SaleLine, item: OrderItem) -> bool:
    if old.sku != item.sku or old.tracked != item.tracked or len(old.components) != len(item.components):
        return False
    # A bundle of nothing says nothing about its parts.
    return not old.components or (
        bool(old.quantity)
        and all(
            part.sku == wanted.sku and part.quantity == wanted.quantity * old.quantity
            for part, wanted in zip(old.components, item.components, strict=True)
        )
    )
