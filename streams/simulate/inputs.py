"""The records of one partition number in the order of their times, over all inbound topics."""

from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from streams.settings import KafkaSettings
from streams.simulate.errors import SimulationError

AT_ONCE = 1_000
POLL_MS = 250
STUCK_S = 60.0
"""Without a record or a step for so long, what is due is not to be had."""


class Reader:
    """Reads committed records without a group: the workers and their offsets do not notice it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._consumer = AIOKafkaConsumer(
            **kafka.client_options(),
            client_id="tillstream-simulate",
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 << 20,
        )

    async def __aenter__(self) -> "Reader":
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise SimulationError(
                f"Kafka at {self._kafka.bootstrap} does not answer: {error!r}. Check the address"
                " (TILLSTREAM_KAFKA_BOOTSTRAP) and that the brokers are up"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def spans(
        self, places: Collection[TopicPartition], since_ms: int | None = None
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset there is, or that of a time, and the one after the last."""
        begins: dict[TopicPartition, int] = await self._consumer.beginning_offsets(places)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        if since_ms is not None and places:
            found = await self._consumer.offsets_for_times(dict.fromkeys(places, since_ms))
            begins = {place: found[place].offset if found[place] else ends[place] for place in places}
        return {place: (begins[place], ends[place]) for place in places}

    async def in_time(
        self, topics: Sequence[str], spans: dict[TopicPartition, tuple[int, int]]
    ) -> AsyncIterator[ConsumerRecord]:
        """Yield the records of these spans, of one partition number, by time.

        A partition's records stay in its order, whatever their times; of records of the same time those of
        the first of `topics` come first.
        """
        sources = [
            _Source(self._consumer, place, span)
            for place, span in sorted(spans.items(), key=lambda item: topics.index(item[0].topic))
            if span[0] < span[1]
        ]
        if not sources:
            return
        self._consumer.assign([source.place for source in sources])
        for source in sources:
            self._consumer.seek(source.place, source.begin)
        for source in sources:
            await source.fill()
        while sources := [source for source in sources if source.records]:
            first = min(sources, key=lambda source: source.time)
            yield first.records.popleft()
            await first.fill()


class _Source:
    """One partition, with the records that were read of it and not given out."""

    def __init__(self, consumer: Any, place: TopicPartition, span: tuple[int, int]) -> None:
        self.place = place
        self.begin, self._end = span
        self.records: deque[ConsumerRecord] = deque()
        self._time = 0
        self._consumer = consumer

    @property
    def time(self) -> int:
        """The next record's time; not before those of the records before it."""
        self._time = max(self._time, self.records[0].timestamp)
        return self._time

    async def fill(self) -> None:
        """See to it that the next record is there; there is none once all have been given out."""
        idle_s = 0.0
        while not self.records:
            try:
                before = await self._consumer.position(self.place)
                if before >= self._end:
                    return
                found = await self._consumer.getmany(self.place, timeout_ms=POLL_MS, max_records=AT_ONCE)
                moved = await self._consumer.position(self.place) > before
            except KafkaError as error:
                raise SimulationError(f"{self.place} cannot be read: {error!r}") from error
            self.records.extend(record for record in found.get(self.place, ()) if record.offset < self._end)
            idle_s = 0.0 if moved else idle_s + POLL_MS / 1000
            if idle_s >= STUCK_S:
                raise SimulationError(
                    f"No record came of {self.place} for {STUCK_S:.0f} s, though some are due after offset"
                    f" {before}. Are the brokers well (`tillstream doctor`)?"
                )
