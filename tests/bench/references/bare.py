"""The bare clients, without any rules: what the same records and the same rows cost at least.

    python -m tests.bench.references.bare move            # consume, decode, produce what orders became
    python -m tests.bench.references.bare copy            # COPY the rows of the history into empty tables
    python -m tests.bench.references.bare restore TOPIC   # consume a changelog into a dictionary

The first two take what a Tillstream under TILLSTREAM_PREFIX has made and hold it in memory first; each
prints one JSON object. `move` is exactly once too: transactions with the consumed offsets in them, one at a
time for each partition.
"""

import asyncio
import gc
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.bench.references import Done
from storage.connection import connect
from streams.provision import wanted
from streams.settings import Settings, load_settings
from topics.decoders import decode_orders
from topics.registry import OUTBOUND, changelog_name

UNIT = 2_000
"""Orders of a transaction at most, as the stock worker has them under a backlog; rows of a COPY likewise."""
FETCH = {"max_poll_records": UNIT, "max_partition_fetch_bytes": 4 << 20}
PRODUCE = {"linger_ms": 0, "max_batch_size": 1 << 20, "max_request_size": 16 << 20}
TABLES = (
    "sales", "sale_lines", "sale_payments", "fulfillments", "fulfillment_lines", "stock_movements",
    "customers",
)  # fmt: skip


class Output(NamedTuple):
    """A record that a worker has produced."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


async def move(settings: Settings) -> Done:
    """Consume, decode and produce, per partition in transactions."""
    orders = settings.worker.topic("ecom.orders")
    outputs = {topic.full_name(settings.worker.prefix) for topic in OUTBOUND}
    logs = {
        name
        for name in wanted(settings)
        if name.startswith(changelog_name(settings.worker.app_id("stock"), ""))
    }
    made = await _read(settings, outputs | logs)
    consumer = AIOKafkaConsumer(
        **settings.kafka.client_options(), isolation_level="read_committed", enable_auto_commit=False, **FETCH
    )
    await consumer.start()
    places = [TopicPartition(orders, number) for number in range(settings.worker.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    counts = {place: end for place, end in ends.items() if end}
    producers = {place: await _producer(settings, place) for place in counts}
    shares = {place: _shares(made[place.partition], counts[place]) for place in counts}
    left, orders_done = set(counts), 0
    busy: dict[TopicPartition, asyncio.Task[None]] = {}
    begun, used = time.perf_counter(), time.process_time()
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=1_000, max_records=UNIT)
        for place, batch in fetched.items():
            if place in busy:
                await busy.pop(place)
            now = datetime.now(UTC)
            for record in batch:
                decode_orders(record.value, now)
            orders_done += len(batch)
            after = batch[-1].offset + 1
            busy[place] = asyncio.create_task(
                _produce(producers[place], place, after, itertools.islice(shares[place], len(batch)))
            )
            if after >= counts[place]:
                left.discard(place)
    await asyncio.gather(*busy.values())
    done = _done(orders_done, begun, used)
    await asyncio.gather(consumer.stop(), *(producer.stop() for producer in producers.values()))
    return done


def _done(count: int, begun: float, used: float) -> Done:
    return Done(
        count=count,
        seconds=round(time.perf_counter() - begun, 3),
        cpu_s=round(time.process_time() - used, 3),
    )


async def _producer(settings: Settings, place: TopicPartition) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **settings.kafka.client_options(),
        **PRODUCE,
        transactional_id=f"{settings.worker.prefix}bare-{place.partition}",
        acks="all",
    )
    producer._sender._retry_backoff = 0.005  # as the worker has it
    await producer.start()
    return producer


def _shares(made: dict[str, list[Output]], count: int) -> Any:
    """Yield, order by order, its share of what became of all: {topic: records}."""
    totals = {topic: len(outputs) for topic, outputs in made.items()}
    for number in range(count):
        yield {
            topic: made[topic][number * total // count : (number + 1) * total // count]
            for topic, total in totals.items()
        }


async def _produce(producer: AIOKafkaProducer, place: TopicPartition, after: int, shares: Any) -> None:
    batches: dict[str, list[Any]] = defaultdict(list)
    for share in shares:
        for topic, outputs in share.items():
            for output in outputs:
                full = (
                    not batches[topic]
                    or batches[topic][-1].append(
                        timestamp=None, key=output.key, value=output.value, headers=output.headers
                    )
                    is None
                )
                if full:
                    batches[topic].append(producer.create_batch())
                    batches[topic][-1].append(
                        timestamp=None, key=output.key, value=output.value, headers=output.headers
                    )
    await producer.begin_transaction()
    sent = []
    for topic, several in batches.items():
        for batch in several:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=place.partition))
    await producer.send_offsets_to_transaction({place: after}, "bare")
    await asyncio.gather(*sent)
    await producer.commit_transaction()


async def _read(settings: Settings, topics: set[str]) -> dict[int, dict[str, list[Output]]]:
    consumer = AIOKafkaConsumer(
        **settings.kafka.client_options(), isolation_level="read_committed", enable_auto_commit=False, **FETCH
    )
    await consumer.start()
    places = [
        TopicPartition(topic, number) for topic in topics for number in range(settings.worker.partitions)
    ]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    made: dict[int, dict[str, list[Output]]] = defaultdict(lambda: defaultdict(list))
    left = {place for place, end in ends.items() if end}
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=500)
        for place, batch in fetched.items():
            made[place.partition][place.topic] += [
                Output(one.key, one.value, list(one.headers)) for one in batch
            ]
        left = {place for place in left if await consumer.position(place) < ends[place]}
    await consumer.stop()
    return made


async def copy(settings: Settings) -> Done:
    """COPY all rows of the history, a transaction for the rows of each so many sales."""
    connection = await connect(settings.postgres.connect_options(), name="tillstream bare")
    rows = {table: await connection.fetch(f"SELECT * FROM {table}") for table in TABLES}
    await connection.execute("CREATE SCHEMA bare")
    for table in TABLES:
        await connection.execute(f"CREATE TABLE bare.{table} (LIKE {table} INCLUDING ALL)")
    units = max(1, len(rows["sales"]) // UNIT)
    begun, used = time.perf_counter(), time.process_time()
    for unit in range(units):
        async with connection.transaction():
            for table, all_rows in rows.items():
                part = all_rows[unit * len(all_rows) // units : (unit + 1) * len(all_rows) // units]
                await connection.copy_records_to_table(table, records=part, schema_name="bare")
    done = _done(len(rows["sales"]), begun, used)
    await connection.execute("DROP SCHEMA bare CASCADE")
    await connection.close()
    return done


async def restore(settings: Settings, topic: str) -> Done:
    """Consume all of a topic, keep the last value of each key."""
    table: dict[bytes, bytes] = {}
    gc.collect()
    before = psutil.Process().memory_info().rss
    begun, used = time.perf_counter(), time.process_time()
    consumer = AIOKafkaConsumer(
        **settings.kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    places = [TopicPartition(topic, number) for number in range(settings.worker.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    left = {place for place, end in ends.items() if end}
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=500)
        for batch in fetched.values():
            for record in batch:
                table[record.key] = record.value
        left = {place for place in left if await consumer.position(place) < ends[place]}
    await consumer.stop()
    done = _done(len(table), begun, used)
    gc.collect()
    return msgspec.structs.replace(done, memory=psutil.Process().memory_info().rss - before)


if __name__ == "__main__":
    programs: dict[str, Callable[..., Coroutine[Any, Any, Done]]]
    programs = {"move": move, "copy": copy, "restore": restore}
    answer = uvloop.run(programs[sys.argv[1]](load_settings(), *sys.argv[2:]))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
