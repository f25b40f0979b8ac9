"""The demo: the whole system on an embedded stack, with orders coming in, and the sum at the end."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from deploy.demo import cases, orders, store
from deploy.demo.keeper import Keeper, WorkerProcess
from deploy.demo.publisher import Publisher
from deploy.local.stack import Endpoints, Stack
from deploy.verify.ledger import Ledger, SeenSale
from deploy.verify.verdict import Verdict, judge
from storage.migrate import migrate
from streams.settings import Settings, load_settings
from topics.ids import OrderId, StoreId

LATE_STORE = "demo-late"
"""A store whose link comes after its first order."""
STALLED_AFTER_S = 120.0
LOOK_EVERY_S = 0.5
LAST_SALES = 6


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `rate` is orders per second, None as fast as possible."""

    orders: int = 10_000
    stores: int = 8
    rate: float | None = 500.0
    seed: int = 1
    partitions: int = 4


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is, for the live view."""

    phase: str
    elapsed_s: float = 0.0
    published: int = 0
    decided: int = 0
    written: int = 0
    orders_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    exceptions: int = 0
    dead_letters: int = 0
    restarts: dict[str, int] = {}
    last_sales: tuple[SeenSale, ...] = ()


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from the order's record to its row in Postgres."""

    p50: float
    p99: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The sum at the end; the numbers are computed from the topics and Postgres against what was published."""

    orders: int
    sales: int
    fulfillments: int
    missing: int
    duplicates: int
    oversold: int
    unequal: int
    dead_letters: int
    cases_right: int
    cases_wrong: tuple[str, ...]
    decided_per_s: float
    end_to_end_per_s: float
    latency_ms: Latency
    restarts: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return not (self.missing or self.duplicates or self.oversold or self.unequal or self.cases_wrong)


class Demo:
    """One run: its orders, what came of them, and how far it is."""

    def __init__(self, stack: Stack, options: Options) -> None:
        self.options = options
        self.environment = os.environ | {
            "TILLSTREAM_KAFKA_BOOTSTRAP": stack.endpoints.bootstrap,
            "TILLSTREAM_POSTGRES_DSN": stack.endpoints.postgres_dsn,
            "TILLSTREAM_PARTITIONS": str(options.partitions),
            "TILLSTREAM_PREFIX": "",
        }
        self._dsn = stack.endpoints.postgres_dsn
        logs = stack.data_dir / "logs"
        self._keeper = Keeper(
            stack,
            [
                WorkerProcess(kind, self.environment, logs / f"worker-{kind}.log")
                for kind in ("stock", "history")
            ],
        )
        self._ledger = Ledger(stack.endpoints.bootstrap)
        self._publisher = Publisher(stack.endpoints.bootstrap, options.partitions)
        self._history = History(stack.endpoints.postgres_dsn)
        self._wanted: set[OrderKey] = set()
        self._last: deque[SeenSale] = deque(maxlen=LAST_SALES)
        self._begun = time.monotonic()

    async def run(self, show: Show) -> Result:
        """Play the demo to its end; `show` is called with each snapshot.

        Raises:
            Stalled: nothing has moved for STALLED_AFTER_S.
        """
        self._keeper.start()
        await self._ledger.start()
        try:
            async with self._publisher:
                await self._set_up(show)
                publishing = asyncio.create_task(self._publish())
                try:
                    await self._follow(
                        show, "orders come in", lambda: publishing.done() and self._all_written
                    )
                    await publishing
                finally:
                    publishing.cancel()
                await self._ledger.read_to_end()
                return await self._sum_up()
        finally:
            await self._ledger.stop()
            await self._history.close()

    async def idle(self, show: Show) -> None:
        """Stay up, showing what else comes in, until cancelled."""
        await self._ledger.start()

    async def stop(self) -> None:
        await self._keeper.stop()

    async def _set_up(self, show: Show) -> None:
        """Bring in links and stock; one store's link stays away until its first order waits for it."""
        stores = [store.CASES_STORE, *store.store_ids(self.options.stores)]
        per_outlet = max(20, self.options.orders // self.options.stores // 12)
        counts = 0
        for store_id in stores:
            await self._publisher.send("store.links", store_id, [store.link(store_id)])
        for store_id in stores:
            levels = list(store.levels(store_id, per_outlet))
            counts += len(levels)
            await self._publisher.send("pos.inventory", store_id, levels)
        await self._follow(show, "shops count their stock", lambda: self._ledger.movements >= counts)
        await self._send_orders(cases.payloads(LATE_STORE, cases.CASES[:1]))
        await self._publisher.send("ecom.orders", store.CASES_STORE, [cases.WEBHOOK_BODY])
        await self._send_orders(cases.payloads(store.CASES_STORE, cases.CASES))
        await self._publisher.send("store.links", LATE_STORE, [store.link(LATE_STORE)])

    async def _send_orders(self, published: Iterable[Published]) -> None:
        kept = list(published)
        self._wanted.update((order.store_id, order.order_id) for order in kept)
        await self._publisher.orders(kept)

    async def _publish(self) -> None:
        options = self.options
        stream = orders.stream(options.orders, store.store_ids(options.stores), options.seed)
        await self._publisher.orders(self._noted(stream), options.rate)

    def _noted(self, stream: Iterable[Published]) -> Iterator[Published]:
        for order in stream:
            self._wanted.add((order.store_id, order.order_id))
            yield order

    @property
    def _all_written(self) -> bool:
        return self._history.sales >= len(self._wanted) and len(self._ledger.orders) >= len(self._wanted)

    async def _follow(self, show: Show, phase: str, done: Callable[[], bool]) -> None:
        """Read what comes out until `done`."""
        moved_at, mark = time.monotonic(), (-1, -1, -1)
        looked_at = 0.0
        while not done():
            self._keeper.check()
            await self._ledger.read()
            now = time.monotonic()
            if now - looked_at < LOOK_EVERY_S:
                continue
            looked_at = now
            await self._history.look()
            show(self._snapshot(phase))
            if (new := (self._publisher.published, self._ledger.records, self._history.sales)) != mark:
                moved_at, mark = now, new
            elif now - moved_at > STALLED_AFTER_S:
                raise Stalled(
                    f"nothing has moved for {STALLED_AFTER_S:.0f} s at {mark[0]} orders published, {len(self._ledger.orders)}"
                    f" decided, {mark[2]} written; see the workers' logs"
                )

    def _snapshot(self, phase: str) -> Snapshot:
        return Snapshot(
            phase=phase,
            elapsed_s=time.monotonic() - self._begun,
            published=self._publisher.published,
            decided=len(self._ledger.orders),
            written=self._history.sales,
            p50_ms=self._history.p50_ms,
            p99_ms=self._history.p99_ms,
            exceptions=self._history.exceptions,
            dead_letters=self._ledger.dead_letters,
            restarts=dict(self._keeper.restarts),
            last_sales=tuple(self._ledger.last(LAST_SALES)),
        )
