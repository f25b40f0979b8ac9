"""Prometheus metrics: what is counted once per unit, and what is read from a worker's health when asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.runtime.health import LaneHealth, State, WorkerHealth
from streams.runtime.tally import CHANGES, OPENED
from topics.errors import REASONS
from topics.exceptions import ExceptionKind

# Seconds. A unit takes milliseconds; one that waits for a broker or Postgres takes as long as that does.
UNIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
# Seconds. From an order to its row is a fraction of a second, in an outage an hour, in a backfill years.
AGE_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3_600.0, 86_400.0)
SIZE_BUCKETS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000)
DECIDES = "stock"
"""The kind of worker that decides."""
_KINDS: tuple[str, ...] = get_args(ExceptionKind)
OVERSOLD = "backordered"
"""The kind of exception that a sale of more than there is opens (DOMAIN 3)."""


class Metrics:
    """The metrics of one worker, in a registry of their own."""

    def __init__(self, health: WorkerHealth) -> None:
        self.registry = CollectorRegistry()
        kind = health.kind
        self._decide = _histogram(
            "unit_decide_seconds", "Deciding a unit of work.", UNIT_BUCKETS, self.registry
        ).labels(kind)
        self._commit = _histogram(
            "unit_commit_seconds", "Committing a unit: a Kafka or a Postgres transaction.", UNIT_BUCKETS,
            self.registry,
        ).labels(kind)  # fmt: skip
        self._records = _histogram(
            "unit_records", "Input records of a unit.", SIZE_BUCKETS, self.registry
        ).labels(kind)
        self._latency = _histogram(
            "commit_latency_seconds",
            "From a record's time in Kafka to the commit of its unit; the oldest record of each batch.",
            AGE_BUCKETS,
            self.registry,
        ).labels(kind)
        self._freshness = Histogram(
            "tillstream_freshness_seconds",
            "From when it happened at its source to its row in Postgres; the oldest event of each batch.",
            registry=self.registry,
            buckets=AGE_BUCKETS,
        )
        self.registry.register(HealthCollector(health))
        ProcessCollector(namespace="tillstream", registry=self.registry)

    def unit(self, records: int, decide_s: float, commit_s: float) -> None:
        """Note a committed unit."""
        self._decide.observe(decide_s)
        self._commit.observe(commit_s)
        self._records.observe(records)

    def latency(self, seconds: float) -> None:
        """Note how old the oldest record of a batch was when its unit was committed."""
        self._latency.observe(seconds)

    def freshness(self, seconds: float) -> None:
        """Note how long ago the oldest event of a batch happened when its row was written."""
        self._freshness.observe(seconds)


def _histogram(name: str, about: str, buckets: Iterable[float], registry: CollectorRegistry) -> Histogram:
    return Histogram(f"tillstream_{name}", about, ["kind"], registry=registry, buckets=tuple(buckets))


class ReplayProgress:
    """How far the replay of this process is, as gauges in a registry of its own; there is one at a time."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._done = self._gauge("offsets_done", "Offsets that the replay has gone through.")
        self._due = self._gauge("offsets_due", "Offsets that the replay has to go through.")
        self._left = self._gauge(
            "seconds_left", "Seconds that the replay will take about; -1: not known yet."
        )
        self._left.set(-1)
        self._began: tuple[float, int] | None = None

    def tell(self, done: int, due: int) -> None:
        """Set how far it is; what is left is judged by the speed since the first call."""
        now = time.monotonic()
        since, before = self._began = self._began or (now, done)
        self._done.set(done)
        self._due.set(due)
        if done > before:
            self._left.set((due - done) * (now - since) / (done - before))

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"tillstream_replay_{name}", about, registry=self.registry)


class HealthCollector(Collector):
    """Reads a worker's health when Prometheus asks: nothing of it costs anything in between."""

    def __init__(self, health: WorkerHealth) -> None:
        self._health = health

    def collect(self) -> Iterator[Any]:
        """Yield all families."""
        yield from self._worker()
        yield from self._lanes(list(self._health.lanes.values()))
        yield from self._decisions()
        yield from self._tables()

    def _worker(self) -> Iterator[Any]:
        health = self._health
        state = _gauge("worker_state", "What the worker is doing: 1 at its state.", "state")
        for one in State:
            state.add_metric([health.kind, one.value], float(health.state is one))
        yield state
        yield self._gauge("worker_state_since_seconds", "Unix time when the state began.", health.since)
        yield self._gauge(
            "worker_waiting",
            "1 while it waits for something, such as Postgres, and goes on by itself.",
            float(health.trouble() is not None),
        )
        yield self._counter("assignments", "Times that it was given partitions.", health.assignments)
        yield self._counter(
            "transaction_retries",
            "Times that a broker had it ask again inside a transaction.",
            health.transaction_retries,
        )
        yield self._gauge("recovery_rows", "Table rows of the last recovery.", health.restored_rows)
        yield self._gauge("recovery_seconds", "How long the last recovery took.", health.restore_s)

    def _lanes(self, lanes: list[LaneHealth]) -> Iterator[Any]:
        kind = self._health.kind
        counts = (
            ("units", "Units of work committed.", "units"),
            ("records", "Input records committed.", "records"),
            ("events", "Events sent.", "events"),
            ("changed_rows", "Table rows written or removed.", "changed_rows"),
        )
        for name, about, attribute in counts:
            family = _counter(name, about, "partition")
            for lane in lanes:
                family.add_metric([kind, str(lane.partition)], getattr(lane, attribute))
            yield family
        queued = _gauge("queued_records", "Records that wait in the worker.", "partition")
        last = _gauge("last_commit_seconds", "Unix time of the last commit; 0: none yet.", "partition")
        waits = _gauge(
            "lag_seconds",
            "Age of the oldest record that was taken and is not committed; 0: none.",
            "partition",
        )
        lag = _gauge("lag_records", "Offsets still to read.", "topic", "partition")
        for lane in lanes:
            labels = [kind, str(lane.partition)]
            queued.add_metric(labels, lane.queued)
            last.add_metric(labels, lane.committed_at)
            waits.add_metric(labels, lane.waits_s)
            for topic, left in sorted(lane.lag.items()):
                lag.add_metric([kind, topic, str(lane.partition)], left)
        yield from (queued, last, waits, lag)

    def _decisions(self) -> Iterator[Any]:
        health, kind = self._health, self._health.kind
        if kind != DECIDES:
            return
        outcomes = _counter("decisions", "Decisions by how they ended.", "outcome")
        for outcome, count in sorted(health.outcomes.items()):
            outcomes.add_metric([kind, str(outcome)], count)
        exceptions = _counter("exceptions", "Exceptions opened, told anew, closed.", "exception", "change")
        # From 0 on: Prometheus does not see the first step of a counter that begins with 1.
        for exception, change in sorted({*product(_KINDS, CHANGES), *health.exceptions}):
            exceptions.add_metric([kind, exception, change], health.exceptions[exception, change])
        oversold = self._counter(
            "oversold", "Lines sold beyond what any outlet had.", health.exceptions[OVERSOLD, OPENED]
        )
        letters = _counter("dead_letters", "Records that were refused.", "reason")
        for reason in sorted({*REASONS, *health.refused}):
            letters.add_metric([kind, reason], health.refused[reason])
        yield from (outcomes, exceptions, oversold, letters)

    def _tables(self) -> Iterator[Any]:
        health, kind = self._health, self._health.kind
        rows = _gauge("table_rows", "Rows of a table; those on disk about.", "table", "tier")
        for size in health.table_sizes():
            rows.add_metric([kind, size.table, "memory"], size.memory_rows)
            rows.add_metric([kind, size.table, "disk"], size.disk_rows)
        yield rows
        tables = health.tables
        yield self._gauge("table_memory_bytes", "Memory of the rows of growing tables.", tables.memory)
        yield self._gauge("table_disk_bytes", "Local disk that table rows take.", health.disk_bytes())
        yield self._counter("table_rows_moved", "Rows that left memory for the disk.", tables.moved)
        yield self._counter("table_rows_read", "Rows that were read from disk.", tables.read)

    def _gauge(self, name: str, about: str, value: float) -> GaugeMetricFamily:
        family = _gauge(name, about)
        family.add_metric([self._health.kind], value)
        return family

    def _counter(self, name: str, about: str, value: float) -> CounterMetricFamily:
        family = _counter(name, about)
        family.add_metric([self._health.kind], value)
        return family


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tillstream_{name}", about, labels=["kind", *labels])


def _counter(name: str, about: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"tillstream_{name}", about, labels=["kind", *labels])
