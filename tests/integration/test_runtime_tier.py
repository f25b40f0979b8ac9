"""A worker whose rows do not fit its memory counts like one whose rows do."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streams.runtime.batch import Batch
from streams.runtime.errors import DiskError, ExitCode
from streams.runtime.health import LaneHealth
from streams.runtime.lanes import Lane, Queued
from streams.runtime.pace import Budget, Pace
from streams.runtime.stock import StockRuntime
from streams.runtime.unit import KafkaUnit
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.integration.counting import Counting, Process, until
from tests.integration.counting_worker import OUTPUT, SOURCES, TOTALS

# Of the 97 keys of a partition, memory takes about a fifth.
SMALL_MIB = 0.02
SHORT_SESSION: dict[str, Any] = {"session_timeout_s": 3.0, "heartbeat_s": 0.5}


class Small:
    """Starts workers with little memory, and looks at what they leave on disk."""

    def __init__(self, counting: Counting, folder: Path) -> None:
        self.counting = counting
        self.folder = folder

    def start(self, slot: int = 0, **options: Any) -> Process:
        return self.counting.start(slot, table_memory_mib=SMALL_MIB, table_dir=str(self.folder), **options)

    def homes(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.is_dir()]


@pytest.fixture
async def small(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Small]:
    async with Counting.on(bootstrap, prefix, tmp_path) as counting:
        yield Small(counting, tmp_path / "tables")


def restored_to_disk(process: Process) -> int:
    """How many rows a worker's recovery left on disk, at most, as it said."""
    return max(map(int, re.findall(r"(\d+) of them on disk", process.log.read_text())), default=0)


async def test_a_restart_goes_on_counting_from_a_table_that_memory_does_not_hold(small: Small) -> None:
    counting = small.counting
    await counting.publish(4000)
    first = small.start()
    await counting.caught_up()
    first.signal(signal.SIGTERM)
    assert await first.ended() == ExitCode.OK
    assert small.homes() == []  # a worker that stops takes its folder with it
    second = small.start()
    await counting.publish(4000)
    await counting.caught_up()
    assert restored_to_disk(second) > 100
    await counting.assert_exactly_once()


async def test_every_count_goes_up_by_one_wherever_its_row_is(small: Small) -> None:
    counting = small.counting
    small.start()
    async with counting.load():
        await counting.further(3000)
    await counting.caught_up()
    last: dict[bytes, int] = {}
    for record in await counting.read(counting.prefix + OUTPUT):
        before, last[record.key] = last.get(record.key, 0), json.loads(record.value)["count"]
        assert last[record.key] == before + 1
    await counting.assert_exactly_once()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_a_worker_killed_with_rows_on_disk_loses_and_doubles_nothing(small: Small, seed: int) -> None:
    counting, moments = small.counting, random.Random(seed)
    worker = small.start()
    async with counting.load():
        for _ in range(3):
            await counting.further()
            await asyncio.sleep(moments.uniform(0, 0.4))  # the moment of the kill is what the seed chooses
            worker.kill()
            worker = small.start()
    await counting.caught_up()
    await counting.assert_exactly_once()
    assert len(small.homes()) == 1  # what the killed ones left is gone


async def test_partitions_go_to_and_fro_between_two_workers_on_one_machine(small: Small) -> None:
    counting = small.counting
    first = small.start(0, **SHORT_SESSION)
    async with counting.load():
        await counting.further()
        second = small.start(1, **SHORT_SESSION)
        await until("the second one owns some", lambda: second.said("owns partitions ["))
        await counting.further()
        assert len(small.homes()) == 2
        second.kill()
        await until("the first one has all again", lambda: first.log.read_text().count("owns partitions") > 2)
        await counting.further()
    await counting.caught_up()
    await counting.assert_exactly_once()


async def test_a_folder_that_cannot_be_made_is_named_at_the_start(small: Small) -> None:
    small.folder.write_text("a file in its place")
    worker = small.start()
    assert await worker.ended() == ExitCode.MISCONFIGURED
    assert worker.said(f"no folder for table rows can be made in {small.folder}")
    assert worker.said("TILLSTREAM_TABLE_DIR")


async def test_a_handler_that_takes_a_lost_disk_for_a_fault_of_the_record_commits_nothing(
    small: Small,
) -> None:
    counting = small.counting
    settings = Settings(
        KafkaSettings(bootstrap=counting.bootstrap),
        PostgresSettings(),
        WorkerSettings(prefix=counting.prefix, table_memory_mib=SMALL_MIB, table_dir=small.folder),
    )
    runtime = StockRuntime(settings, tables=[TOTALS], outputs=[OUTPUT], on_start=None, continue_=None)
    await runtime.prepare()
    tiers = runtime._tiers
    assert tiers is not None
    rows = tiers.rows(TOTALS.name, 0)
    rows.restore((b"%d" % number, b'{"count":1,"sum":1}') for number in range(100))
    rows.evict(10**6)
    assert rows.cold is not None
    runtime.rows = lambda table, partition: rows  # type: ignore[method-assign]  # Faust's store needs an app
    await runtime._transactors.own({TopicPartition(counting.prefix + SOURCES[0], 0)}, set())
    try:
        rows.cold.drop()

        def swallowing(batch: Batch, unit: KafkaUnit) -> None:
            try:
                unit.table(TOTALS).get(b"7")
            except Exception:
                unit.emit(OUTPUT, b"7", b'{"n":7}')

        lane = Lane(
            0, {}, epoch=0, work=runtime, pace=Pace(0, Budget(100)), valve=NoValve(), max_records=1,
            health=LaneHealth(0),
        )  # fmt: skip
        with pytest.raises(DiskError):
            await runtime.run(lane, [Queued(Batch("numbers", 0, [object()], 1, 0), swallowing)])
        assert await counting.read(counting.prefix + OUTPUT) == []
    finally:
        await runtime.stop()


class NoValve:
    """Holds nothing back: this lane is not fed."""

    def hold(self, tps: Any) -> None: ...

    def release(self, tps: Any) -> None: ...
