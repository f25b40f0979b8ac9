"""Fulfilments: what each outlet has to do for a sale. One for each (sale, outlet, type) (DOMAIN 3)."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from streams.domain.books import Books
from streams.domain.parts import Row
from topics.fulfillments import Fulfillment, FulfillmentLine, FulfillmentState, FulfillmentType
from topics.ids import OrderId, OutletId, SaleId, fulfillment_id
from topics.numbers import ZERO
from topics.sales import SaleFulfillment, SaleFulfillmentLine, SaleLine

OutletLines = dict[OutletId, list[FulfillmentLine]]
Way = tuple[OutletId, FulfillmentType]
"""Where goods go out and how: what one fulfilment of a sale is known by."""


class Fulfilling(msgspec.Struct, frozen=True, gc=False):
    """A sale's fulfilments as the sale shows them, and the events of those that changed."""

    shown: tuple[SaleFulfillment, ...]
    changed: list[Fulfillment]


def by_outlet(lines: Iterable[SaleLine]) -> OutletLines:
    """Return what each outlet is to fulfil of the lines; a bundle gives a line for each of its parts."""
    found: OutletLines = {}
    for line in lines:
        for part in line.components or (line,):
            for allocation in part.allocations:
                outlet = allocation.outlet_id
                row = FulfillmentLine(
                    line_id=line.line_id,
                    sku=part.sku,
                    product_id=part.product_id,
                    quantity=allocation.quantity,
                    backordered=allocation.backordered,
                )
                if outlet in found:
                    found[outlet].append(row)
                else:
                    found[outlet] = [row]
    return found


class Done(msgspec.Struct, frozen=True, gc=False):
    """How far the pieces of one row of a fulfilment are."""

    picked: Decimal = ZERO
    packed: Decimal = ZERO
    fulfilled: Decimal = ZERO


class Progress:
    """What the shop reports of a sale's fulfilments, to be shown by `revise`.

    `states` are by outlet; `picked` and `packed` replace what was known, `fulfilled` adds to it. What is not
    out yet is still to go the way that the order names; what is out went the way that the shop says.
    """

    __slots__ = ("fulfilled", "packed", "picked", "states")

    def __init__(self) -> None:
        self.states: dict[OutletId, FulfillmentState] = {}
        self.picked: dict[tuple[OutletId, Row], Decimal] = {}
        self.packed: dict[tuple[OutletId, Row], Decimal] = {}
        self.fulfilled: dict[tuple[Way, Row], Decimal] = {}

    def done(self, way: Way, row: Row, before: Done) -> Done:
        at = (way[0], row)
        return Done(
            self.picked.get(at, before.picked),
            self.packed.get(at, before.packed),
            before.fulfilled + self.fulfilled.get((way, row), ZERO),
        )

    def rows(self, way: Way) -> set[Row]:
        """Return the rows of which pieces have newly gone out this way."""
        return {row for one, row in self.fulfilled if one == way}

    def ways(self) -> list[Way]:
        return list(dict.fromkeys(way for way, _ in self.fulfilled))


_NOTHING_DONE = Done()
_NO_PROGRESS = Progress()


def revise(
    books: Books,
    sale_id: SaleId,
    order_id: OrderId,
    kind: FulfillmentType,
    lines: Iterable[SaleLine],
    before: Sequence[SaleFulfillment] = (),
    lines_before: Iterable[SaleLine] = (),
    progress: Progress = _NO_PROGRESS,
) -> Fulfilling:
    """Bring the sale's fulfilments to what its lines and the shop's reports say.

    One is changed, begun, or cancelled when nothing of it is left; what it has handed over stays in it.
    """
    wanted = by_outlet(lines)
    had = by_outlet(lines_before) if before else {}
    shown: list[SaleFulfillment] = []
    changed: list[Fulfillment] = []
    for old in before:
        known = {(line.line_id, line.sku, line.product_id): line for line in old.lines}
        done = {row: Done(line.picked, line.packed, line.fulfilled) for row, line in known.items()}
        way = (old.outlet_id, old.type)
        mine = wanted.pop(old.outlet_id, []) if old.type == kind else []
        rows = _rows(way, mine, done, progress)
        state = _state(old.state, rows, progress.states.get(old.outlet_id), any_open=bool(mine))
        if state == old.state and rows == _rows(way, had.get(old.outlet_id, []), done, _NO_PROGRESS):
            shown.append(old)
            continue
        if not rows:
            state = "cancelled"
            if old.state == "cancelled":
                shown.append(old)
                continue
        event = _event(books, sale_id, order_id, old.outlet_id, old.type, state, old.revision + 1, rows)
        changed.append(event)
        shown.append(_shown(event))
    known_ways = {(old.outlet_id, old.type) for old in before}
    begun = [way for way in progress.ways() if way not in known_ways]
    for way in dict.fromkeys([*((outlet, kind) for outlet in wanted), *begun]):
        outlet, its_kind = way
        mine = wanted.get(outlet, []) if its_kind == kind else []
        rows = _rows(way, mine, {}, progress)
        state = _state("new", rows, progress.states.get(outlet), any_open=bool(mine))
        event = _event(books, sale_id, order_id, outlet, its_kind, state, 1, rows)
        changed.append(event)
        shown.append(_shown(event))
    return Fulfilling(tuple(shown), changed)


def _rows(
    way: Way, still_open: Sequence[FulfillmentLine], before: Mapping[Row, Done], progress: Progress
) -> list[FulfillmentLine]:
    """Return the rows of a fulfilment: what is open, and what is fulfilled of it by now."""
    rows: list[FulfillmentLine] = []
    left = {row for row, done in before.items() if done.fulfilled} | progress.rows(way)
    for line in still_open:
        row = (line.line_id, line.sku, line.product_id)
        left.discard(row)
        done = progress.done(way, row, before.get(row, _NOTHING_DONE))
        rows.append(_row(row, line.quantity, line.backordered, done))
    for row in sorted(left, key=lambda row: (row[0], row[1], row[2] or "")):
        done = progress.done(way, row, before.get(row, _NOTHING_DONE))
        if done.fulfilled:
            rows.append(_row(row, ZERO, ZERO, done))
    return rows


def _row(row: Row, still_open: Decimal, backordered: Decimal, done: Done) -> FulfillmentLine:
    line_id, sku, product_id = row
    quantity = still_open + done.fulfilled
    return FulfillmentLine(
        line_id=line_id,
        sku=sku,
        product_id=product_id,
        quantity=quantity,
        backordered=backordered or ZERO,
        picked=min(done.picked, quantity) or ZERO,
        packed=min(done.packed, quantity) or ZERO,
        fulfilled=done.fulfilled or ZERO,
    )


def _state(
    before: FulfillmentState,
    rows: Sequence[FulfillmentLine],
    reported: FulfillmentState | None,
    *,
    any_open: bool,
) -> FulfillmentState:
    if not rows:
        return "cancelled"
    if not any_open:
        return "fulfilled"
    if reported is not None and reported != "fulfilled":
        return reported
    if any(row.fulfilled for row in rows):
        return before if before in {"in_progress", "packed"} else "in_progress"
    return "new" if before in {"cancelled", "fulfilled"} else before


def begin(
    books: Books,
    sale_id: SaleId,
    order_id: OrderId,
    kind: FulfillmentType,
    outlet_id: OutletId,
    lines: list[FulfillmentLine],
) -> Fulfilling:
    """Begin the only fulfilment of a new sale."""
    event = _event(books, sale_id, order_id, outlet_id, kind, "new", 1, lines)
    return Fulfilling((_shown(event),), [event])


def _event(
    books: Books,
    sale_id: SaleId,
    order_id: OrderId,
    outlet_id: OutletId,
    kind: FulfillmentType,
    state: FulfillmentState,
    revision: int,
    lines: list[FulfillmentLine],
) -> Fulfillment:
    own_id = fulfillment_id(sale_id, outlet_id, kind)
    moment = books.moment
    return Fulfillment(
        event_id=f"{own_id}:{revision}",
        store_id=books.store_id,
        event_time=books.event_time,
        received_at=moment.received_at,
        processed_at=moment.processed_at,
        fulfillment_id=own_id,
        sale_id=sale_id,
        order_id=order_id,
        outlet_id=outlet_id,
        type=kind,
        state=state,
        revision=revision,
        lines=tuple(lines),
    )


def _shown(event: Fulfillment) -> SaleFulfillment:
    return SaleFulfillment(
        fulfillment_id=event.fulfillment_id,
        outlet_id=event.outlet_id,
        type=event.type,
        state=event.state,
        revision=event.revision,
        lines=tuple(
            [
                SaleFulfillmentLine(
                    line_id=line.line_id,
                    sku=line.sku,
                    product_id=line.product_id,
                    quantity=line.quantity,
                    picked=line.picked,
                    packed=line.packed,
                    fulfilled=line.fulfilled,
                )
                for line in event.lines
            ]
        ),
    )
