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
from streams.agents.intake import Intake, alone
from streams.domain import inventory, links
from streams.domain import orders as rules
from streams.runtime.batch import Batch
from streams.runtime.disk import Disk
from streams.runtime.health import TableHealth
from streams.runtime.store import Rows
from streams.runtime.tier import Room
from streams.runtime.unit import KafkaUnit
from tests.plan import Plan
from topics.decoders import decode_inventory, decode_link, decode_orders

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

    def open(self) -> None:
        self._take(self._links, [orjson.dumps(store.link(STORE))])
        self._take(self._levels, [orjson.dumps(level) for level in store.levels(STORE, 10_000)])

    def order(self, snapshots: list[bytes]) -> None:
        for begin in range(0, len(snapshots), UNIT):
            self._take(self._orders, snapshots[begin : begin + UNIT])

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
