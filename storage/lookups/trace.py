"""What the history has of one order, for a trace of all that happened to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer
from storage.queries import query

_rows = query("trace.order_rows")
_names = query("trace.order_names")


class RowFound(Answer, frozen=True, kw_only=True):
    """A row about the order. `recorded_at` is when it was written, where its table keeps that."""

    table: str
    id: str
    revision: int | None
    what: str
    detail: str | None
    event_time: datetime | None
    received_at: datetime
    processed_at: datetime
    recorded_at: datetime | None


class OrderRows(Answer, frozen=True, kw_only=True):
    """All rows about an order; `first` is the first time that any of them knows of."""

    rows: Sequence[RowFound]
    pos_sale_ids: frozenset[str]
    first: datetime | None
    sale_revision: int | None


async def find_order(connection: Any, store_id: str, order_id: str, sale_id: str) -> OrderRows:
    """Return what the history has of an order, as of one moment; no rows of one that it does not know."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await connection.fetch(_rows, store_id, order_id, sale_id)
        names = await connection.fetchrow(_names, store_id, order_id)
    fields = RowFound.__struct_fields__
    columns = ("table", "id", "revision", "what", "detail", "event_time", "received_at", "processed_at")
    assert fields[: len(columns)] == columns
    rows = [RowFound(**dict(zip(fields, row, strict=True))) for row in found]
    times = [row.received_at for row in rows]
    if names is not None:
        times.append(names[1])
    return OrderRows(
        rows=rows,
        pos_sale_ids=frozenset(names[2]) | ({names[0]} if names[0] else frozenset())
        if names
        else frozenset(),
        first=min(times, default=None),
        sale_revision=next((row.revision for row in rows if row.table == "sales"), None),
    )
