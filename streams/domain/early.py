"""What the point of sale tells of a sale before its order, or its acknowledgement, has come (DOMAIN 2)."""

from datetime import timedelta
from typing import Final

import msgspec

from streams.domain import acknowledgements, queues, tables
from streams.domain.books import Books
from streams.domain.holding import held_from, moment_of
from streams.domain.shop import Shop
from streams.domain.state import Early, PosEntry
from topics.ids import PosSaleId, SaleId
from topics.pos_sales import PosSale

KEPT: Final = timedelta(days=7)
"""Who has not come by then, by the records' own time, never will: the sale is another channel's."""

_ORDER = "order\0"
_POS_SALE = "pos\0"
_decode = msgspec.json.Decoder(PosSale).decode


def hold(books: Books, sale_id: SaleId, told: PosSale) -> None:
    """Keep the acknowledgement of a sale whose order has not come; a later one replaces it."""
    _forget_the_old(books)
    books.put(tables.EARLY, sale_id, Early(told.pos_sale_id, held_from(books.moment, told)))
    queues.join(books, queues.EARLY, _ORDER + sale_id)


def wait_for_acknowledgement(books: Books, pos_sale_id: PosSaleId, entry: PosEntry) -> None:
    """Keep what the shop reports of a sale that is not acknowledged."""
    _forget_the_old(books)
    books.put(tables.POS_SALES, pos_sale_id, entry)
    queues.join(books, queues.EARLY, _POS_SALE + pos_sale_id)


def acknowledged(books: Books, pos_sale_id: PosSaleId) -> None:
    """Note that a sale of the point of sale is known now for ours, or for the shop's own."""
    queues.leave(books, queues.EARLY, _POS_SALE + pos_sale_id)


def catch_up(books: Books, shop: Shop, sale_id: SaleId) -> None:
    """Decide the acknowledgement that came before the order, if one did, as of when it came."""
    early: Early | None = books.get(tables.EARLY, sale_id)
    if early is None:
        return
    books.put(tables.EARLY, sale_id, None)
    queues.leave(books, queues.EARLY, _ORDER + sale_id)
    sale = books.sale(sale_id)
    if sale is None:
        return
    held = early.held
    told = _decode(held.body)
    books.resume(moment_of(held, books.moment.processed_at))
    books.event_time = told.updated_at or held.received_at
    entry: PosEntry | None = books.get(tables.POS_SALES, early.pos_sale_id)
    acknowledgements.acknowledge(books, shop, sale, told, entry or PosEntry())
    acknowledged(books, early.pos_sale_id)


def _forget_the_old(books: Books) -> None:
    now = books.moment.received_at
    while (member := queues.first(books, queues.EARLY)) is not None:
        place = queues.place(books, queues.EARLY, member)
        if place is None or now - place.since < KEPT:
            return
        queues.leave(books, queues.EARLY, member)
        if member.startswith(_ORDER):
            books.put(tables.EARLY, member.removeprefix(_ORDER), None)
        else:
            books.put(tables.POS_SALES, member.removeprefix(_POS_SALE), None)
