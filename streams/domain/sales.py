"""A sale's next revision: put together, recorded, and told (DOMAIN 5)."""

from collections.abc import Iterable, Sequence

import msgspec

from streams.domain import exceptions, flags, fulfillments, tables
from streams.domain.books import Books
from streams.domain.lines import Line
from streams.domain.moves import Moves
from topics.fulfillments import FulfillmentType
from topics.sales import Sale, SaleAttribute, SaleState


def state_of(lines: Iterable[Line], *, paid: bool, voided: bool, parked: bool = False) -> SaleState:
    """Return the sale's state: closed when it is paid and nothing that moves stock is open."""
    if voided:
        return "voided"
    if parked:
        return "parked"
    if paid and not any(part.wanted or part.allocations for line in lines for part in line.parts):
        return "closed"
    return "pending"


def type_of(attributes: Sequence[SaleAttribute]) -> FulfillmentType:
    """Return how the sale's goods go out; an order that names nothing to ship but has goods is dispatched."""
    return "PICKUP" if "pickup" in attributes else "DISPATCH"


def says_the_same(old: Sale, new: Sale) -> bool:
    """Compare two revisions by what they say, not by when and from which snapshot they say it."""
    return old == msgspec.structs.replace(
        new,
        event_id=old.event_id,
        event_time=old.event_time,
        received_at=old.received_at,
        processed_at=old.processed_at,
        revision=old.revision,
        cause=old.cause,
        order_version=old.order_version,
        order_checksum=old.order_checksum,
        external_order_id=old.external_order_id
        if new.external_order_id == new.sale_id
        else new.external_order_id,
    )


def record(
    books: Books,
    before: Sale | None,
    sale: Sale,
    fulfilling: fulfillments.Fulfilling,
    moves: Moves,
) -> None:
    """Write the sale's new revision and emit everything that comes with it."""
    books.put(tables.SALES, sale.sale_id, sale)
    events = books.events
    events.append(sale)
    events += fulfilling.changed
    moves.post(sale.cause, sale.sale_id, sale.order_id)
    if sale.flags or (before is not None and before.flags):
        exceptions.follow_flags(
            books, sale.order_id, sale.sale_id, () if before is None else before.flags, sale.flags
        )
        flags.keep_queues(books, before, sale)
