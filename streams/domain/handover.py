"""What the shop has picked, packed and handed over, counted in our sale (DOMAIN 4, 5)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from streams.domain import arrivals, tables
from streams.domain.books import Books
from streams.domain.fulfillments import Way
from streams.domain.life import Life
from streams.domain.matching import Match, Matcher
from streams.domain.parts import Part
from streams.domain.sales import type_of
from streams.domain.shop import Shop
from streams.domain.state import PosEntry, Reported
from topics.ids import LineId, SaleId
from topics.numbers import ZERO
from topics.pos_fulfillments import PosFulfillmentLine
from topics.sales import SaleFlag, SaleReturnLine


def keys(lines: Iterable[PosFulfillmentLine]) -> list[str]:
    """Return what each line of a fulfilment is known by from version to version, no two by the same."""
    seen: Counter[str] = Counter()
    found = []
    for place, line in enumerate(lines):
        name = line.line_id or (
            f"product/{line.product_id}" if line.product_id is not None else f"place/{place}"
        )
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def catch_up(books: Books, shop: Shop, sale_id: SaleId) -> None:
    """Count what the shop has handed over before and what could not be counted then: the sale was unpaid."""
    sale = books.sale(sale_id)
    if sale is None or sale.pos_sale_id is None or sale.state == "parked":
        return
    entry: PosEntry | None = books.get(tables.POS_SALES, sale.pos_sale_id)
    if entry is None or not (entry.reported or entry.handed_over_at):
        return
    life = Life(books, shop, sale)
    entry = apply(life, entry)
    if life.record("fulfillment_changed"):
        books.put(tables.POS_SALES, sale.pos_sale_id, entry)
        arrivals.freed(books, shop, life.moves.freed)


def apply(life: Life, entry: PosEntry) -> PosEntry:
    """Bring the sale to what the shop reports of it, and return the entry with what is counted by now.

    An unpaid sale cannot become fulfilled (S6): that is flagged, and counted when it is paid.
    """
    life.shop_flags = []
    differs: list[str] = []
    unpaid: list[str] = []
    matcher = Matcher(life.books, life.lines)
    _show(life, entry, matcher)
    told = _told(entry)
    reported: dict[str, Reported] = {}
    for name, report in entry.reported.items():
        out = report.state == "fulfilled" or any(line.fulfilled for line in report.lines)
        if out and not life.paid:
            unpaid.append(f"fulfilment {name} at {report.outlet_id}")
            if report.state == "fulfilled":
                life.progress.states[report.outlet_id] = "packed"
            reported[name] = report
        else:
            reported[name] = _count(life, matcher, name, report, entry.lines, told, differs)
    handed_over_at = entry.handed_over_at
    if handed_over_at is not None:
        if life.paid:
            _hand_over_rest(life, handed_over_at)
            handed_over_at = None
        else:
            unpaid.append("the whole sale")
    if unpaid:
        detail = f"handed over but not paid: {', '.join(unpaid)}; take the payment"
        life.shop_flags.append(SaleFlag(kind="unpaid_fulfilled", detail=detail))
    if differs:
        life.shop_flags.append(SaleFlag(kind="pos_differs", detail="; ".join(differs)))
    return msgspec.structs.replace(entry, reported=reported, handed_over_at=handed_over_at)


def _show(life: Life, entry: PosEntry, matcher: Matcher) -> None:
    """Show how far the shop is: each outlet's state, and what is picked and packed of each row."""
    order = ("new", "in_progress", "packed", "fulfilled")
    progress = life.progress
    for report in entry.reported.values():
        outlet = report.outlet_id
        known = progress.states.get(outlet)
        # Of several fulfilments of one outlet the one that is least far says how far the outlet is.
        if known is None or order.index(report.state) < order.index(known):
            progress.states[outlet] = report.state
        for line in report.lines:
            for match in _where(matcher, line, entry.lines)[:1]:
                for part, per in match.shares():
                    at = (outlet, part.row)
                    progress.picked[at] = progress.picked.get(at, ZERO) + line.picked * per
                    progress.packed[at] = progress.packed.get(at, ZERO) + line.packed * per


def _told(entry: PosEntry) -> dict[str, Decimal]:
    """Return how many pieces of each product the shop's fulfilments have handed over that are counted."""
    told: dict[str, Decimal] = {}
    for report in entry.reported.values():
        for own_key, line in zip(keys(report.lines), report.lines, strict=True):
            what = line.product_id or own_key
            told[what] = told.get(what, ZERO) + report.counted.get(own_key, ZERO)
    return told


def _count(
    life: Life,
    matcher: Matcher,
    name: str,
    report: Reported,
    lines: Mapping[str, LineId],
    told: dict[str, Decimal],
    differs: list[str],
) -> Reported:
    counted = dict(report.counted)
    way = (report.outlet_id, report.type or type_of(life.attributes))
    for own_key, line in zip(keys(report.lines), report.lines, strict=True):
        before = counted.get(own_key, ZERO)
        left = line.fulfilled - before
        if left < 0:
            differs.append(
                f"fulfilment {name}: {before:f} were fulfilled of {own_key}, now {line.fulfilled:f}"
            )
            continue
        what = line.product_id or own_key
        found = _where(matcher, line, lines)
        # What is out already, and no fulfilment has told: the sale was closed as a whole, or seen only then.
        left -= min(left, max(sum(map(_gone, found), ZERO) - told[what], ZERO))
        for match in found:
            if left > 0:
                matcher.name(match, line.product_id)
                left -= _hand_over(life, match, way, left, report.at)
        if left > 0:
            differs.append(f"fulfilment {name}: {left:f} of {what} fulfilled that the sale does not have")
        counted[own_key] = line.fulfilled - left
        told[what] += counted[own_key] - before
    return msgspec.structs.replace(report, counted=counted)


def _where(matcher: Matcher, line: PosFulfillmentLine, lines: Mapping[str, LineId]) -> list[Match]:
    return matcher.find(line.product_id, lines.get(line.line_id) if line.line_id is not None else None)


def _gone(match: Match) -> Decimal:
    """Return how many pieces of the match went out by now."""
    shares = [part.fulfilled / per for part, per in match.shares() if per]
    return min(shares, default=match.line.fulfilled)


def _hand_over(life: Life, match: Match, way: Way, most: Decimal, at: datetime) -> Decimal:
    """Count up to `most` pieces of the match as handed over that way; return how many there were."""
    if not match.line.parts:
        quantity = min(most, match.line.quantity - match.line.fulfilled - match.line.cancelled)
        match.line.fulfilled += quantity
        return quantity
    shares = match.shares()
    if any(part.product_id is None for part, _ in shares):
        return ZERO
    most = min([most, *((part.open + part.cancelled) / per for part, per in shares if per)])
    if most <= 0:
        return ZERO
    for part, per in shares:
        _hand_over_part(life, part, way, most * per, at)
    if life.void:
        match.line.recalled = match.line.gone
    return most


def _hand_over_part(life: Life, part: Part, way: Way, quantity: Decimal, at: datetime) -> None:
    outlet_id, _ = way
    left = quantity - part.fulfil(outlet_id, quantity, at, life.moves)
    if left > 0:
        came_back = part.fulfil_withdrawn(outlet_id, left, life.moves)
        left -= came_back
        if came_back:
            _went_out_before_it_came_back(life, part, came_back)
    if left > 0:
        part.fulfil_cancelled(outlet_id, left, at, life.moves)
    at_row = (way, part.row)
    fulfilled = life.progress.fulfilled
    fulfilled[at_row] = fulfilled.get(at_row, ZERO) + quantity


def _went_out_before_it_came_back(life: Life, part: Part, quantity: Decimal) -> None:
    """Correct the returns that took pieces for not yet fulfilled: they had gone out."""
    for place, one in enumerate(life.returns):
        rows: list[SaleReturnLine] = []
        for row in one.lines:
            same = (row.line_id, row.sku, row.product_id) == part.row
            fewer = min(quantity, row.unfulfilled) if same else ZERO
            quantity -= fewer
            rows.append(
                msgspec.structs.replace(row, unfulfilled=row.unfulfilled - fewer or ZERO) if fewer else row
            )
        life.returns[place] = msgspec.structs.replace(one, lines=tuple(rows))


def _hand_over_rest(life: Life, at: datetime) -> None:
    """Count all that is open as handed over, each piece by the outlet that it is promised at."""
    kind = type_of(life.attributes)
    for line in life.lines:
        if not line.parts:
            line.fulfilled = line.quantity - line.cancelled
        for part in line.parts:
            for outlet, quantity in [(one.outlet_id, one.quantity) for one in part.allocations]:
                _hand_over_part(life, part, (outlet, kind), quantity, at)
            elsewhere = life.before.pinned_outlet_id or next(iter(life.shop.outlets), None)
            if part.wanted and part.product_id is not None and elsewhere is not None:
                _hand_over_part(life, part, (elsewhere, kind), part.wanted, at)
