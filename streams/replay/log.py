"""The outgoing topics, read by a consumer without a group: the workers and their offsets do not notice it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from storage.operations.replays import Span
from storage.progress import Place
from streams.replay.errors import ReplayError
from streams.settings import KafkaSettings

MAX_RECORDS = 6_000
"""Of one read; about one transaction of 1,500 records on each of four partitions."""
FETCH_PARTITION_BYTES = 4 << 20
POLL_MS = 250
STUCK_S = 60.0
"""Without a record or a step for so long, what is due is not to be had."""


class Piece(NamedTuple):
    """Records of one partition, in order; offsets from `begin` up to `next_offset` have been gone through."""

    topic: str
    partition: int
    records: Sequence[ConsumerRecord]
    begin: int
    next_offset: int


class Log:
    """Committed records only, as the history worker reads them."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    @classmethod
    @asynccontextmanager
    async def open(cls, kafka: KafkaSettings) -> AsyncIterator[Self]:
        """Connect; raises ReplayError when Kafka does not answer."""
        consumer = AIOKafkaConsumer(
            **kafka.client_options(),
            client_id="tillstream-replay",
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            # No position is ever guessed.
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
            fetch_max_wait_ms=POLL_MS,
        )
        try:
            await consumer.start()
        except KafkaError as error:
            await consumer.stop()
            raise ReplayError(
                f"Kafka at {kafka.bootstrap} does not answer: {error!r}. Check the address"
                " (TILLSTREAM_KAFKA_BOOTSTRAP) and that the brokers are up, then run this again"
            ) from error
        try:
            yield cls(consumer)
        finally:
            await consumer.stop()

    async def ranges(self, places: Collection[Place]) -> dict[Place, Span]:
        """Return what each partition's log has: its first offset, and the one after the last committed."""
        tps = [TopicPartition(*place) for place in places]
        begins = await self._consumer.beginning_offsets(tps)
        ends = await self._consumer.end_offsets(tps)
        return {(tp.topic, tp.partition): Span(tp.topic, tp.partition, begins[tp], ends[tp]) for tp in tps}

    async def at(self, places: Collection[Place], time: datetime) -> dict[Place, int | None]:
        """Return the first offset whose record is not older than the time; None where all are."""
        milliseconds = -int(-time.timestamp() * 1000 // 1)
        found = await self._consumer.offsets_for_times(
            {TopicPartition(*place): milliseconds for place in places}
        )
        return {
            (tp.topic, tp.partition): None if there is None else there.offset for tp, there in found.items()
        }

    async def first_times(self, spans: Collection[Span]) -> dict[Place, datetime]:
        """Return the time of the first record of each span that has one."""
        found: dict[Place, datetime] = {}
        due = {(span.topic, span.partition) for span in spans if span.begin < span.end}
        async for pieces in self.read(spans):
            for piece in pieces:
                if piece.records:
                    time = datetime.fromtimestamp(piece.records[0].timestamp / 1000, UTC)
                    found.setdefault((piece.topic, piece.partition), time)
            if due <= found.keys():
                break
        return found

    async def read(
        self, spans: Collection[Span], *, max_records: int = MAX_RECORDS
    ) -> AsyncIterator[list[Piece]]:
        """Go through the spans, all at once, each in order; offsets without a record are gone through too.

        One reading at a time. Raises ReplayError when the log no longer has what is due, or does not answer.
        """
        behind = {TopicPartition(span.topic, span.partition): span for span in spans if span.begin < span.end}
        if not behind:
            return
        consumer = self._consumer
        consumer.assign(list(behind))
        stands: dict[TopicPartition, int] = {}
        for tp, span in behind.items():
            consumer.seek(tp, span.begin)
            stands[tp] = span.begin
        idle_s = 0.0
        while behind:
            try:
                fetched: Mapping[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(
                    *behind, timeout_ms=POLL_MS, max_records=max_records
                )
            except OffsetOutOfRangeError as error:
                raise await self._not_there(error) from error
            except KafkaError as error:
                raise ReplayError(
                    f"Kafka does not let its records be read: {error!r}. Nothing is lost: mend it, then go on"
                    " with `tillstream replay run --resume`"
                ) from error
            pieces = []
            for tp, span in list(behind.items()):
                position = await consumer.position(tp)
                if position <= stands[tp]:
                    continue
                after = min(position, span.end)
                records = fetched.get(tp, [])
                if position > span.end:
                    records = [record for record in records if record.offset < span.end]
                pieces.append(Piece(tp.topic, tp.partition, records, stands[tp], after))
                stands[tp] = after
                if after == span.end:
                    del behind[tp]
                    consumer.pause(tp)
            if pieces:
                idle_s = 0.0
                yield pieces
                continue
            idle_s += POLL_MS / 1000
            if idle_s >= STUCK_S:
                raise ReplayError(self._stuck(behind, stands))

    async def _not_there(self, error: OffsetOutOfRangeError) -> ReplayError:
        wanted = {(tp.topic, tp.partition): offset for tp, offset in error.args[0].items()}
        there = await self.ranges(wanted)
        where = ", ".join(
            f"{topic}/{partition} offset {offset} (its log has {there[topic, partition].begin} up to"
            f" {there[topic, partition].end})"
            for (topic, partition), offset in wanted.items()
        )
        return ReplayError(
            f"The log no longer has what was to be read next: {where}. Retention removed it meanwhile, or the"
            " topic was made anew. `tillstream replay plan` shows what can still be replayed"
        )

    def _stuck(self, behind: Mapping[TopicPartition, Span], stands: Mapping[TopicPartition, int]) -> str:
        where = ", ".join(f"{tp.topic}/{tp.partition} at {stands[tp]}" for tp in behind)
        return (
            f"No record came for {STUCK_S:.0f} s, though there are some due: {where}. Are the brokers well"
            " (`tillstream doctor`)? Nothing is lost: go on with `tillstream replay run --resume`"
        )
