"""The stock worker's runtime: units of work committed as Kafka transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.runtime.disk import Disk
from streams.runtime.errors import UnitError, WorkerError
from streams.runtime.health import TableSize
from streams.runtime.lanes import Lane, Queued
from streams.runtime.positions import Start, start_positions
from streams.runtime.recovery import restore
from streams.runtime.runtime import Runtime
from streams.runtime.store import Rows, Store
from streams.runtime.tables import TableSpec
from streams.runtime.tally import LETTERS
from streams.runtime.tier import Tiers
from streams.runtime.transactors import Transactors
from streams.runtime.unit import KafkaUnit
from streams.settings import Settings, SettingsError
from topics.registry import changelog_name

log = logging.getLogger(__name__)

OnStart = Callable[[int, KafkaUnit], None]
Continue = Callable[[KafkaUnit], None]

REMEDY = (
    "Nothing was skipped. Set the group's offset by hand once it is clear what the missing records were"
    " (kafka-consumer-groups --reset-offsets), then start again."
)


class StockRuntime(Runtime):
    """Decides: reads sources, changes tables, emits events, all in one transaction per unit."""

    kind = "stock"

    def __init__(
        self,
        settings: Settings,
        *,
        tables: Sequence[TableSpec[Any]],
        outputs: Iterable[str],
        on_start: OnStart | None,
        continue_: Continue | None,
    ) -> None:
        # A rebalance waits for units in flight, and the broker for us: leave time to rejoin.
        super().__init__(settings, settle_s=settings.worker.rebalance_timeout_s * 0.8)
        self.topics: Mapping[str, str] = {name: settings.worker.topic(name) for name in outputs}
        self.tables: Mapping[str, TableSpec[Any]] = {table.name: table for table in tables}
        written = (*self.topics.values(), *(self.changelog(name) for name in self.tables))
        self._transactors = Transactors(self.app_id, settings, written, self._end)
        self._on_start = on_start
        self._continue = continue_
        self._generation = -1
        self._kept: set[int] = set()
        self._owned: set[int] = set()
        self._restored: set[int] = set()
        self._reached: dict[TP, int] = {}
        self._tiers: Tiers | None = None
        self.health.table_sizes = self._sizes
        self.health.disk_bytes = lambda: 0 if self._tiers is None else self._tiers.disk.size()

    async def prepare(self) -> None:
        """Make the folder for rows that leave memory; raises `SettingsError` when that cannot be."""
        worker = self.settings.worker
        if not worker.table_memory_mib:
            return
        common = worker.tables_dir()
        try:
            disk = Disk(common, self.app_id, self.health.tables)
        except OSError as error:
            raise SettingsError(
                f"no folder for table rows can be made in {common}: {error}. Name a folder on a local disk in"
                " TILLSTREAM_TABLE_DIR, or set TILLSTREAM_TABLE_MEMORY_MIB=0 to keep all rows in memory"
            ) from error
        self._tiers = Tiers(int(worker.table_memory_mib * (1 << 20)), disk)

    def changelog(self, table: str) -> str:
        """The topic that holds a table's changes."""
        return changelog_name(self.app_id, table)

    def rows(self, table: str, partition: int) -> Rows:
        """The committed rows of a table in one partition."""
        return self._store(table).rows(partition)

    def _store(self, table: str) -> Store:
        store: Store = self.app.tables[table].data
        return store

    def _sizes(self) -> Iterable[TableSize]:
        if not self._restored:
            return
        for name in self.tables:
            parts = list(self._store(name).partitions.values())
            disk = sum(rows.cold.count() for rows in parts if rows.cold is not None)
            yield TableSize(name, sum(len(rows.data) for rows in parts), disk)

    def _end(self, error: BaseException) -> None:
        self.failed(error)  # which the worker sets later

    def work(self) -> StockRuntime:
        """Itself."""
        return self

    cancellable = False

    async def take_over(self, assigned: set[TP]) -> None:
        """Fence earlier owners.

        A partition that we owned in the generation right before this one had no other owner in between: its
        producer goes on and its rows are right. After a gap (we were thought dead) everything is taken anew.
        Were that ever wrong, the other owner would have fenced the producer, so nothing that was decided on
        outdated rows could be committed.
        """
        self.assigned()
        partitions = {tp.partition for tp in assigned}
        generation = self.app.consumer_generation_id
        self._kept = (
            self._owned & partitions if generation in (self._generation, self._generation + 1) else set()
        )
        self._restored &= self._kept
        self._reached = {tp: at for tp, at in self._reached.items() if tp.partition in self._kept}
        self._owned = set()  # until all of it worked
        await self._transactors.own(assigned, self._kept)
        self._owned, self._generation = partitions, generation

    async def recover(self, sources: set[TP], changelogs: Iterable[tuple[TP, Any]]) -> Start:
        """Restore the rows of partitions that are new here; go on from the group's committed offsets."""
        began = time.monotonic()
        for table in self.tables:
            self._store(table).keep_only(self._restored)
        if self._tiers is not None:
            await self._tiers.assign(self._restored, self._owned)
        wanted = {tp: table.name for tp, table in changelogs if tp.partition not in self._restored}
        restored = {tp: self._empty(name, tp.partition) for tp, name in wanted.items()}
        await restore(restored, self.settings)
        for tp, rows in restored.items():
            self._store(wanted[tp]).replace(tp.partition, rows)
        # Only now: a recovery that is broken off before leaves nothing that the next one would take for
        # restored.
        self._restored = set(self._owned)
        self.health.restored_rows = sum(rows.count() for rows in restored.values())
        self.health.restore_s = time.monotonic() - began
        on_disk = self.health.restored_rows - sum(len(rows.data) for rows in restored.values())
        log.info(
            "restored %s rows in %.2f s, %s of them on disk",
            self.health.restored_rows,
            self.health.restore_s,
            on_disk,
        )
        thread = self.app.consumer._thread
        committed, logs = await asyncio.gather(thread.committed(sources), thread.ranges(sources))
        # The offsets of a transaction show once its last marker is written, which may be after its end was
        # answered. Who takes over waits for that; of a partition that stayed ours we know better.
        committed = {tp: self._reached.get(tp, offset) for tp, offset in committed.items()}
        return start_positions(committed, logs, f"group {self.app_id}", REMEDY)

    def _empty(self, table: str, partition: int) -> Rows:
        if self._tiers is None or not self.tables[table].grows:
            return Rows()
        return self._tiers.rows(table, partition)

    async def begin(self, lane: Lane) -> None:
        """A lane's first unit: what `on_start` finds to do."""
        if self._on_start is None:
            return
        unit = self._unit(lane)
        try:
            self._on_start(lane.partition, unit)
        except Exception as error:
            raise UnitError(f"The start of partition {lane.partition} failed: {error!r}") from error
        await self._commit(lane, unit, [], 0.0)

    async def run(self, lane: Lane, queued: list[Queued]) -> None:
        """Decide a unit's batches, or go on with a long job, and commit."""
        began = time.perf_counter()
        unit = self._unit(lane)
        if lane.pending:
            if self._continue is None:
                raise WorkerError(
                    f"partition {lane.partition}: a handler set `pending`, but nothing continues it"
                )
            try:
                self._continue(unit)
            except Exception as error:
                raise UnitError(f"Continuing on partition {lane.partition} failed: {error!r}") from error
        for number, (batch, handle) in enumerate(queued):
            if number:
                await asyncio.sleep(0)  # other lanes' requests go out between batches
            if batch.records and handle is not None:
                try:
                    handle(batch, unit)
                except WorkerError:
                    raise
                except Exception as error:
                    raise UnitError(
                        f"Deciding {batch!r} failed: {error!r}. Nothing was committed."
                    ) from error
        await self._commit(lane, unit, queued, time.perf_counter() - began)

    async def stop(self) -> None:
        """Close the producers, delete what is on disk."""
        await self._transactors.stop()
        if self._tiers is not None:
            await asyncio.to_thread(self._tiers.disk.delete)

    def _tell(self, unit: KafkaUnit) -> None:
        """Add what a committed unit has to tell."""
        for (topic, name, change), count in unit.counts.items():
            if topic == LETTERS:
                self.health.refused[name] += count
            else:
                self.health.exceptions[name, change] += count

    def _unit(self, lane: Lane) -> KafkaUnit:
        return KafkaUnit(lane.partition, self, self._transactors[lane.partition])

    async def _commit(self, lane: Lane, unit: KafkaUnit, queued: list[Queued], decide_s: float) -> None:
        began = time.perf_counter()
        sealed = unit.seal()
        tiers = self._tiers
        if tiers is not None and tiers.disk.failure is not None:
            # A handler that takes any error for the record's own fault must not decide without its rows.
            raise tiers.disk.failure
        offsets = {TopicPartition(batch.topic, lane.partition): batch.next_offset for batch, _ in queued}
        sealing = time.perf_counter()
        await self._transactors[lane.partition].commit(sealed, offsets)
        self._reached.update((TP(*tp), offset) for tp, offset in offsets.items())
        sealed.apply()
        if tiers is not None:
            tiers.make_room(lane.partition)
            self.health.tables.memory = tiers.used
        lane.pending = unit.pending
        health = lane.health
        self.count(
            health,
            [batch for batch, _ in queued],
            decide_s + sealing - began,
            time.perf_counter() - sealing,
        )
        self._tell(unit)
        health.events += unit.events
        health.changed_rows += sealed.changed_rows
