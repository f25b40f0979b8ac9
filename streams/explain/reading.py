"""Reads the one partition of each topic that a store lives on, from a time or an offset to its end."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from streams.provision import ProvisionError
from streams.runtime.errors import WorkerError
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.ids import StoreId
from topics.keys import store_key
from topics.partitions import partition_of

Advance = Callable[[str, int], None]
"""Called as records are read: the topic, and how many offsets it went on by."""
_POLL_MS = 200
_MOST_RECORDS = 2_000


def silent(_: str, __: int) -> None:
    """Tell nobody how far the reading is."""


class Reading:
    """A store's partition of the topics, read as a consumer of theirs would: what is committed (DESIGN 3).

    Topics go by their names without prefix; offsets are those of the one partition. `key` is the store's.
    """

    def __init__(
        self, settings: Settings, store_id: StoreId, partition: int, consumer: Any, admin: Any
    ) -> None:
        self.store_id = store_id
        self.partition = partition
        self.key = store_key(store_id)
        self._settings = settings
        self._consumer = consumer
        self._admin = admin

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings, store_id: StoreId, topics: Iterable[str]) -> AsyncIterator[Self]:
        """Open the topics for reading; ProvisionError names those that are missing."""
        require_kafka(settings)
        names = {topic: settings.worker.topic(topic) for topic in topics}
        counts = await partition_counts(names.values(), settings.kafka)
        missing = [name for name, count in counts.items() if not count]
        if missing:
            raise ProvisionError(
                f"Topics are not there: {', '.join(missing)}. `tillstream topics create` makes them; if they"
                " have other names, check TILLSTREAM_PREFIX."
            )
        partition = partition_of(store_key(store_id), max(counts.values()))
        consumer = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            client_id="tillstream-explain",
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )
        admin = AIOKafkaAdminClient(**settings.kafka.client_options(), client_id="tillstream-explain")
        try:
            await consumer.start()
            await admin.start()
            consumer.assign([TopicPartition(name, partition) for name in names.values()])
            consumer.pause(*consumer.assignment())
            yield cls(settings, store_id, partition, consumer, admin)
        except KafkaError as error:
            raise WorkerError(
                f"Kafka at {settings.kafka.bootstrap} failed: {error!r}. Check that its brokers are up."
            ) from error
        finally:
            await admin.close()
            await consumer.stop()

    def place(self, topic: str) -> TopicPartition:
        return TopicPartition(self._settings.worker.topic(topic), self.partition)

    async def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset after the last committed record of each topic."""
        places = {self.place(topic): topic for topic in topics}
        found = await self._consumer.end_offsets(list(places))
        return {places[place]: offset for place, offset in found.items()}

    async def begins(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset of the first record that each topic still has."""
        places = {self.place(topic): topic for topic in topics}
        found = await self._consumer.beginning_offsets(list(places))
        return {places[place]: offset for place, offset in found.items()}

    async def since(self, topics: Iterable[str], time: datetime | None) -> dict[str, int]:
        """Return the offset of each topic's first record that is not older; its end when there is none."""
        topics = list(topics)
        begins = await self.begins(topics)
        if time is None:
            return begins
        places = {self.place(topic): topic for topic in topics}
        stamp = max(0, int(time.timestamp() * 1000))
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, stamp))
        ends = await self.ends(topics)
        return {
            topic: ends[topic] if (entry := found.get(place)) is None else max(entry.offset, begins[topic])
            for place, topic in places.items()
        }

    async def records(
        self, topic: str, first: int, end: int, advance: Advance = silent
    ) -> AsyncIterator[ConsumerRecord]:
        """Yield the store's records of a topic from offset `first` up to `end`, which is not included."""
        async for batch in self.batches(topic, first, end, advance):
            for record in batch:
                if record.key == self.key:
                    yield record

    async def batches(
        self, topic: str, first: int, end: int, advance: Advance = silent
    ) -> AsyncIterator[list[ConsumerRecord]]:
        """Yield all records of the partition, in portions, whichever store they are of."""
        place, consumer = self.place(topic), self._consumer
        if first >= end:
            return
        consumer.seek(place, first)
        consumer.resume(place)
        try:
            position = first
            while position < end:
                fetched = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_MOST_RECORDS)
                records = fetched.get(place, [])
                yield [record for record in records if record.offset < end]
                reached = min(await consumer.position(place), end)
                advance(topic, reached - position)
                position = reached
        finally:
            consumer.pause(place)

    async def decided(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset up to which the stock worker has decided each inbound topic; 0: none of it."""
        found = await self._admin.list_consumer_group_offsets(self._settings.worker.app_id("stock"))
        places = {topic: self.place(topic) for topic in topics}
        return {
            topic: max(found[place].offset, 0) if place in found else 0 for topic, place in places.items()
        }


def time_of(record: ConsumerRecord) -> datetime:
    """Return a record's time, as the log has it."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
