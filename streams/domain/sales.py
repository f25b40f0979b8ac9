"""A sale's next revision: put together, recorded, and told (DOMAIN 5)."""

from collections.abc import Iterable, Sequence

import msgspec

from streams.domain import exceptions, flags, fulfillments, tables
from streams.domain.books import Books
from streams.domain.lines import Line
from streams.domain.moves import Moves
from streams.domain.shop import Shop
from topics.fulfillments import FulfillmentType
from topics.sales import Sale, SaleAttribute, SaleCause, SaleState


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


def reallocate(
    books: Books, shop: Shop, before: Sale, lines: Sequence[Line], moves: Moves, cause: SaleCause
) -> Sale:
    """Record that the sale's pieces are elsewhere, or are there, now; all else about it stays."""
    sale_lines = tuple(line.finish() for line in lines)
    kind = type_of(before.attributes)
    fulfilling = fulfillments.revise(
        books, before.sale_id, before.order_id, kind, sale_lines, before.fulfillments, before.lines
    )
    kept = [flag for flag in before.flags if flag.kind not in flags.STOCK_FLAGS]
    revision = before.revision + 1
    sale = msgspec.structs.replace(
        before,
        event_id=f"{before.sale_id}:{revision}",
        event_time=books.event_time,
        received_at=books.moment.received_at,
        processed_at=books.moment.processed_at,
        revision=revision,
        cause=cause,
        state=state_of(lines, paid=before.paid, voided=False),
        lines=sale_lines,
        fulfillments=fulfilling.shown,
        flags=(*kept, *flags.stock_flags(lines, books, shop, before.pinned_outlet_id)),
    )
    record(books, before, sale, fulfilling, moves)
    return sale
