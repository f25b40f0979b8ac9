"""Drives the counting worker: its topics, its input, its processes, and what came of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord, TopicPartition

from tests.integration.counting_worker import OUTPUT, SOURCES, TOTALS
from topics.registry import changelog_name

PARTITIONS = 4
ROOT = Path(__file__).parents[2]


async def until(
    what: str, met: Callable[[], Awaitable[bool]] | Callable[[], bool], timeout_s: float = 30.0
) -> None:
    """Wait until a condition is met; fails with its name when the deadline passes first."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = met()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain until {what}")
        await asyncio.sleep(0.1)


class Process:
    """A worker process; its log is kept in a file."""

    def __init__(self, module: str, options: dict[str, Any], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, json.dumps(options)], cwd=ROOT, stdout=output, stderr=output
            )

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    async def ended(self, timeout_s: float = 20.0) -> int:
        """Wait for its end; the exit code."""
        await until(f"{self.log.name} ends", lambda: self.code is not None, timeout_s)
        assert self.code is not None
        return self.code

    def said(self, text: str) -> bool:
        return text in self.log.read_text()


class Counting:
    """One test's topics and workers."""

    def __init__(self, bootstrap: str, prefix: str, logs: Path) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.published = 0
        self._logs = logs
        self._processes: list[Process] = []

    @classmethod
    @asynccontextmanager
    async def on(cls, bootstrap: str, prefix: str, logs: Path) -> AsyncIterator[Self]:
        """Make the topics; at the end, kill what still runs."""
        counting = cls(bootstrap, prefix, logs)
        await counting.create([*SOURCES, OUTPUT], [counting.changelog])
        try:
            yield counting
        finally:
            for process in counting._processes:
                process.kill()

    @property
    def changelog(self) -> str:
        return changelog_name(f"{self.prefix}stock", TOTALS.name)

    async def create(self, names: Iterable[str], full: Iterable[str] = ()) -> None:
        topics = [*(self.prefix + name for name in names), *full]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
        finally:
            await admin.close()

    def start(self, slot: int = 0, program: str = "counting_worker", **options: Any) -> Process:
        """Start a worker; a second one needs another slot."""
        chosen = {"bootstrap": self.bootstrap, "prefix": self.prefix, "slot": slot} | options
        process = Process(f"tests.integration.{program}", chosen, self._logs / f"worker-{slot}.log")
        self._processes.append(process)
        return process

    async def publish(self, count: int, topic: str = SOURCES[0], partitions: int = PARTITIONS) -> None:
        """Publish the next `count` numbers, spread over keys and partitions."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, max_batch_size=1 << 19)
        await producer.start()
        try:
            first, self.published = self.published, self.published + count
            for n in range(first, self.published):
                await producer.send(
                    self.prefix + topic,
                    json.dumps({"n": n, "padding": "x" * 200}).encode(),
                    key=f"store-{n % 97}-{n % partitions}".encode(),
                    partition=n % partitions,
                )
        finally:
            await producer.stop()

    @asynccontextmanager
    async def load(
        self, topic: str = SOURCES[0], chunk: int = 100, every_s: float = 0.02
    ) -> AsyncIterator[None]:
        """Publish steadily as long as the block runs."""
        stop = asyncio.Event()

        async def publish() -> None:
            while not stop.is_set():
                await self.publish(chunk, topic)
                await asyncio.sleep(every_s)  # the rate of the load

        publishing = asyncio.create_task(publish())
        try:
            yield
        finally:
            stop.set()
            await publishing

    async def progress(self) -> int:
        """A number that grows with the committed output."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed")
        await consumer.start()
        try:
            tps = [TopicPartition(self.prefix + OUTPUT, number) for number in range(PARTITIONS)]
            return sum((await consumer.end_offsets(tps)).values())
        finally:
            await consumer.stop()

    async def further(self, by: int = 500) -> None:
        """Wait until the workers got further."""
        before = await self.progress()

        async def got_further() -> bool:
            return await self.progress() >= before + by

        await until("the workers got further", got_further)

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """All committed records of a topic (its full name)."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            await consumer.seek_to_beginning(*tps)
            records: list[ConsumerRecord] = []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for found in (await consumer.getmany(timeout_ms=100)).values():
                    records += found
            return records
        finally:
            await consumer.stop()

    async def counted(self) -> Counter[int]:
        """How often each number came out."""
        return Counter(json.loads(record.value)["n"] for record in await self.read(self.prefix + OUTPUT))

    async def caught_up(self, timeout_s: float = 60.0) -> None:
        """Wait until every published number came out."""

        async def all_out() -> bool:
            running = [process for process in self._processes if process.code is None]
            assert running, self._processes[-1].log.read_text()[-3000:]
            return len(await self.counted()) >= self.published

        await until(f"{self.published} numbers came out", all_out, timeout_s)

    async def assert_exactly_once(self) -> None:
        """Every number came out once, and the table is the sum of them."""
        counted = await self.counted()
        missing = self.published - len(counted)
        doubled = [n for n, times in counted.items() if times > 1]
        assert (missing, doubled) == (0, [])
        table: dict[bytes, dict[str, int]] = {}
        for record in await self.read(self.changelog):
            table[record.key] = json.loads(record.value)
        assert sum(total["count"] for total in table.values()) == self.published
        assert sum(total["sum"] for total in table.values()) == sum(range(self.published))
