"""What Faust is to our runtime: assignments, the flow of batches, and when recovery begins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.positions import LogRange
from streams.runtime.recovery import BulkRecovery
from streams.runtime.store import Store
from tests.simulation.clients import Seat, lost
from tests.simulation.log import Record


class Consumer:
    """The consumer and its thread in one; a batch for every partition that has something."""

    def __init__(self, seat: Seat, random: Random, group: str, *, committed: bool = True) -> None:
        self.epoch = 0
        self.flow = asyncio.Event()
        self._seat = seat
        self._random = random
        self._group = group
        self._committed = committed
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}
        self._held: set[TP] = set()
        self._thread = self
        self._kick: asyncio.Future[None] | None = None

    def assignment(self) -> set[TP]:
        return set(self._assigned)

    def assign(self, partitions: Iterable[TP]) -> None:
        """Own these, none of which is read before `begin`."""
        self._assigned = set(partitions)
        self._positions = {}

    def stop_flow(self) -> None:
        self.epoch += 1
        self.flow.clear()

    def resume_flow(self) -> None:
        self.flow.set()

    async def begin(self, positions: Mapping[TP, int]) -> None:
        await self._seat.process.call("seek", lambda: None, lost)
        self._positions = dict(positions)
        self._held.clear()
        self._look_again()

    def hold(self, tps: Iterable[TP]) -> None:
        self._held.update(tps)

    def release(self, tps: Iterable[TP]) -> None:
        self._held.difference_update(tps)
        self._look_again()

    def _look_again(self) -> None:
        """End a fetch that waits: what it asks for is out of date."""
        if self._kick is not None and not self._kick.done():
            self._kick.set_result(None)

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int | None]:
        offsets = self._seat.cluster.offsets[self._group]
        wanted = sorted(tps)
        found: dict[TP, int | None] = await self._seat.process.call(
            "committed", lambda: {tp: offsets.get(tp) for tp in wanted}, lost
        )
        return found

    async def ranges(self, tps: Iterable[TP]) -> dict[TP, LogRange]:
        cluster, wanted = self._seat.cluster, sorted(tps)

        def read() -> dict[TP, LogRange]:
            return {tp: LogRange(0, cluster.log(*tp).stable) for tp in wanted}

        found: dict[TP, LogRange] = await self._seat.process.call("ranges", read, lost)
        return found

    async def poll(self) -> list[Batch]:
        """Wait for batches."""
        await self.flow.wait()
        epoch, cluster = self.epoch, self._seat.cluster
        positions = {tp: at for tp, at in sorted(self._positions.items()) if tp not in self._held}
        kick = self._kick = asyncio.get_running_loop().create_future()

        def fetch() -> Any:
            found: dict[TP, tuple[list[Record], int]] = {}
            for tp, position in positions.items():
                records, after = cluster.log(*tp).read(
                    position, self._random.choice((1, 3, 30)), committed=self._committed
                )
                if after > position:
                    found[tp] = (records, after)
            if found:
                return found
            for tp in positions:
                cluster.log(*tp).waiting.append(kick)
            return kick

        found = await self._seat.process.call("fetch", fetch, lost)
        if found is None:
            return []
        batches = [
            Batch(tp.topic, tp.partition, records, after, positions[tp], epoch)
            for tp, (records, after) in found.items()
        ]
        if epoch == self.epoch:
            self._positions.update({tp: after for tp, (_, after) in found.items()})
        return batches


class App:
    """Faust's app, as far as the runtime sees it."""

    def __init__(self, consumer: Consumer, tables: Iterable[str]) -> None:
        self.consumer = consumer
        self.consumer_generation_id = -1
        self.tables = {name: SimpleNamespace(name=name, data=_store()) for name in tables}
        self.runtime: Any = None
        self.rebalancing = False
        self.in_recovery = False
        self.flow_control = SimpleNamespace(resume=_nothing)
        self._fetcher = SimpleNamespace(maybe_start=_soon)
        self.on_rebalance_complete = SimpleNamespace(send=_soon)

    def on_rebalance_end(self) -> None:
        self.rebalancing = False


class Recovery:
    """Faust's recovery service, with our own way to recover."""

    recover: Any = BulkRecovery._recover

    def __init__(self, app: App, changelogs: Mapping[TP, Any]) -> None:
        self.app = app
        self.in_recovery = False
        self.completed = asyncio.Event()
        self.tables = SimpleNamespace(on_actives_ready=_nothing, on_standbys_ready=_nothing)
        self._changelogs = changelogs

    def _is_changelog_tp(self, tp: TP) -> bool:
        return False  # the played consumer is assigned sources only

    def actives(self) -> list[tuple[TP, Any]]:
        partitions = {tp.partition for tp in self.app.consumer.assignment()}
        return [(tp, table) for tp, table in sorted(self._changelogs.items()) if tp.partition in partitions]


def _store() -> Store:
    store = Store.__new__(Store)
    store.__post_init__()
    return store


def _nothing() -> None:
    pass


async def _soon() -> None:
    pass
