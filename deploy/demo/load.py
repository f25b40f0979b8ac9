"""Orders from a seed, some of which lead a life in the shop: a load whose answer is known."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Self

from deploy.demo import orders, store
from deploy.demo.orders import Published
from deploy.demo.publisher import Publisher
from deploy.demo.till.life import life_of
from deploy.demo.till.till import Till
from deploy.verify.rows import OrderKey
from streams.settings import Settings
from topics.ids import OrderId, StoreId

ENDLESS = 1_000_000_000


class Load:
    """Publishes a stream of orders over `stores`; `lives` percent of them are dealt with in the shop.

    `published` are all that were, in order, and so are due. To be entered with `async with`: the stores'
    links and counts are published then, with about `per_outlet` pieces of each ware at each outlet.
    """

    def __init__(self, settings: Settings, seed: int, *, stores: int, per_outlet: int, lives: float) -> None:
        self.published: dict[OrderKey, None] = {}
        self._due: dict[int, asyncio.Event] = {}
        worker = settings.worker
        self._stores = store.store_ids(stores)
        self._per_outlet = per_outlet
        self._lives = lives
        self._seed = seed
        self._stream = orders.stream(ENDLESS, self._stores, seed)
        self._publisher = Publisher(settings.kafka.bootstrap, worker.partitions, worker.prefix)
        self.till = Till(settings, self._publisher, store.takes_at_once)

    async def __aenter__(self) -> Self:
        await self._publisher.__aenter__()
        for store_id in self._stores:
            await self._publisher.send("store.links", store_id, [store.link(store_id)])
            levels = list(store.levels(store_id, self._per_outlet))
            await self._publisher.send("pos.inventory", store_id, levels)
            self.till.stock(store_id, levels)
        await self.till.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.till.stop()
        await self._publisher.__aexit__()

    async def publish(self, count: int, rate: float | None = None) -> None:
        """Publish the next so many orders, at most `rate` a second."""
        await self._publisher.orders(islice(self._noted(), count), rate)

    async def came(self, count: int) -> None:
        """Wait until so many orders are on their way, of all that there ever were."""
        self._due[count] = asyncio.Event()
        if len(self.published) < count:
            await self._due[count].wait()

    def _noted(self) -> Iterator[Published]:
        for order in self._stream:
            self.published[StoreId(order.store_id), OrderId(order.order_id)] = None
            if (due := self._due.get(len(self.published))) is not None:
                due.set()
            if life := life_of(order.store_id, order.order_id, self._lives, self._seed):
                self.till.enlist(order, life)
            yield order
