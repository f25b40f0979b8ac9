"""Whether the consumed offsets were committed with what was decided: looked at while nobody decides."""

from collections.abc import Collection

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.offsets import committed_offsets
from streams.settings import Settings
from topics.event import Source

LAST = 300
"""So many movements at the end of each partition are looked at."""


class _Caused(msgspec.Struct, frozen=True, gc=False):
    source: Source


async def ahead(settings: Settings, group: str, partitions: Collection[int]) -> list[str]:
    """Return what was decided and can be read, although its offset is not committed by the workers' group.

    Of partitions whose worker has just died, before another has taken over: whatever that worker had
    committed is there by then, and must be there whole. Raises KafkaError when the broker is away.
    """
    options = settings.kafka.client_options()
    consumer = AIOKafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False)
    admin = AIOKafkaAdminClient(**options)
    try:
        await consumer.start()
        await admin.start()
        decided = await _decided(consumer, settings.worker.topic("stock.movements"), partitions)
        committed = await committed_offsets(admin, group)
    finally:
        await consumer.stop()
        await admin.close()
    found = []
    for place, offset in decided.items():
        at = committed.get(TopicPartition(settings.worker.topic(place.topic), place.partition), 0)
        if at <= offset:
            found.append(
                f"{place.topic}/{place.partition}@{offset} is decided and visible, and only {at} committed"
            )
    return found


async def _decided(
    consumer: AIOKafkaConsumer, topic: str, partitions: Collection[int]
) -> dict[TopicPartition, int]:
    """Return the highest offset of each inbound topic's partition of which a movement tells."""
    places = [TopicPartition(topic, number) for number in partitions]
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(0, ends[place] - LAST))
    decode = msgspec.json.Decoder(_Caused).decode
    highest: dict[TopicPartition, int] = {}
    behind = {place for place in places if ends[place]}
    while behind:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            for record in records:
                source = decode(record.value).source
                if source.offset >= 0:  # else a store's own backlog
                    place = TopicPartition(source.topic, source.partition)
                    highest[place] = max(source.offset, highest.get(place, -1))
        for place in list(behind):
            if await consumer.position(place) >= ends[place]:
                behind.discard(place)
    return highest
