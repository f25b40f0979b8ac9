"""A sale of the point of sale: the acknowledgement of ours, a return of it, or the shop's own (DOMAIN 2)."""

from streams.domain import acknowledgements, early, exceptions, returns, tables
from streams.domain.books import Books
from streams.domain.holding import moment_of
from streams.domain.outcomes import Outcome
from streams.domain.shop import Shop
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
    entry = entry or PosEntry()
    sale = _returned_sale(books, told) or _acknowledged_sale(books, told, entry)
    if sale is not None:
        return _decide(books, shop, sale, told, entry)
    if told.return_for is not None:
        return _keep_return(books, told, entry)
    own_id = entry.sale_id or (sale_id(books.store_id, OrderId(told.source_id)) if told.source_id else None)
    if own_id is not None:
        early.hold(books, own_id, told, entry)
        return Outcome.WAITING
    if entry.reported:
        early.acknowledged(books, told.pos_sale_id)
        books.put(tables.POS_SALES, told.pos_sale_id, None)
    return Outcome.OWN


def catch_up(books: Books, shop: Shop, own_id: SaleId) -> None:
    """Decide what came of a sale before its order, each as of when it came."""
    processed_at = books.moment.processed_at
    for held in early.take_out(books, own_id):
        sale = books.sale(own_id)
        if sale is None:
            return
        told = early.decode(held.body)
        books.resume(moment_of(held, processed_at))
        books.event_time = told.updated_at or held.received_at
        entry: PosEntry | None = books.get(tables.POS_SALES, told.pos_sale_id)
        _decide(books, shop, sale, told, entry or PosEntry())


def _decide(books: Books, shop: Shop, sale: Sale, told: PosSale, entry: PosEntry) -> Outcome:
    early.acknowledged(books, told.pos_sale_id)
    exceptions.set_open(
        books,
        "text_repaired",
        f"pos_sale/{told.pos_sale_id}",
        ", ".join(told.repaired) or None,
        sale.order_id,
        sale.sale_id,
    )
    if told.return_for is not None or _takes_back(told):
        return returns.take(books, shop, sale, told, entry)
    return acknowledgements.acknowledge(books, shop, sale, told, entry)


def _keep_return(books: Books, told: PosSale, entry: PosEntry) -> Outcome:
    """Keep a return of a sale of ours whose order has not come; any other is the shop's own."""
    original: PosEntry | None = books.get(tables.POS_SALES, told.return_for or "")
    if original is None or original.sale_id is None:
        return Outcome.OWN
    early.hold_return(books, original.sale_id, told, entry)
    return Outcome.WAITING


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


def _acknowledged_sale(books: Books, told: PosSale, entry: PosEntry) -> Sale | None:
    if entry.sale_id is not None:
        return books.sale(entry.sale_id)
    if not told.source_id or told.return_for is not None:
        return None
    sale = books.sale(sale_id(books.store_id, OrderId(told.source_id)))
    return books.sale(SaleId(told.source_id)) if sale is None else sale
