"""A lane per partition number: queues batches, and works on what has queued up as one unit at a time."""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.errors import BatchOrderError, RebalanceError
from streams.runtime.health import LaneHealth
from streams.runtime.pace import Pace

log = logging.getLogger(__name__)

# A full lane stops its partitions from being fetched; so many small batches may wait, or so many units'
# records.
MAX_QUEUED_BATCHES = 32
MAX_QUEUED_UNITS = 2

Handler = Callable[[Batch, Any], None]


# At the start, so long at most for the first batch of each topic that is behind.
FIRST_BATCHES_S = 1.0


class Queued(NamedTuple):
    """A batch that waits, and what decides it."""

    batch: Batch
    handle: Handler | None

    @property
    def time(self) -> int:
        """When its first record was written; one without records need not wait for anything."""
        records = self.batch.records
        return int(records[0].timestamp) if records else 0


class Work(Protocol):
    """What a lane does with a unit's batches."""

    async def begin(self, lane: Lane) -> None:
        """Before the lane's first batch."""

    async def run(self, lane: Lane, queued: list[Queued]) -> None:
        """Work on batches in order and commit; raises when that failed, and nothing took effect then."""

    @property
    def cancellable(self) -> bool:
        """Whether a run may be broken off at a rebalance: someone else fences what it leaves."""


class Valve(Protocol):
    """Holds back the fetching of partitions."""

    def hold(self, tps: Iterable[TP]) -> None: ...

    def release(self, tps: Iterable[TP]) -> None: ...


class Lane:
    """One partition number of all source topics, from an assignment to the next.

    Of what has queued up, the topic whose next batch is the oldest goes first: after a stop, stock counts and
    orders are then taken about as they came, though each topic has a log of its own. `behind` are the topics
    that have something to read when the lane opens.
    """

    def __init__(
        self,
        partition: int,
        positions: Mapping[str, int],
        *,
        epoch: int,
        work: Work,
        pace: Pace,
        valve: Valve,
        max_records: int,
        health: LaneHealth,
        behind: Collection[str] = (),
    ) -> None:
        self.partition = partition
        self.epoch = epoch
        self.health = health
        self.pending = False
        """The last unit has more to do: the next one goes on with it, before new batches."""
        self._expected = dict(positions)
        self._work = work
        self._pace = pace
        self._valve = valve
        self._max_records = max_records
        self._queues: dict[str, collections.deque[Queued]] = {
            topic: collections.deque() for topic in positions
        }
        self._queued_batches = 0
        self._queued_records = 0
        self._in_hand: list[Queued] = []
        self._full = False
        self._closing = False
        self._awaited = set(behind)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def oldest(self) -> int | None:
        """When the oldest record that waits here was written, in ms since 1970; None when none does."""
        heads = (queue[0] for queue in self._queues.values() if queue)
        return min((time for entry in (*self._in_hand, *heads) if (time := entry.time)), default=None)

    def open(self, failed: Callable[[BaseException], None]) -> None:
        """Start working; `failed` is told what ended the lane before its time."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                failed(error)

        self._task = asyncio.create_task(self._loop(), name=f"lane-{self.partition}")
        self._task.add_done_callback(ended)

    def put(self, batch: Batch, handle: Handler | None = None) -> None:
        """Queue a batch; one of an earlier assignment is dropped.

        Raises `BatchOrderError` when it does not begin where the partition stands. Checked is the chain of
        the consumer's positions, so that gaps of control records or compaction are none; and that no record
        is from before.
        """
        if self._closing or batch.epoch != self.epoch:
            return
        expected = self._expected.get(batch.topic)
        if batch.begin != expected or (batch.records and batch.records[0].offset < batch.begin):
            first = batch.records[0].offset if batch.records else None
            raise BatchOrderError(
                f"{batch.topic} partition {batch.partition} stands at {expected}, but a batch came that"
                f" begins at {batch.begin} (first record {first}): records would be lost or taken twice."
                " Nothing was committed; start the worker again, and report this with its log."
            )
        self._expected[batch.topic] = batch.next_offset
        self._queues[batch.topic].append(Queued(batch, handle))
        self._queued_batches += 1
        self._awaited.discard(batch.topic)
        self._queued_records += len(batch.records)
        self.health.queued = self._queued_records
        self._wake.set()
        if not self._full and self._is_full():
            self._full = True
            self._valve.hold(self._tps())

    async def finish(self, grace_s: float) -> None:
        """Drop what is queued and let the unit in flight end.

        Raises `RebalanceError` when it does not within `grace_s` seconds, and may not be broken off.
        """
        self._closing = True
        for queue in self._queues.values():
            queue.clear()
        self._queued_batches = self._queued_records = self.health.queued = 0
        self._wake.set()
        task = self._task
        if task is None or task.done():
            return
        await asyncio.wait([task], timeout=grace_s)
        if task.done():
            return
        if not self._work.cancellable:
            raise RebalanceError(
                f"The unit in flight on partition {self.partition} did not end within {grace_s:.0f} s, which"
                " a rebalance allows. The worker stops so that the next owner can fence it; start it again."
            )
        log.warning(
            "partition %s: breaking off the write in flight, its next owner repeats it", self.partition
        )
        task.cancel()
        await asyncio.wait([task])

    async def _loop(self) -> None:
        await self._work.begin(self)
        await self._gather()
        while not self._closing:
            if not self._queued_batches and not self.pending:
                self._wake.clear()
                await self._wake.wait()
                continue
            if (pause := self._pace.wait_s()) > 0:
                await asyncio.sleep(pause)
                if self._closing:
                    break
            queued = self._in_hand = [] if self.pending else self._drain()
            await self._work.run(self, queued)
            self._in_hand = []
            self._pace.done()
            for entry in queued:
                entry.batch.ack()

    async def _gather(self) -> None:
        """Wait a moment until every topic that is behind shows its oldest batch."""
        deadline = time.monotonic() + FIRST_BATCHES_S
        while self._awaited and not self._closing and (left := deadline - time.monotonic()) > 0:
            self._wake.clear()
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                break
        self._awaited.clear()

    def _drain(self) -> list[Queued]:
        drained: list[Queued] = []
        records = 0
        while self._queued_batches and (records < self._max_records or not drained):
            queue = min((queue for queue in self._queues.values() if queue), key=lambda queue: queue[0].time)
            entry = queue.popleft()
            self._queued_batches -= 1
            records += len(entry.batch.records)
            drained.append(entry)
        self._queued_records -= records
        self.health.queued = self._queued_records
        if self._full and not self._is_full():
            self._full = False
            self._valve.release(self._tps())
        return drained

    def _is_full(self) -> bool:
        return (
            self._queued_records >= MAX_QUEUED_UNITS * self._max_records
            or self._queued_batches >= MAX_QUEUED_BATCHES
        )

    def _tps(self) -> list[TP]:
        return [TP(topic, self.partition) for topic in self._expected]


class Lanes:
    """The lanes of the partition numbers that this worker owns."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._lanes: dict[int, Lane] = {}
        self._ending: list[Lane] = []

    def __getitem__(self, partition: int) -> Lane:
        return self._lanes[partition]

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def put(self, batch: Batch, handle: Handler | None = None) -> None:
        """Queue a batch on its lane; without a lane it is of an earlier assignment, and dropped."""
        lane = self._lanes.get(batch.partition)
        if lane is not None:
            lane.put(batch, handle)

    def open(self, lanes: Iterable[Lane], failed: Callable[[BaseException], None]) -> None:
        """Start the lanes of a new assignment; those of the last one have been settled."""
        self._lanes = {lane.partition: lane for lane in lanes}
        for lane in self._lanes.values():
            lane.open(failed)

    async def settle(self, grace_s: float | None = None) -> None:
        """End all lanes: units in flight end first, queued batches are dropped; they come again."""
        # A stop and a rebalance may come at once: the second waits for the first one's lanes, too.
        self._ending += self._lanes.values()
        self._lanes = {}
        ending = list(self._ending)
        await asyncio.gather(*(lane.finish(self._grace_s if grace_s is None else grace_s) for lane in ending))
        self._ending = [lane for lane in self._ending if lane not in ending]
