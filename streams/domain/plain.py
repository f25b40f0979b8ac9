"""The plain order, which most are: one outlet has every line of it whole. Placed in one pass (DOMAIN 3)."""

from collections.abc import Sequence

import msgspec

from streams.domain.books import Books
from streams.domain.moves import Moves
from streams.domain.shop import Shop
from topics.fulfillments import FulfillmentLine
from topics.ids import OutletId, ProductId
from topics.numbers import ZERO
from topics.orders import OrderItem
from topics.sales import Allocation, SaleLine


class Placed(msgspec.Struct, frozen=True, gc=False):
    """What came of it: the sale's lines, and those of the one fulfilment they make."""

    outlet: OutletId
    lines: tuple[SaleLine, ...]
    pieces: list[FulfillmentLine]


def place(
    items: Sequence[OrderItem], books: Books, moves: Moves, shop: Shop, pinned: OutletId | None
) -> Placed | None:
    """Allocate a new order that is plain; None, and nothing moved, when it is not.

    Whatever needs a second thought is not plain: bundles, lines that move no stock, SKUs without exactly one
    product, lines that share a product or an id, an order that no outlet can do alone. It ends as the general
    way (`allocation.allocate`) ends for it, and is there for speed only.
    """
    products: list[ProductId] = []
    for item in items:
        if not item.tracked or item.components or not item.sku or item.quantity <= 0:
            return None
        found = books.products(item.sku)
        if len(found) != 1:
            return None
        products.append(found[0])
    count = len(products)
    if count != 1 and (
        not count or len(set(products)) < count or len({item.line_id for item in items}) < count
    ):
        return None
    for outlet in shop.first_outlets if pinned is None else (pinned,):
        for product_id, item in zip(products, items, strict=True):
            if not moves.has(product_id, outlet, item.quantity):
                break
        else:
            return _placed(items, products, outlet, moves, shop)
    return None


def _placed(
    items: Sequence[OrderItem], products: Sequence[ProductId], outlet: OutletId, moves: Moves, shop: Shop
) -> Placed:
    lines: list[SaleLine] = []
    pieces: list[FulfillmentLine] = []
    for product_id, item in zip(products, items, strict=True):
        line_id, sku, quantity = item.line_id, item.sku, item.quantity
        moves.allocate(product_id, outlet, quantity, ZERO, line_id)
        lines.append(
            SaleLine(
                line_id=line_id,
                sku=sku,
                name=item.name,
                quantity=quantity,
                price=shop.money(item.price),
                product_id=product_id,
                allocations=(Allocation(outlet_id=outlet, quantity=quantity),),
            )
        )
        pieces.append(FulfillmentLine(line_id=line_id, sku=sku, product_id=product_id, quantity=quantity))
    return Placed(outlet, tuple(lines), pieces)
