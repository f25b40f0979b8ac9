"""Allocation: which outlets fulfil an order, by the link's rules and the store's policy (DOMAIN 3)."""

from collections.abc import Iterable, Sequence

from streams.domain.books import Books
from streams.domain.moves import Moves
from streams.domain.parts import Part
from streams.domain.policies import Counter, Row, Want
from streams.domain.shop import Shop
from topics.ids import OutletId, ProductId
from topics.numbers import ZERO
from topics.sales import Allocation

NO_PLACES: frozenset[int] = frozenset()


def name_products(parts: Iterable[Part], books: Books) -> None:
    """Find the product of each part that has none yet by the SKU it was ordered under.

    A part keeps its product for ever: a renamed SKU does not disturb it (DOMAIN 4).
    """
    for part in parts:
        if part.product_id is None and part.sku:
            products = books.products(part.sku)
            if len(products) == 1:
                part.product_id = products[0]


def allocate(
    parts: Sequence[Part],
    moves: Moves,
    shop: Shop,
    pinned: OutletId | None,
    used: Iterable[OutletId] = (),
) -> None:
    """Decide which outlets fulfil what is wanted of the parts, and move the stock (DOMAIN 3).

    A pinned order is the pinned outlet's, whole. Else the store's policy says; what is left then goes, with
    `oversell: allow`, to the first outlet of the order as backordered; with `restrict` it stays wanted. So it
    does when no outlet is connected. `used` are the outlets that fulfil other parts of the order.
    """
    wanting = [part for part in parts if part.product_id is not None and part.wanted > 0]
    if not wanting:
        return
    if pinned is not None:
        _allocate_at(pinned, wanting, moves, shop)
        return
    outlets = shop.outlets
    if not outlets:
        return
    available: dict[ProductId, Row] = {}
    wants = []
    for part in wanting:
        product_id: ProductId = part.product_id  # type: ignore[assignment]  # filtered above
        if product_id not in available:
            available[product_id] = moves.available(product_id, outlets)
        wants.append(Want(product_id, part.wanted))
    places = NO_PLACES
    if used:
        places = frozenset([outlets.index(outlet) for outlet in used if outlet in shop.connected])
    first = min(places) if places else len(outlets)
    for take in shop.policy(wants, Counter(outlets, shop.ranks, available, places)):
        place, quantity = take.place, take.quantity
        part, outlet = wanting[take.want], outlets[place]
        first = min(first, place)
        part.wanted = ZERO if part.wanted is quantity else part.wanted - quantity
        if part.allocations:
            part.add(outlet, quantity, ZERO)
        else:
            part.allocations = [Allocation(outlet_id=outlet, quantity=quantity)]
        moves.allocate(wants[take.want].product_id, outlet, quantity, ZERO, part.line_id)
    if not shop.oversell:
        return
    outlet = outlets[first if first < len(outlets) else 0]
    for part, want in zip(wanting, wants, strict=True):
        if part.wanted:
            part.add(outlet, part.wanted, part.wanted)
            moves.allocate(want.product_id, outlet, part.wanted, part.wanted, part.line_id)
            part.wanted = ZERO


def _allocate_at(outlet: OutletId, wanting: Sequence[Part], moves: Moves, shop: Shop) -> None:
    for part in wanting:
        product_id: ProductId = part.product_id  # type: ignore[assignment]  # wanting parts have a product
        there = min(part.wanted, moves.available(product_id, (outlet,))[0])
        backordered = part.wanted - there if shop.oversell else ZERO
        quantity = there + backordered
        if quantity > 0:
            part.wanted -= quantity
            part.add(outlet, quantity, backordered)
            moves.allocate(product_id, outlet, quantity, backordered, part.line_id)
