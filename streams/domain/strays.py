"""Pieces that are allocated at outlets which are not connected: somebody has to see to them (DOMAIN 7)."""

from collections.abc import Mapping
from decimal import Decimal

from streams.domain import exceptions, tables
from streams.domain.books import Books
from streams.domain.state import Stray
from topics.ids import OutletId
from topics.numbers import ZERO


def note(books: Books, changes: Mapping[OutletId, Decimal]) -> None:
    """Note that so many pieces more, or fewer, are allocated at outlets which are not connected."""
    for outlet_id, quantity in changes.items():
        if quantity:
            row: Stray | None = books.get(tables.STRAYS, outlet_id)
            tell(books, outlet_id, (ZERO if row is None else row.allocated) + quantity)


def tell(books: Books, outlet_id: OutletId, allocated: Decimal) -> None:
    """Open, change or close the exception of an outlet that is not connected: so much is allocated there."""
    books.put(tables.STRAYS, outlet_id, Stray(allocated) if allocated else None)
    exceptions.set_open(
        books,
        "outlet_disconnected",
        f"outlet/{outlet_id}",
        f"{allocated:f} pieces are allocated at outlet {outlet_id}, which is not connected, and stay so"
        if allocated
        else None,
    )
