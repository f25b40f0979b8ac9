"""What it costs that tables need not be in memory whole: `python -m tests.bench.tiers [ROWS]`.

Four tables: microseconds per new order with all rows in memory, with room for all, and with most on disk;
per sale that is looked up, in memory, on disk, and in Postgres instead; resident memory per million sales;
and how fast a changelog of as many is restored, from a broker of its own.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import statistics
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.types import TP

from deploy.demo import orders, store
from deploy.local.stack import Stack
from streams.runtime.disk import Disk
from streams.runtime.health import TableHealth
from streams.runtime.recovery import restore
from streams.runtime.store import Rows
from streams.runtime.tier import Room
from streams.runtime.worker import GC_THRESHOLDS
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.bench.stages import UNIT, Record, create_batch, measure, set_up
from tests.plan import Plan

MIB = 1 << 20
PARTITIONS = 4
PORTION = 500


class RoomyPlan(Plan):
    """A worker's tables, those that grow in a room."""

    def __init__(self, room: Room) -> None:
        super().__init__(create_batch)
        self._rows.update({name: room.add(name) for name, spec in self.tables.items() if spec.grows})


@contextmanager
def a_disk() -> Iterator[Disk]:
    with TemporaryDirectory() as folder:
        disk = Disk(Path(folder), "bench", TableHealth())
        try:
            yield disk
        finally:
            disk.delete()


def sales(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Rows of sales under ids of their own."""
    plan, stores = Plan(create_batch), store.store_ids(4)
    set_up(plan, stores)
    records = [
        Record(order.store_id.encode(), order.value, at)
        for at, order in enumerate(orders.stream(5_000, stores))
    ]
    for begin in range(0, len(records), UNIT):
        measure(plan, records[begin : begin + UNIT], defaultdict(list))
    known = list(plan.rows("sales", 0).data.items())
    dice = random.Random(1)
    for number in range(count):
        key, row = known[number % len(known)]
        old, new = key[-36:], str(uuid.UUID(int=dice.getrandbits(128))).encode()
        yield key[:-36] + new, row.replace(old, new)


# New orders


def compare_orders(count: int) -> None:
    """The three ways take turns, so that all see the same machine."""
    stores = store.store_ids(4)
    with a_disk() as disk:
        roomy, narrow = Room(0, 10**12, disk), Room(0, 4 * MIB, disk)
        ways: dict[str, tuple[Plan, Room | None]] = {
            "all in memory": (Plan(create_batch), None),
            "room for all": (RoomyPlan(roomy), roomy),
            "most on disk": (RoomyPlan(narrow), narrow),
        }
        for plan, _ in ways.values():
            set_up(plan, stores)
        gc.freeze()
        spent: dict[str, list[float]] = {way: [] for way in ways}
        moving: list[float] = []
        unit: list[Record] = []
        for at, order in enumerate(orders.stream(count, stores)):
            unit.append(Record(order.store_id.encode(), order.value, at))
            if len(unit) < UNIT:
                continue
            for way, (plan, room) in ways.items():
                stages: defaultdict[str, list[float]] = defaultdict(list)
                measure(plan, unit, stages)
                begun = time.perf_counter()
                if room is not None:
                    room.make()
                moved = (time.perf_counter() - begun) / UNIT * 1e6
                spent[way].append(sum(map(sum, stages.values())) + moved)
                if room is narrow:
                    moving.append(moved)
            unit = []
        print(f"{'µs per new order':24} {'least':>8} {'median':>8}")
        for way, figures in spent.items():
            print(f"{way:24} {min(figures):8.1f} {statistics.median(figures):8.1f}")
        print(f"{'  of which moving':24} {min(moving):8.1f} {statistics.median(moving):8.1f}")
        print(f"longest move after a unit of {UNIT}: {max(moving) * UNIT / 1000:.1f} ms")
        print(f"{disk.health.moved} rows moved to disk, {disk.health.read} read from it")


# Sales that are found again


LOOKED_UP = 2_000


async def compare_reads(dsn: str, count: int) -> None:
    """Each reads the same rows, one after the other, as a decision does."""
    known = list(sales(count))
    wanted = random.Random(2).sample([key for key, _ in known], LOOKED_UP)
    print(f"{'µs per sale looked up':24} {'median':>8} {'p99':>8}")
    with a_disk() as disk:
        warm, cold = Rows(), Room(0, 4 * MIB, disk).add("sales")
        for rows in (warm, cold):
            for begin in range(0, count, PORTION):
                rows.restore(known[begin : begin + PORTION])
        for what, rows in (("in memory", warm), ("on disk", cold)):
            _show(what, [_timed(rows.get, key) for key in wanted])
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TEMP TABLE looked_up (id bytea PRIMARY KEY, document bytea)")
        await connection.copy_records_to_table("looked_up", records=known)
        query = await connection.prepare("SELECT document FROM looked_up WHERE id = $1")
        took = []
        for key in wanted:
            begun = time.perf_counter()
            await query.fetchval(key)
            took.append((time.perf_counter() - begun) * 1e6)
        _show("in Postgres", took)
    finally:
        await connection.close()


def _timed(read: Callable[[bytes], bytes | None], key: bytes) -> float:
    begun = time.perf_counter()
    if read(key) is None:
        raise LookupError(f"row {key!r} is missing")
    return (time.perf_counter() - begun) * 1e6


def _show(what: str, took: list[float]) -> None:
    *_, p99 = statistics.quantiles(took, n=100)
    print(f"{what:24} {statistics.median(took):8.1f} {p99:8.1f}")


# Memory


def resident(
    count: int, memory_mib: int | None, answer: multiprocessing.SimpleQueue[tuple[int, int]]
) -> None:
    """Fill a table with sales in a process of its own."""
    rows_in = sales(count)
    first = next(rows_in)
    gc.collect()
    before = psutil.Process().memory_info().rss
    with a_disk() as disk:
        rows = Rows() if memory_mib is None else Room(0, memory_mib * MIB, disk).add("sales")
        rows.restore([first])
        portion: list[tuple[bytes, bytes | None]] = []
        for row in rows_in:
            portion.append(row)
            if len(portion) == PORTION:
                rows.restore(portion)
                portion = []
        rows.restore(portion)
        on_disk = sum(path.stat().st_size for path in disk.path.rglob("*") if path.is_file())
        answer.put((psutil.Process().memory_info().rss - before, on_disk))


def compare_memory(count: int) -> None:
    """Each table in a process of its own."""
    print(f"{'per million sales':24} {'resident':>10} {'on disk':>10}")
    spawn = multiprocessing.get_context("spawn")
    for memory_mib in (None, 256, 64):
        answer = spawn.SimpleQueue()
        process = spawn.Process(target=resident, args=(count, memory_mib, answer))
        process.start()
        memory, on_disk = answer.get()
        process.join()
        what = "all in memory" if memory_mib is None else f"{memory_mib} MiB for {count:,}"
        scale = 1e6 / count if memory_mib is None else 1
        print(f"{what:24} {memory * scale / MIB:6.0f} MiB {on_disk / MIB:6.0f} MiB")


# Recovery


async def fill(bootstrap: str, topic: str, count: int) -> None:
    """Write a changelog."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=MIB)
    await producer.start()
    try:
        for number, (key, row) in enumerate(sales(count)):
            await producer.send(topic, row, key=key, partition=number % PARTITIONS)
        await producer.flush()
    finally:
        await producer.stop()


async def compare_recovery(bootstrap: str, count: int) -> None:
    """Twice each: the first reading also warms the broker's cache."""
    topic = "bench-sales-changelog"
    await fill(bootstrap, topic, count)
    settings = Settings(KafkaSettings(bootstrap=bootstrap), PostgresSettings(), WorkerSettings())
    print(f"{'restored':24} {'rows/s':>10}")
    for memory_mib in (None, 4096, 256, 64, None, 4096, 256, 64):
        with a_disk() as disk:
            tables: dict[TP, Rows] = {}
            for number in range(PARTITIONS):
                limit = 0 if memory_mib is None else memory_mib * MIB // PARTITIONS
                tables[TP(topic, number)] = Room(number, limit, disk).add("sales") if limit else Rows()
            gc.collect()
            begun = time.perf_counter()
            await restore(tables, settings)
            took = time.perf_counter() - begun
            if disk.health.moved == 0 and sum(rows.count() for rows in tables.values()) != count:
                raise LookupError("rows are missing")
            what = "all in memory" if memory_mib is None else f"{memory_mib} MiB of memory"
            print(f"{what:24} {count / took:10,.0f}   {disk.health.moved} to disk")


def main(count: int = 300_000) -> None:
    """Print the tables."""
    gc.set_threshold(*GC_THRESHOLDS)
    compare_orders(20_000)
    compare_memory(count)
    with Stack.ephemeral() as stack:
        stack.up()
        asyncio.run(compare_reads(stack.endpoints.postgres_dsn, count))
        asyncio.run(compare_recovery(stack.endpoints.bootstrap, count))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
