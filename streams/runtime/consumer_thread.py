"""The thread of the consumer: takes whole batches, starts at explicit positions only, never resets itself."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    ConsumerStoppedError,
    KafkaError,
    NotCoordinatorForGroupError,
    OffsetOutOfRangeError,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.offsets import read_offsets
from streams.runtime.batch import Batch
from streams.runtime.errors import PositionError, WorkerError
from streams.runtime.positions import LogRange

log = logging.getLogger(__name__)

FETCH_MAX_WAIT_MS = 500
FETCH_PARTITION_BYTES = 4 << 20
MAX_POLL_RECORDS = 2000
# Polling goes on while lanes are full (it then takes nothing), so only a hung event loop exceeds this.
MAX_POLL_INTERVAL_MS = 300_000
# How long a poll that may take nothing waits before it looks again whether a lane has room.
IDLE_POLL_S = 0.05
OFFSETS_PAUSE_S = 0.1


class Standing(NamedTuple):
    """Where the consumer stands in a partition: its position and the end of what it may read."""

    position: int
    end: int | None


class PausedListener(driver.ConsumerRebalanceListener):
    """Pauses what was just assigned, before the fetcher can read from it.

    aiokafka calls this without giving way to other tasks since it set the assignment. The position 0 only
    keeps it from looking for one: a partition is let in by `ConsumerThread.begin`, with the position it
    must have.
    """

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        consumer = self._thread._ensure_consumer()
        tps = list(assigned)
        for tp in tps:
            consumer.seek(tp, 0)
        consumer.pause(*tps)
        await super().on_partitions_assigned(tps)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's consumer; what begins with an underscore runs in it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Where the last hand-out of each partition ended, or where it was told to begin.
        self._handed: dict[TopicPartition, int] = {}
        # The assignment that positions are of. A batch gets its epoch where it is taken, in this thread: a
        # poll may begin before a rebalance and end after it.
        self._epoch = -1

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        runtime = self.app.runtime
        worker = runtime.settings.worker
        self._assignor = self.app.assignor
        return AIOKafkaConsumer(
            **runtime.settings.kafka.client_options(),
            client_id=runtime.member,
            group_id=self.app.conf.id,
            group_instance_id=runtime.member,
            partition_assignment_strategy=[self._assignor],
            isolation_level="read_committed",
            enable_auto_commit=False,
            # No position is ever guessed: one that is not on the log is an error.
            auto_offset_reset="none",
            max_poll_records=MAX_POLL_RECORDS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(worker.request_timeout_s * 1000),
            session_timeout_ms=int(worker.session_timeout_s * 1000),
            heartbeat_interval_ms=int(worker.heartbeat_s * 1000),
            rebalance_timeout_ms=int(worker.rebalance_timeout_s * 1000),
        )

    async def on_start(self) -> None:
        """Connect; from then on a membership that ends by itself ends the worker."""
        await super().on_start()
        self._ensure_consumer()._coordinator._coordination_task.add_done_callback(self._membership_ended)

    def _membership_ended(self, task: asyncio.Task[None]) -> None:
        """Note that aiokafka no longer keeps the place in the group, for a reason that it did not foresee.

        It tells whoever polls. A worker that waits for its partitions does not, and would wait for ever.
        """
        if task.cancelled() or (error := task.exception()) is None:
            return
        group = self.app.conf.id
        failure = WorkerError(
            f"The worker's membership in the group {group} ended: {error!r}. Start it again; if that goes on,"
            " check that the brokers are up and have a controller."
        )
        failure.__cause__ = error
        self.parent_loop.call_soon_threadsafe(self.app.runtime.failed, failure)

    async def begin(self, positions: Mapping[TP, int], epoch: int) -> None:
        """Let partitions in, each at its position."""
        await self.call_thread(self._begin, positions, epoch)

    async def _begin(self, positions: Mapping[TP, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        self._epoch = epoch
        tps = [TopicPartition(*tp) for tp in positions]
        for tp, offset in zip(tps, positions.values(), strict=True):
            consumer.seek(tp, offset)
            self._handed[tp] = offset
        consumer.resume(*tps)

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int | None]:
        """The group's committed offsets, asked of the broker; None where it has none.

        Raises `PositionError` when the answer is not about all of them.
        """
        found: dict[TP, int | None] = await self.call_thread(self._committed, list(tps))
        return found

    async def _committed(self, tps: list[TP]) -> dict[TP, int | None]:
        wanted = [TopicPartition(*tp) for tp in tps]
        topics: defaultdict[str, list[int]] = defaultdict(list)
        for topic, number in tps:
            topics[topic].append(number)
        offsets = await self._fetch_offsets(list(topics.items()))
        if missing := set(wanted) - offsets.keys():
            raise PositionError(f"Kafka did not tell the committed offsets of {sorted(missing)}")
        return {tp: offsets[asked] for tp, asked in zip(tps, wanted, strict=True)}

    async def _fetch_offsets(self, topics: list[tuple[str, list[int]]]) -> dict[TopicPartition, int | None]:
        coordinator = self._ensure_consumer()._coordinator
        while True:
            await coordinator.ensure_coordinator_known()
            try:
                return read_offsets(
                    await coordinator._send_req(OffsetFetchRequest(coordinator.group_id, topics))
                )
            except KafkaError as error:
                if not error.retriable:
                    raise
                log.info("the committed offsets cannot be told yet, asking again: %r", error)
                if isinstance(error, NotCoordinatorForGroupError):
                    coordinator.coordinator_dead()
            await asyncio.sleep(OFFSETS_PAUSE_S)

    async def ranges(self, tps: Iterable[TP]) -> dict[TP, LogRange]:
        """First and end offset of each partition's log, as far as committed records may be read."""
        found: dict[TP, LogRange] = await self.call_thread(self._ranges, list(tps))
        return found

    async def _ranges(self, tps: list[TP]) -> dict[TP, LogRange]:
        consumer = self._ensure_consumer()
        wanted = [TopicPartition(*tp) for tp in tps]
        starts = await consumer.beginning_offsets(wanted)
        ends = await consumer.end_offsets(wanted)
        return {tp: LogRange(starts[asked], ends[asked]) for tp, asked in zip(tps, wanted, strict=True)}

    async def take(self, active: set[TP], timeout_s: float) -> list[Batch]:
        """Batches of `active` partitions, at least one unless the timeout passes first."""
        batches: list[Batch] = await self.call_thread(self._take, active, timeout_s)
        return batches

    async def _take(self, active: set[TP], timeout_s: float) -> list[Batch]:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        consumer._coordinator.check_errors()
        with fetcher._subscriptions.fetch_context():
            if not active:
                # aiokafka takes an empty set for "all".
                await asyncio.sleep(IDLE_POLL_S)
                return []
            try:
                fetched = await fetcher.fetched_records(
                    active, timeout=timeout_s, max_records=MAX_POLL_RECORDS
                )
            except OffsetOutOfRangeError as error:
                raise await self._not_on_log(error) from error
        assignment = consumer._subscription.subscription.assignment
        batches = []
        for tp, records in fetched.items():
            begin = self._handed[tp]
            after = self._handed[tp] = assignment.state_value(tp).position
            batches.append(Batch(tp.topic, tp.partition, records, after, begin, self._epoch))
        for tp in active:
            # Control records, aborted and compacted ones move the position without a record to show.
            if tp not in fetched and (state := assignment.state_value(tp)) is not None:
                begin = self._handed.get(tp, state.position)
                if state.position > begin:
                    self._handed[tp] = state.position
                    batches.append(Batch(tp.topic, tp.partition, (), state.position, begin, self._epoch))
        return batches

    async def _not_on_log(self, error: OffsetOutOfRangeError) -> PositionError:
        where = []
        for tp, offset in error.args[0].items():
            found = (await self._ranges([TP(*tp)]))[TP(*tp)]
            where.append(
                f"{tp.topic}/{tp.partition}@{offset} (its log begins at {found.start}, ends at {found.end})"
            )
        return PositionError(
            f"The log no longer has what is to be read next: {', '.join(where)}. Retention deleted records"
            " that were not consumed, or the topic was made anew while the worker ran. Nothing was skipped:"
            " start the worker again, which says what can be done."
        )

    async def standing(self) -> dict[TP, Standing]:
        """Positions and ends of what is assigned, for lag; asks nobody."""
        found: dict[TP, Standing] = await self.call_thread(self._standing)
        return found

    async def _standing(self) -> dict[TP, Standing]:
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = ((tp, assignment.state_value(tp)) for tp in assignment.tps)
        return {
            TP(*tp): Standing(state.position, state.lso)
            for tp, state in states
            if not state.paused and state.has_valid_position
        }

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets as a hint for lag tools; nothing depends on them."""
        consumer = self._ensure_consumer()
        mine = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            await consumer.commit({tp: offset for tp, offset in mine.items() if tp in consumer.assignment()})
        except KafkaError as error:
            log.info("committing offsets for lag tools: %r", error)
            return False
        return True

    async def _highwaters(self, partitions: list[TP]) -> dict[TP, int]:
        """The log's ends; aiokafka's own mark is wrong for a partition that was not fetched yet."""
        return {tp: found.end for tp, found in (await self._ranges(list(partitions))).items()}
