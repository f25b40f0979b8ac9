"""What the point of sale tells of a sale before its order, or its acknowledgement, has come (DOMAIN 2)."""

from datetime import timedelta
from typing import Final

import msgspec

from streams.domain import queues, tables
from streams.domain.books import Books
from streams.domain.holding import held_from
from streams.domain.state import Early, Held, PosEntry
from topics.ids import PosSaleId, SaleId
from topics.pos_sales import PosSale

KEPT: Final = timedelta(days=7)
"""Who has not come by then, by the records' own time, never will: the sale is another channel's."""

_ORDER = "order\0"
_POS_SALE = "pos\0"
decode = msgspec.json.Decoder(PosSale).decode
"""Return the message that is kept as the body of what `take_out` gives."""


def hold(books: Books, sale_id: SaleId, told: PosSale, entry: PosEntry) -> None:
    """Keep the acknowledgement of a sale whose order has not come; a later one replaces it.

    From now on what else the shop tells of the sale is known to belong to it, and waits with it.
    """
    _forget_the_old(books)
    before: Early | None = books.get(tables.EARLY, sale_id)
    if before is not None and before.pos_sale_id != told.pos_sale_id:
        books.put(tables.POS_SALES, before.pos_sale_id, None)
    returns = () if before is None or before.pos_sale_id != told.pos_sale_id else before.returns
    books.put(tables.EARLY, sale_id, Early(told.pos_sale_id, held_from(books.moment, told), returns))
    books.put(
        tables.POS_SALES,
        told.pos_sale_id,
        msgspec.structs.replace(entry, sale_id=sale_id, version=told.version),
    )
    queues.leave(books, queues.EARLY, _POS_SALE + told.pos_sale_id)
    queues.join(books, queues.EARLY, _ORDER + sale_id)


def hold_return(books: Books, sale_id: SaleId, told: PosSale, entry: PosEntry) -> None:
    """Keep a return of a sale whose acknowledgement waits for its order; a later version replaces it."""
    _forget_the_old(books)
    early: Early | None = books.get(tables.EARLY, sale_id)
    if early is None:
        return
    others = tuple(one for one in early.returns if decode(one.body).pos_sale_id != told.pos_sale_id)
    held = held_from(books.moment, told)
    books.put(tables.EARLY, sale_id, msgspec.structs.replace(early, returns=(*others, held)))
    books.put(tables.POS_SALES, told.pos_sale_id, msgspec.structs.replace(entry, version=told.version))


def wait_for_acknowledgement(books: Books, pos_sale_id: PosSaleId, entry: PosEntry) -> None:
    """Keep what the shop reports of a sale that is not acknowledged, or whose order has not come."""
    _forget_the_old(books)
    books.put(tables.POS_SALES, pos_sale_id, entry)
    if entry.sale_id is None:
        queues.join(books, queues.EARLY, _POS_SALE + pos_sale_id)


def acknowledged(books: Books, pos_sale_id: PosSaleId) -> None:
    """Note that a sale of the point of sale is known now for ours, or for the shop's own."""
    queues.leave(books, queues.EARLY, _POS_SALE + pos_sale_id)


def take_out(books: Books, sale_id: SaleId) -> list[Held]:
    """Return what waits for the order of the sale, the acknowledgement first, and keep it no longer."""
    early: Early | None = books.get(tables.EARLY, sale_id)
    if early is None:
        return []
    books.put(tables.EARLY, sale_id, None)
    queues.leave(books, queues.EARLY, _ORDER + sale_id)
    return [early.held, *early.returns]


def _forget_the_old(books: Books) -> None:
    now = books.moment.received_at
    while (member := queues.first(books, queues.EARLY)) is not None:
        place = queues.place(books, queues.EARLY, member)
        if place is None or now - place.since < KEPT:
            return
        queues.leave(books, queues.EARLY, member)
        if member.startswith(_ORDER):
            for held in take_out(books, SaleId(member.removeprefix(_ORDER))):
                books.put(tables.POS_SALES, decode(held.body).pos_sale_id, None)
        else:
            books.put(tables.POS_SALES, member.removeprefix(_POS_SALE), None)
