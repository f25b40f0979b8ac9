"""Fulfilments: what each outlet has to do for a sale. One for each (sale, outlet, type) (DOMAIN 3)."""

from collections.abc import Iterable

import msgspec

from streams.domain.books import Books
from topics.fulfillments import Fulfillment, FulfillmentLine, FulfillmentState, FulfillmentType
from topics.ids import OrderId, OutletId, SaleId, fulfillment_id
from topics.sales import SaleFulfillment, SaleFulfillmentLine, SaleLine

OutletLines = dict[OutletId, list[FulfillmentLine]]


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


def revise(
    books: Books,
    sale_id: SaleId,
    order_id: OrderId,
    kind: FulfillmentType,
    lines: Iterable[SaleLine],
    before: Iterable[SaleFulfillment] = (),
    lines_before: Iterable[SaleLine] = (),
) -> Fulfilling:
    """Bring the sale's fulfilments to what its lines say: changed, begun, or cancelled when none is left."""
    wanted = by_outlet(lines)
    shown: list[SaleFulfillment] = []
    changed: list[Fulfillment] = []
    if before:
        had = by_outlet(lines_before)
        for old in before:
            mine = wanted.pop(old.outlet_id, []) if old.type == kind else []
            if mine and (old.state == "cancelled" or mine != had.get(old.outlet_id)):
                state: FulfillmentState = "new" if old.state == "cancelled" else old.state
            elif not mine and old.state not in {"cancelled", "fulfilled"}:
                state = "cancelled"
            else:
                shown.append(old)
                continue
            event = _event(books, sale_id, order_id, old.outlet_id, old.type, state, old.revision + 1, mine)
            changed.append(event)
            shown.append(_shown(event))
    for outlet, rows in wanted.items():
        event = _event(books, sale_id, order_id, outlet, kind, "new", 1, rows)
        changed.append(event)
        shown.append(_shown(event))
    return Fulfilling(tuple(shown), changed)


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
                    line_id=line.line_id, sku=line.sku, product_id=line.product_id, quantity=line.quantity
                )
                for line in event.lines
            ]
        ),
    )
