"""Reads partitions from their beginning to a known end, committed records only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.rebuild.errors import RebuildError
from streams.settings import Settings

FETCH_BYTES = 8 << 20
POLL_MS = 200
STALL_S = 60.0

Take = Callable[[Any], None]
"""Is given a record of aiokafka's."""
Told = Callable[[int], None]
"""Is told how many offsets were passed."""


async def ends_of(partitions: Iterable[TopicPartition], settings: Settings) -> dict[TopicPartition, int]:
    """Return the end of what is committed in each partition."""
    wanted = list(partitions)
    if not wanted:
        return {}
    consumer = _consumer(settings)
    await _started(consumer, settings)
    try:
        return dict(await consumer.end_offsets(wanted))
    finally:
        await consumer.stop()


async def read(
    ends: Mapping[TopicPartition, int], take: Take, settings: Settings, told: Told | None = None
) -> None:
    """Give `take` every committed record below the ends; a partition's are in order.

    Raises RebuildError when nothing moves for a minute.
    """
    if not ends:
        return
    consumer = _consumer(settings)
    await _started(consumer, settings)
    try:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        positions = {tp: await consumer.position(tp) for tp in ends}
        left = {tp for tp, end in ends.items() if positions[tp] < end}
        moved_at = time.monotonic()
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=POLL_MS)
            for tp, records in fetched.items():
                for record in records:
                    if record.offset < ends[tp]:
                        take(record)
            passed = 0
            for tp in list(left):
                now_at = min(await consumer.position(tp), ends[tp])
                passed += now_at - positions[tp]
                positions[tp] = now_at
                if now_at >= ends[tp]:
                    left.discard(tp)
            if told is not None and passed:
                told(passed)
            if passed:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                stuck = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(left))
                raise RebuildError(
                    f"Reading {stuck} stood still for {STALL_S:.0f} s. Check that the brokers are up and that"
                    " no transaction hangs there (`tillstream doctor`), then run this again."
                )
    finally:
        await consumer.stop()


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **settings.kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
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
