"""The records that were refused, read from the log by their coordinates."""

import time
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.redrive.errors import RedriveError
from streams.redrive.marks import Header
from streams.runtime.errors import WorkerError
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.registry import TOPICS

PATIENCE_S = 30.0
NEAR = 200
"""A record so little further on is read up to; a farther one is sought, which empties what was fetched."""
_POLL_MS = 250
_FETCH_BYTES = 1 << 20


class Original(msgspec.Struct, frozen=True):
    """A record as it stands in the log; the time in milliseconds since 1970."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp: int


class Gone(msgspec.Struct, frozen=True):
    """The log does not have the record any more: a sentence that says why."""

    why: str


class Last(msgspec.Struct, frozen=True):
    """The last record of a key on a partition; the time in milliseconds since 1970."""

    offset: int
    timestamp: int


class Originals:
    """Reads records of our topics; quickest in the order of topic, partition and offset."""

    def __init__(self, settings: Settings) -> None:
        require_kafka(settings)
        self._settings = settings
        self._consumer: Any = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            client_id="tillstream-redrive",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        self._partitions: dict[str, int] = {}
        self._last: dict[TopicPartition, dict[bytes, Last]] = {}
        self._at: TopicPartition | None = None
        self._begin = self._end = self._next = 0

    async def __aenter__(self) -> Self:
        worker = self._settings.worker
        names = {worker.topic(topic.name): topic.name for topic in TOPICS}
        try:
            await self._consumer.start()
            # After the start: aiokafka's consumer cannot be stopped before its own tasks have begun to run.
            counts = await partition_counts(names, self._settings.kafka)
        except (KafkaError, WorkerError) as error:
            await self._consumer.stop()
            if isinstance(error, WorkerError):
                raise
            raise unreachable(self._settings, error) from error
        self._partitions = {name: counts[full] for full, name in names.items()}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    @property
    def partitions(self) -> dict[str, int]:
        """How many partitions each topic has, by its name in the registry; 0: it is not there."""
        return self._partitions

    async def read(self, topic: str, partition: int, offset: int) -> Original | Gone:
        """Return the record at these coordinates; RedriveError when Kafka does not answer in time.

        The topic's name is that of the registry, or has the prefix before it.
        """
        name = topic if topic in self._partitions else topic.removeprefix(self._settings.worker.prefix)
        if partition >= self._partitions.get(name, 0):
            return Gone(f"topic {topic} has no partition {partition} (any more)")
        try:
            return await self._read(TopicPartition(self._settings.worker.topic(name), partition), offset)
        except KafkaError as error:
            raise unreachable(self._settings, error) from error

    async def last(self, topic: str, partition: int, key: bytes) -> Last | None:
        """Return the last record of a key; for compacted topics: all of the partition is read, once."""
        tp = TopicPartition(self._settings.worker.topic(topic), partition)
        if tp not in self._last:
            try:
                self._last[tp] = await self._last_of(tp)
            except KafkaError as error:
                raise unreachable(self._settings, error) from error
        return self._last[tp].get(key)

    async def _last_of(self, tp: TopicPartition) -> dict[bytes, Last]:
        await self._go_to(tp)
        self._consumer.seek(tp, self._begin)
        self._next = self._begin
        found: dict[bytes, Last] = {}
        deadline = time.monotonic() + PATIENCE_S
        while self._next < self._end:
            records = (await self._consumer.getmany(tp, timeout_ms=_POLL_MS)).get(tp, [])
            for record in records:
                if record.key is not None:
                    found[record.key] = Last(record.offset, record.timestamp)
            reached = await self._consumer.position(tp)
            if reached > self._next:
                deadline = time.monotonic() + PATIENCE_S
            elif time.monotonic() > deadline:
                raise _unread(tp, self._next)
            self._next = reached
        return found

    async def _go_to(self, tp: TopicPartition) -> None:
        if tp != self._at:
            self._begin = (await self._consumer.beginning_offsets([tp]))[tp]
            self._end = (await self._consumer.end_offsets([tp]))[tp]
            self._consumer.assign([tp])
            self._at, self._next = tp, -1

    async def _read(self, tp: TopicPartition, offset: int) -> Original | Gone:
        await self._go_to(tp)
        if offset < self._begin:
            return Gone(
                f"retention has removed it: {tp.topic}/{tp.partition} begins at offset {self._begin} now"
            )
        if offset >= self._end:
            return Gone(
                f"{tp.topic}/{tp.partition} ends at offset {self._end}: the topic was made anew, or cut"
            )
        if not self._next <= offset <= self._next + NEAR or self._next < 0:
            self._consumer.seek(tp, offset)
            self._next = offset
        deadline = time.monotonic() + PATIENCE_S
        while self._next <= offset:
            found = (await self._consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)).get(tp)
            self._next = await self._consumer.position(tp)
            if found and found[0].offset == offset:
                record = found[0]
                return Original(record.key, record.value, tuple(record.headers), record.timestamp)
            if not found and time.monotonic() > deadline:
                raise _unread(tp, offset)
        return Gone(
            f"{tp.topic}/{tp.partition} has no record at offset {offset} any more: compaction took it"
        )


def unreachable(settings: Settings, error: KafkaError) -> RedriveError:
    """Return the error of a broker that does not answer or refuses."""
    return RedriveError(
        f"Kafka at {settings.kafka.bootstrap} failed: {error!r}. Check that the brokers are up and that this"
        " user may read and write the inbound topics"
    )


def _unread(tp: TopicPartition, offset: int) -> RedriveError:
    return RedriveError(
        f"{tp.topic}/{tp.partition} offset {offset} could not be read within {PATIENCE_S:.0f} s: are the"
        " partition's replicas up? Run it again when they are"
    )
