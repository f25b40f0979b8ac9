"""A tiny history worker for the tests of the runtime: copies records into a table, with its progress.

    python -m tests.integration.copying_worker OPTIONS-AS-JSON

Options: `bootstrap`, `dsn`, `prefix`, and any field of `WorkerSettings`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

import asyncpg
from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.worker import Worker, build_history_worker
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings

SOURCE = "counted"

SCHEMA = """
CREATE TABLE copied (key text, partition int, "offset" bigint);
CREATE TABLE progress (topic text, partition int, next_offset bigint, PRIMARY KEY (topic, partition));
"""


class Copy:
    """Writes batches in one transaction with the position after them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Any = None

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._dsn, min_size=1, max_size=4)

    async def close(self) -> None:
        await self._pool.close()

    async def positions(self, tps: set[TP]) -> dict[TP, int | None]:
        rows = await self._pool.fetch("SELECT topic, partition, next_offset FROM progress")
        known = {TP(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        return {tp: known.get(tp) for tp in tps}

    async def write(self, partition: int, batches: Sequence[Batch]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = [
                (record.key.decode(), partition, record.offset)
                for batch in batches
                for record in batch.records
            ]
            await connection.copy_records_to_table("copied", records=rows)
            for batch in batches:
                done = await connection.execute(
                    "INSERT INTO progress VALUES ($1, $2, $3) ON CONFLICT (topic, partition)"
                    " DO UPDATE SET next_offset = excluded.next_offset WHERE progress.next_offset = $4",
                    batch.topic,
                    partition,
                    batch.next_offset,
                    batch.begin,
                )
                if done != "INSERT 0 1":
                    raise RuntimeError(f"{batch!r}: someone else wrote this partition")


def build(bootstrap: str, dsn: str, **options: Any) -> Worker:
    """The worker, not yet running."""
    settings = Settings(KafkaSettings(bootstrap=bootstrap), PostgresSettings(), WorkerSettings(**options))
    copy = Copy(dsn)
    worker = build_history_worker(settings, positions=copy.positions, write=copy.write)
    worker.on_starting.append(copy.open)
    worker.on_stopped.append(copy.close)

    @worker.app.agent(worker.topic(SOURCE), name="copying")
    async def copying(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch)

    return worker


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    sys.exit(build(**json.loads(sys.argv[1])).run(with_parent=True))
