"""An online order becomes, or changes, a sale (DOMAIN 5)."""

import msgspec

from streams.domain import arrivals, handover, pos_sales, queues, statuses, tables
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.outcomes import Outcome
from streams.domain.shop import Shop
from streams.domain.snapshots import Snapshot
from streams.domain.statuses import INCOMPLETE, unknown_status
from topics.ids import SaleId, sale_id
from topics.orders import Order
from topics.sales import Sale


def take(books: Books, order: Order) -> Outcome:
    """Decide what the snapshot makes of its sale; nothing when a newer one, or the very same, was decided.

    The store must be linked (`waiting.must_wait` says no); LookupError when it is not.
    """
    if order.payment_status == INCOMPLETE:
        return Outcome.INCOMPLETE
    shop = books.linked_shop()
    if shop.custom_statuses:
        order = statuses.understood(order, shop.link)
    books.event_time = order.updated_at
    own_id = sale_id(books.store_id, order.order_id)
    old = books.sale(own_id)
    external = order.external_order_id
    # The id of its own sale is only the online store's note of ours; such an order is still the customer's.
    if external is not None and external != own_id and books.sale(SaleId(external)) is not None:
        return Outcome.ECHO
    checksum = books.moment.checksum
    if old is not None:
        if order.version < old.order_version:
            return Outcome.LATE
        same = checksum and order.version == old.order_version and checksum == old.order_checksum
        if same and not _understood_now(books, order):
            return Outcome.UNCHANGED
        if order.deleted and not order.items and old.state != "parked":
            return _delete(books, shop, order, old)
    outcome = Snapshot(books, shop, order, own_id, old, checksum).decide()
    if old is None:
        pos_sales.catch_up(books, shop, own_id)
    elif old.pos_sale_id is not None and outcome is not Outcome.UNCHANGED:
        handover.catch_up(books, shop, own_id)
    return outcome


def _delete(books: Books, shop: Shop, order: Order, old: Sale) -> Outcome:
    """Void the sale of an order of which only the deletion is told; all else about it stays."""
    life = Life(books, shop, old)
    life.call_off("deleted")
    changed = life.record("deleted")
    seen = books.sale(old.sale_id)
    if seen is not None:
        seen = msgspec.structs.replace(
            seen, order_version=order.version, order_checksum=books.moment.checksum
        )
        books.put(tables.SALES, old.sale_id, seen)
    arrivals.freed(books, shop, life.moves.freed)
    return Outcome.DECIDED if changed else Outcome.UNCHANGED


def _understood_now(books: Books, order: Order) -> bool:
    """Say whether the order had a status without meaning when it came, and has none any more."""
    return queues.place(books, queues.PARKED, order.order_id) is not None and unknown_status(order) is None
