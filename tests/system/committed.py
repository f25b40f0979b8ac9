"""What a reader of committed records finds on the topics, from their beginning to their end."""

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from streams.settings import Settings


async def committed(settings: Settings, places: Collection[TopicPartition]) -> list[ConsumerRecord]:
    """Return every committed record of the partitions, a partition's in order."""
    consumer = AIOKafkaConsumer(
        **settings.kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: list[ConsumerRecord] = []
    async with consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=50)).values():
                found += records
    return found
