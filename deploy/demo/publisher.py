"""Publishes the demo's records as an upstream system would: idempotent, keyed, in order."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from topics.partitions import partition_of

WINDOW = 2_000
"""So many records are in flight at most."""


class Outgoing(NamedTuple):
    """A JSON document for a topic, under the key of its store."""

    topic: str
    store_id: str
    payload: Any


class Publisher:
    """Sends to the inbound topics; `published` counts the orders that the broker has acknowledged."""

    def __init__(self, bootstrap: str, partitions: int, prefix: str = "") -> None:
        self.published = 0
        self._prefix = prefix
        self._partitions = partitions
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            linger_ms=2,
            max_batch_size=1 << 18,
            request_timeout_ms=120_000,
        )

    async def __aenter__(self) -> "Publisher":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def _send(self, topic: str, store_id: str, value: bytes | None) -> asyncio.Future[Any]:
        key = store_id.encode()
        partition = partition_of(key, self._partitions)
        sent: asyncio.Future[Any] = await self._producer.send(
            self._prefix + topic, value, key=key, partition=partition
        )
        return sent

    async def send(self, topic: str, store_id: str, payloads: Iterable[Any]) -> None:
        """Publish JSON documents (bytes pass as they are) of one store and wait until all are in the log."""
        sent = [
            await self._send(
                topic, store_id, payload if isinstance(payload, bytes) else orjson.dumps(payload)
            )
            for payload in payloads
        ]
        await asyncio.gather(*sent)

    async def send_all(self, outgoing: Iterable[Outgoing]) -> None:
        """Publish JSON documents of any topics and stores, in order, and wait until all are in the log."""
        sent = [await self._send(one.topic, one.store_id, orjson.dumps(one.payload)) for one in outgoing]
        await asyncio.gather(*sent)

    async def orders(self, orders: Iterable[tuple[str, str, bytes]], rate: float | None = None) -> None:
        """Publish (store, order id, JSON), at most `rate` a second, or as fast as the broker takes them."""
        window: list[asyncio.Future[Any]] = []
        begun = time.monotonic()
        for number, (store_id, _, value) in enumerate(orders):
            if rate is not None and (wait := begun + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            sent = await self._send("ecom.orders", store_id, value)
            sent.add_done_callback(self._acknowledged)
            window.append(sent)
            if len(window) >= WINDOW:
                await asyncio.gather(*window)
                window.clear()
        await asyncio.gather(*window)

    def _acknowledged(self, sent: asyncio.Future[Any]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            self.published += 1
