"""Follows the sales as they come out, and has the clerk do what is next in each one's life."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.demo.orders import Published
from deploy.demo.publisher import Outgoing, Publisher
from deploy.demo.till.clerk import Clerk
from deploy.demo.till.life import Life
from deploy.demo.till.shelves import Shelves
from deploy.demo.till.story import Story
from deploy.verify.told import Told, ToldSale
from streams.settings import Settings
from topics.codec import decode_sale
from topics.ids import OrderId, SaleId, StoreId, sale_id

SUBJECT = "ce_subject"
"""The header that names the sale: those that lead no life are passed over undecoded."""


class Till:
    """The point of sale of all the demo's stores. `told` is what it said, to hold the outcome against."""

    def __init__(self, settings: Settings, publisher: Publisher, includes: Callable[[str], bool]) -> None:
        self._publisher = publisher
        self._includes = includes
        self._topic = settings.worker.topic("sales")
        self._partitions = settings.worker.partitions
        self._shelves = Shelves()
        self._clerk = Clerk(self._shelves)
        self._stories: dict[SaleId, Story] = {}
        self._open: dict[SaleId, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._sent_ms = 0
        self._consumer = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )

    def stock(self, store_id: str, counts: Iterable[dict[str, Any]]) -> None:
        """Say what a store's outlets have: the counts that it was opened with."""
        self._shelves.stock(store_id, counts)

    def enlist(self, order: Published, life: Life) -> SaleId:
        """Give an order a life; before it is published."""
        store_id, order_id = StoreId(order.store_id), OrderId(order.order_id)
        sale = sale_id(store_id, order_id)
        self._stories[sale] = Story(
            sale_id=sale,
            life=life,
            order=order.value,
            includes=self._includes(order.store_id),
            told=ToldSale(store_id, order_id),
            ticket_id=str(uuid5(NAMESPACE_URL, f"{store_id}/{order_id}")),
        )
        self._open[sale] = None
        return sale

    async def start(self) -> None:
        """Begin to follow the sales; their topic must exist."""
        await self._consumer.start()
        partitions = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._consumer.stop()

    def check(self) -> None:
        """Raise what ended it, if anything did."""
        if self._task is not None and self._task.done():
            self._task.result()

    @property
    def lives(self) -> int:
        """How many orders were given one."""
        return len(self._stories)

    @property
    def under_way(self) -> list[Story]:
        """The lives that have not ended, but for those that wait for stock, which may never come."""
        return [story for key in self._open if not (story := self._stories[key]).lacks_goods]

    @property
    def told(self) -> Told:
        """What it has told so far."""
        return Told(
            sales={key: story.told for key, story in self._stories.items()},
            counts=dict(self._shelves.levels),
            unfinished=tuple(map(str, self.under_way)),
        )

    async def _follow(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=200)
            seen: dict[SaleId, bytes] = {}
            for records in batches.values():
                for record in records:
                    subject = next(value for name, value in record.headers if name == SUBJECT)
                    if (key := SaleId(subject.decode())) in self._open:
                        seen[key] = record.value
            if seen:
                await self._act(seen)

    async def _act(self, seen: dict[SaleId, bytes]) -> None:
        """Go on with the lives of which there is news, and publish what comes of it."""
        at = await self._moment()
        outgoing: list[Outgoing] = []
        for key, value in seen.items():
            story = self._stories[key]
            story.see(decode_sale(value))
            while not story.lacks_goods and (act := story.next) is not None:
                outgoing += [
                    Outgoing(record.topic, story.told.store_id, record.payload)
                    for record in self._clerk.do(act, story, at)
                ]
            if story.ended:
                del self._open[key]
        outgoing += [Outgoing("pos.inventory", store_id, count) for store_id, count in self._shelves.counts()]
        await self._publisher.send_all(outgoing)
        self._sent_ms = _now_ms()

    async def _moment(self) -> datetime:
        """Return a time later than that of any count sent before.

        Else a count of the same millisecond would seem to show what was done after it.
        """
        if (now := _now_ms()) <= self._sent_ms:
            await asyncio.sleep((self._sent_ms + 1 - now) / 1000)
            now = max(_now_ms(), self._sent_ms + 1)
        return datetime.fromtimestamp(now / 1000, UTC)


def _now_ms() -> int:
    return int(time.time() * 1000)
