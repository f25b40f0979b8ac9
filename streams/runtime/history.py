"""The history worker's runtime: batches handed to a writer that keeps their positions itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.lanes import Lane, Queued
from streams.runtime.positions import Start, start_positions
from streams.runtime.runtime import Runtime
from streams.settings import Settings

log = logging.getLogger(__name__)

EVENT_TIME = "ce_time"

Positions = Callable[[set[TP]], Awaitable[Mapping[TP, int | None]]]
Write = Callable[[int, Sequence[Batch]], Awaitable[None]]
Hook = Callable[[set[TP]], Awaitable[None]]

# A write may wait for Postgres for ever; a rebalance does not wait for it, for Postgres refuses it
# afterwards.
SETTLE_S = 5.0

REMEDY = (
    "Nothing was skipped. Restore a database whose positions the log still has, or empty the history and"
    " replay it from the beginning; see the runbook rebuild-history."
)


class HistoryRuntime(Runtime):
    """Materialises: reads committed events and has them written; Postgres knows how far it is."""

    kind = "history"
    commits_hints = True
    cancellable = True

    def __init__(
        self,
        settings: Settings,
        *,
        positions: Positions,
        write: Write,
        on_assigned: Hook | None,
        on_revoked: Hook | None,
    ) -> None:
        super().__init__(settings, settle_s=SETTLE_S)
        self._positions = positions
        self._write = write
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._owned: set[TP] = set()

    def work(self) -> HistoryRuntime:
        """Itself."""
        return self

    async def take_over(self, assigned: set[TP]) -> None:
        """Tell the writer what it lost and got; its own progress rows fence earlier owners."""
        self.assigned()
        lost, self._owned = self._owned - assigned, set(assigned)
        if self._on_revoked is not None and lost:
            await self._on_revoked(lost)
        if self._on_assigned is not None:
            await self._on_assigned(set(assigned))

    async def recover(self, sources: set[TP], changelogs: Iterable[tuple[TP, Any]]) -> Start:
        """Go on from the positions that the writer knows."""
        wanted = await self._positions(sources)
        logs = await self.app.consumer._thread.ranges(sources)
        for tp in sorted(sources):
            if wanted.get(tp) is None and logs[tp].start > 0:
                log.warning(
                    "%s/%s: nothing written yet, and the log begins at %s: the history will begin there",
                    tp.topic,
                    tp.partition,
                    logs[tp].start,
                )
        return start_positions(
            {tp: wanted.get(tp) for tp in sources}, logs, "the history in Postgres", REMEDY
        )

    async def begin(self, lane: Lane) -> None:
        """Nothing comes before the first batch."""

    async def run(self, lane: Lane, queued: list[Queued]) -> None:
        """Have the batches written; returns once they are."""
        began = time.perf_counter()
        batches = [batch for batch, _ in queued]
        await self._write(lane.partition, batches)
        self.count(lane.health, batches, 0.0, time.perf_counter() - began)
        now = datetime.now(UTC)
        for batch in batches:
            if batch.records and (happened := event_time(batch.records[0])) is not None:
                self.metrics.freshness((now - happened).total_seconds())

    async def stop(self) -> None:
        """The writer is its owner's to close."""


def event_time(record: Any) -> datetime | None:
    """When the event of a record happened, as its header says; None when it has none that can be read."""
    for name, value in record.headers:
        if name == EVENT_TIME:
            try:
                time = datetime.fromisoformat(value.decode())
            except ValueError:
                return None
            return time if time.tzinfo else None
    return None
