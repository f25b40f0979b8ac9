"""Counts of the point of sale: the only thing that moves what is on hand (DOMAIN 4)."""

from streams.domain import arrivals, exceptions, products
from streams.domain.books import Books
from streams.domain.moves import Moves
from streams.domain.outcomes import Outcome
from streams.domain.versions import stale
from topics.inventory import InventoryLevel


def count(books: Books, level: InventoryLevel) -> Outcome:
    """Set the level to what was counted, unless a newer count was seen; then serve who waits for the product.

    The store must be linked; LookupError when it is not.
    """
    shop = books.linked_shop()
    stock = books.stock(level.product_id)
    known = stock.outlets.get(level.outlet_id)
    if (outcome := stale(level.version, None if known is None else known.version)) is not None:
        return outcome
    if level.repaired or stock.repaired:
        _note_repairs(books, level)
    named: list[str] = []
    if level.sku and level.sku != stock.sku and not stock.named:
        # Until a product record comes, the latest embedded SKU is the product's name.
        named = products.rename(books, shop, level.product_id, level.sku, active=stock.active)
    moves = Moves(books, shop)
    changed = moves.count(level)
    moves.post("counted")
    if named:
        arrivals.serve(books, shop, named, "product_arrived")
    if moves.freed:
        arrivals.freed(books, shop, moves.freed)
    return Outcome.DECIDED if changed or named else Outcome.UNCHANGED


def _note_repairs(books: Books, level: InventoryLevel) -> None:
    detail = ", ".join(level.repaired) or None
    exceptions.set_open(books, "text_repaired", f"product/{level.product_id}", detail)
    products.change(books, level.product_id, repaired=detail is not None)
