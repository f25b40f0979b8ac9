"""Copies records to where their stores live in the new generation; a store's stay in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from storage.progress import Span
from streams.committed import CommittedLog, ends_of
from streams.progress import SILENT, Progress
from streams.rebuild.standstill import admin
from streams.settings import Settings
from topics.registry import Topic

BATCH_BYTES = 1 << 20
REQUEST_BYTES = 16 << 20
FILLERS_AT_ONCE = 50_000
FILLER_KEY = b"tillstream.no-store"

Header = tuple[str, bytes]
Place = Callable[[bytes | None, int], int]
"""From a record's key and old partition to its new one."""


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[Copier]:
    """Open what writes to the new generation."""
    producer = AIOKafkaProducer(
        **settings.kafka.client_options(),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES,
        request_timeout_ms=int(settings.worker.request_timeout_s * 1000),
    )
    await producer.start()
    try:
        yield Copier(producer)
    finally:
        await producer.stop()


class Copier:
    """Gathers records by topic and partition, and sends them in order."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def put(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        timestamp: int | None,
        headers: Sequence[Header] = (),
    ) -> None:
        """Put a record behind those before it."""
        at = (topic, partition)
        builder = self._open.get(at) or self._begin(at)
        if builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is None:
            await self._send(at)
            self._begin(at).append(timestamp=timestamp, key=key, value=value, headers=list(headers))

    async def flush(self) -> None:
        """Wait until all that was put is there."""
        for at in list(self._open):
            await self._send(at)
        await asyncio.gather(*self._sent)
        self._sent.clear()

    def _begin(self, at: tuple[str, int]) -> Any:
        builder = self._open[at] = self._producer.create_batch()
        return builder

    async def _send(self, at: tuple[str, int]) -> None:
        builder = self._open.pop(at)
        builder.close()
        self._sent.append(await self._producer.send_batch(builder, at[0], partition=at[1]))


async def copy_topic(
    spans: Collection[Span],
    target: str,
    place: Place,
    log: CommittedLog,
    copier: Copier,
    told: Progress = SILENT,
) -> int:
    """Copy all committed records of the spans, with their times and headers; return how many.

    A store is on one partition, so its records keep their order.
    """
    copied = 0
    async for pieces in log.read(spans):
        for piece in pieces:
            for record in piece.records:
                to = place(record.key, record.partition)
                await copier.put(target, to, record.key, record.value, record.timestamp, record.headers)
            copied += len(piece.records)
        await copier.flush()
        told.advance(sum(piece.offsets for piece in pieces), target)
    return copied


async def begin_beyond(
    topic: Topic, target: str, partitions: int, offset: int, settings: Settings, copier: Copier
) -> None:
    """Have the new partitions' records begin at an offset that no record of the old ones ever had.

    Coordinates are what dead letters, movements and traces name records by, and the ids of dead letters are
    made of them: they must not come again. So as many empty records are written, and deleted.
    """
    if not offset:
        return
    key = FILLER_KEY if topic.cleanup == "compact" else None  # a compacted topic takes none without
    for number in range(partitions):
        for begin in range(0, offset, FILLERS_AT_ONCE):
            for _ in range(min(FILLERS_AT_ONCE, offset - begin)):
                await copier.put(target, number, key, None, None)
            await copier.flush()
    places = [TopicPartition(target, number) for number in range(partitions)]
    ends = await ends_of(places, settings.kafka)
    if topic.cleanup == "compact":
        return  # compaction takes them
    async with admin(settings) as client:
        await client.delete_records({tp: RecordsToDelete(before_offset=end) for tp, end in ends.items()})
