"""What an edited, cancelled or reinstated order does to the lines of its sale (DOMAIN 5)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from streams.domain.lines import Line, ingredients, known_line, new_line
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
            part.wanted, part.fulfilled = ZERO, part.quantity
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
        line = None if old is None else known_line(old)
        if line is not None and old is not None and (line.gone or _same_ware(old, item)):
            line.name = item.name
            line.price = shop.money(item.price)
            _resize(line, item.quantity, moves)
        else:
            if line is not None:
                _let_go(line, moves)
            line = new_line(item, line_id, shop)
        lines.append(line)
    for old in known.values():
        line = known_line(old)
        if line.gone:
            _resize(line, ZERO, moves)
            lines.append(line)
        else:
            _let_go(line, moves)
    return lines


def recall(lines: Iterable[Line], items: Sequence[OrderItem], *, void: bool) -> None:
    """Note how many of what went out each line's order no longer has: none of a voided sale's are wanted."""
    wanted: dict[LineId, Decimal] = {}
    if not void:
        wanted = {line_id: item.quantity for item, line_id in zip(items, line_ids(items), strict=True)}
    for line in lines:
        line.recalled = max(line.gone - wanted.get(line.line_id, ZERO), ZERO)


def cancel(lines: Iterable[Line], moves: Moves) -> None:
    """Cancel what is open of each line; what is fulfilled stays so, and has to come back as a return."""
    for line in lines:
        for part in line.parts:
            part.cancel(moves)
        line.cancel()


def _let_go(line: Line, moves: Moves) -> None:
    for part in line.parts:
        part.release(moves)


def _resize(line: Line, quantity: Decimal, moves: Moves) -> None:
    """Make the line so many; never fewer than went out."""
    per_piece = line.per_piece()
    line.quantity = max(quantity, line.gone)
    for part, per in zip(line.parts, per_piece, strict=True):
        part.resize(per * line.quantity, moves)
    if not line.parts:
        line.cancelled = ZERO


def _same_ware(old: SaleLine, item: OrderItem) -> bool:
    if old.sku != item.sku or old.tracked != item.tracked:
        return False
    wanted = ingredients(item) if item.tracked else {}
    if len(old.components) != len(wanted):
        return False
    # A bundle of nothing says nothing about its parts.
    return not wanted or (
        bool(old.quantity)
        and all(
            (part.sku, part.quantity) == (sku, each * old.quantity)
            for part, (sku, each) in zip(old.components, wanted.items(), strict=True)
        )
    )
