"""What the history has of one store, as of one moment, to be held against the topics."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from storage.queries import query

_positions = query("reconcile.positions")
_levels = query("reconcile.levels")
_movement_counts = query("reconcile.movement_counts")
_sales = query("reconcile.sales")
_refused = query("reconcile.refused_events")
_refusals = query("reconcile.open_refusals")
_readable = query("trace.operations_readable")
_pruned_before = query("reconcile.pruned_before")

Place = tuple[str, str]
"""Product and outlet."""


class LevelRow(msgspec.Struct, frozen=True, gc=False):
    """A row of stock_levels."""

    sku: str
    revision: int
    on_hand: Decimal
    allocated: Decimal
    awaiting: Decimal


class SaleRow(msgspec.Struct, frozen=True, gc=False):
    """What is compared of a row of sales; `looked_at`: the topic is read as far back as it was decided."""

    order_id: str
    revision: int
    looked_at: bool


class StoreRows(msgspec.Struct, frozen=True, kw_only=True):
    """A store's rows, and up to which offsets they are written (`positions`, by the topics' full names).

    `due_since`: movements decided before are not counted, for they were pruned or are not asked for.
    `refused` are the events, by topic and offset, that could not be rows.
    """

    positions: Mapping[str, int]
    levels: Mapping[Place, LevelRow]
    movements: Mapping[Place, int]
    sales: Mapping[str, SaleRow]
    refused: frozenset[tuple[str, int]]
    refusals: frozenset[str]
    """Subjects of the open exceptions that say that a correction was refused."""
    due_since: datetime | None


async def store_rows(
    connection: Any,
    store_id: str,
    *,
    consumer: str,
    partition: int,
    since: datetime | None,
    with_sales: bool = True,
) -> StoreRows:
    """Read a store's rows, all as of one moment; `consumer` is the history worker's group."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        due_since = _later(since, await _pruned(connection))
        positions = await connection.fetch(_positions, consumer, partition)
        levels = await connection.fetch(_levels, store_id)
        movements = await connection.fetch(_movement_counts, store_id, due_since)
        refused = await connection.fetch(_refused, store_id, partition)
        refusals = await connection.fetch(_refusals, store_id)
        sales = {}
        if with_sales:
            async for row in connection.cursor(_sales, store_id, since, prefetch=10_000):
                sales[row[0]] = SaleRow(row[1], row[2], row[3])
    return StoreRows(
        positions={row[0]: row[1] for row in positions},
        levels={(row[0], row[1]): LevelRow(*tuple(row)[2:]) for row in levels},
        movements={(row[0], row[1]): row[2] for row in movements},
        sales=sales,
        refused=frozenset((row[0], row[1]) for row in refused),
        refusals=frozenset(row[0] for row in refusals),
        due_since=due_since,
    )


async def _pruned(connection: Any) -> datetime | None:
    """Return the time before which movements may have been pruned; None: none were, as far as is known."""
    if not await connection.fetchval(_readable):
        return None
    day: date | None = await connection.fetchval(_pruned_before)
    return None if day is None else datetime.combine(day, time(), UTC)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    times = [each for each in (one, other) if each is not None]
    return max(times, default=None)
