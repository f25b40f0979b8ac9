"""Levels: what is available of a product, and what the online store is told of it (DOMAIN 4)."""

from decimal import Decimal

from msgspec.structs import replace

from streams.domain import tables
from streams.domain.books import Books
from streams.domain.shop import Shop
from streams.domain.state import Level, Stock
from topics.ids import ProductId
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


def publish(books: Books, product_id: ProductId, stock: Stock) -> None:
    """Write the stock; tell the online store the product's level if it is another one than before."""
    if stock.listed:
        level = stock.raw if stock.raw > 0 else ZERO
        if level != stock.online:
            count = stock.published + 1
            announce(books, stock.sku, level, stock.raw, product_id, product_id, count)
            stock = replace(stock, online=level, published=count)
    books.put(tables.STOCK, product_id, stock)


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
