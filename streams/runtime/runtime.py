"""What the parts that Faust calls have in common: the worker's lanes, positions and tables."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.health import LaneHealth, State, WorkerHealth
from streams.runtime.lanes import Lane, Lanes, Work
from streams.runtime.metrics import Metrics
from streams.runtime.pace import Budget, Pace
from streams.runtime.positions import Start
from streams.settings import Settings

log = logging.getLogger(__name__)


class Runtime(ABC):
    """One per Faust app (`app.runtime`); the two kinds of worker fill in the rest."""

    kind = ""
    commits_hints = False
    """Whether acked offsets are committed to Kafka for lag tools; else units commit them."""

    def __init__(self, settings: Settings, *, settle_s: float) -> None:
        self.settings = settings
        self.app_id = settings.worker.app_id(self.kind)
        self.member = settings.worker.member(self.kind)
        self.health = WorkerHealth(self.kind, self.member)
        self.metrics = Metrics(self.health)
        self.lanes = Lanes(settle_s)
        self.failed: Callable[[BaseException], None] = _unheard
        """Told what ends a lane before its time; set by the worker."""
        self.app: Any = None
        self._budget = Budget(settings.worker.max_commits_per_s)

    @abstractmethod
    def work(self) -> Work:
        """What the lanes do."""

    @abstractmethod
    async def take_over(self, assigned: set[TP]) -> None:
        """Make the assigned partitions safe to own, before anything is read from them."""

    @abstractmethod
    async def recover(self, sources: set[TP], changelogs: Iterable[tuple[TP, Any]]) -> Start:
        """Restore tables; returns where every source partition starts."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what it holds; lanes have ended."""

    def assigned(self) -> None:
        """Note a new assignment."""
        self.health.assignments += 1
        self.health.enter(State.RECOVERING)

    def open_lanes(self, start: Start, epoch: int) -> None:
        """Start the lanes of an assignment at their positions."""
        by_partition: dict[int, dict[str, int]] = {}
        for tp, offset in sorted(start.positions.items()):
            by_partition.setdefault(tp.partition, {})[tp.topic] = offset
        worker = self.settings.worker
        work = self.work()
        kept = self.health.lanes
        self.health.lanes = {
            partition: kept.get(partition) or LaneHealth(partition) for partition in sorted(by_partition)
        }
        lanes = []
        for partition, offsets in by_partition.items():
            health = self.health.lanes[partition]
            health.positions = dict(offsets)
            health.lag = {}
            lanes.append(
                Lane(
                    partition,
                    offsets,
                    epoch=epoch,
                    work=work,
                    pace=Pace(worker.pace_ms / 1000, self._budget),
                    valve=self.app.consumer,
                    max_records=worker.max_unit_records,
                    health=health,
                    behind=[tp.topic for tp in start.behind if tp.partition == partition],
                )
            )
        self.lanes.open(lanes, self.failed)
        self.health.enter(State.RUNNING)
        log.info("%s owns partitions %s", self.member, sorted(by_partition))

    def count(self, health: LaneHealth, batches: Sequence[Batch], decide_s: float, commit_s: float) -> None:
        """Add a committed unit to its lane's counters."""
        now = time.time()
        records = 0
        for batch in batches:
            health.positions[batch.topic] = batch.next_offset
            if batch.records:
                records += len(batch.records)
                self.metrics.latency(now - batch.records[0].timestamp / 1000)
        health.units += 1
        health.records += records
        health.decide_s += decide_s
        health.commit_s += commit_s
        health.committed_at = now
        self.metrics.unit(records, decide_s, commit_s)


def _unheard(error: BaseException) -> None:
    raise error
