"""A sale of the point of sale: the acknowledgement of ours, a return of it, or the shop's own (DOMAIN 2)."""

from streams.domain import acknowledgements, early, exceptions, returns, tables
from streams.domain.books import Books
from streams.domain.outcomes import Outcome
from streams.domain.state import PosEntry
from streams.domain.versions import stale
from topics.ids import OrderId, SaleId, sale_id
from topics.pos_sales import PosSale
from topics.sales import Sale


def take(books: Books, told: PosSale) -> Outcome:
    """Decide what a sale of the point of sale means for ours; nothing when it is the shop's own (S4).

    The store must be linked; LookupError when it is not.
    """
    shop = books.linked_shop()
    books.event_time = told.updated_at or books.moment.received_at
    entry: PosEntry | None = books.get(tables.POS_SALES, told.pos_sale_id)
    if (outcome := stale(told.version, None if entry is None else entry.version)) is not None:
        return outcome
    repaired = ", ".join(told.repaired) or None
    returned = _returned_sale(books, told)
    if returned is not None:
        exceptions.set_open(books, "text_repaired", f"pos_sale/{told.pos_sale_id}", repaired)
        return returns.take(books, shop, returned, told, entry or PosEntry())
    own = _acknowledged_sale(books, told, entry)
    if own is not None:
        early.acknowledged(books, told.pos_sale_id)
        exceptions.set_open(books, "text_repaired", f"pos_sale/{told.pos_sale_id}", repaired)
        if _takes_back(told):
            return returns.take(books, shop, own, told, entry or PosEntry())
        return acknowledgements.acknowledge(books, shop, own, told, entry or PosEntry())
    if told.source_id and told.return_for is None and told.state != "voided":
        early.hold(books, sale_id(books.store_id, OrderId(told.source_id)), told)
        return Outcome.WAITING
    if entry is not None and entry.sale_id is None:
        early.acknowledged(books, told.pos_sale_id)
        books.put(tables.POS_SALES, told.pos_sale_id, None)
    return Outcome.OWN


def _takes_back(told: PosSale) -> bool:
    return bool(told.lines) and all(line.quantity < 0 for line in told.lines)


def _returned_sale(books: Books, told: PosSale) -> Sale | None:
    """Return our sale that it takes goods back of, if it is one of ours."""
    if told.return_for is None:
        return None
    entry: PosEntry | None = books.get(tables.POS_SALES, told.return_for)
    if entry is not None and entry.sale_id is not None:
        return books.sale(entry.sale_id)
    return books.sale(SaleId(told.return_for))


def _acknowledged_sale(books: Books, told: PosSale, entry: PosEntry | None) -> Sale | None:
    if entry is not None and entry.sale_id is not None:
        return books.sale(entry.sale_id)
    if not told.source_id or told.return_for is not None:
        return None
    sale = books.sale(sale_id(books.store_id, OrderId(told.source_id)))
    return books.sale(SaleId(told.source_id)) if sale is None else sale
