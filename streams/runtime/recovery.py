"""Restores tables from their changelogs in bulk, then lets the sources in at explicit positions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from streams.runtime.errors import RecoveryError
from streams.runtime.store import Rows
from streams.settings import Settings

log = logging.getLogger(__name__)

FETCH_BYTES = 8 << 20
POLL_MS = 200
STALL_S = 60.0


async def restore(rows: Mapping[TP, Rows], settings: Settings) -> None:
    """Read changelog partitions from their beginning to their end, each into its rows, which are empty.

    Only committed changes count, and the end is that of the log, not that of the last record: a changelog
    that ends in a transaction marker is complete all the same. Raises `RecoveryError` when nothing moves
    for a minute.
    """
    if not rows:
        return
    consumer = AIOKafkaConsumer(
        **settings.kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        request_timeout_ms=int(settings.worker.request_timeout_s * 1000),
    )
    await consumer.start()
    try:
        tables = {TopicPartition(*tp): found for tp, found in rows.items()}
        consumer.assign(list(tables))
        ends = await consumer.end_offsets(list(tables))
        await consumer.seek_to_beginning(*tables)
        left = {tp for tp in tables if await consumer.position(tp) < ends[tp]}
        moved_at = time.monotonic()
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=POLL_MS)
            for tp, records in fetched.items():
                tables[tp].restore([(record.key, record.value) for record in records])
            done = {tp for tp in left if await consumer.position(tp) >= ends[tp]}
            left -= done
            now = time.monotonic()
            if fetched or done:
                moved_at = now
            elif now - moved_at > STALL_S:
                stuck = ", ".join([f"{tp.topic}/{tp.partition}" for tp in sorted(left)])
                raise RecoveryError(
                    f"Reading the changelogs {stuck} stood still for {STALL_S:.0f} s. Check that their"
                    " brokers are up, then start the worker again."
                )
    finally:
        await consumer.stop()


class BulkRecovery(Recovery):
    """Faust's recovery, whose three tasks (replay by message, statistics, standbys) give way to one."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):
                return
            self.signal_recovery_start.clear()
            try:
                await self._wait(self._recover(self._generation_id))
            except RebalanceAgain:
                log.info("another rebalance: recovery begins anew")
            except IllegalStateError as error:
                if not self.app.rebalancing and self._generation_id == self.app.consumer_generation_id:
                    raise
                # A partition went away between two steps; the rebalance that took it starts recovery again.
                log.info("recovery meets a rebalance: %s", error)
            except ServiceStopped:
                return

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Changelogs come in bulk."""

    @Service.task
    async def _publish_stats(self) -> None:
        """See `health`."""

    async def _recover(self, generation: int) -> None:
        app, consumer = self.app, self.app.consumer
        self.in_recovery = app.in_recovery = True
        epoch = consumer.epoch
        sources = {tp for tp in consumer.assignment() if not self._is_changelog_tp(tp)}
        start = await app.runtime.recover(sources, self.actives())
        await consumer.begin(start.positions)
        if consumer.epoch != epoch or app.consumer_generation_id != generation:
            log.info("generation %s is over: waiting for the next assignment", generation)
            return
        # Nothing below gives way to another task before the flow is on, so no rebalance can slip in
        # between; and the positions are set before it is. Faust's own order lets records in first, and
        # loses those of partitions that have no committed offset yet.
        self.in_recovery = app.in_recovery = False
        app.runtime.open_lanes(start, epoch)
        app.flow_control.resume()
        consumer.resume_flow()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        self.completed.set()
        await app._fetcher.maybe_start()
        await app.on_rebalance_complete.send()

    def actives(self) -> list[tuple[TP, Any]]:
        """Changelog partitions to restore, with their tables."""
        return [(tp, self.tp_to_table[tp]) for tp in sorted(self.active_tps)]

    def flush_buffers(self) -> None:
        """Nothing is buffered."""


class Tables(TableManager):
    """Faust's table manager with bulk recovery, and without its second of sleep at the start."""

    _recovery: BulkRecovery | None

    @property
    def recovery(self) -> BulkRecovery:
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        await asyncio.sleep(0)  # lets the consumer's thread come up first
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
