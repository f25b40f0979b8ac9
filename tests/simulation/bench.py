"""The workers as they are put together, with played parts where Kafka, Postgres and Faust would be."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, partial
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from storage import backoff, history, intake, sink
from storage.rows import TARGETS
from streams.agents import backlogs
from streams.agents import history as history_agent
from streams.agents import stock as stock_agent
from streams.runtime import history as history_runtime
from streams.runtime import lanes, recovery, runtime, stock, transactions, unit
from streams.runtime.history import HistoryRuntime
from streams.runtime.lanes import Handler, Lane, Queued
from streams.runtime.pace import Budget, Pace
from streams.runtime.stock import StockRuntime
from streams.runtime.unit import KafkaUnit
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.simulation.clients import BulkConsumer, Markers, Producer
from tests.simulation.loop import EPOCH_S, OWNER
from tests.simulation.postgres import Server, Session

STEPS = 3
"""So few steps of a backlog go into a unit, so that most take several."""

ROW_OF: dict[str, Callable[[Any], str]] = {
    "sales": lambda event: event.sale_id,
    "fulfillments": lambda event: event.fulfillment_id,
    "refunds": lambda event: event.refund_id,
    "stock.movements": lambda event: event.event_id,
    "customers": lambda event: f"{event.store_id}/{event.customer_id}",
    "exceptions": lambda event: event.exception_id,
    "dead.letters": lambda event: event.dead_letter_id,
}
"""What the row of an event is of, by topic."""


@cache
def settings_of(member: str) -> Settings:
    """Return the settings of a played worker."""
    return Settings(
        KafkaSettings(bootstrap="played:9092"),
        PostgresSettings(host="played"),
        WorkerSettings(
            instance_id=member,
            max_unit_records=20,
            session_timeout_s=1.0,
            heartbeat_s=0.3,
            rebalance_timeout_s=3.0,
            transaction_timeout_s=4.0,
            request_timeout_s=1.0,
            table_memory_mib=0,
            http_port=0,
        ),
    )


class Unit(NamedTuple):
    """What a unit of work is about, as the runtime was told to do it."""

    kind: str
    """`take` batches, `continue` a backlog, or look what there is to `begin` with."""
    lane: tuple[str, int]
    """The process and its assignment: a new lane looks for backlogs anew."""
    batches: tuple[tuple[str, int, int, tuple[int, ...]], ...]
    """Topic, where it begins, where it ends, and the offsets of its records."""
    now: datetime


class NotedRuntime(StockRuntime):
    """The stock worker's runtime, which says of each unit what it is about."""

    async def begin(self, lane: Lane) -> None:
        self._about: dict[int, tuple[str, list[Queued]]] = getattr(self, "_about", {})
        self._about[lane.partition] = ("begin", [])
        await super().begin(lane)

    async def run(self, lane: Lane, queued: list[Queued]) -> None:
        self._about[lane.partition] = ("continue" if lane.pending else "take", queued)
        await super().run(lane, queued)

    async def _commit(self, lane: Lane, unit: KafkaUnit, queued: list[Queued], decide_s: float) -> None:
        await super()._commit(lane, unit, queued, decide_s)
        seat = OWNER.get().seat
        seat.cluster.on_unit(lane.partition, seat.units[lane.partition])

    def _unit(self, lane: Lane) -> KafkaUnit:
        made = super()._unit(lane)
        kind, queued = self._about[lane.partition]
        process = OWNER.get()
        process.seat.units[lane.partition] = Unit(
            kind,
            (process.name, lane.epoch),
            tuple(
                (batch.topic, batch.begin, batch.next_offset, tuple(one.offset for one in batch.records))
                for batch, _ in queued
            ),
            made.now,
        )
        return made


class PlayedWorker:
    """What the agents subscribe to; `handlers` are what they do with a batch, by topic."""

    def __init__(self, of: Any) -> None:
        self.runtime = of
        self.settings: Settings = of.settings
        self.health = of.health
        self.app = self
        self.on_starting: list[Any] = []
        self.on_stopped: list[Any] = []
        self.on_start: Any = None
        self.continue_: Any = None
        self.handlers: dict[str, Handler | None] = {}
        self._names: tuple[str, ...] = ()

    def topic(self, *names: str) -> tuple[str, ...]:
        return names

    def agent(self, names: tuple[str, ...], *, name: str) -> Callable[[Any], Any]:
        def subscribe(function: Any) -> Any:
            self._names = names
            running = function(None)
            try:
                running.send(None)
            except StopIteration:
                return function
            raise AssertionError(f"agent {name} waits for something else than its batches")

        return subscribe

    async def batches(self, stream: Any) -> AsyncIterator[Any]:
        yield None

    def put(self, batch: Any, handle: Handler | None = None) -> None:
        self.handlers.update(dict.fromkeys(self._names, handle))


def _stock_worker(
    settings: Settings, *, tables: Any, outputs: Any, on_start: Any = None, continue_: Any = None
) -> PlayedWorker:
    made = NotedRuntime(settings, tables=tables, outputs=outputs, on_start=on_start, continue_=continue_)
    worker = PlayedWorker(made)
    worker.on_start, worker.continue_ = on_start, continue_
    return worker


def stock_agents(partitions: int) -> PlayedWorker:
    """Return what the stock worker's agents do, without anything around them."""
    with instead([(stock_agent, "build_stock_worker", _stock_worker)]):
        worker: Any = stock_agent.stock_worker(settings_of("alone"), partitions)
    made: PlayedWorker = worker
    return made


def _history_worker(settings: Settings, *, positions: Any, write: Any, **hooks: Any) -> PlayedWorker:
    made = HistoryRuntime(
        settings,
        positions=positions,
        write=write,
        on_assigned=hooks.get("on_assigned"),
        on_revoked=hooks.get("on_revoked"),
    )
    return PlayedWorker(made)


class _Target:
    """Writes a topic's events to the played database."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._row_of = ROW_OF[topic]
        self.decode = TARGETS[topic].decode

    async def write(self, connection: Session, entries: Sequence[Any], *, careful: bool) -> None:
        for event, value, record in entries:
            connection.write(
                (record.topic, record.partition, record.offset),
                (self._topic, self._row_of(event)),
                getattr(event, "revision", 1),
                value,
            )


_TARGETS = {topic: _Target(topic) for topic in TARGETS}


async def _done(*_: Any, **__: Any) -> None:
    pass


@contextmanager
def played(now: Callable[[], float], server: Server | None, random: Random) -> Iterator[None]:
    """Have the workers' modules find played parts; `now` is the run's clock, in seconds."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(EPOCH_S, UTC) + timedelta(seconds=now())

    async def connect(options: Any, *, name: str, **_: Any) -> Session:
        assert server is not None
        return await Session.open(server, OWNER.get(), name)

    clock = SimpleNamespace(monotonic=now, perf_counter=now, time=lambda: EPOCH_S + now(), sleep=time.sleep)
    parts: list[tuple[Any, str, Any]] = [
        *((module, "time", clock) for module in (lanes, recovery, stock, runtime, history_runtime, history)),
        (unit, "datetime", Clock),
        (runtime, "Pace", partial(Pace, clock=now)),
        (runtime, "Budget", partial(Budget, clock=now)),
        (recovery, "AIOKafkaConsumer", BulkConsumer),
        (transactions, "AIOKafkaProducer", Producer),
        (transactions, "Markers", Markers),
        (stock_agent, "build_stock_worker", _stock_worker),
        (history_agent, "build_history_worker", _history_worker),
        (backlogs, "STEPS", STEPS),
        (backoff, "uniform", random.uniform),
        (history, "connect", connect),
        (history, "check", _done),
        (history, "prepare", _done),
        (sink, "TARGETS", _TARGETS),
        (sink, "LETTER", _TARGETS["dead.letters"]),
        (sink, "make_ready", _done),  # months are tables apart, and no matter here
        (intake, "TARGETS", _TARGETS),
    ]
    silenced = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with instead(parts):
            yield
    finally:
        logging.disable(silenced)


@contextmanager
def instead(parts: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Have modules, or classes, hold other parts for a while: (where, name, part)."""
    before = [(where, name, getattr(where, name)) for where, name, _ in parts]
    try:
        for where, name, part in parts:
            setattr(where, name, part)
        yield
    finally:
        for where, name, part in before:
            setattr(where, name, part)
