"""One short transaction in which another schema becomes the history: readers see the old or the new."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from storage.errors import StorageError
from storage.queries import query
from storage.replay import shadow
from storage.schema import HISTORY, Schema

_relations = query("replay.relations")
_older_snapshots = query("replay.older_snapshots")
_holders = query("replay.holders")

# Below Postgres' deadlock timeout (1 s): who gives way is always the swap, never a reader or the worker.
PROGRESS_LOCK_MS = 500
TABLES_LOCK_MS = 200
ALL_LOCKS_MS = 500
"""For all tables together, each of which somebody may hold for a moment."""
_NOT_TO_BE_HAD = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
)


class InTheWayError(StorageError):
    """Someone reads or writes for longer than a swap waits; it gave way, and nothing was changed."""


@asynccontextmanager
async def live_held(connection: Any) -> AsyncIterator[None]:
    """Hold the live history's writers while the block runs; readers go on. It is one transaction.

    Raises InTheWayError when a writer does not end its transaction in time.
    """
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {PROGRESS_LOCK_MS}")
            await connection.execute(f"LOCK TABLE {HISTORY.name}.progress IN EXCLUSIVE MODE")
            yield
    except _NOT_TO_BE_HAD as error:
        raise InTheWayError("a lock was not to be had") from error


async def exchange(
    connection: Any, incoming: Schema, outgoing: Schema, *, consumer: str, caught_up_at: datetime
) -> None:
    """Within `live_held`: make `incoming` the history, and keep what was the history as `outgoing`.

    `caught_up_at` is a time (the server's) at which `incoming` was as far as the live history is: a reader
    whose view of the data is older could see less in the new tables, so it is waited for. Raises
    InTheWayError.
    """
    relations = [
        *await connection.fetch(_relations, HISTORY.name),
        *await connection.fetch(_relations, incoming.name),
    ]
    await connection.execute(
        f"SET LOCAL lock_timeout = {TABLES_LOCK_MS}; SET LOCAL statement_timeout = {ALL_LOCKS_MS}"
    )
    await connection.execute(f"LOCK TABLE {', '.join(row[0] for row in relations)} IN ACCESS EXCLUSIVE MODE")
    await connection.execute("SET LOCAL statement_timeout = 0")
    if await connection.fetch(_older_snapshots, caught_up_at, f"{HISTORY.name}.progress"):
        raise InTheWayError("a transaction is open that began before")
    live = await shadow.positions(connection, HISTORY, consumer)
    new = await shadow.positions(connection, incoming, consumer)
    if live != new:
        raise InTheWayError("the live history went on meanwhile")
    await connection.execute(
        f"ALTER SCHEMA {HISTORY.name} RENAME TO {outgoing.name};"
        f"ALTER SCHEMA {incoming.name} RENAME TO {HISTORY.name};"
        f"COMMENT ON SCHEMA {outgoing.name} IS '{outgoing.about}';"
        f"COMMENT ON SCHEMA {HISTORY.name} IS '{HISTORY.about}'"
    )


async def in_the_way(connection: Any, since: datetime) -> Sequence[str]:
    """Name the sessions that hold the live history's tables, or see the data as it was before `since`."""
    return [
        f"pid {row[0]} ({row[1] or 'no name'}, {row[2]}, transaction since {row[3]:%Y-%m-%d %H:%M:%S} UTC)"
        for row in await connection.fetch(_holders, HISTORY.name, since)
    ]
