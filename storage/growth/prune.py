"""Letting old months go: whole tables are dropped, while the workers go on."""

import asyncio
import time
from datetime import date
from typing import Any

import asyncpg

from storage.errors import StorageError
from storage.growth.month import LAST_OF_ITS_LEVEL, LONG_S, TABLES, TIMES, Held
from storage.queries import query

PATIENCE_S = 60.0
"""How long a month is tried to be taken out while others hold the table."""
# What a try may make writers and readers of the table wait.
_TRY = "SET LOCAL lock_timeout = '1s'"
_BETWEEN_S = 1.0

_who_holds = query("growth.who_holds")


async def drop(connection: Any, held: Held) -> None:
    """Drop a month in one transaction, but for the last movements of their levels, which go to the rest.

    Raises StorageError, and nothing is changed, when somebody holds the table for longer than the patience.
    """
    month, parent = held.month, TABLES[held.month.what]
    async with connection.transaction():
        if held.last:
            # Looked for before the table is locked: it may take a while.
            await connection.execute(
                f"CREATE TEMP TABLE last_movements ON COMMIT DROP AS SELECT * FROM {month.table} AS moved"  # noqa: S608  # names of the catalog
                f" WHERE {LAST_OF_ITS_LEVEL}",
                timeout=LONG_S,
            )
        await _patiently(
            connection, parent, month.table, f"ALTER TABLE {parent} DETACH PARTITION {month.table}"
        )
        if held.last:
            await connection.execute(f"INSERT INTO {parent} SELECT * FROM last_movements")  # noqa: S608
        await connection.execute(f"DROP TABLE {month.table}")


async def clear(connection: Any, held: Held, before: date) -> None:
    """Delete what is old of the rest, but for the last movements of their levels."""
    month = held.month
    spared = f"AND NOT {LAST_OF_ITS_LEVEL}" if month.what == "movements" else ""
    await connection.execute(
        f"DELETE FROM {month.table} AS moved"  # noqa: S608  # names of the catalog
        f" WHERE {TIMES[month.what]} < $1::date::timestamp AT TIME ZONE 'UTC' {spared}",
        before,
        timeout=LONG_S,
    )


async def _patiently(connection: Any, parent: str, table: str, change: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with connection.transaction():
                await connection.execute(_TRY)
                await connection.execute(change)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if time.monotonic() > deadline:
                holder = await connection.fetchrow(_who_holds, parent, table)
                who = f": {holder[1]!r} of {holder[2]} (pid {holder[0]})" if holder else ""
                raise StorageError(
                    f"{table} could not be taken out of {parent} for {PATIENCE_S:.0f} s, for somebody uses it"
                    f"{who}. Months dropped before it stay dropped; wait until that has ended and"
                    " run this again"
                ) from error
            await asyncio.sleep(_BETWEEN_S)
        else:
            return
