"""The shop picks, packs and hands over (DOMAIN 5)."""

import msgspec

from streams.domain import arrivals, early, exceptions, handover, tables
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.outcomes import Outcome
from streams.domain.state import PosEntry, Reported
from streams.domain.versions import stale
from topics.pos_fulfillments import PosFulfillment


def take(books: Books, told: PosFulfillment) -> Outcome:
    """Count in our sale how far the shop is with one of its fulfilments, unless a newer report was seen.

    Of a sale that is not acknowledged it waits. The store must be linked; LookupError when it is not.
    """
    shop = books.linked_shop()
    at = told.updated_at or books.moment.received_at
    books.event_time = at
    entry: PosEntry | None = books.get(tables.POS_SALES, told.pos_sale_id)
    entry = PosEntry() if entry is None else entry
    known = entry.reported.get(told.pos_fulfillment_id)
    if (outcome := stale(told.version, None if known is None else known.version)) is not None:
        return outcome
    report = Reported(
        told.version,
        at,
        told.outlet_id,
        told.state,
        told.lines,
        {} if known is None else known.counted,
        told.type,
    )
    entry = msgspec.structs.replace(entry, reported={**entry.reported, told.pos_fulfillment_id: report})
    sale = None if entry.sale_id is None else books.sale(entry.sale_id)
    exceptions.set_open(
        books,
        "text_repaired",
        f"fulfillment/{told.pos_fulfillment_id}",
        ", ".join(told.repaired) or None,
        None if sale is None else sale.order_id,
        None if sale is None else sale.sale_id,
    )
    if sale is None:
        early.wait_for_acknowledgement(books, told.pos_sale_id, entry)
        return Outcome.WAITING
    if sale.state == "parked":
        books.put(tables.POS_SALES, told.pos_sale_id, entry)
        return Outcome.WAITING
    life = Life(books, shop, sale)
    entry = handover.apply(life, entry)
    changed = life.record("fulfillment_changed")
    books.put(tables.POS_SALES, told.pos_sale_id, entry)
    if not changed:
        return Outcome.UNCHANGED
    arrivals.freed(books, shop, life.moves.freed)
    return Outcome.DECIDED
