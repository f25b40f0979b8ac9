"""Products and their names: stock is a product's, a SKU only what it is called today (DOMAIN 4)."""

import msgspec

from streams.domain import arrivals, exceptions, levels, queues, tables
from streams.domain.books import Books
from streams.domain.outcomes import Outcome
from streams.domain.shop import Shop
from streams.domain.state import SkuIndex, Stock
from streams.domain.versions import stale
from topics.ids import ProductId
from topics.numbers import ZERO
from topics.products import Product


def name(books: Books, product: Product) -> Outcome:
    """Call the product by its SKU from now on, unless a newer record was seen.

    The store must be linked; LookupError when it is not.
    """
    shop = books.linked_shop()
    stock = books.stock(product.product_id)
    if (outcome := stale(product.version, stock.version)) is not None:
        return outcome
    repaired = ", ".join(product.repaired) or None
    if repaired is not None or stock.repaired:
        exceptions.set_open(books, "text_repaired", f"product/{product.product_id}", repaired)
    same = stock.named and stock.sku == product.sku and stock.active == product.active
    version = stock.version if product.version is None else product.version
    if not same or version != stock.version or stock.repaired != (repaired is not None):
        change(books, product.product_id, named=True, version=version, repaired=repaired is not None)
    if same:
        return Outcome.UNCHANGED
    waiting = rename(books, shop, product.product_id, product.sku, active=product.active)
    stock = books.stock(product.product_id)
    levels.publish(books, product.product_id, stock, stock.outlets, stock.raw)
    if waiting:
        arrivals.serve(books, shop, waiting, "product_arrived")
    return Outcome.DECIDED


def change(books: Books, product_id: ProductId, **changes: object) -> Stock:
    stock = msgspec.structs.replace(books.stock(product_id), **changes)
    books.put(tables.STOCK, product_id, stock)
    return stock


def rename(books: Books, shop: Shop, product_id: ProductId, sku: str, *, active: bool) -> list[str]:
    """Give the product another SKU, or none (`sku` empty, or not active). No stock moves.

    The old SKU is withdrawn online, unless another product has it; under the new one the product may be
    offered (`listed`), unless another product has it too: then neither is, until that ends. Returns the
    queues of sales that wait for either SKU; publishing this product and serving them is the caller's.
    """
    stock = books.stock(product_id)
    old = stock.sku if stock.active else ""
    new = sku if active else ""
    change(books, product_id, sku=sku, active=active)
    if old == new:
        return []
    if old:
        _leave(books, shop, product_id, old)
    if new:
        _enter(books, shop, product_id, new)
    queue_names = [queues.unnamed(each) for each in (old, new) if each]
    return [queue for queue in queue_names if queues.first(books, queue) is not None]


def _leave(books: Books, shop: Shop, product_id: ProductId, sku: str) -> None:
    others = tuple(one for one in books.products(sku) if one != product_id)
    books.put(tables.SKUS, sku, SkuIndex(others) if others else None)
    stock = books.stock(product_id)
    if stock.online is not None:
        _withdraw(books, product_id, sku)
    change(books, product_id, listed=False)
    if len(others) == 1:
        stock = _list(books, shop, others[0])
        levels.publish(books, others[0], stock, stock.outlets, stock.raw)
    _note_ambiguity(books, sku, others)


def _enter(books: Books, shop: Shop, product_id: ProductId, sku: str) -> None:
    others = books.products(sku)
    products = tuple(sorted({*others, product_id}))
    books.put(tables.SKUS, sku, SkuIndex(products))
    if len(products) == 1:
        _list(books, shop, product_id)
    elif len(others) == 1:
        if books.stock(others[0]).online is not None:
            _withdraw(books, others[0], sku)
        change(books, others[0], listed=False)
    _note_ambiguity(books, sku, products)


def _list(books: Books, shop: Shop, product_id: ProductId) -> Stock:
    """Note that the product can be ordered under its SKU: it is active and alone has it."""
    return change(books, product_id, listed=True, raw=levels.online_level(books.stock(product_id), shop))


def _withdraw(books: Books, product_id: ProductId, sku: str) -> None:
    stock = books.stock(product_id)
    levels.announce(books, sku, ZERO, ZERO, None, product_id, stock.published + 1)
    change(books, product_id, online=None, published=stock.published + 1)


def _note_ambiguity(books: Books, sku: str, products: tuple[ProductId, ...]) -> None:
    detail = (
        f"{len(products)} active products have the SKU {sku!r}: it is not offered"
        if len(products) > 1
        else None
    )
    exceptions.set_open(books, "ambiguous_sku", f"sku/{sku}", detail)
