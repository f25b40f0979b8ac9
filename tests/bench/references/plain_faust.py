"""The same job in plain Faust, as its documentation teaches it: models, agents, a table, `topic.send`.

It takes a store's orders, promises each line at the first outlet that has it, keeps the stock table, sends a
sale and its fulfilments, and writes sales into Postgres in batches. It does far less than Tillstream (no
versions, customers, payments, edits, dead letters) and promises less: at least once, Faust's default.

    python -m tests.bench.references.plain_faust   # settings as the workers have them, and TILLSTREAM_PREFIX
"""

import os
from tempfile import gettempdir
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import asyncpg
import faust

PREFIX = os.environ["TILLSTREAM_PREFIX"]
PARTITIONS = int(os.environ["TILLSTREAM_PARTITIONS"])
OUTLETS = ("auckland", "wellington", "nelson")
LEVEL = 1_000_000
"""Pieces of each SKU at each outlet: the benchmark's stores have as many."""
BATCH, WITHIN_S = 1_000, 0.05

SCHEMA = """
CREATE TABLE IF NOT EXISTS plain_sales (
    sale_id uuid PRIMARY KEY, store_id text NOT NULL, order_id text NOT NULL, email text,
    total numeric NOT NULL, payment_status text NOT NULL, received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS plain_sale_lines (
    sale_id uuid NOT NULL, line_id text NOT NULL, sku text NOT NULL, outlet_id text NOT NULL,
    quantity numeric NOT NULL, price numeric NOT NULL, PRIMARY KEY (sale_id, line_id)
);
"""
INSERT_SALE = """
INSERT INTO plain_sales (sale_id, store_id, order_id, email, total, payment_status, received_at)
VALUES ($1, $2, $3, $4, $5, $6, to_timestamp($7)) ON CONFLICT DO NOTHING
"""
INSERT_LINE = "INSERT INTO plain_sale_lines VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"


class Item(faust.Record, serializer="json"):
    """A line of an order."""

    id: int
    sku: str
    name: str
    quantity: int
    price: float


class Order(faust.Record, serializer="json"):
    """An order of the online store, as far as this application looks at it."""

    id: str
    email: str
    total: float
    paymentStatus: str  # noqa: N815  # the wire's name
    fulfillmentStatus: str  # noqa: N815
    createTimestamp: int  # noqa: N815
    items: list[Item]


class Line(faust.Record, serializer="json"):
    """A line of a sale, and the outlet that has it."""

    line_id: str
    sku: str
    quantity: int
    price: float
    outlet_id: str


class Sale(faust.Record, serializer="json"):
    """A sale."""

    sale_id: str
    store_id: str
    order_id: str
    email: str
    total: float
    payment_status: str
    received_at: float
    lines: list[Line]


class Fulfillment(faust.Record, serializer="json"):
    """What one outlet has to do for a sale."""

    fulfillment_id: str
    sale_id: str
    store_id: str
    outlet_id: str
    lines: list[Line]


app = faust.App(
    f"{PREFIX}plain",
    broker=f"kafka://{os.environ['TILLSTREAM_KAFKA_BOOTSTRAP']}",
    store="memory://",
    datadir=f"{gettempdir()}/plain-faust",
    topic_partitions=PARTITIONS,
    web_enabled=False,
    topic_allow_declare=True,
    consumer_auto_offset_reset="earliest",
)
orders = app.topic(f"{PREFIX}ecom.orders", key_type=str, value_type=Order)
# Its own topics: `internal` lets it make them.
sales = app.topic(f"{PREFIX}plain.sales", key_type=str, value_type=Sale, partitions=PARTITIONS, internal=True)
fulfillments = app.topic(
    f"{PREFIX}plain.fulfillments", key_type=str, value_type=Fulfillment, partitions=PARTITIONS, internal=True
)
allocated = app.Table("plain_allocated", default=int, key_type=str, value_type=int, partitions=PARTITIONS)


@app.agent(orders)
async def decide(stream: Any) -> None:
    """Promise every line, and tell what came of it."""
    await fulfillments.maybe_declare()  # no agent of ours reads it, so nobody else does
    async for event in stream.events():
        order: Order = event.value
        store_id: str = event.key
        sale_id = str(uuid5(NAMESPACE_URL, f"{store_id}/{order.id}"))
        lines = [_promise(store_id, item) for item in order.items]
        await sales.send(
            key=store_id,
            value=Sale(
                sale_id=sale_id,
                store_id=store_id,
                order_id=order.id,
                email=order.email,
                total=order.total,
                payment_status=order.paymentStatus,
                received_at=event.message.timestamp,
                lines=lines,
            ),
        )
        for outlet in {line.outlet_id for line in lines}:
            await fulfillments.send(
                key=store_id,
                value=Fulfillment(
                    fulfillment_id=str(uuid5(NAMESPACE_URL, f"{sale_id}/{outlet}")),
                    sale_id=sale_id,
                    store_id=store_id,
                    outlet_id=outlet,
                    lines=[line for line in lines if line.outlet_id == outlet],
                ),
            )


def _promise(store_id: str, item: Item) -> Line:
    for outlet in OUTLETS:
        at = f"{store_id}/{item.sku}/{outlet}"
        if allocated[at] + item.quantity <= LEVEL:
            break
    allocated[at] += item.quantity
    return Line(str(item.id), item.sku, item.quantity, item.price, outlet)


@app.agent(sales)
async def write(stream: Any) -> None:
    """Write sales into Postgres, so many at a time."""
    pool = await asyncpg.create_pool(os.environ["TILLSTREAM_POSTGRES_DSN"], min_size=1, max_size=2)
    await pool.execute(SCHEMA)
    async for batch in stream.take(BATCH, within=WITHIN_S):
        async with pool.acquire() as connection, connection.transaction():
            await connection.executemany(
                INSERT_SALE,
                [
                    (
                        one.sale_id, one.store_id, one.order_id, one.email, one.total, one.payment_status,
                        one.received_at,
                    )
                    for one in batch
                ],
            )  # fmt: skip
            await connection.executemany(
                INSERT_LINE,
                [
                    (one.sale_id, line.line_id, line.sku, line.outlet_id, line.quantity, line.price)
                    for one in batch
                    for line in one.lines
                ],
            )


if __name__ == "__main__":
    import sys

    from streams.runtime.parent import exit_with_parent

    exit_with_parent()
    sys.argv[1:] = ["worker", "--without-web", "--loglevel", "warn"]
    app.main()
