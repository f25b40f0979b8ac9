"""How far the history in Postgres is, asked from the outside."""

from typing import Any

import asyncpg
import msgspec

from storage.connection import CLIENT_ERRORS

_STANDING = """
SELECT (SELECT count(*) FROM tillstream.sales) AS sales,
       (SELECT count(*) FROM tillstream.exceptions WHERE open) AS exceptions,
       (SELECT count(*) FROM tillstream.dead_letters) AS dead_letters,
       (SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                 ORDER BY extract(epoch FROM recorded_at - received_at) * 1000)
          FROM (SELECT recorded_at, received_at FROM tillstream.sales
                WHERE revision = 1 ORDER BY recorded_at DESC LIMIT 1000) AS recent) AS recent_ms
"""
# Of the sales that still are as they were first: what is asked for is the time from an order to its sale.
# Where every sale has changed since, the time from the record of its last change stands for it.
_LATENCY = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM recorded_at - received_at) * 1000) AS ms,
       min(received_at) AS first_received,
       max(processed_at) AS last_processed,
       max(recorded_at) AS last_recorded
FROM (SELECT recorded_at, received_at, processed_at FROM tillstream.sales
      WHERE store_id = ANY($1::text[]) AND (revision = 1 OR NOT EXISTS (
              SELECT FROM tillstream.sales WHERE revision = 1 AND store_id = ANY($1::text[])))
      ORDER BY received_at DESC LIMIT $2) AS first
"""

_PROGRESS = "SELECT topic, partition, next_offset FROM tillstream.progress"

AWAY = (
    OSError,
    EOFError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    *CLIENT_ERRORS,
)
"""What a Postgres that is away, or that has just been killed, answers with."""


class Standing(msgspec.Struct, frozen=True):
    """What Postgres holds; `recent_ms` are p50 and p99 from record to row of the last thousand sales."""

    sales: int = 0
    exceptions: int = 0
    dead_letters: int = 0
    recent_ms: list[float] | None = None


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds from an order's record to its row, and how long the whole took in seconds."""

    p50_ms: float
    p99_ms: float
    decided_s: float
    written_s: float


class HistoryView:
    """Looks at the history; while Postgres is away it answers with what it saw last."""

    def __init__(self, dsn: str) -> None:
        self.standing = Standing()
        self._dsn = dsn
        self._connection: Any = None

    async def look(self) -> Standing:
        """Return how much is there now."""
        try:
            row = await (await self.connection()).fetchrow(_STANDING)
            self.standing = Standing(**row)
        except AWAY:
            # Being killed is part of the show: the next look tells.
            await self.close()
        return self.standing

    async def progress(self) -> dict[tuple[str, int], int]:
        """Return how far each (topic, partition) is written; while Postgres is away it raises one of AWAY."""
        try:
            rows = await (await self.connection()).fetch(_PROGRESS)
        except AWAY:
            await self.close()
            raise
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def timing(self, stores: list[str], last: int | None = None) -> Timing | None:
        """Return the timing of these stores' sales, all or the last so many; None when there are none."""
        row = await (await self.connection()).fetchrow(_LATENCY, stores, last)
        if row["ms"] is None:
            return None
        return Timing(
            row["ms"][0],
            row["ms"][1],
            (row["last_processed"] - row["first_received"]).total_seconds(),
            (row["last_recorded"] - row["first_received"]).total_seconds(),
        )

    async def connection(self) -> Any:
        """Return a connection that may read the history."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, timeout=10)
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
