"""Committed records of the topics, read by a consumer without a group: workers and offsets do not notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from storage.progress import Place, Span
from streams.runtime.errors import WorkerError
from streams.settings import KafkaSettings

MAX_RECORDS = 6_000
"""Of one read; about one transaction of 1,500 records on each of four partitions."""
PATIENCE_S = 90.0
"""Longer than an open transaction lives: its end lets readers go on."""
CLOSE_S = 3.0
_FETCH_PARTITION_BYTES = 4 << 20
# What comes next waits behind a fetch that finds nothing: the broker answers a connection in order.
_FETCH_WAIT_MS = 20
_POLL_MS = 250


class LogError(WorkerError):
    """The log cannot be read, or no longer has what is asked for; the text says where, and what to do."""


class Piece(NamedTuple):
    """Records of one partition, in order; offsets from `begin` up to `next_offset` have been gone through."""

    topic: str
    partition: int
    records: Sequence[ConsumerRecord]
    begin: int
    next_offset: int

    @property
    def offsets(self) -> int:
        """How many offsets were gone through: records, and those that hold none."""
        return self.next_offset - self.begin


class CommittedLog:
    """Reads as the history worker does: what an open or aborted transaction wrote is not seen (DESIGN 3).

    Every call raises LogError when Kafka does not answer.
    """

    def __init__(self, kafka: KafkaSettings, consumer: Any, patience_s: float) -> None:
        self._kafka = kafka
        self._consumer = consumer
        self._patience_s = patience_s

    @classmethod
    @asynccontextmanager
    async def open(
        cls, kafka: KafkaSettings, *, client_id: str = "tillstream-reader", patience_s: float = PATIENCE_S
    ) -> AsyncIterator[Self]:
        """Connect. A reading that does not get on for `patience_s` ends with an error."""
        consumer = AIOKafkaConsumer(
            **kafka.client_options(),
            client_id=client_id,
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            # No position is ever guessed.
            auto_offset_reset="none",
            max_partition_fetch_bytes=_FETCH_PARTITION_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        try:
            with _answers(kafka):
                await consumer.start()
            # aiokafka's own tasks must have begun to run, or stopping them raises their cancellation.
            await asyncio.sleep(0)
            yield cls(kafka, consumer, patience_s)
        finally:
            # aiokafka's fetcher loses a cancellation that comes while it puts away an earlier assignment, and
            # then waits for ever; the second one, which the timeout is, ends it.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await consumer.stop()

    async def ends(self, places: Iterable[Place]) -> dict[TopicPartition, int]:
        """Return the offset after the last committed record of each partition."""
        wanted = [TopicPartition(*place) for place in places]
        with _answers(self._kafka):
            return dict(await self._consumer.end_offsets(wanted)) if wanted else {}

    async def ranges(self, places: Iterable[Place]) -> dict[Place, Span]:
        """Return what each partition's log has: its first offset, and the one after the last committed."""
        wanted = [TopicPartition(*place) for place in places]
        if not wanted:
            return {}
        with _answers(self._kafka):
            begins = await self._consumer.beginning_offsets(wanted)
            ends = await self._consumer.end_offsets(wanted)
        return {(tp.topic, tp.partition): Span(tp.topic, tp.partition, begins[tp], ends[tp]) for tp in wanted}

    async def at(self, places: Iterable[Place], time: datetime) -> dict[Place, int | None]:
        """Return the first offset whose record is not older than the time; None where all are."""
        milliseconds = max(0, -int(-time.timestamp() * 1000 // 1))
        wanted = {TopicPartition(*place): milliseconds for place in places}
        with _answers(self._kafka):
            found = await self._consumer.offsets_for_times(wanted) if wanted else {}
        return {
            (tp.topic, tp.partition): None if there is None else there.offset for tp, there in found.items()
        }

    async def read(
        self, spans: Collection[Span], *, max_records: int = MAX_RECORDS
    ) -> AsyncIterator[list[Piece]]:
        """Go through the spans, all at once, each in order; offsets without a record are gone through too.

        One reading at a time. Raises LogError when the log no longer has what is due, or when nothing moves
        any more: a broker is away, or a transaction hangs.
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
        moved_at = time.monotonic()
        while behind:
            pieces = await self._pieces(behind, stands, max_records)
            if pieces:
                yield pieces
                # What the caller does meanwhile may take its time.
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > self._patience_s:
                raise LogError(self._stuck(behind, stands))

    async def records(self, spans: Collection[Span]) -> AsyncIterator[ConsumerRecord]:
        """Go through the spans record by record; a partition's are in order."""
        async for pieces in self.read(spans):
            for piece in pieces:
                for record in piece.records:
                    yield record

    async def _pieces(
        self, behind: dict[TopicPartition, Span], stands: dict[TopicPartition, int], max_records: int
    ) -> list[Piece]:
        """Fetch once; take partitions that are done out of `behind`."""
        consumer, pieces = self._consumer, []
        try:
            with _answers(self._kafka):
                fetched: Mapping[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(
                    *behind, timeout_ms=_POLL_MS, max_records=max_records
                )
        except OffsetOutOfRangeError as error:
            raise await self._not_there(error) from error
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
        return pieces

    async def _not_there(self, error: OffsetOutOfRangeError) -> LogError:
        wanted = {(tp.topic, tp.partition): offset for tp, offset in error.args[0].items()}
        there = await self.ranges(wanted)
        where = ", ".join(
            f"{topic}/{partition} offset {offset} (its log has {there[topic, partition].begin} up to"
            f" {there[topic, partition].end})"
            for (topic, partition), offset in wanted.items()
        )
        return LogError(
            f"The log no longer has what was to be read next: {where}. Retention removed it meanwhile, or the"
            " topic was made anew. Run this again to see what there is"
        )

    def _stuck(self, behind: Mapping[TopicPartition, Span], stands: Mapping[TopicPartition, int]) -> str:
        where = ", ".join(f"{tp.topic}/{tp.partition} at {stands[tp]}" for tp in sorted(behind))
        return (
            f"Nothing could be read for {self._patience_s:.0f} s, though something is due: {where}. A broker"
            " is away, or a transaction hangs there: `tillstream doctor` says which. Then run this again"
        )


async def ends_of(places: Iterable[Place], kafka: KafkaSettings) -> dict[TopicPartition, int]:
    """Return the offset after the last committed record of each partition, by a consumer of its own."""
    async with CommittedLog.open(kafka) as log:
        return await log.ends(places)


@contextmanager
def _answers(kafka: KafkaSettings) -> Iterator[None]:
    """Have what Kafka's client raises say what to do; offsets that are not there are another matter."""
    try:
        yield
    except OffsetOutOfRangeError:
        raise
    except KafkaError as error:
        raise LogError(
            f"Kafka at {kafka.bootstrap} does not answer: {str(error) or type(error).__name__}. Check the"
            " address (TILLSTREAM_KAFKA_BOOTSTRAP) and that the brokers are up, then run this again"
        ) from error
