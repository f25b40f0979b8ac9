"""Reads partitions from their beginning to a known end, committed records only."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.rebuild.errors import RebuildError
from streams.settings import Settings

FETCH_BYTES = 8 << 20
# What comes next waits behind a fetch that finds nothing: the broker answers a connection in order.
FETCH_WAIT_MS = 20
POLL_MS = 200
STALL_S = 60.0

Take = Callable[[Any], None]
"""Is given a record of aiokafka's."""
Told = Callable[[int], None]
"""Is told how many records were read."""


class Reading:
    """A consumer that reads one set of partitions after the other; to be entered with `async with`.

    RebuildError when Kafka does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = _consumer(settings)

    async def __aenter__(self) -> Reading:
        await _started(self._consumer, self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end of what is committed in each partition."""
        wanted = list(partitions)
        return dict(await self._consumer.end_offsets(wanted)) if wanted else {}

    async def batches(self, ends: Mapping[TopicPartition, int]) -> AsyncIterator[Sequence[Any]]:
        """Yield every committed record below the ends, some at a time, a partition's in order.

        Raises RebuildError when nothing moves for a minute.
        """
        if not ends:
            return
        consumer = self._consumer
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        positions = {tp: await consumer.position(tp) for tp in ends}
        left = {tp for tp, end in ends.items() if positions[tp] < end}
        moved_at = time.monotonic()
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=POLL_MS)).items():
                yield [record for record in records if record.offset < ends[tp]]
            before = dict(positions)
            for tp in left:
                positions[tp] = await consumer.position(tp)
            if positions != before:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                stuck = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(left))
                raise RebuildError(
                    f"Reading {stuck} stood still for {STALL_S:.0f} s. Check that the brokers are up and that"
                    " no transaction hangs there (`tillstream doctor`), then run this again."
                )
            left = {tp for tp in left if positions[tp] < ends[tp]}

    async def read(self, ends: Mapping[TopicPartition, int], take: Take, told: Told | None = None) -> None:
        """Give `take` every committed record below the ends; a partition's are in order."""
        async for records in self.batches(ends):
            for record in records:
                take(record)
            if told is not None:
                told(len(records))


async def ends_of(partitions: Iterable[TopicPartition], settings: Settings) -> dict[TopicPartition, int]:
    """Return the end of what is committed in each partition."""
    wanted = list(partitions)
    if not wanted:
        return {}
    async with Reading(settings) as reading:
        return await reading.ends(wanted)


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **settings.kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        request_timeout_ms=int(settings.worker.request_timeout_s * 1000),
    )


async def _started(consumer: AIOKafkaConsumer, settings: Settings) -> None:
    try:
        await consumer.start()
    except KafkaError as error:
        await consumer.stop()
        raise RebuildError(
            f"Kafka at {settings.kafka.bootstrap} does not answer: {error!r}. Check the address"
            " (TILLSTREAM_KAFKA_BOOTSTRAP) and that the brokers are up."
        ) from error
