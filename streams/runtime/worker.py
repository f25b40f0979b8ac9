"""A worker process: start, run, and an end that is bounded."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any

import uvloop

from streams.runtime.app import WorkerApp, batch_topic, build_app
from streams.runtime.batch import Batch
from streams.runtime.client_log import ClientLog
from streams.runtime.endpoint import Endpoint
from streams.runtime.errors import ExitCode, UnitError, WorkerError
from streams.runtime.health import State, WorkerHealth
from streams.runtime.history import HistoryRuntime, Hook, Positions, Write
from streams.runtime.lanes import Handler
from streams.runtime.parent import exit_with_parent
from streams.runtime.runtime import Runtime
from streams.runtime.sampling import sample
from streams.runtime.startup import check_topics, partition_counts
from streams.runtime.stock import Continue, OnStart, StockRuntime
from streams.runtime.tables import TableSpec
from streams.settings import Settings, SettingsError, require_kafka

log = logging.getLogger(__name__)

# Units make many short-lived objects and next to no cycles; the default thresholds cost about a tenth of
# the CPU.
GC_THRESHOLDS = (50_000, 20, 50)
# Of the grace at a stop, what units in flight may take; the rest is for connections.
LANES_SHARE = 0.7

AsyncHook = Callable[[], Coroutine[Any, Any, None]]


class Worker:
    """A Faust app and what runs it.

    Agents subscribe with `topic` and pass batches on:

        @worker.app.agent(worker.topic("ecom.orders"), name="orders")
        async def orders(stream):
            async for batch in worker.batches(stream):
                worker.put(batch, decide_orders)

    `run` blocks until the worker ends and returns the exit code (`ExitCode`). A worker that fails in any
    way ends without waiting (fail-stop): what it had not committed is taken again by whoever owns the
    partition next.
    """

    def __init__(self, runtime: Runtime, outputs: Iterable[str] = ()) -> None:
        self.runtime = runtime
        self.settings = runtime.settings
        runtime.failed = self.fail
        self.app: WorkerApp = build_app(runtime)
        self.on_starting: list[AsyncHook] = []
        """Awaited before the app starts, such as to open a pool."""
        self.on_stopped: list[AsyncHook] = []
        """Awaited after it stopped."""
        self._topics: list[str] = list(outputs)
        self._failure: BaseException | None = None
        self._ended = asyncio.Event()
        self._stopping = False
        self._clean = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def health(self) -> WorkerHealth:
        """What the worker is doing."""
        return self.runtime.health

    def topic(self, *names: str) -> Any:
        """The Faust topic of batches for an agent, by the topics' names in the registry."""
        full = [self.settings.worker.topic(name) for name in names]
        self._topics += full
        return batch_topic(self.app, full)

    async def batches(self, stream: Any) -> AsyncIterator[Batch]:
        """The batches of an agent's stream; each is acknowledged when its unit is committed."""
        async for event in stream.noack().events():
            yield replace(event.value, ack=event.ack)

    def put(self, batch: Batch, handle: Handler | None = None) -> None:
        """Queue a batch on the lane of its partition; never waits.

        A full lane stops its partitions from being fetched. What is wrong with a batch ends the worker.
        """
        try:
            self.runtime.lanes.put(batch, handle)
        except WorkerError as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the worker because of this error; the first one counts."""
        if self._failure is None:
            self._failure = error
            self.health.enter(State.DEAD, str(error))
            self._ended.set()

    def stop(self) -> None:
        """Ask the worker to end; units in flight are finished."""
        self._stopping = True
        self._ended.set()

    def run(self, *, with_parent: bool = False) -> int:
        """Run until SIGTERM, SIGINT or a failure; returns the exit code, or ends the process with it.

        `with_parent`: do not outlive the process that started this one.
        """
        if with_parent:
            exit_with_parent()

        async def live() -> ExitCode:
            code = await self.main()
            if not self._clean:
                _end_process(code)  # threads or connections are left that nothing waits for
            return code

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return int(runner.run(live()))

    async def main(self) -> ExitCode:
        """The worker's life, within a running loop; `run` is this with its own loop and a hard end.

        After a failure, or a stop that took too long, it returns with tasks left running.
        """
        client_log = ClientLog(self._retried)
        client_log.install()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        self._tasks = [
            asyncio.create_task(self._live(), name="app"),
            asyncio.create_task(sample(self.runtime), name="sample"),
        ]
        if (endpoint := self._endpoint()) is not None:
            self._tasks.append(asyncio.create_task(endpoint.serve(), name="endpoint"))
        try:
            await self._ended.wait()
        finally:
            client_log.remove()
            # From here on a second signal ends the process at once.
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        if self._failure is not None:
            return self._die(self._failure)
        return await self._leave()

    async def _live(self) -> None:
        try:
            require_kafka(self.settings)
            check_topics(await partition_counts(self._needed_topics(), self.settings.kafka))
            for hook in self.on_starting:
                await hook()
            gc.set_threshold(*GC_THRESHOLDS)
            await self.app.start()
            # Modules and restored tables live as long as the process: no need to look through them again.
            gc.freeze()
            await self.app.wait_until_stopped()
        except Exception as error:
            self.fail(error)
        else:
            if not self._stopping:
                reason = self.app.crash_reason
                self.fail(reason or WorkerError("Faust stopped without being asked; see the log above."))

    def _needed_topics(self) -> list[str]:
        changelogs = [table.changelog_topic_name for table in self.app.tables.values()]
        return [*self._topics, *changelogs]

    def _endpoint(self) -> Endpoint | None:
        """Where probes and Prometheus ask; None when it is off."""
        worker, kind = self.settings.worker, self.runtime.kind
        port = worker.port(kind)
        if port is None:
            return None
        return Endpoint(
            self.runtime.metrics.registry, worker.http_host, port, self.health,
            app_id=self.runtime.app_id, slot=worker.slot, pid=os.getpid(),
        )  # fmt: skip

    async def _leave(self) -> ExitCode:
        """Finish the units in flight, then stop everything else, within the grace."""
        self.health.enter(State.STOPPING)
        grace_s = self.settings.worker.shutdown_grace_s
        log.info("stopping: units in flight are finished first")
        began = time.monotonic()
        try:
            await self.runtime.lanes.settle(grace_s * LANES_SHARE)
        except WorkerError as error:
            log.error("a unit in flight did not end in time: whoever starts next fences it (%s)", error)
            return ExitCode.INTERRUPTED
        if self._failure is not None:  # the unit in flight ended, but not well
            return self._die(self._failure)
        try:
            async with asyncio.timeout(grace_s - (time.monotonic() - began)):
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await self.app.stop()
                await self.runtime.stop()
                for hook in self.on_stopped:
                    await hook()
        except TimeoutError:
            # aiokafka's threads may hang after broker outages. All units are committed, so nothing is lost.
            log.warning("stopping took longer than %.0f s: ending now", grace_s)
            return ExitCode.OK
        except Exception:
            log.warning("closing what is left failed: ending now; all units are committed", exc_info=True)
            return ExitCode.OK
        self._clean = True
        self.health.enter(State.STOPPED)
        log.info("stopped")
        return ExitCode.OK

    def _die(self, error: BaseException) -> ExitCode:
        understood = isinstance(error, (WorkerError, SettingsError)) and type(error) is not UnitError
        log.critical("%s worker ends: %s", self.runtime.kind, error, exc_info=None if understood else error)
        if isinstance(error, SettingsError):
            return ExitCode.MISCONFIGURED
        return error.exit_code if isinstance(error, WorkerError) else ExitCode.CRASHED

    def _retried(self) -> None:
        self.health.transaction_retries += 1


def _end_process(code: ExitCode) -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def build_stock_worker(
    settings: Settings,
    *,
    tables: Sequence[TableSpec[Any]],
    outputs: Iterable[str],
    on_start: OnStart | None = None,
    continue_: Continue | None = None,
) -> Worker:
    """A worker whose lanes commit Kafka transactions.

    `tables` and `outputs` (names in the registry) are what handlers may write. `on_start(partition, unit)`
    runs once per lane after every assignment, before its first batch, and is committed as a unit of its
    own. `continue_(unit)` goes on when a handler, or it itself, has set `unit.pending`; the job's state
    belongs in a table, and `on_start` finds it again after a restart.
    """
    names = list(outputs)
    runtime = StockRuntime(
        settings,
        tables=tables,
        outputs=names,
        on_start=on_start,
        continue_=continue_,
    )
    worker = Worker(runtime, [settings.worker.topic(name) for name in names])
    worker.on_starting.append(runtime.prepare)
    for spec in tables:
        worker.app.Table(spec.name, key_type=bytes, value_type=bytes)
    return worker


def build_history_worker(
    settings: Settings,
    *,
    positions: Positions,
    write: Write,
    on_assigned: Hook | None = None,
    on_revoked: Hook | None = None,
) -> Worker:
    """A worker whose lanes hand committed batches to `write(partition, batches)`.

    `positions(partitions)` says where to go on (None: from the log's beginning). `write` returns once the
    batches and their `next_offset` are durable together, and waits out outages itself; a rebalance cancels
    one that takes longer than a few seconds. Batches may be without records: their position counts all the
    same.
    """
    runtime = HistoryRuntime(
        settings,
        positions=positions,
        write=write,
        on_assigned=on_assigned,
        on_revoked=on_revoked,
    )
    return Worker(runtime)
