"""A changelog of stock rows, as a stock worker with a large catalogue leaves it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.bench.clock import Teller
from deploy.demo.store import OUTLETS
from streams.agents.stock import table_specs
from streams.domain.state import Level, Stock
from streams.domain.tables import SEPARATOR, STOCK
from streams.settings import Settings
from topics.ids import OutletId

BATCH_BYTES = 1 << 20
STORE_ROWS = 10_000
COUNTED = datetime(2026, 3, 2, 9, tzinfo=UTC)


def stock_rows(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of so many products, each at three outlets and sold now and then."""
    spec = next(spec for spec in table_specs() if spec.name == STOCK)
    for number in range(count):
        levels = {
            OutletId(outlet): Level(
                on_hand=Decimal(40 + (number + place) % 60),
                allocated=Decimal(number % 3),
                revision=3 + number % 50,
                version=1 + number % 20,
                counted_at=COUNTED,
            )
            for place, (outlet, _, _) in enumerate(OUTLETS)
        }
        stock = Stock(
            outlets=levels,
            sku=f"SKU-{number % STORE_ROWS:05d}",
            listed=True,
            raw=Decimal(150 - 3 * (number % 3)),
            online=Decimal(150 - 3 * (number % 3)),
            published=2,
        )
        key = f"store-{number // STORE_ROWS:05d}{SEPARATOR}0685be6c-1db4-11f1-9a2b-{number:012d}"
        yield key.encode(), spec.encode(stock)


async def fill(settings: Settings, topic: str, count: int, tell: Teller) -> None:
    """Make the topic, and write the rows to it, evenly over its partitions."""
    partitions = settings.worker.partitions
    options = settings.kafka.client_options()
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(**options, max_batch_size=BATCH_BYTES)
    async with producer:
        batches = [producer.create_batch() for _ in range(partitions)]
        now = int(time.time() * 1000)
        for number, (key, value) in enumerate(stock_rows(count)):
            at = number % partitions
            if batches[at].append(timestamp=now, key=key, value=value) is None:
                await producer.send_batch(batches[at], topic, partition=at)
                tell.at(number)
                batches[at] = producer.create_batch()
                batches[at].append(timestamp=now, key=key, value=value)
        for at, batch in enumerate(batches):
            await producer.send_batch(batch, topic, partition=at)
        await producer.flush()
