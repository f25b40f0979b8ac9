"""Stock levels, and the movements that led to them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storage.encoding import indexed
from storage.lookups.answer import Answer, quantity
from storage.queries import query


class LevelListed(Answer, frozen=True, kw_only=True):
    """A product's level at an outlet; `available` is before the outlet's safety stock (DOMAIN 4)."""

    store_id: str
    sku: str
    product_id: str
    outlet_id: str
    on_hand: Decimal
    allocated: Decimal
    awaiting: Decimal
    available: Decimal
    revision: int
    updated_at: datetime


async def list_stock(
    connection: Any,
    *,
    store_id: str | None = None,
    sku: str | None = None,
    outlet_id: str | None = None,
    limit: int = 200,
) -> Sequence[LevelListed]:
    """Return levels by store, SKU and outlet."""
    rows = await connection.fetch(
        query("lookups.list_stock"), store_id, sku and indexed(sku), outlet_id, limit
    )
    names = LevelListed.__struct_fields__
    return [
        LevelListed(**dict(zip(names, (*row[:4], *map(quantity, row[4:8]), *row[8:]), strict=True)))
        for row in map(tuple, rows)
    ]


class MovementListed(Answer, frozen=True, kw_only=True):
    """One change of a level; `quantity` pieces were moved, which may change no level (DOMAIN 4)."""

    store_id: str
    sku: str
    product_id: str
    outlet_id: str
    revision: int
    kind: str
    cause: str
    order_id: str | None
    line_id: str | None
    quantity: Decimal
    on_hand: Decimal
    allocated: Decimal
    awaiting: Decimal
    on_hand_after: Decimal
    allocated_after: Decimal
    awaiting_after: Decimal
    event_time: datetime
    processed_at: datetime


async def list_movements(
    connection: Any,
    *,
    store_id: str | None = None,
    sku: str | None = None,
    outlet_id: str | None = None,
    order_id: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> Sequence[MovementListed]:
    """Return movements, the last decided first; `sku` is the product's SKU today."""
    rows = await connection.fetch(
        query("lookups.list_movements"), store_id, sku and indexed(sku), outlet_id, order_id, since, limit
    )
    names = MovementListed.__struct_fields__
    return [
        MovementListed(**dict(zip(names, (*row[:9], *map(quantity, row[9:16]), *row[16:]), strict=True)))
        for row in map(tuple, rows)
    ]
