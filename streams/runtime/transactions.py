"""One transactional producer per partition number, and the transaction that commits a unit of work."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from streams.runtime.errors import FencedError, UnitError, WorkerError
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
STOP_TIMEOUT_S = 2.0

_FENCED = (ProducerFenced, InvalidProducerEpoch)


class Transactor:
    """Commits the units of one partition number, under a transactional id of its own.

    aiokafka rides out what is safe to retry inside a transaction (concurrent transactions, a coordinator
    that moves, a broker that is down for less than the transaction timeout). Everything else ends the
    worker: after a failed or unknown commit only a restart, which reads the committed offsets, knows where
    to go on.
    """

    __slots__ = ("_group", "_producer", "partition", "transactional_id")

    def __init__(self, partition: int, group: str, settings: Settings) -> None:
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

    async def start(self) -> None:
        """Fence the partition's earlier owners and end what they left open; returns when that is done."""
        await self._producer.start()

    async def stop(self) -> None:
        """Close the connections; what is in flight must have ended before."""
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
        producer = self._producer
        self._retry_each(QUICK_RETRY_S)
        patience = asyncio.get_running_loop().call_later(QUICK_FOR_S, self._retry_each, PATIENT_RETRY_S)
        try:
            await producer.begin_transaction()
            await self._write(unit, offsets)
            await producer.commit_transaction()
        except Exception as error:
            await self._abort()
            raise self._failure(error, offsets) from error
        finally:
            patience.cancel()

    def _retry_each(self, seconds: float) -> None:
        self._producer._sender._retry_backoff = seconds

    async def _write(self, unit: Sealed, offsets: Offsets) -> None:
        producer, partition = self._producer, self.partition
        sent: list[asyncio.Future[Any]] = []
        # The first batch of every topic goes first: one request adds all partitions to the transaction, and
        # the offsets travel while the records do.
        columns = itertools.zip_longest(*unit.batches.values())
        for number, batches in enumerate(columns):
            for topic, batch in zip(unit.batches, batches, strict=True):
                if batch is not None:
                    batch.close()
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
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


class Transactors:
    """The transactors of the partitions that this worker owns."""

    def __init__(self, group: str, settings: Settings) -> None:
        self._group = group
        self._settings = settings
        self._owned: dict[int, Transactor] = {}

    def __getitem__(self, partition: int) -> Transactor:
        return self._owned[partition]

    async def own(self, partitions: set[int], kept: set[int]) -> None:
        """Have exactly `partitions`, new ones but for those in `kept`, which nobody else can have had."""
        gone = [transactor for partition, transactor in self._owned.items() if partition not in kept]
        self._owned = {
            partition: self._owned[partition] for partition in self._owned.keys() & kept & partitions
        }
        await _stop_all(gone)
        fresh = [
            Transactor(partition, self._group, self._settings)
            for partition in sorted(partitions - self._owned.keys())
        ]
        timeout = self._settings.worker.transaction_timeout_s
        try:
            async with asyncio.timeout(timeout):
                async with asyncio.TaskGroup() as starting:
                    for transactor in fresh:
                        starting.create_task(transactor.start())
        except* Exception as errors:
            await _stop_all(fresh)
            ids = ", ".join(transactor.transactional_id for transactor in fresh)
            raise WorkerError(
                f"Taking over the transactional ids {ids} failed within {timeout:.0f} s:"
                f" {errors.exceptions[0]!r}. Check that the brokers are up and that this user may write"
                " under these ids, then start again."
            ) from errors
        self._owned.update((transactor.partition, transactor) for transactor in fresh)

    async def stop(self) -> None:
        """Close all."""
        owned, self._owned = list(self._owned.values()), {}
        await _stop_all(owned)


async def _stop_all(transactors: Iterable[Transactor]) -> None:
    async def stop(transactor: Transactor) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await transactor.stop()
        except Exception as error:
            log.warning("closing the producer of %s: %r", transactor.transactional_id, error)

    await asyncio.gather(*(stop(transactor) for transactor in transactors))


def _positions(offsets: Offsets) -> str:
    return (
        ", ".join(f"{tp.topic}/{tp.partition}@{offset}" for tp, offset in sorted(offsets.items()))
        or "no offsets"
    )
