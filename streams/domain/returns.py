"""Goods that come back through the point of sale (DOMAIN 5, S10)."""

from decimal import Decimal

import msgspec

from streams.domain import arrivals, handover, refunds, tables
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.matching import Match, Matcher
from streams.domain.outcomes import Outcome
from streams.domain.parts import Part, Row
from streams.domain.shop import Shop
from streams.domain.state import PosEntry
from topics.ids import OutletId
from topics.numbers import ZERO
from topics.pos_sales import PosSale
from topics.sales import Sale, SaleReturn, SaleReturnLine


def take(books: Books, shop: Shop, sale: Sale, told: PosSale, entry: PosEntry) -> Outcome:
    """Decide a return of the sale: goods back, open pieces cancelled, money given back; or refuse it whole.

    One that is not completed in the point of sale changes nothing yet; one that is voided there is undone.
    """
    known = msgspec.structs.replace(entry, sale_id=sale.sale_id, version=told.version)
    before = next((one for one in sale.returns if one.return_id == told.pos_sale_id), None)
    if told.state not in {"closed", "voided"} or (told.state == "voided" and before is None):
        books.put(tables.POS_SALES, told.pos_sale_id, known)
        return Outcome.UNCHANGED
    life = Life(books, shop, sale)
    taking = _Taking(life, told, before)
    if told.state == "closed":
        problem = taking.take()
        if problem is not None:
            life = Life(books, shop, sale)
            taking = _Taking(life, told, before)
            taking.refuse(problem)
    else:
        taking.void()
    taking.finish()
    money_only = not any(line.quantity < 0 for line in told.lines)
    changed = life.record("refunded" if money_only and told.state == "closed" else "returned")
    books.put(tables.POS_SALES, told.pos_sale_id, known)
    if not changed:
        return Outcome.UNCHANGED
    refunds.tell(books, life, told)
    arrivals.freed(books, shop, life.moves.freed)
    handover.catch_up(books, shop, sale.sale_id)
    return Outcome.DECIDED


class _Taking:
    """One return while it is decided; what an earlier version of it took back is undone first.

    Pieces that it cancelled before they went out stay cancelled: the next version finds them as credit.
    """

    def __init__(self, life: Life, told: PosSale, before: SaleReturn | None) -> None:
        self._life = life
        self._told = told
        self._outlet = told.outlet_id or (before.outlet_id if before is not None else None)
        self._credit: dict[Row, Decimal] = {}
        self._returned: dict[Row, Decimal] = {}
        self._unfulfilled: dict[Row, Decimal] = {}
        self._moved: dict[Row, Decimal] = {}
        self._parts: dict[Row, Part] = {}
        self._state: SaleReturn | None = None
        life.returns = [one for one in life.returns if one is not before]
        if before is not None and before.state == "returned":
            self._undo(before)

    def _undo(self, before: SaleReturn) -> None:
        parts = {part.row: part for line in self._life.lines for part in line.parts}
        lines = {line.line_id: line for line in self._life.lines}
        for row in before.lines:
            key = (row.line_id, row.sku, row.product_id)
            came_back = row.quantity - row.unfulfilled
            if key in parts:
                self._parts[key] = parts[key]
                self._credit[key] = min(row.unfulfilled, parts[key].withdrawn)
                parts[key].returned -= came_back
                self._moved[key] = -came_back
            elif row.line_id in lines:
                lines[row.line_id].returned -= came_back

    def take(self) -> str | None:
        """Take back what the lines say; return what is too much, and then nothing of it may count."""
        matcher = Matcher(self._life.books, self._life.lines)
        for row in self._told.lines:
            left = -row.quantity
            if left <= 0:
                continue
            found = matcher.find(row.product_id)
            for match in found:
                if left > 0:
                    matcher.name(match, row.product_id)
                    left -= self._take_from(match, left)
            if left > 0:
                may = -row.quantity - left
                what = found[0].line.sku if found else (row.product_id or row.line_id)
                return f"{-row.quantity:f} of {what!r} returned, {may:f} may still be: {left:f} too many"
        excess = refunds.give_back(self._life, self._told)
        self._state = self._as("returned", excess=excess or ZERO)
        return None

    def refuse(self, problem: str) -> None:
        refunds.take_back(self._life, self._told.pos_sale_id)
        self._state = self._as("refused", detail=problem)

    def void(self) -> None:
        """Undo the return; pieces that it cancelled before they went out stay cancelled."""
        refunds.take_back(self._life, self._told.pos_sale_id)
        self._state = self._as("voided")

    def _as(self, state: str, excess: Decimal = ZERO, detail: str | None = None) -> SaleReturn:
        for key, credit in self._credit.items():
            if credit > 0:
                self._unfulfilled[key] = self._unfulfilled.get(key, ZERO) + credit
        rows = []
        for key in dict.fromkeys([*self._returned, *self._unfulfilled]):
            unfulfilled = self._unfulfilled.get(key, ZERO)
            quantity = self._returned.get(key, ZERO) + unfulfilled
            if quantity:
                rows.append(
                    SaleReturnLine(
                        line_id=key[0],
                        sku=key[1],
                        product_id=key[2],
                        quantity=quantity,
                        unfulfilled=unfulfilled or ZERO,
                    )
                )
        return SaleReturn(
            return_id=self._told.pos_sale_id,
            state=state,  # type: ignore[arg-type]  # the three literals above
            outlet_id=self._outlet,
            returned_at=self._told.updated_at or self._life.books.moment.received_at,
            lines=tuple(rows),
            excess=excess,
            detail=detail,
        )

    def finish(self) -> None:
        """Note the movements, and put the return into the sale."""
        for key, quantity in self._moved.items():
            part = self._parts[key]
            if quantity and part.product_id is not None:
                outlet = self._outlet or self._home(part)
                if outlet is not None:
                    self._life.moves.note("returned", part.product_id, outlet, quantity, part.line_id)
        if self._state is not None:
            self._life.returns.append(self._state)

    def _home(self, part: Part) -> OutletId | None:
        """Return the outlet that fulfilled the part: where a return that names none came back to."""
        for one in self._life.before.fulfillments:
            if any(row.line_id == part.line_id and row.fulfilled for row in one.lines):
                return one.outlet_id
        return next(iter(self._life.shop.outlets), None)

    def _take_from(self, match: Match, most: Decimal) -> Decimal:
        """Take back up to `most` of the match, fulfilled ones first; return how many there were."""
        line = match.line
        if not line.parts:
            quantity = min(most, line.quantity - line.cancelled - line.returned)
            if quantity <= 0:
                return ZERO
            line.returned += quantity
            line.fulfilled = max(line.fulfilled, line.returned)
            key = (line.line_id, line.sku, None)
            self._returned[key] = self._returned.get(key, ZERO) + quantity
            return quantity
        shares = match.shares()
        most = min(most, *(self._there(part) / per for part, per in shares if per))
        if most <= 0:
            return ZERO
        for part, per in shares:
            self._take_from_part(part, most * per)
        return most

    def _there(self, part: Part) -> Decimal:
        return part.fulfilled - part.returned + part.open + self._credit.get(part.row, ZERO)

    def _take_from_part(self, part: Part, quantity: Decimal) -> None:
        key = part.row
        self._parts[key] = part
        credit = min(quantity, self._credit.get(key, ZERO))
        if credit:
            self._credit[key] -= credit
        back = min(quantity - credit, part.fulfilled - part.returned)
        part.returned += back
        still_open = quantity - credit - back
        if still_open:
            part.withdraw(still_open, self._life.moves)
        self._moved[key] = self._moved.get(key, ZERO) + back
        self._returned[key] = self._returned.get(key, ZERO) + back
        self._unfulfilled[key] = self._unfulfilled.get(key, ZERO) + credit + still_open
