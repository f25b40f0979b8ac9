"""The point of sale has our sale: acknowledged, paid in the shop, handed over, or voided (DOMAIN 4, 5)."""

from datetime import datetime
from decimal import Decimal

import msgspec

from streams.domain import arrivals, handover, tables, tenders
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.matching import Matcher, line_ids
from streams.domain.outcomes import Outcome
from streams.domain.shop import Shop
from streams.domain.state import PosEntry
from topics.ids import LineId
from topics.numbers import ZERO
from topics.pos_sales import PosSale
from topics.sales import Sale, SaleCause


def acknowledge(books: Books, shop: Shop, sale: Sale, told: PosSale, entry: PosEntry) -> Outcome:
    """Bring our sale to what the point of sale says of it."""
    life = Life(books, shop, sale)
    at = told.updated_at or books.moment.received_at
    matcher = Matcher(books, life.lines)
    lines = entry.lines | line_ids(matcher, life.lines, told.lines, entry.lines)
    known = msgspec.structs.replace(entry, sale_id=sale.sale_id, version=told.version, lines=lines)
    life.pos_sale_id = told.pos_sale_id
    if told.state == "voided":
        life.call_off("voided_in_pos")
    elif shop.link.levels_include_open_orders:
        _take_over(life, matcher, told, lines, at)
    life.payments = tenders.merge(life.payments, told.payments, sale.total, shop)
    if told.handed_over and "voided_in_pos" not in life.attributes:
        known = msgspec.structs.replace(known, handed_over_at=at)
    if sale.state != "parked":
        known = handover.apply(life, known)
    changed = life.record(_cause(life))
    books.put(tables.POS_SALES, told.pos_sale_id, known)
    if not changed:
        return Outcome.UNCHANGED
    arrivals.freed(books, shop, life.moves.freed)
    return Outcome.DECIDED


def _take_over(life: Life, matcher: Matcher, told: PosSale, lines: dict[str, LineId], at: datetime) -> None:
    """End the allocations of what the point of sale has taken off its own level by receiving the sale."""
    for row in told.lines:
        ours = lines.get(row.line_id)
        for match in matcher.find(row.product_id, ours)[:1]:
            for part, per in match.shares():
                had = sum((one.taken for one in part.allocations), ZERO) + part.fulfilled
                part.take_over(max(row.quantity * per - had, Decimal(0)), at, life.moves)


def _cause(life: Life) -> SaleCause:
    """Name what is told; of several things the most important."""
    before = life.before
    if "voided_in_pos" in life.attributes and "voided_in_pos" not in before.attributes:
        return "voided"
    if life.payments != before.payments:
        return "payment_taken"
    if life.progress.fulfilled:
        return "fulfillment_changed"
    return "acknowledged"
