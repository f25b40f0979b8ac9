"""Reads the one partition of each topic that a store lives on, from a time or an offset to its end."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from storage.progress import Span
from streams.committed import CommittedLog
from streams.offsets import committed_offsets
from streams.progress import SILENT, Progress
from streams.provision import ProvisionError
from streams.runtime.errors import WorkerError
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.ids import StoreId
from topics.keys import store_key
from topics.partitions import partition_of


class Reading:
    """A store's partition of the topics, read as a consumer of theirs would: what is committed (DESIGN 3).

    Topics go by their names without prefix; offsets are those of the one partition. `key` is the store's.
    """

    def __init__(
        self, settings: Settings, store_id: StoreId, partition: int, log: CommittedLog, admin: Any
    ) -> None:
        self.store_id = store_id
        self.partition = partition
        self.key = store_key(store_id)
        self._settings = settings
        self._log = log
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
        admin = AIOKafkaAdminClient(**settings.kafka.client_options(), client_id="tillstream-explain")
        try:
            await admin.start()
            async with CommittedLog.open(settings.kafka, client_id="tillstream-explain") as log:
                yield cls(settings, store_id, partition, log, admin)
        except KafkaError as error:
            raise WorkerError(
                f"Kafka at {settings.kafka.bootstrap} failed: {error!r}. Check that its brokers are up."
            ) from error
        finally:
            await admin.close()

    def place(self, topic: str) -> TopicPartition:
        return TopicPartition(self._settings.worker.topic(topic), self.partition)

    async def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset after the last committed record of each topic."""
        places = {self.place(topic): topic for topic in topics}
        return {places[place]: offset for place, offset in (await self._log.ends(places)).items()}

    async def begins(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset of the first record that each topic still has."""
        places = {self.place(topic): topic for topic in topics}
        found = await self._log.ranges(places)
        return {topic: found[place].begin for place, topic in places.items()}

    async def since(self, topics: Iterable[str], time: datetime | None) -> dict[str, int]:
        """Return the offset of each topic's first record that is not older; its end when there is none."""
        places = {self.place(topic): topic for topic in topics}
        there = await self._log.ranges(places)
        found = await self._log.at(places, time) if time is not None else {}
        return {
            topic: there[place].end if (at := found.get(place, 0)) is None else max(at, there[place].begin)
            for place, topic in places.items()
        }

    async def records(
        self, topic: str, first: int, end: int, told: Progress = SILENT
    ) -> AsyncIterator[ConsumerRecord]:
        """Yield the store's records of a topic from offset `first` up to `end`, which is not included."""
        async for batch in self.batches(topic, first, end, told):
            for record in batch:
                if record.key == self.key:
                    yield record

    async def batches(
        self, topic: str, first: int, end: int, told: Progress = SILENT
    ) -> AsyncIterator[Sequence[ConsumerRecord]]:
        """Yield all records of the partition, in portions, whichever store they are of."""
        async for pieces in self._log.read([Span(self.place(topic).topic, self.partition, first, end)]):
            for piece in pieces:
                yield piece.records
                told.advance(piece.offsets, topic)

    async def decided(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the offset up to which the stock worker has decided each inbound topic; 0: none of it."""
        found = await committed_offsets(self._admin, self._settings.worker.app_id("stock"))
        return {topic: found.get(self.place(topic), 0) for topic in topics}


def time_of(record: ConsumerRecord) -> datetime:
    """Return a record's time, as the log has it."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
