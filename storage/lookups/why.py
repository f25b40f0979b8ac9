"""Why a level is what it is: its movements from the last count on, and whether all of them add up to it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storage.encoding import indexed
from storage.lookups.answer import Answer, quantity
from storage.lookups.why_not import Edge, Ledger, Standing, problems
from storage.queries import query

_levels = query("trace.levels_of_sku")
_last_count = query("trace.last_count")
_story = query("trace.story")
_edges = query("trace.edge_movements")
_ledger = query("trace.ledger")
_breaks = query("trace.breaks")
_readable = query("trace.operations_readable")
_audited = query("trace.corrections_audited")

SHOWN_BREAKS = 20


class MovementTold(Answer, frozen=True, kw_only=True):
    """A movement of a level: its signed changes, and the level after it by running sum and as it says itself.

    `by` and `why` are the operator's, of a correction.
    """

    revision: int
    kind: str
    cause: str
    order_id: str | None
    line_id: str | None
    quantity: Decimal
    on_hand: Decimal
    allocated: Decimal
    awaiting: Decimal
    running: Standing
    after: Standing
    source_topic: str
    source_partition: int
    source_offset: int
    event_time: datetime
    processed_at: datetime
    by: str | None
    why: str | None


class LevelExplained(Answer, frozen=True, kw_only=True):
    """A level, and what led to it. `opening` is what it was before the first of `movements`.

    `first_revision` above 1, or none: what came before was pruned. `problems` empty: all adds up.
    """

    store_id: str
    sku: str
    product_id: str
    outlet_id: str
    level: Standing
    available: Decimal
    revision: int
    first_revision: int | None
    opening: Standing
    movements: list[MovementTold]
    problems: list[str]


async def explain_stock(
    connection: Any, store_id: str, sku: str, outlet_id: str | None = None
) -> Sequence[LevelExplained]:
    """Return the levels of the products that have the SKU; none when nothing was counted or allocated so.

    Available is before the outlet's safety stock. All is of one moment.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        levels = await connection.fetch(_levels, store_id, indexed(sku), outlet_id)
        operators = await _operators(connection, store_id) if levels else {}
        return [await _explained(connection, store_id, tuple(row), operators) for row in levels]


_Operators = dict[tuple[int, int], tuple[str, str]]


async def _operators(connection: Any, store_id: str) -> _Operators:
    """Return who corrected and why, by partition and offset; none for who may not read the audit."""
    if not await connection.fetchval(_readable):
        return {}
    return {(row[0], row[1]): (row[2], row[3]) for row in await connection.fetch(_audited, store_id)}


async def _explained(
    connection: Any, store_id: str, row: tuple[Any, ...], operators: _Operators
) -> LevelExplained:
    product_id, outlet_id, sku, revision, *numbers = row
    key = (store_id, product_id, outlet_id)
    level = Standing.of(numbers)
    edges = {
        each[0]: Edge(each[1], Standing.of(each[2:5]), Standing.of(each[5:8]))
        for each in await connection.fetch(_edges, *key)
    }
    first, corrected = edges.get("first"), edges.get("corrected")
    sums = await connection.fetchrow(_ledger, *key, corrected.revision if corrected else 0)
    ledger = Ledger(
        first=first,
        last=edges.get("last"),
        corrected=corrected,
        sums=Standing.of(value or Decimal(0) for value in sums[0:3]),
        sums_to_correction=Standing.of(sums[3:6]),
    )
    breaks = await connection.fetch(_breaks, *key, SHOWN_BREAKS)
    begin = await connection.fetchval(_last_count, *key) or (first.revision if first else 0)
    movements, opening = _told(await connection.fetch(_story, *key, begin), operators)
    return LevelExplained(
        store_id=store_id,
        sku=sku,
        product_id=product_id,
        outlet_id=outlet_id,
        level=level.plain(),
        available=quantity(level.on_hand - level.allocated - level.awaiting),
        revision=revision,
        first_revision=first.revision if first else None,
        opening=opening.plain(),
        movements=movements,
        problems=problems(level, revision, ledger, [tuple(each) for each in breaks]),
    )


def _told(rows: Sequence[Any], operators: _Operators) -> tuple[list[MovementTold], Standing]:
    opening = running = Standing.of((Decimal(0),) * 3)
    told = []
    for place, row in enumerate(rows):
        change, after = Standing.of(row[7:10]), Standing.of(row[10:13])
        if place == 0:
            opening = running = after.less(change)
        running = running.plus(change)
        source = (row[13], row[14], row[15])
        by = operators.get((row[14], row[15])) if row[1] == "corrected" else None
        told.append(
            MovementTold(
                revision=row[0],
                kind=row[1],
                cause=row[2],
                order_id=row[4],
                line_id=row[5],
                quantity=quantity(row[6]),
                on_hand=quantity(change.on_hand),
                allocated=quantity(change.allocated),
                awaiting=quantity(change.awaiting),
                running=running.plain(),
                after=after.plain(),
                source_topic=source[0],
                source_partition=source[1],
                source_offset=source[2],
                event_time=row[16],
                processed_at=row[17],
                by=by[0] if by else None,
                why=by[1] if by else None,
            )
        )
    return told, opening
