"""The demo: the whole system on an embedded stack, with orders coming in, and the sum at the end."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator

from pydantic import SecretStr

from deploy.demo import cases, lives, orders, store
from deploy.demo.keeper import Keeper, WorkerProcess
from deploy.demo.orders import Published
from deploy.demo.publisher import Publisher
from deploy.demo.result import Check, Latency, Options, Result, Snapshot
from deploy.demo.till.life import life_of
from deploy.demo.till.till import Till
from deploy.local.stack import Stack
from deploy.verify import tables
from deploy.verify.calm import Calm
from deploy.verify.findings import KINDS
from deploy.verify.history import HistoryView
from deploy.verify.ledger import Ledger
from deploy.verify.rows import OrderKey
from deploy.verify.told import counted
from deploy.verify.verdict import judge
from storage.schema import migrate_all
from streams.provision import create
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from topics.ids import OrderId, StoreId, sale_id

LATE_STORE = "demo-late"
"""A store whose link comes after its first order."""
STALLED_AFTER_S = 120.0
SETTLED_AFTER_S = 60.0
"""When the shops have not got on for so long, what stands still is told with the sum."""
LOOK_EVERY_S = 0.5
SHOWN_SALES = 8


class StalledError(Exception):
    """Nothing has moved for too long; the text says how far it got."""


Show = Callable[[Snapshot], None]


class Demo:
    """One run: its orders, what came of them, and how far it is."""

    def __init__(self, stack: Stack, options: Options) -> None:
        self._options = options
        bootstrap, dsn = stack.endpoints.bootstrap, stack.endpoints.postgres_dsn
        self._settings = Settings(
            KafkaSettings(bootstrap=bootstrap),
            PostgresSettings(dsn=SecretStr(dsn)),
            WorkerSettings(prefix="", partitions=options.partitions),
        )
        environment = os.environ | {
            "TILLSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "TILLSTREAM_POSTGRES_DSN": dsn,
            "TILLSTREAM_PREFIX": "",
        }
        logs = stack.data_dir / "logs"
        self._keeper = Keeper(
            stack,
            [WorkerProcess(kind, environment, logs / f"worker-{kind}.log") for kind in ("stock", "history")],
        )
        self._ledger = Ledger(self._settings)
        self._publisher = Publisher(bootstrap, options.partitions)
        self._till = Till(self._settings, self._publisher, store.takes_at_once)
        self._history = HistoryView(dsn)
        self._calm = Calm(self._settings, self._history)
        self._stores = store.store_ids(options.stores)
        self._wanted: dict[OrderKey, None] = {}
        self._begun = time.monotonic()

    async def start(self) -> None:
        """Make topics and schema, and start the workers."""
        await create(self._settings, partitions=self._options.partitions, replicas=1)
        await migrate_all(await self._history.connection())
        self._keeper.start()
        await self._ledger.start()
        await self._calm.start()

    async def run(self, show: Show) -> Result:
        """Play the demo to its end; `show` is called with each snapshot.

        Raises StalledError when nothing has moved for STALLED_AFTER_S.
        """
        async with self._publisher:
            await self._till.start()
            try:
                await self._play(show)
            finally:
                await self._till.stop()
        await self._ledger.read_to_end()
        return await self._sum_up()

    async def _play(self, show: Show) -> None:
        await self._set_up(show)
        publishing = asyncio.create_task(self._publish())
        try:
            await self._follow(show, "orders come in", lambda: publishing.done() and self._all_written)
            await publishing
        finally:
            publishing.cancel()
        # A life that stands still is a finding, not a reason to say nothing.
        with contextlib.suppress(StalledError):
            await self._follow(show, "the shops end their day", lambda: self._all_settled, SETTLED_AFTER_S)
        await self._settle(show)

    async def _settle(self, show: Show) -> None:
        """Wait until nothing is on its way any more: the topics and Postgres hold the same then."""
        calm = asyncio.create_task(self._calm.come(LOOK_EVERY_S))
        try:
            await self._follow(show, "the last rows are written", calm.done)
            await calm
        finally:
            calm.cancel()

    async def idle(self, show: Show) -> None:
        """Stay up, showing whatever else comes in, until cancelled."""
        await self._follow(show, "all decided and written; Ctrl-C ends it", lambda: False, patience_s=None)

    async def stop(self) -> None:
        """Stop the workers; the stack is its owner's."""
        await self._ledger.stop()
        await self._calm.stop()
        await self._history.close()
        await self._keeper.stop()

    async def _set_up(self, show: Show) -> None:
        """Bring in links, stock and the named cases; one order comes before its store's link."""
        per_outlet = max(20, self._options.orders // self._options.stores // 12)
        stores = [store.CASES_STORE, store.LIVES_STORE, store.TAKING_STORE, *self._stores]
        counts = 0
        for store_id in stores:
            await self._publisher.send("store.links", store_id, [store.link(store_id)])
        for store_id in stores:
            levels = list(store.levels(store_id, per_outlet))
            counts += len(levels)
            self._till.stock(store_id, levels)
            await self._publisher.send("pos.inventory", store_id, levels)
        await self._follow(show, "the shops count their stock", lambda: self._ledger.movements >= counts)
        await self._send(cases.orders(LATE_STORE, cases.CASES[:1]))
        await self._publisher.send("ecom.orders", store.CASES_STORE, [cases.WEBHOOK_BODY])
        await self._send(cases.orders(store.CASES_STORE, cases.CASES))
        await self._publisher.send("store.links", LATE_STORE, [store.link(LATE_STORE)])
        # Their orders go on meanwhile; their lives in the shop take a while.
        self._ledger.follow(self._till.enlist(life.order, life.life) for life in lives.LIVES)
        await self._send(life.order for life in lives.LIVES)
        await self._follow(show, "the published cases", lambda: self._all_written)

    async def _send(self, published: Iterable[Published]) -> None:
        await self._publisher.orders(self._noted(published))

    async def _publish(self) -> None:
        stream = orders.stream(self._options.orders, self._stores, self._options.seed)
        await self._publisher.orders(self._noted(self._living(stream)), self._options.rate)

    def _living(self, published: Iterable[Published]) -> Iterator[Published]:
        """Give some of the orders a life in the shop."""
        options = self._options
        for order in published:
            life = life_of(order.store_id, order.order_id, options.lives, options.seed)
            if life is not None:
                self._till.enlist(order, life)
            yield order

    def _noted(self, published: Iterable[Published]) -> Iterator[Published]:
        for order in published:
            self._wanted[StoreId(order.store_id), OrderId(order.order_id)] = None
            yield order

    @property
    def _all_written(self) -> bool:
        wanted = len(self._wanted)
        return self._history.standing.sales >= wanted and len(self._ledger.orders) >= wanted

    @property
    def _all_settled(self) -> bool:
        return not self._till.under_way and counted(self._till.told, self._ledger)

    async def _follow(
        self, show: Show, phase: str, done: Callable[[], bool], patience_s: float | None = STALLED_AFTER_S
    ) -> None:
        """Read what comes out until `done`."""
        moved_at, mark, looked_at = time.monotonic(), (-1, -1, -1), 0.0
        while not done():
            self._keeper.check()
            self._till.check()
            await self._ledger.read()
            now = time.monotonic()
            if now - looked_at < LOOK_EVERY_S:
                continue
            looked_at = now
            await self._history.look()
            show(self._snapshot(phase))
            if (
                new := (self._publisher.published, self._ledger.records, self._history.standing.sales)
            ) != mark:
                moved_at, mark = now, new
            elif patience_s is not None and now - moved_at > patience_s:
                raise StalledError(
                    f"nothing has moved for {patience_s:.0f} s: {mark[0]} orders published,"
                    f" {len(self._ledger.orders)} decided, {mark[2]} written; the workers' logs say why"
                )

    def _snapshot(self, phase: str) -> Snapshot:
        return Snapshot(
            phase=phase,
            elapsed_s=time.monotonic() - self._begun,
            published=self._publisher.published,
            decided=len(self._ledger.orders),
            lives=self._till.lives,
            under_way=len(self._till.under_way),
            written=self._history.standing.sales,
            wanted=len(self._wanted),
            exceptions=self._history.standing.exceptions,
            dead_letters=self._ledger.dead_letters,
            recent_ms=self._history.standing.recent_ms,
            restarts=dict(self._keeper.restarts),
            processes=self._keeper.processes,
            last_sales=tuple(self._ledger.newest(SHOWN_SALES)),
        )

    async def _sum_up(self) -> Result:
        connection = await self._history.connection()
        standing = await tables.read(self._settings)
        verdict = await judge(tuple(self._wanted), self._ledger, standing, connection, self._till.told)
        exceptions = (await self._history.look()).exceptions
        timing = await self._history.timing(self._stores)
        case_checks = tuple(self._cases())
        wrong = tuple(check.name for check in case_checks if not check.ok)
        generated = self._options.orders
        return Result(
            orders=verdict.orders,
            sales=verdict.sales,
            fulfillments=verdict.fulfillments,
            returns=verdict.returns,
            refunds=verdict.refunds,
            dead_letters=verdict.dead_letters,
            exceptions=exceptions,
            cases_right=len(case_checks) - len(wrong),
            cases_wrong=wrong,
            cases=case_checks,
            lives=tuple(self._lives()),
            lives_played=self._till.lives,
            findings=verdict.findings,
            decided_per_s=round(generated / timing.decided_s, 1) if timing else 0.0,
            end_to_end_per_s=round(generated / timing.written_s, 1) if timing else 0.0,
            latency_ms=Latency(round(timing.p50_ms, 1), round(timing.p99_ms, 1))
            if timing
            else Latency(0.0, 0.0),
            restarts=dict(self._keeper.restarts),
            **{kind: getattr(verdict, kind) for kind in KINDS},
        )

    def _cases(self) -> Iterator[Check]:
        right = cases.check(self._ledger.sales.values())
        for case in cases.CASES:
            yield Check(case.order_id, case.title, case.order_id in right)

    def _lives(self) -> Iterator[Check]:
        for life in lives.LIVES:
            story = self._ledger.stories[sale_id(StoreId(life.store_id), OrderId(life.order_id))]
            ok = lives.is_right(life, story[-1] if story else None)
            yield Check(life.order_id, life.title, ok, tuple(lives.timeline(story)))
