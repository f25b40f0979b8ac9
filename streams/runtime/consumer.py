"""Faust's consumer, made to hand out whole batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import uvloop
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.runtime.consumer_thread import ConsumerThread, PausedListener


class _NoReadOffsets(dict[TP, int]):
    """Remembers nothing: Faust drops messages below what it read last, which after a rebalance is wrong.

    The lanes check the order.
    """

    def __getitem__(self, tp: TP) -> Any:
        return None

    def __setitem__(self, tp: TP, offset: int) -> None:
        pass


class BatchConsumer(driver.Consumer):
    """Faust's consumer, one message per batch."""

    RebalanceListener = PausedListener
    _thread: ConsumerThread

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epoch = 0
        self._held: set[TP] = set()
        self._read_offset = _NoReadOffsets()

    @property
    def epoch(self) -> int:
        """Counts assignments: whatever was fetched under an earlier one is stale."""
        return self._epoch

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, thread_loop=uvloop.new_event_loop(), beacon=self.beacon)

    def stop_flow(self) -> None:
        """Let nothing more in until `begin`; what is on its way is stale from here on."""
        self._epoch += 1
        super().stop_flow()

    async def begin(self, positions: Mapping[TP, int]) -> None:
        """Let source partitions in, each at an explicit position; the flow is still stopped."""
        await self._thread.begin(positions, self._epoch)
        for tp in positions:
            self._committed_offset[tp] = None
            self._acked.pop(tp, None)
            self._acked_index.pop(tp, None)
        self._held.clear()
        self.resume_partitions(set(positions))

    async def perform_seek(self) -> None:
        """Faust seeks to committed offsets here and skips partitions that have none; we seek in `begin`."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # Faust's
        """One message per batch: its value is the batch, its offset that of the batch's end."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        batches = await self._thread.take(self._get_active_partitions() - self._held, timeout)
        if batches and not self.flow_active:
            # Stale, or of the new assignment and let in just before the flow is on: then they must not be
            # lost.
            await self.wait(self.can_resume_flow)
        generation = self.app.consumer_generation_id
        for batch in batches:
            if self.should_stop or batch.epoch != self._epoch:
                return  # a rebalance or the end; every rebalance ends in explicit positions
            tp = TP(batch.topic, batch.partition)
            yield (
                tp,
                ConsumerMessage(
                    batch.topic,
                    batch.partition,
                    batch.next_offset - 1,
                    None,
                    0,
                    None,
                    None,
                    batch,
                    None,
                    0,
                    0,
                    tp,
                    generation_id=generation,
                ),
            )

    def hold(self, tps: Iterable[TP]) -> None:
        """Take nothing from these partitions for now: their lane is full."""
        self._held.update(tps)

    def release(self, tps: Iterable[TP]) -> None:
        """Take from these partitions again."""
        self._held.difference_update(tps)

    async def wait_empty(self) -> None:
        """Let units in flight end, drop what is queued; before a rebalance and at the end."""
        await self.app.runtime.lanes.settle()
        await self.commit_and_end_transactions()

    def _new_offset(self, tp: TP) -> int | None:
        """The end of the last acked batch: lanes ack in log order."""
        acked = self._acked[tp]
        if not acked:
            return None
        last: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps are control records, or compacted; the position says where a batch ends."""

    async def verify_all_partitions_active(self) -> None:
        """Faust's watchdog looks at changelog partitions too, which are never fetched here; see `health`."""
