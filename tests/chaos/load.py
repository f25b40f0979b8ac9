"""A load of orders, and of what shops do with them, for tests that break things; and the sum at the end."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import msgspec

from deploy.demo import load as demo
from deploy.verify import tables
from deploy.verify.ledger import Ledger
from deploy.verify.rows import OrderKey
from deploy.verify.told import counted
from deploy.verify.verdict import judge
from tests.system.installation import Installation
from topics.sales import Sale

PER_OUTLET = 12
"""Pieces of each ware at each outlet: soon some orders are split, and later ones backordered."""
RATE = 400.0
LIVES = 10.0
"""So many percent of the orders are then dealt with in the shop, as far as it has the goods."""
PORTION = 50
MOST_UNDECIDED = 2_000


class Load:
    """Publishes the demo's orders; `published` are all that were, and so are due."""

    def __init__(self, shop: Installation, load: demo.Load) -> None:
        self._shop = shop
        self._load = load

    @classmethod
    @asynccontextmanager
    async def on(cls, shop: Installation, seed: int = 1) -> AsyncIterator["Load"]:
        """Publish links and stock levels first."""
        async with demo.Load(shop.settings, seed, stores=6, per_outlet=PER_OUTLET, lives=LIVES) as load:
            yield cls(shop, load)

    @property
    def published(self) -> Collection[OrderKey]:
        return self._load.published

    async def publish(self, count: int) -> None:
        """Publish the next so many orders at once."""
        await self._load.publish(count)

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
            while not stopped.is_set():
                await self._load.publish(PORTION, rate)
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
        standing = await tables.read(self._shop.settings)
        async with self._shop.connected() as connection:
            verdict = await judge(tuple(self.published), ledger, standing, connection, self._load.till.told)
        assert verdict.findings == ()
        assert (verdict.kept, verdict.sales, verdict.dead_letters) == (True, len(self.published), 0)
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
        self._load.till.check()
        await ledger.read_to_end()
        return not self._load.till.under_way and counted(self._load.till.told, ledger)

    async def _documents(self) -> dict[str, Sale]:
        """Return the sales of the history; those of a transaction that was aborted differ in their times."""
        rows = await self._shop.rows("SELECT document FROM sales")
        sales = [msgspec.json.decode(row["document"], type=Sale) for row in rows]
        return {sale.sale_id: sale for sale in sales}
