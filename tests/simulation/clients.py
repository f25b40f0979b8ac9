"""What aiokafka's producer and consumer are to the workers, over the played log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from aiokafka.errors import RequestTimedOutError
from aiokafka.structs import TopicPartition

from streams.settings import KafkaSettings
from tests.simulation.log import Cluster, New, Record
from tests.simulation.loop import OWNER
from tests.simulation.process import Process

BATCH_RECORDS = 12
"""So few fit a produce batch, so that units have several."""


def lost() -> Exception:
    error: Exception = RequestTimedOutError("no answer")
    return error


class Batch:
    """A produce batch that keeps its records."""

    __slots__ = ("closed", "records")

    def __init__(self) -> None:
        self.records: list[New] = []
        self.closed = False

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> object:
        assert not self.closed, "a batch that is closed takes no more"
        if len(self.records) == BATCH_RECORDS:
            return None
        self.records.append(New(key, value, headers))
        return self

    def close(self) -> None:
        self.closed = True

    def record_count(self) -> int:
        return len(self.records)


class Seat:
    """What a client finds when it is made: its process, and the cluster."""

    def __init__(self, process: Process, cluster: Cluster) -> None:
        self.process = process
        self.cluster = cluster
        self.units: dict[int, Any] = {}
        """What the unit in hand of each partition is about."""


def seat() -> Seat:
    """Return the seat of the process that runs."""
    found: Seat = OWNER.get().seat
    return found


class At(NamedTuple):
    """Where a batch arrived."""

    topic_partition: TopicPartition
    offset: int


class Producer:
    """A transactional producer, as far as the workers use one."""

    def __init__(self, **settings: Any) -> None:
        assert settings["enable_idempotence"]
        assert settings["acks"] == "all"
        self.transactional_id: str = settings["transactional_id"]
        self._seat = seat()
        self._sender = SimpleNamespace(_retry_backoff=0.0)
        self._message_accumulator = SimpleNamespace(_pending_batches=(), _batches={})
        self._txn_manager = SimpleNamespace(wait_for_transaction_end=lambda: None)
        self._epoch = -1
        self._number = 0
        self._begun = False
        self._state = "not started"
        self._ready: list[tuple[Batch, str, int, asyncio.Future[At]]] = []
        self._delivery: asyncio.Task[None] | None = None

    async def start(self) -> None:
        process, cluster = self._seat.process, self._seat.cluster
        self._epoch = await process.call(
            "init", lambda: cluster.init(self.transactional_id), lost, self.transactional_id
        )
        self._state = "ready"

    async def stop(self) -> None:
        """Nothing is held."""

    def create_batch(self) -> Batch:
        return Batch()

    async def begin_transaction(self) -> None:
        self._enter("in a transaction", "ready")
        self._number += 1
        self._begun = False
        self._ready = []
        self._delivery = None

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[At]:
        """Send with the next request: one holds all batches that are ready, a partition's in order."""
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[At] = loop.create_future()
        if not self._ready:
            loop.call_soon(self._flush)
        self._ready.append((batch, topic, partition, sent))
        self._begun = True
        return sent

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        task = asyncio.get_running_loop().create_task(self._deliver(ready, self._delivery))
        self._delivery = task

    async def _deliver(self, ready: list[Any], before: asyncio.Task[None] | None) -> None:
        def produce() -> list[At]:
            transaction = self._join(partition)
            return [
                At(
                    TopicPartition(topic, number),
                    self._cluster.produce(transaction, topic, number, batch.records),
                )
                for batch, topic, number, _ in ready
            ]

        partition = ready[0][2]
        what = tuple((topic, number, batch.record_count()) for batch, topic, number, _ in ready)
        try:
            if before is not None:
                await before
            arrived = await self._call("produce", produce, what)
        except Exception as error:
            for *_, sent in ready:
                if not sent.done():
                    sent.set_exception(error)
        else:
            for (*_, sent), at in zip(ready, arrived, strict=True):
                if not sent.done():
                    sent.set_result(at)

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, int], group_id: str) -> None:
        self._begun = True
        partition = next(iter(offsets)).partition
        await self._call(
            "offsets",
            lambda: self._cluster.add_offsets(self._join(partition), group_id, offsets),
            tuple((*tp, offset) for tp, offset in offsets.items()),
        )

    async def commit_transaction(self) -> None:
        self._enter("committing", "in a transaction")
        await self._finish("commit", commit=True)
        self._state = "ready"

    async def abort_transaction(self) -> None:
        self._enter("aborting", "in a transaction")
        await self._finish("abort", commit=False)
        self._state = "ready"

    def _enter(self, state: str, before: str) -> None:
        """Change the state; aiokafka, too, asserts which may follow which."""
        assert self._state == before, f"Invalid state transition {self._state} -> {state}"
        self._state = state

    @property
    def _cluster(self) -> Cluster:
        return self._seat.cluster

    def _join(self, partition: int) -> Any:
        return self._cluster.join(
            self.transactional_id,
            self._epoch,
            self._number,
            self._seat.units.get(partition),
            self._seat.process,
        )

    async def mark(self, group: str, partitions: Sequence[TopicPartition], *, commit: bool) -> None:
        """End a transaction in these partitions that holds nothing.

        It is one request here, and several for aiokafka: that a process is killed between them is not played.
        """

        def mark() -> None:
            transaction = cluster.join(self.transactional_id, self._epoch, self._number, None, process)
            cluster.add_partitions(transaction, group, partitions)
            cluster.end(self.transactional_id, self._epoch, self._number, commit=commit)

        process, cluster = self._seat.process, self._seat.cluster
        await self.begin_transaction()
        await self._call("mark", mark, tuple(partitions))
        self._state = "ready"

    async def _call(self, request: str, apply: Any, what: Any) -> Any:
        def once_settled() -> Any:
            # Brokers refuse while the last transaction's markers are written, and aiokafka asks again.
            due = self._cluster.settled(self.transactional_id, self._epoch, self._number)
            if due is None:
                return apply()
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Any] = loop.create_future()

            def go_on(_: object) -> None:
                try:
                    answer.set_result(apply())
                except Exception as error:
                    answer.set_exception(error)

            due.add_done_callback(go_on)
            return answer

        return await self._seat.process.call(request, once_settled, lost, what)

    async def _finish(self, request: str, *, commit: bool) -> None:
        if not self._begun:
            return
        await self._seat.process.call(
            request,
            lambda: self._cluster.end(self.transactional_id, self._epoch, self._number, commit=commit),
            lost,
            (self.transactional_id, self._epoch, self._number),
        )


class Markers:
    """What a producer asks about the markers of its transactions."""

    def __init__(self, producer: Producer, group: str, _: KafkaSettings) -> None:
        self._producer = producer
        self._group = group
        self._seat = seat()

    async def missing(
        self, ends: Mapping[TopicPartition, int], offsets: Mapping[TopicPartition, int]
    ) -> list[str]:
        def look() -> list[str]:
            committed = self._cluster.stable_offsets(self._group, offsets)
            late = [tp for tp, end in ends.items() if self._cluster.log(*tp).stable < end]
            late += [tp for tp, offset in offsets.items() if committed.get(tp) != offset]
            return [str(tp) for tp in late]

        found: list[str] = await self._seat.process.call("shows", look, lost)
        return found

    async def undecided(
        self, written: Sequence[TopicPartition], sources: Sequence[TopicPartition]
    ) -> list[str]:
        def look() -> list[str]:
            logs = (self._cluster.log(*tp) for tp in written)
            stable = self._cluster.stable_offsets(self._group, sources)
            return [
                *(str(log.tp) for log in logs if log.stable < log.end),
                *(str(tp) for tp in sources if tp not in stable),
            ]

        found: list[str] = await self._seat.process.call("undecided", look, lost)
        return found

    async def decided(self) -> bool | None:
        name = self._producer.transactional_id
        found: bool | None = await self._seat.process.call(
            "decided", lambda: self._cluster.decided(name), lost, name
        )
        return found

    async def write(self, partitions: Iterable[TopicPartition], *, commit: bool) -> None:
        await self._producer.mark(self._group, list(partitions), commit=commit)

    @property
    def _cluster(self) -> Cluster:
        return self._seat.cluster


class BulkConsumer:
    """The consumer that restores tables."""

    def __init__(self, **settings: Any) -> None:
        self._committed = settings["isolation_level"] == "read_committed"
        self._seat = seat()
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Nothing is connected."""

    async def stop(self) -> None:
        """Nothing is held."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self._positions.update(dict.fromkeys(partitions, 0))

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        cluster = self._seat.cluster

        def ends() -> dict[TopicPartition, int]:
            logs = {tp: cluster.log(*tp) for tp in partitions}
            return {tp: log.stable if self._committed else log.end for tp, log in logs.items()}

        found: dict[TopicPartition, int] = await self._seat.process.call("ends", ends, lost)
        return found

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Record]]:
        cluster = self._seat.cluster

        def read() -> dict[TopicPartition, tuple[list[Record], int]]:
            return {
                tp: cluster.log(*tp).read(self._positions[tp], 40, committed=self._committed)
                for tp in sorted(partitions)
            }

        found = await self._seat.process.call("restore", read, lost)
        self._positions.update({tp: position for tp, (_, position) in found.items()})
        return {tp: records for tp, (records, _) in found.items() if records}
