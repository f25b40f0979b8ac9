"""Levels: what is available of a product, and what the online store is told of it (DOMAIN 4)."""

from decimal import Decimal

from streams.domain import tables
from streams.domain.books import Books
from streams.domain.shop import Shop
from streams.domain.state import Level, Stock
from topics.ids import OutletId, ProductId
from topics.numbers import ZERO
from topics.online_stock import OnlineStock


def free(level: Level, safety_stock: Decimal) -> Decimal:
    """Return what is available: on hand less allocated, awaiting count and safety stock (DOMAIN 4).

    The one place that knows. With `levels_include_open_orders` an allocation ends, and its quantity awaits
    the count, when the point of sale acknowledges the sale; without it, when the fulfilment is fulfilled.
    Until then both readings hold the allocation, so that neither sells a piece twice.
    """
    have = level.on_hand - level.allocated
    if level.awaiting:
        have -= level.awaiting
    return have - safety_stock if safety_stock else have


def online_level(stock: Stock, shop: Shop) -> Decimal:
    """Return Σ available over the connected outlets; it may be negative."""
    total = -shop.safety_total
    outlets = stock.outlets
    for outlet in shop.outlets:
        level = outlets.get(outlet)
        if level is not None:
            total += free(level, ZERO)
    return total


def publish(
    books: Books, product_id: ProductId, stock: Stock, outlets: dict[OutletId, Level], raw: Decimal
) -> None:
    """Write the stock as it is at its outlets now; tell the online store its level if that is another one."""
    online, count = stock.online, stock.published
    if stock.listed:
        level = raw if raw > 0 else ZERO
        if level != online:
            online, count = level, count + 1
            announce(books, stock.sku, level, raw, product_id, product_id, count)
    books.put(
        tables.STOCK,
        product_id,
        Stock(
            outlets, stock.sku, stock.active, stock.named, stock.listed, raw, stock.version, online, count,
            stock.repaired,
        ),
    )  # fmt: skip


def announce(
    books: Books,
    sku: str,
    level: Decimal,
    raw: Decimal,
    product_id: ProductId | None,
    by: ProductId,
    count: int,
) -> None:
    """Emit a SKU's online level: announcement number `count` that product `by` gives rise to."""
    moment = books.moment
    books.events.append(
        OnlineStock(
            event_id=f"{books.store_id}/{by}/online:{count}",
            store_id=books.store_id,
            event_time=books.event_time,
            received_at=moment.received_at,
            processed_at=moment.processed_at,
            sku=sku,
            level=level,
            raw=raw,
            product_id=product_id,
        )
    )
