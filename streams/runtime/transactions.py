"""The transaction that commits a unit of work, by the transactional producer of its partition number."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.structs import RecordMetadata, TopicPartition

from streams.committed import LogError
from streams.runtime.errors import FencedError, NotShownError, UndecidedError, UnitError
from streams.runtime.markers import Markers
from streams.runtime.unit import Offsets, Sealed
from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 1 << 20
MAX_REQUEST_BYTES = 16 << 20
# Also what a retry waits when the broker still writes the last transaction's markers: short, it is a matter
# of milliseconds.
QUICK_RETRY_S = 0.005
# What takes longer than this is no marker but a broker that is away: then ask it ten times a second.
QUICK_FOR_S = 0.5
PATIENT_RETRY_S = 0.1
ABORT_TIMEOUT_S = 2.0
# A marker that is not there after so long is written once more, which does no harm if it was only late.
MARKERS_LATE_S = 1.0
# Markers take some milliseconds; to ask for them costs about as much as a fifth of a commit.
FIRST_LOOK_S = 0.01
LONGEST_LOOK_S = 0.1
# After a take-over nothing is on its way any more; only followers may be behind.
LEFT_OUT_S = 0.2

_FENCED = (ProducerFenced, InvalidProducerEpoch)


class Transactor:
    """Commits the units of one partition number, under a transactional id of its own.

    aiokafka rides out what is safe to retry inside a transaction (concurrent transactions, a coordinator
    that moves, a broker that is down for less than the transaction timeout). Everything else ends the
    worker: after a failed or unknown commit only a restart, which reads the committed offsets, knows where
    to go on.

    The next transaction does not begin before all of the last one shows (see `markers`). `failed` is told
    when that cannot be had.
    """

    __slots__ = (
        "_failed", "_group", "_markers", "_producer", "_shown", "_timeout_s", "partition", "transactional_id",
    )  # fmt: skip

    def __init__(
        self,
        partition: int,
        group: str,
        settings: Settings,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.partition = partition
        self.transactional_id = f"{group}-{partition}"
        self._group = group
        worker = settings.worker
        self._producer = AIOKafkaProducer(
            **settings.kafka.client_options(),
            client_id=self.transactional_id,
            transactional_id=self.transactional_id,
            transaction_timeout_ms=int(worker.transaction_timeout_s * 1000),
            request_timeout_ms=int(worker.request_timeout_s * 1000),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            retry_backoff_ms=int(PATIENT_RETRY_S * 1000),
        )
        self._markers = Markers(self._producer, group, settings.kafka)
        self._timeout_s = worker.transaction_timeout_s
        self._shown: asyncio.Task[None] | None = None
        self._failed = failed

    async def start(self) -> None:
        """Fence the partition's earlier owners and end what they left open; returns when that is done."""
        await self._producer.start()

    async def settle(self, written: Collection[TopicPartition], sources: Collection[TopicPartition]) -> None:
        """Have the markers written that Kafka left out when the last owner's transaction ended.

        `written` are the partitions that owners write to, `sources` those whose offsets they commit. Raises
        `UndecidedError` when a marker is missing and it cannot be known which.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while undecided := await self._undecided(written, sources):
            try:
                commit = await self._markers.decided()
            except LogError as error:
                raise self._unknown(undecided, str(error)) from error
            if commit is None:
                raise self._unknown(undecided, "its coordinator has no note of it any more")
            if loop.time() - began > self._timeout_s:
                raise self._unknown(undecided, "writing it again did not help")
            self._tell_late(undecided, commit=commit)
            await self._markers.write(written, commit=commit)

    def _unknown(self, undecided: Iterable[str], why: str) -> UndecidedError:
        return UndecidedError(
            f"Kafka ended the last transaction of {self.transactional_id} without a marker in"
            f" {', '.join(undecided)}, and whether it was committed cannot be told: {why}. Nothing was read"
            " or written. See the runbook undecided-transaction, then start again."
        )

    async def _undecided(
        self, written: Collection[TopicPartition], sources: Collection[TopicPartition]
    ) -> list[str]:
        """What stays without a marker."""
        deadline = asyncio.get_running_loop().time() + LEFT_OUT_S
        while True:
            try:
                undecided = await self._markers.undecided(written, sources)
            except KafkaError as error:
                if not error.retriable:
                    raise
            else:
                if not undecided or asyncio.get_running_loop().time() > deadline:
                    return undecided
            await asyncio.sleep(QUICK_RETRY_S)

    async def stop(self) -> None:
        """Close the connections; what is in flight must have ended before."""
        if self._shown is not None:
            self._shown.cancel()
        await self._producer.stop()

    def create_batch(self) -> Any:
        """An empty produce batch for a unit."""
        return self._producer.create_batch()

    async def commit(self, unit: Sealed, offsets: Offsets) -> None:
        """Write the unit and the consumed offsets in one transaction.

        Raises `FencedError` when another worker took the partition over, `UnitError` on any other error; the
        transaction is aborted as far as that is still possible.
        """
        if not unit.batches and not offsets:
            return
        if self._shown is not None:
            await self._shown
        producer = self._producer
        self._retry_each(QUICK_RETRY_S)
        patience = asyncio.get_running_loop().call_later(QUICK_FOR_S, self._retry_each, PATIENT_RETRY_S)
        try:
            await producer.begin_transaction()
            ends = await self._write(unit, offsets)
            await producer.commit_transaction()
        except Exception as error:
            await self._abort()
            self._quieten()
            raise self._failure(error, offsets) from error
        finally:
            patience.cancel()
        self._shown = asyncio.create_task(self._show(ends, offsets))
        self._shown.add_done_callback(self._show_ended)

    def _retry_each(self, seconds: float) -> None:
        self._producer._sender._retry_backoff = seconds

    async def _write(self, unit: Sealed, offsets: Offsets) -> Mapping[TopicPartition, int]:
        """Send all of the unit, and return the offsets behind its records."""
        producer, partition = self._producer, self.partition
        sent: list[asyncio.Future[Any]] = []
        written: list[tuple[int, asyncio.Future[RecordMetadata]]] = []
        # The first batch of every topic goes first: one request adds all partitions to the transaction, and
        # the offsets travel while the records do.
        columns = itertools.zip_longest(*unit.batches.values())
        for number, batches in enumerate(columns):
            for topic, batch in zip(unit.batches, batches, strict=True):
                if batch is not None:
                    batch.close()
                    arrived = await producer.send_batch(batch, topic, partition=partition)
                    sent.append(arrived)
                    written.append((batch.record_count(), arrived))
            if number == 0 and offsets:
                sent.append(
                    asyncio.ensure_future(producer.send_offsets_to_transaction(dict(offsets), self._group))
                )
        if offsets and not unit.batches:
            sent.append(
                asyncio.ensure_future(producer.send_offsets_to_transaction(dict(offsets), self._group))
            )
        try:
            # aiokafka's commit does not look whether the batches before it arrived: we must.
            await asyncio.gather(*sent)
        except BaseException:
            for future in sent:
                future.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
            raise
        ends: dict[TopicPartition, int] = {}
        for count, arrived in written:
            at = arrived.result()
            ends[at.topic_partition] = at.offset + count  # a partition's batches arrive in order
        return ends

    async def _show(self, ends: Mapping[TopicPartition, int], offsets: Offsets) -> None:
        """Wait until all of a committed transaction shows, and have missing markers written.

        Raises `NotShownError` when that does not come about within the transaction timeout.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        again_at = began + MARKERS_LATE_S
        pause = FIRST_LOOK_S
        missing: list[str] = []
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_S)
            try:
                missing = await self._markers.missing(ends, offsets)
            except KafkaError as error:
                if not error.retriable:
                    raise self._failure(error, offsets) from error
                log.debug("whether the transaction of %s shows: %r", self.transactional_id, error)
            else:
                if not missing:
                    return
                if loop.time() > again_at:
                    await self._mark(ends, missing, offsets)
                    again_at = loop.time() + MARKERS_LATE_S
            waited = loop.time() - began
            if waited > self._timeout_s:
                raise NotShownError(
                    f"A transaction of partition {self.partition} ({self.transactional_id}), up to"
                    f" {_positions(offsets)}, is committed, but after {waited:.0f} s it does not show in"
                    f" {', '.join(missing) or 'Kafka'}. Check that the brokers are up, then start this worker"
                    " again."
                )

    async def _mark(self, ends: Iterable[TopicPartition], missing: Iterable[str], offsets: Offsets) -> None:
        self._tell_late(missing, commit=True)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._markers.write(ends, commit=True)
        except Exception as error:
            raise self._failure(error, offsets) from error

    def _show_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._failed is not None:
            self._failed(error)

    def _tell_late(self, where: Iterable[str], *, commit: bool) -> None:
        log.warning(
            "the last transaction of %s has ended, but has no marker in %s yet: writing %s there once more",
            self.transactional_id,
            ", ".join(where),
            "that it was committed" if commit else "that it was aborted",
        )

    def _quieten(self) -> None:
        """Take the errors out of what aiokafka leaves behind of a failed unit: it has been told once.

        Else each would be logged, with its traceback, whenever it is collected.
        """
        accumulator, manager = self._producer._message_accumulator, self._producer._txn_manager
        batches = itertools.chain(accumulator._pending_batches, *accumulator._batches.values())
        left = [future for batch in batches for future in (batch.future, batch._drain_waiter)]
        for future in (*left, manager.wait_for_transaction_end()):
            if future is not None:
                future.add_done_callback(_read)

    async def _abort(self) -> None:
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                await self._producer.abort_transaction()
        except Exception as error:
            # The next owner's start, or the broker after the transaction timeout, aborts it instead.
            log.debug("abort of %s did not end: %r", self.transactional_id, error)

    def _failure(self, error: Exception, offsets: Offsets) -> UnitError:
        where = f"partition {self.partition} ({self.transactional_id}), up to {_positions(offsets)}"
        if isinstance(error, _FENCED) or isinstance(error.__cause__, _FENCED):
            return FencedError(
                f"Another worker took over {where}: this unit was not committed. Start this worker again."
            )
        return UnitError(
            f"The transaction of {where} failed: {error!r}. Whether it was committed shows at the next"
            " start, which goes on from the committed offsets."
        )


def _read(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _positions(offsets: Offsets) -> str:
    return (
        ", ".join(f"{tp.topic}/{tp.partition}@{offset}" for tp, offset in sorted(offsets.items()))
        or "no offsets"
    )
