"""`stock.movements`: the ledger, and the levels that it adds up to."""

from collections.abc import Sequence
from typing import Any

import msgspec

from storage.encoding import indexed
from storage.errors import RowError
from storage.queries import query
from storage.rows.entry import Entry, Table
from storage.rows.head import HEAD_COLUMNS, Head


class Source(msgspec.Struct, kw_only=True, gc=False):
    topic: str
    partition: int
    offset: int


class Movement(msgspec.Struct, kw_only=True, gc=False):
    kind: str
    product_id: str
    sku: str
    outlet_id: str
    revision: int
    quantity: str = "0"
    on_hand: str = "0"
    allocated: str = "0"
    awaiting: str = "0"
    on_hand_after: str = "0"
    allocated_after: str = "0"
    awaiting_after: str = "0"
    line_id: str | None = None


class StockMoved(Head, kw_only=True, gc=False):
    """The part of topics.movements.StockMoved that has columns."""

    event_id: str
    cause: str
    source: Source
    movements: tuple[Movement, ...]
    sale_id: str | None = None
    order_id: str | None = None


MOVEMENTS = Table(
    "stock_movements",
    (
        "store_id", "product_id", "outlet_id", "revision", "kind", "cause", "sku", "quantity",
        "on_hand", "allocated", "awaiting", "on_hand_after", "allocated_after", "awaiting_after",
        "sale_id", "order_id", "line_id", "event_id", "ordinal",
        "source_topic", "source_partition", "source_offset", *HEAD_COLUMNS,
    ),
)  # fmt: skip

LevelKey = tuple[str, str, str]
MovementKey = tuple[str, str, str, int]

_decode = msgspec.json.Decoder(StockMoved).decode
_known = query("rows.known_movements")
_raise_levels = query("rows.raise_levels")


class StockMovements:
    """Movements are only ever added; a level is raised to its movement of the highest revision."""

    def decode(self, value: bytes) -> StockMoved:
        return _decode(value)

    async def write(self, connection: Any, entries: Sequence[Entry[StockMoved]], *, careful: bool) -> None:
        """Add the movements of the entries.

        Movements are taken to be new, which their levels' revisions check, and a RowError says that they are
        not: the same has to be done again, `careful`. Then those that are there already are left out, and
        only a movement whose place another event holds is a RowError.
        """
        there = await self._there(connection, entries) if careful else {}
        rows: list[tuple[Any, ...]] = []
        levels: dict[LevelKey, tuple[str, int, str, str, str, str]] = {}
        first: dict[LevelKey, int] = {}
        for event, _, _ in entries:
            store_id, source = event.store_id, event.source
            for ordinal, moved in enumerate(event.movements):
                key = (store_id, moved.product_id, moved.outlet_id)
                if careful:
                    place = (*key, moved.revision)
                    if (holder := there.setdefault(place, "")) == event.event_id:
                        continue
                    if holder:
                        raise RowError(
                            f"movement {ordinal} of event {event.event_id[:80]!r}: revision {moved.revision}"
                            f" of its level is held by event {holder[:80]!r}"
                        )
                    there[place] = event.event_id
                sku = indexed(moved.sku)
                rows.append(
                    (
                        *key, moved.revision, moved.kind, event.cause, sku, moved.quantity,
                        moved.on_hand, moved.allocated, moved.awaiting,
                        moved.on_hand_after, moved.allocated_after, moved.awaiting_after,
                        event.sale_id, event.order_id, moved.line_id, event.event_id, ordinal,
                        source.topic, source.partition, source.offset,
                        event.event_time, event.received_at, event.processed_at,
                    )
                )  # fmt: skip
                level = levels.get(key)
                if level is None or moved.revision < first[key]:
                    first[key] = moved.revision
                if level is None or level[1] < moved.revision:
                    levels[key] = (
                        sku, moved.revision, moved.on_hand_after, moved.allocated_after,
                        moved.awaiting_after, event.event_time,
                    )  # fmt: skip
        await MOVEMENTS.copy(connection, rows)
        if levels:
            columns = zip(*((*key, *level, first[key]) for key, level in levels.items()), strict=True)
            known = await connection.fetchval(_raise_levels, *map(list, columns))
            if known and not careful:
                raise RowError(f"{known} of {len(levels)} levels had some of these movements before")

    async def _there(self, connection: Any, entries: Sequence[Entry[StockMoved]]) -> dict[MovementKey, str]:
        places = [
            (event.store_id, moved.product_id, moved.outlet_id, moved.revision)
            for event, _, _ in entries
            for moved in event.movements
        ]
        if not places:
            return {}
        found = await connection.fetch(_known, *map(list, zip(*places, strict=True)))
        return {tuple(row)[:4]: row[4] for row in found}


MOVED = StockMovements()
