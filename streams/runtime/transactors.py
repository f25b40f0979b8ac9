"""The transactional producers of the partition numbers that a worker owns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from aiokafka.structs import TopicPartition

from streams.runtime.errors import UndecidedError, WorkerError
from streams.runtime.transactions import Transactor
from streams.settings import Settings

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 2.0


class Transactors:
    """The transactors of the partitions that this worker owns.

    `topics` are all that they write to. `failed` is told what ends one between two units.
    """

    def __init__(
        self, group: str, settings: Settings, topics: Iterable[str], failed: Callable[[BaseException], None]
    ) -> None:
        self._group = group
        self._settings = settings
        self._topics = tuple(topics)
        self._failed = failed
        self._owned: dict[int, Transactor] = {}

    def __getitem__(self, partition: int) -> Transactor:
        return self._owned[partition]

    async def own(self, assigned: Collection[TopicPartition], kept: set[int]) -> None:
        """Have exactly the partition numbers that are assigned.

        All are made anew but for those in `kept`, which nobody else can have had. Raises `WorkerError` when
        that fails.
        """
        partitions = {tp.partition for tp in assigned}
        gone = [transactor for partition, transactor in self._owned.items() if partition not in kept]
        self._owned = {
            partition: self._owned[partition] for partition in self._owned.keys() & kept & partitions
        }
        await _stop_all(gone)
        fresh = [
            Transactor(partition, self._group, self._settings, self._failed)
            for partition in sorted(partitions - self._owned.keys())
        ]
        timeout = self._settings.worker.transaction_timeout_s
        try:
            async with asyncio.timeout(timeout):
                async with asyncio.TaskGroup() as starting:
                    for transactor in fresh:
                        starting.create_task(self._take_over(transactor, assigned))
        except Exception as error:
            await _stop_all(fresh)
            cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            if isinstance(cause, UndecidedError):
                raise cause from None
            ids = ", ".join(transactor.transactional_id for transactor in fresh)
            raise WorkerError(
                f"Taking over the transactional ids {ids} failed within {timeout:.0f} s: {cause!r}. Check"
                " that the brokers are up and that this user may write under these ids, then start again."
            ) from error
        self._owned.update((transactor.partition, transactor) for transactor in fresh)

    async def _take_over(self, transactor: Transactor, assigned: Collection[TopicPartition]) -> None:
        await transactor.start()
        number = transactor.partition
        await transactor.settle(
            [TopicPartition(topic, number) for topic in self._topics],
            [TopicPartition(*tp) for tp in assigned if tp.partition == number],
        )

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
