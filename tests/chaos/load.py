"""A load of orders, and of what shops do with them, for tests that break things; and the sum at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import islice

import msgspec
from aiokafka import TopicPartition

from deploy.demo import orders, store
from deploy.demo.orders import Published
from deploy.demo.publisher import Publisher
from deploy.demo.till.life import life_of
from deploy.demo.till.till import Till
from deploy.verify.ledger import Ledger, LevelKey
from deploy.verify.rows import OrderKey
from deploy.verify.told import counted
from deploy.verify.verdict import judge
from streams.domain.state import Stock
from streams.domain.tables import SEPARATOR, STOCK
from tests.system.committed import committed
from tests.system.installation import PARTITIONS, Installation
from topics.ids import OrderId, ProductId, StoreId
from topics.registry import changelog_name
from topics.sales import Sale

STORES = store.store_ids(6)
PER_OUTLET = 12
"""Pieces of each ware at each outlet: soon some orders are split, and later ones backordered."""
RATE = 400.0
LIVES = 10.0
"""So many percent of the orders are then dealt with in the shop, as far as it has the goods."""
ENDLESS = 1_000_000
PORTION = 50
MOST_UNDECIDED = 2_000


class Load:
    """Publishes the demo's orders; `published` are all that were, and so are due."""

    def __init__(self, shop: Installation, seed: int) -> None:
        self.published: set[OrderKey] = set()
        self._shop = shop
        self._seed = seed
        self._stream = orders.stream(ENDLESS, STORES, seed)
        self._publisher = Publisher(shop.settings.kafka.bootstrap, PARTITIONS, shop.settings.worker.prefix)
        self._till = Till(shop.settings, self._publisher, store.takes_at_once)

    @classmethod
    @asynccontextmanager
    async def on(cls, shop: Installation, seed: int = 1) -> AsyncIterator["Load"]:
        """Publish links and stock levels first."""
        load = cls(shop, seed)
        async with load._publisher:
            for store_id in STORES:
                await load._publisher.send("store.links", store_id, [store.link(store_id)])
                levels = list(store.levels(store_id, PER_OUTLET))
                await load._publisher.send("pos.inventory", store_id, levels)
                load._till.stock(store_id, levels)
            await load._till.start()
            try:
                yield load
            finally:
                await load._till.stop()

    async def publish(self, count: int) -> None:
        """Publish the next so many orders at once."""
        await self._publisher.orders(islice(self._noted(), count))

    @asynccontextmanager
    async def running(self, rate: float = RATE) -> AsyncIterator[None]:
        """Publish at a steady rate (orders per second) as long as the block runs.

        It waits for a worker that is far behind, so that the end of a test does not grow with its machine's
        other work.
        """
        stopped = asyncio.Event()

        async def near_or_stopped() -> bool:
            return stopped.is_set() or await self._undecided() <= MOST_UNDECIDED

        async def until_stopped() -> None:
            orders = self._noted()
            while not stopped.is_set():
                await self._publisher.orders(islice(orders, PORTION), rate)
                await self._shop.until("the stock worker comes nearer", near_or_stopped)

        publishing = asyncio.create_task(until_stopped())
        try:
            yield
        finally:
            stopped.set()
            await publishing

    async def _undecided(self) -> int:
        """Return how many orders have no sale yet, or fewer: a sale may have changed since."""
        return len(self.published) - await self._shop.visible("sales")

    def _noted(self) -> Iterator[Published]:
        for order in self._stream:
            self.published.add((StoreId(order.store_id), OrderId(order.order_id)))
            if life := life_of(order.store_id, order.order_id, LIVES, self._seed):
                self._till.enlist(order, life)
            yield order

    async def came(self, count: int) -> None:
        """Wait until so many more orders have been published."""
        due = len(self.published) + count
        await self._shop.until(f"{count} more orders are published", lambda: len(self.published) >= due)

    async def decided_more(self, count: int = 100) -> None:
        """Wait until the stock worker has committed more sales."""
        due = await self._shop.visible("sales") + count

        async def more() -> bool:
            return await self._shop.visible("sales") >= due

        await self._shop.until("more orders are decided", more)

    async def written_more(self, count: int = 100) -> None:
        """Wait until the history worker has written more sales."""
        due = await self._written() + count

        async def more() -> bool:
            return await self._written() >= due

        await self._shop.until("more sales are written", more)

    async def more_done(self, kind: str) -> None:
        """Wait until a kind of worker got on."""
        await (self.decided_more() if kind == "stock" else self.written_more())

    async def _written(self) -> int:
        (row,) = await self._shop.rows("SELECT count(*) AS sales FROM sales")
        return int(row["sales"])

    async def assert_kept(self) -> None:
        """Wait for the end: every order is one sale, in the topic and in Postgres, and all sums are right."""
        ledger = await self.settled()
        async with self._shop.connected() as connection:
            verdict = await judge(self.published, ledger, connection, self._till.told)
        assert verdict.findings == ()
        assert (verdict.kept, verdict.sales, verdict.dead_letters) == (True, len(self.published), 0)
        assert await self._stock_table() == {
            key: (level.on_hand, level.allocated, level.awaiting) for key, level in ledger.levels.items()
        }
        await self._shop.journal.read()
        assert await self._documents() == {sale.sale_id: sale for sale in self._shop.journal.all(Sale)}

    async def settled(self) -> Ledger:
        """Wait until the shops are done, and all is decided and written; return what the topics say."""
        ledger = Ledger(self._shop.settings)
        await ledger.start()
        try:
            await self._shop.until("the shops end their day", lambda: self._ended(ledger))
            await self._shop.decided()
            await self._shop.written()
            await ledger.read_to_end()
        finally:
            await ledger.stop()
        return ledger

    async def _ended(self, ledger: Ledger) -> bool:
        self._till.check()
        await ledger.read_to_end()
        return not self._till.under_way and counted(self._till.told, ledger)

    async def _documents(self) -> dict[str, Sale]:
        """Return the sales of the history; those of a transaction that was aborted differ in their times."""
        rows = await self._shop.rows("SELECT document FROM sales")
        sales = [msgspec.json.decode(row["document"], type=Sale) for row in rows]
        return {sale.sale_id: sale for sale in sales}

    async def _stock_table(self) -> dict[LevelKey, tuple[Decimal, Decimal, Decimal]]:
        """Return the stock worker's own table, as a restart would find it."""
        settings, decode = self._shop.settings, msgspec.json.Decoder(Stock).decode
        name = changelog_name(settings.worker.app_id("stock"), STOCK)
        partitions = [TopicPartition(name, number) for number in range(PARTITIONS)]
        rows = {record.key: decode(record.value) for record in await committed(settings, partitions)}
        table: dict[LevelKey, tuple[Decimal, Decimal, Decimal]] = {}
        for key, row in rows.items():
            store_id, _, product_id = key.decode().partition(SEPARATOR)
            for outlet_id, level in row.outlets.items():
                key_of_level = (StoreId(store_id), ProductId(product_id), outlet_id)
                table[key_of_level] = (level.on_hand, level.allocated, level.awaiting)
        return table
