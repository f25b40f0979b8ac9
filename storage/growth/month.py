"""The months of movements and dead letters: which there are, and what each holds."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, Literal, get_args

import msgspec

from storage.errors import StorageError
from storage.queries import query

Kept = Literal["movements", "dead_letters"]
"""What is kept by months, as operators name it."""

TABLES: dict[Kept, str] = {"movements": "stock_movements", "dead_letters": "dead_letters"}
TIMES: dict[Kept, str] = {"movements": "processed_at", "dead_letters": "record_time"}
KEPT: Sequence[Kept] = get_args(Kept)
LONG_S = 6 * 3_600.0
"""How long counting or moving the rows of one month may take."""

_list_months = query("growth.list_months")
_may_not_change = query("growth.may_not_change")

# The last movement of a level explains what it is today, whatever its age.
LAST_OF_ITS_LEVEL = """
EXISTS (
    SELECT FROM stock_levels AS level
    WHERE (level.store_id, level.product_id, level.outlet_id, level.revision)
        = (moved.store_id, moved.product_id, moved.outlet_id, moved.revision)
)
"""


class Month(msgspec.Struct, frozen=True):
    """A month's table, or (`first` None) the rest, which holds what has no table of its own."""

    what: Kept
    table: str
    first: date | None
    size: int
    """With its indexes, in bytes."""


class Held(msgspec.Struct, frozen=True):
    """A month and its rows: `old` are those that the limit lets go, `last` those of them that stay.

    They are the last movements of their levels.
    """

    month: Month
    rows: int
    old: int
    last: int

    @property
    def goes(self) -> int:
        """How many rows are pruned."""
        return self.old - self.last


async def months(connection: Any, what: Sequence[Kept]) -> list[Month]:
    """Return the months of these tables, the oldest first and the rest last."""
    kinds = {TABLES[kind]: kind for kind in what}
    rows = await connection.fetch(_list_months, list(kinds))
    return [Month(kinds[parent], table, first, size) for parent, table, first, size in rows]


async def counted(connection: Any, found: Sequence[Month], before: date) -> AsyncIterator[Held]:
    """Yield each month with its rows counted; those before the first day of `before` are old."""
    for month in found:
        table, time = _named(month.table), TIMES[month.what]
        old = f"{time} < $1::date::timestamp AT TIME ZONE 'UTC'"
        last = f"count(*) FILTER (WHERE {old} AND {LAST_OF_ITS_LEVEL})" if month.what == "movements" else "0"
        if month.first is not None and month.first >= before:
            rows = await connection.fetchval(f"SELECT count(*) FROM {table}", timeout=LONG_S)  # noqa: S608  # a name of the catalog
            yield Held(month, rows, 0, 0)
            continue
        row = await connection.fetchrow(
            f"SELECT count(*), count(*) FILTER (WHERE {old}), {last} FROM {table} AS moved",  # noqa: S608  # the same
            before,
            timeout=LONG_S,
        )
        yield Held(month, *row)


async def check_owner(connection: Any, what: Sequence[Kept]) -> None:
    """Raise StorageError unless the user may drop months, which only their owner may."""
    if row := await connection.fetchrow(_may_not_change, [TABLES[kind] for kind in what]):
        raise StorageError(
            f"Table {row[0]} belongs to {row[1]!r}, and {row[2]!r} may not drop its months: run this as the"
            " owner of the schema, as `tillstream db migrate` is. Nothing was changed"
        )


def _named(table: str) -> str:
    return '"' + table.replace('"', '""') + '"'
