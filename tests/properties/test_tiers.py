"""Orders are decided alike whether their store's rows are in memory or on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from deploy.demo import orders, store
from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import inventory, links, pos_fulfillments, pos_sales
from streams.domain import orders as rules
from streams.runtime.batch import Batch
from streams.runtime.disk import Disk
from streams.runtime.health import TableHealth
from streams.runtime.store import Rows
from streams.runtime.tier import Room
from streams.runtime.unit import KafkaUnit
from tests.plan import Plan
from tests.system.payloads import Payload, pos_fulfillment, pos_sale
from topics.codec import DECODERS
from topics.decoders import (
    alone,
    decode_inventory,
    decode_link,
    decode_orders,
    decode_pos_fulfillment,
    decode_pos_sale,
)

STORE = store.store_ids(1)[0]
NOW = datetime(2026, 3, 4, tzinfo=UTC)
UNIT = 40
LITTLE = 60_000


class Written:
    """A produce batch that keeps what is appended, of every topic alike."""

    def __init__(self, log: list[tuple[bytes, bytes | None, Any]]) -> None:
        self._log = log

    def append(self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Any) -> object:
        self._log.append((key, value, list(headers)))
        return self


class Record(NamedTuple):
    key: bytes
    value: bytes
    offset: int
    timestamp: int = 1_772_442_000_000


class Shop:
    """One worker's partition: takes records, keeps its tables and all that it sent."""

    def __init__(self, room: Room | None) -> None:
        self.log: list[tuple[bytes, bytes | None, Any]] = []
        self._room = room
        self.plan = TieredPlan(lambda: Written(self.log), room)
        backlogs = Backlogs(1)
        self._orders = Intake("ecom.orders", decode_orders, rules.take, backlogs)
        self._links = Intake("store.links", alone(decode_link), links.set_link, backlogs, needs_link=False)
        self._levels = Intake("pos.inventory", alone(decode_inventory), inventory.count, backlogs)
        self._pos_sales = Intake("pos.sales", alone(decode_pos_sale), pos_sales.take, backlogs)
        self._parcels = Intake(
            "pos.fulfillments", alone(decode_pos_fulfillment), pos_fulfillments.take, backlogs
        )

    def open(self) -> None:
        self._take(self._links, [orjson.dumps(store.link(STORE))])
        self._take(self._levels, [orjson.dumps(level) for level in store.levels(STORE, 10_000)])

    def order(self, snapshots: list[bytes]) -> None:
        self._take_all(self._orders, snapshots)

    def sell(self, told: list[Payload]) -> None:
        self._take_all(self._pos_sales, [orjson.dumps(one) for one in told])

    def hand_over(self, told: list[Payload]) -> None:
        self._take_all(self._parcels, [orjson.dumps(one) for one in told])

    def _take_all(self, intake: Intake, values: list[bytes]) -> None:
        for begin in range(0, len(values), UNIT):
            self._take(intake, values[begin : begin + UNIT])

    def _take(self, intake: Intake, values: list[bytes]) -> None:
        unit = KafkaUnit(0, self.plan, self.plan)
        unit.now = NOW
        records = [Record(STORE.encode(), value, at) for at, value in enumerate(values)]
        intake(Batch("", 0, records, len(records), 0), unit)
        unit.seal().apply()
        if self._room is not None:
            self._room.make()

    def table(self, name: str) -> dict[bytes, bytes | None]:
        rows = self.plan.rows(name, 0)
        return {key: rows.get(key) for key in rows.keys_from(b"")}


class TieredPlan(Plan):
    """The worker's topics and tables, of which those that grow are in a room."""

    def __init__(self, create_batch: Any, room: Room | None) -> None:
        super().__init__(create_batch)
        if room is not None:
            self._rows.update({name: room.add(name) for name, spec in self.tables.items() if spec.grows})

    def rows(self, table: str, partition: int) -> Rows:
        return self._rows[table]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path, "test", TableHealth())
    yield disk
    disk.delete()


def later(snapshot: bytes, **changes: str) -> bytes:
    """The order's next version, with other statuses."""
    order = orjson.loads(snapshot) | changes
    order["updateTimestamp"] += 60
    order["updateDate"] = re.sub(r"(\d\d):(\d\d):", r"\1:59:", order["updateDate"])
    return orjson.dumps(order)


def test_a_store_whose_sales_are_on_disk_sends_the_same_and_keeps_the_same(disk: Disk) -> None:
    placed = [order.value for order in orders.stream(400, [STORE])]
    cancelled = [later(value, paymentStatus="CANCELLED") for value in placed[::3]]
    shipped = [later(value, fulfillmentStatus="SHIPPED") for value in placed[1::3]]
    room = Room(0, LITTLE, disk)
    plain, tiered = Shop(None), Shop(room)
    for shop in (plain, tiered):
        shop.open()
        shop.order(placed)
        shop.order(placed[:50])  # again: they change nothing
        shop.order(cancelled)
        shop.order(shipped)
    assert tiered.log == plain.log
    for table in Plan.tables:
        assert tiered.table(table) == plain.table(table), table
    assert disk.health.moved > 500
    assert disk.health.read > 300
    assert room.used < 2 * LITTLE


def goods(snapshot: bytes) -> tuple[str, list[tuple[str, int, float]]]:
    """Return the order's id, and its first goods that have to be handed over, with their price."""
    order = orjson.loads(snapshot)
    items = [
        item for item in order["items"] if not item.get("digital") and not item.get("compositeComponents")
    ]
    return order["id"], [(item["sku"], item["quantity"], item["price"]) for item in items[:1]]


def named(told: Payload) -> Payload:
    """Return what the shop tells with the ids that its products have in this store."""
    for row in told["line_items"]:
        row["product_id"] = row["product_id"].replace("p-sku", "product")
    return told


def test_goods_come_back_of_sales_that_are_long_on_disk(disk: Disk) -> None:
    """As of orders that are older than the log keeps: their sales are only in the tables by then."""
    placed = [order.value for order in orders.stream(300, [STORE])]
    told = [(order_id, rows) for order_id, rows in map(goods, placed[:60]) if rows]
    sold = [named(pos_sale(f"pos-{order_id}", *rows, source_id=order_id)) for order_id, rows in told]
    sent = [
        named(pos_fulfillment(f"pos-{order_id}", "auckland", "FULFILLED", 1, (1, rows[0][0], rows[0][1])))
        for order_id, rows in told
    ]
    back = [
        named(
            pos_sale(
                f"back-{order_id}",
                (rows[0][0], -1, rows[0][2]),
                return_for=f"pos-{order_id}",
                status="CLOSED",
            )
        )
        for order_id, rows in told
    ]
    room = Room(0, LITTLE, disk)
    plain, tiered = Shop(None), Shop(room)
    for shop in (plain, tiered):
        shop.open()
        shop.order(placed[:60])
        shop.sell(sold)
        shop.hand_over(sent)
        shop.order(placed[60:])
    asleep = tiered.table("sales").keys() - tiered.plan.rows("sales", 0).data.keys()
    for shop in (plain, tiered):
        shop.sell(back)
    assert tiered.log == plain.log
    for table in Plan.tables:
        assert tiered.table(table) == plain.table(table), table
    returned = {
        key for key, value in tiered.table("sales").items() if value and DECODERS["sales"](value).returns
    }
    assert len(returned) == len(told)
    assert returned <= asleep
