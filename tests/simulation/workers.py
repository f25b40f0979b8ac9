"""A worker's process: joins its group, takes over, recovers, works, and ends with the first error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from storage.errors import FencedError as PostgresFencedError
from storage.rows import TARGETS
from streams.agents.history import history_worker
from streams.agents.stock import stock_worker
from streams.runtime.errors import (
    FencedError,
    NotShownError,
    RebalanceError,
    RecoveryError,
    UnitError,
    WorkerError,
)
from streams.runtime.stock import StockRuntime
from tests.simulation.bench import PlayedWorker, settings_of
from tests.simulation.clients import Seat, lost
from tests.simulation.faust import App, Consumer, Recovery
from tests.simulation.group import Group
from tests.simulation.log import Cluster
from tests.simulation.process import Armed, Process
from tests.simulation.trace import Trace
from topics.registry import INBOUND

SOURCES = {
    "stock": tuple(topic.name for topic in INBOUND),
    "history": tuple(sorted(TARGETS)),
}


def is_expected(error: BaseException) -> bool:
    """Whether a worker may end so when something around it fails: another start goes on where it was."""
    known = FencedError | NotShownError | RebalanceError | RecoveryError | PostgresFencedError
    if isinstance(error, known):
        return True
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return all(isinstance(one, KafkaError | TimeoutError) for one in cause.exceptions)
    if isinstance(error, UnitError) or type(error) is WorkerError:
        return isinstance(cause, KafkaError | TimeoutError)
    return isinstance(error, KafkaError)


class WorkerProcess(Process):
    """One life of a worker."""

    def __init__(
        self,
        kind: str,
        member: str,
        life: int,
        partitions: int,
        group: Group,
        cluster: Cluster,
        random: Random,
        trace: Trace,
        armed: list[Armed],
        ended: Callable[[WorkerProcess, BaseException], None],
    ) -> None:
        super().__init__(f"{member}.{life}", asyncio.get_running_loop(), random, trace, armed)
        self.kind = kind
        self.member = member
        self.seat = Seat(self, cluster)
        self.rebalance = asyncio.Event()
        self.worker: PlayedWorker | None = None
        self._partitions = partitions
        self._group = group
        self._ended = ended

    def start(self) -> None:
        self._trace.note(self.name, "starts")
        self.spawn(self._live())

    def fail(self, error: BaseException) -> None:
        """End because of this error, as a worker does."""
        if self.alive:
            self._ended(self, error)

    async def stop(self) -> None:
        """End as on SIGTERM: units in flight are finished."""
        worker = self.worker
        if worker is not None and worker.runtime.app is not None:
            await worker.runtime.lanes.settle()
            await worker.runtime.stop()
            for hook in worker.on_stopped:
                await hook()

    async def _live(self) -> None:
        try:
            await self._work()
        except Exception as error:
            self.fail(error)

    async def _work(self) -> None:
        settings = settings_of(self.member)
        built: Any = (
            stock_worker(settings, self._partitions) if self.kind == "stock" else history_worker(settings)
        )
        worker = self.worker = built
        runtime = worker.runtime
        tables = list(runtime.tables) if isinstance(runtime, StockRuntime) else []
        consumer = Consumer(self.seat, self._random, runtime.app_id)
        app = runtime.app = App(consumer, tables)
        app.runtime = runtime
        runtime.failed = self.fail
        changelogs = {
            TP(runtime.changelog(name), number): app.tables[name]
            for name in tables
            for number in range(self._partitions)
        }
        recovery = Recovery(app, changelogs)
        self.spawn(self._flow(worker, consumer))
        while True:
            self.rebalance.clear()
            generation, numbers = await self.call(
                "join", lambda: self._group.join(self.member, self), lost, self.member
            )
            app.consumer_generation_id = generation
            assigned = {TP(topic, number) for number in numbers for topic in SOURCES[self.kind]}
            consumer.assign(assigned)
            await runtime.take_over(assigned)
            recovering = self.spawn(self._recover(recovery, generation))
            await self.rebalance.wait()
            await self.awake()
            app.rebalancing = True
            consumer.stop_flow()
            recovering.cancel()
            await runtime.lanes.settle()

    async def _recover(self, recovery: Recovery, generation: int) -> None:
        try:
            await recovery.recover(generation)
        except Exception as error:
            self.fail(error)

    async def _flow(self, worker: PlayedWorker, consumer: Consumer) -> None:
        try:
            while True:
                for batch in await consumer.poll():
                    worker.runtime.lanes.put(batch, worker.handlers.get(batch.topic))
        except Exception as error:
            self.fail(error)
