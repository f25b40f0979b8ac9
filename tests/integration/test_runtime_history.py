"""The history worker's runtime: Postgres says where to go on, and every record is written once."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from streams.runtime.errors import ExitCode
from tests.integration.copying_worker import SCHEMA, SOURCE
from tests.integration.counting import Counting, Process, until

SHORT_SESSION: dict[str, float] = {"session_timeout_s": 3.0, "heartbeat_s": 0.5}
OWNS = "owns partitions ["


class Copying(Counting):
    """One test's topic, table and workers."""

    dsn: str
    connection: asyncpg.Connection

    def start(self, slot: int = 0, **options: float) -> Process:
        chosen = {"bootstrap": self.bootstrap, "dsn": self.dsn, "prefix": self.prefix, "slot": slot} | options
        process = Process("tests.integration.copying_worker", chosen, self._logs / f"worker-{slot}.log")
        self._processes.append(process)
        return process

    async def rows(self) -> int:
        count: int = await self.connection.fetchval("SELECT count(*) FROM copied")
        return count

    async def copied(self) -> None:
        """Wait until every published record is in the table; and then, that each is there once."""

        async def all_there() -> bool:
            return await self.rows() >= self.published

        await until(f"{self.published} rows are written", all_there, 60)
        assert await self.rows() == self.published
        assert (
            await self.connection.fetchval('SELECT count(DISTINCT (partition, "offset")) FROM copied')
            == self.published
        )


@pytest.fixture
async def copying(bootstrap: str, database: str, prefix: str, tmp_path: Path) -> AsyncIterator[Copying]:
    async with Copying.on(bootstrap, prefix, tmp_path) as copying:
        copying.dsn = database
        copying.connection = await asyncpg.connect(database)
        try:
            await copying.connection.execute("DROP TABLE IF EXISTS copied, progress;" + SCHEMA)
            yield copying
        finally:
            await copying.connection.close()


async def test_a_history_worker_killed_several_times_writes_every_record_once(copying: Copying) -> None:
    worker = copying.start()
    async with copying.load(topic=SOURCE):
        for _ in range(3):
            before = await copying.rows()

            async def wrote_more(before: int = before) -> bool:
                return await copying.rows() > before

            await until("the worker wrote more", wrote_more)
            worker.kill()
            worker = copying.start()
    await copying.copied()
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == ExitCode.OK


async def test_a_database_set_back_to_an_older_state_catches_up(copying: Copying) -> None:
    await copying.publish(1000, topic=SOURCE)
    worker = copying.start()
    await copying.copied()
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == ExitCode.OK
    # Kafka's committed offsets are at the end; the database is as it was after 100 records of each partition.
    await copying.connection.execute('DELETE FROM copied WHERE "offset" >= 100')
    await copying.connection.execute("UPDATE progress SET next_offset = 100")
    copying.start()
    await copying.copied()


async def test_a_position_that_the_log_does_not_have_stops_the_worker(copying: Copying) -> None:
    await copying.publish(400, topic=SOURCE)
    await copying.connection.execute("INSERT INTO progress VALUES ($1, 1, 5000)", copying.prefix + SOURCE)
    worker = copying.start()
    assert await worker.ended() == ExitCode.MISCONFIGURED
    assert worker.said(
        f"wants offset 5000 of {copying.prefix}{SOURCE} partition 1, but the log ends at 100 (and begins at"
        " 0)"
    )
    assert await copying.rows() == 0


async def test_a_write_that_hangs_holds_up_no_rebalance(copying: Copying) -> None:
    first = copying.start(0, **SHORT_SESSION)
    async with copying.load(topic=SOURCE):
        await until("the first worker has partitions", lambda: first.said(OWNS))
        async with copying.connection.transaction():
            await copying.connection.execute("LOCK TABLE copied IN ACCESS EXCLUSIVE MODE")
            second = copying.start(1, **SHORT_SESSION)
            await until(
                "both have a share", lambda: second.said(OWNS) and first.log.read_text().count(OWNS) > 1, 30
            )
    await copying.copied()


async def test_a_stop_while_a_write_hangs_ends_within_the_grace(copying: Copying) -> None:
    worker = copying.start(shutdown_grace_s=5)
    await copying.publish(100, topic=SOURCE)
    await copying.copied()
    async with copying.connection.transaction():
        await copying.connection.execute("LOCK TABLE copied IN ACCESS EXCLUSIVE MODE")
        await copying.publish(100, topic=SOURCE)

        async def waits() -> bool:
            return bool(await copying.connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until("a write waits", waits)
        worker.signal(signal.SIGTERM)
        assert await worker.ended(8) == ExitCode.OK
    copying.start()
    await copying.copied()
