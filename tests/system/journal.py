"""What the outgoing topics say: every committed event, decoded as its contract has it."""

from collections import defaultdict
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from streams.settings import Settings
from topics.codec import DECODERS, EVENTS, Message

M = TypeVar("M", bound=Message)

_TOPICS: dict[type, str] = {kind: topic for topic, kind in EVENTS.items()}


class Journal:
    """Reads the outgoing topics as a consumer of theirs would (`read_committed`), from the beginning."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._prefix = settings.worker.prefix
        self._records: defaultdict[str, list[tuple[ConsumerRecord, Message]]] = defaultdict(list)
        self._partitions = [
            TopicPartition(self._prefix + topic, partition)
            for topic in EVENTS
            for partition in range(partitions)
        ]
        self._consumer = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )

    async def start(self) -> None:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Take in all that is committed now."""
        ends = await self._consumer.end_offsets(self._partitions)
        behind = set(self._partitions)
        while behind:
            for partition, records in (await self._consumer.getmany(timeout_ms=50)).items():
                topic = partition.topic.removeprefix(self._prefix)
                decode = DECODERS[topic]
                self._records[topic] += [(record, decode(record.value)) for record in records]
            for partition in list(behind):
                if await self._consumer.position(partition) >= ends[partition]:
                    behind.discard(partition)

    def of(self, kind: type[M], store_id: str | None) -> list[M]:
        """Return a store's events of a kind, in the order of the log; None: those of no store."""
        return [
            event
            for _, event in self._records[_TOPICS[kind]]
            if isinstance(event, kind) and event.store_id == store_id
        ]

    def all(self, kind: type[M]) -> list[M]:
        """Return the events of a kind of all stores; a store's are in the order of the log."""
        return [event for _, event in self._records[_TOPICS[kind]] if isinstance(event, kind)]

    def records(self, kind: type[M], store_id: str | None) -> list[ConsumerRecord]:
        """Return the records in which those events came."""
        return [record for record, event in self._records[_TOPICS[kind]] if event.store_id == store_id]
