"""Stock or a product has arrived: sales that wait for it are served, the one that waits longest first."""

from collections.abc import Iterable

import msgspec

from streams.domain import queues
from streams.domain.allocation import allocate, name_products
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.lines import Line, parts_of
from streams.domain.shop import Shop
from streams.domain.state import Held
from topics.ids import OutletId, ProductId, SaleId
from topics.numbers import ZERO
from topics.sales import Sale, SaleCause

PORTION = 50
"""Sales served within the decision that brought the stock; the rest follows as the store's backlog."""

_NOTHING = msgspec.Raw(b"null")


def serve(books: Books, shop: Shop, queue_names: Iterable[str], cause: SaleCause) -> None:
    """Serve who waits in these queues: of products (`short_of`) or SKUs (`unnamed`).

    A bounded number at once; what is left over stands in front of the store's backlog, so that nothing that
    comes later is decided before it.
    """
    served = 0
    left: list[str] = []
    for name in queue_names:
        while served < PORTION and serve_one(books, shop, name, cause):
            served += 1
        if served >= PORTION:
            left.append(name)
    for name in reversed(left):
        moment = books.moment
        source = moment.source
        # As of the record that brought the stock: a later step must not depend on when it is done.
        held = Held(source.topic, source.partition, source.offset, moment.received_at, _NOTHING)
        queues.join(books, queues.BACKLOG, task(name, cause), held, front=True)


def is_task(member: str) -> bool:
    """Tell an unfinished arrival in the backlog from a held message, which stands under a number."""
    return "\0" in member


def task(queue: str, cause: SaleCause) -> str:
    """Name an unfinished arrival as a member of the backlog."""
    return f"{cause}\0{queue}"


def serve_task(books: Books, shop: Shop, member: str) -> bool:
    """Serve one sale of an unfinished arrival; False when it is finished."""
    cause, _, name = member.partition("\0")
    return serve_one(books, shop, name, cause)  # type: ignore[arg-type]  # written by `task`


def serve_one(books: Books, shop: Shop, queue: str, cause: SaleCause) -> bool:
    """Serve the sale that waits longest; False when nobody waits or nothing is there for the next one."""
    kind, _, subject = queue.partition("\0")
    if kind == "sku":
        return _serve_sku(books, shop, queue, subject, cause)
    return _serve_product(books, shop, ProductId(subject), cause)


def freed(
    books: Books, shop: Shop, products: Iterable[ProductId], cause: SaleCause = "stock_arrived"
) -> None:
    """Serve who waits for products of which there is more than before."""
    waiting = [queues.short_of(product) for product in products if _is_awaited(books, shop, product)]
    if waiting:
        serve(books, shop, waiting, cause)


def _is_awaited(books: Books, shop: Shop, product_id: ProductId) -> bool:
    """Say whether somebody may wait for the product; cheaply, for every count and release asks it."""
    if any(level.backordered for level in books.stock(product_id).outlets.values()):
        return True
    # At a single outlet one waits for want of it only where overselling is restricted.
    return queues.first(books, queues.short_of(product_id)) is not None or not shop.oversell


def _lines_for(books: Books, shop: Shop, product_id: ProductId) -> list[str]:
    """Return the queues for a product that are not empty: the one for any outlet, and each outlet's own."""
    outlets = dict.fromkeys(books.stock(product_id).outlets)
    outlets |= dict.fromkeys(outlet.id for outlet in shop.link.outlets)
    names = [queues.short_of(product_id), *(queues.short_of(product_id, outlet) for outlet in outlets)]
    return [name for name in names if queues.first(books, name) is not None]


def _serve_sku(books: Books, shop: Shop, queue: str, sku: str, cause: SaleCause) -> bool:
    member = queues.first(books, queue)
    if member is None or len(books.products(sku)) != 1:
        return False
    sale = _waiting_sale(books, queue, member)
    life = Life(books, shop, sale)
    parts = [part for part in parts_of(life.lines) if part.product_id is None and part.sku == sku]
    name_products(parts, books)
    allocate(parts, life.moves, shop, sale.pinned_outlet_id, _outlets(life.lines))
    life.record(cause)
    return True


def _serve_product(books: Books, shop: Shop, product_id: ProductId, cause: SaleCause) -> bool:
    names = _lines_for(books, shop, product_id)
    heads = []
    for name in names:
        member = queues.first(books, name)
        place = None if member is None else queues.place(books, name, member)
        if member is not None and place is not None:
            heads.append((place.since, name, member))
    # Who cannot be served bars its own queue only: its outlet has nothing, but another one may have.
    return any(_serve_sale(books, shop, product_id, name, member, cause) for _, name, member in sorted(heads))


def _serve_sale(
    books: Books, shop: Shop, product_id: ProductId, queue: str, member: str, cause: SaleCause
) -> bool:
    sale = _waiting_sale(books, queue, member)
    life = Life(books, shop, sale)
    moves = life.moves
    parts = [part for part in parts_of(life.lines) if part.product_id == product_id]
    got = ZERO
    outlet = _outlet_of(queue)
    if outlet is not None:
        for part in parts:
            there = moves.uncovered(product_id, outlet)
            if there > 0:
                got += part.cover(outlet, there, moves)
    if outlet is None or outlet == sale.pinned_outlet_id:
        wanted = sum((part.wanted for part in parts), ZERO)
        allocate(parts, moves, shop, sale.pinned_outlet_id, _outlets(life.lines))
        got += wanted - sum((part.wanted for part in parts), ZERO)
    if not got:
        return False
    life.record(cause)
    return True


def _waiting_sale(books: Books, queue: str, member: str) -> Sale:
    sale = books.sale(SaleId(member))
    if sale is None:
        raise LookupError(
            f"sale {member} waits in {queue!r} of store {books.store_id} and is not in the books"
        )
    return sale


def _outlet_of(queue: str) -> OutletId | None:
    parts = queue.split("\0")
    return OutletId(parts[2]) if len(parts) == 3 else None


def _outlets(lines: Iterable[Line]) -> set[OutletId]:
    return {allocation.outlet_id for part in parts_of(lines) for allocation in part.allocations}
