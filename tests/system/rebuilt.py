"""A store's state, made anew from the outgoing topics alone by a consumer that knows nothing but JSON."""

import json
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self

from aiokafka import TopicPartition

from streams.settings import Settings
from tests.system.committed import committed

Event = dict[str, Any]
KEYS = {
    "sales": "sale_id",
    "fulfillments": "fulfillment_id",
    "refunds": "refund_id",
    "customers": "customer_id",
    "exceptions": "exception_id",
}
"""What each topic tells the state of; the last event of each tells it whole."""


class Rebuilt:
    """`last` is each thing's last event by topic and id; `levels` are the sums of the movements."""

    def __init__(self, store_id: str) -> None:
        self.last: dict[str, dict[str, Event]] = {topic: {} for topic in KEYS}
        self.levels: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        self._store_id = store_id

    @classmethod
    async def of(cls, settings: Settings, store_id: str) -> Self:
        """Read the topics from their beginning to their end."""
        made = cls(store_id)
        names = {settings.worker.topic(topic): topic for topic in (*KEYS, "stock.movements")}
        places = [
            TopicPartition(name, number) for name in names for number in range(settings.worker.partitions)
        ]
        for record in await committed(settings, places):
            made._take(names[record.topic], json.loads(record.value))
        return made

    def _take(self, topic: str, event: Event) -> None:
        if event["store_id"] != self._store_id:
            return
        if topic == "stock.movements":
            for move in event["movements"]:
                level = self.levels[move["product_id"], move["outlet_id"]]
                for place, kind in enumerate(("on_hand", "allocated", "awaiting")):
                    level[place] += Decimal(move.get(kind, "0"))
        else:
            self.last[topic][event[KEYS[topic]]] = event

    async def assert_equals(self, connection: Any) -> None:
        """The history in Postgres holds the same, no more and no less."""

        async def rows(table: str) -> list[Any]:
            return list(await connection.fetch(f"SELECT * FROM {table} WHERE store_id = $1", self._store_id))

        assert self.last["sales"] == {
            str(row["sale_id"]): json.loads(row["document"]) for row in await rows("sales")
        }
        for topic, columns in (
            ("sales", (*_SAME, "cause", "paid", *_money("total", "amount_paid", "refunded"))),
            ("fulfillments", (*_SAME, "outlet_id", "type", "state")),
            ("refunds", (*_SAME, "state", "method", "reversal", *_money("amount"))),
            ("customers", (*_SAME, "email", "name", "origin")),
            ("exceptions", (*_SAME, "kind", "subject", "open")),
        ):
            told = {
                key: [_of(event, column) for column in columns] for key, event in self.last[topic].items()
            }
            held = {
                str(row[KEYS[topic]]): [_of(row, column) for column in columns] for row in await rows(topic)
            }
            assert held == told, f"the table {topic} is not what its topic says"
        lines = {
            (str(row["sale_id"]), row["line_id"]): [row[quantity] for quantity in _QUANTITIES]
            for row in await rows("sale_lines")
        }
        assert lines == {
            (sale_id, line["line_id"]): [Decimal(line.get(quantity, "0")) for quantity in _QUANTITIES]
            for sale_id, sale in self.last["sales"].items()
            for line in sale["lines"]
        }
        assert self.levels == {
            (row["product_id"], row["outlet_id"]): [row["on_hand"], row["allocated"], row["awaiting"]]
            for row in await rows("stock_levels")
        }


Column = str | tuple[str, Callable[[Any], Any]]
_SAME: tuple[Column, ...] = ("store_id", "revision")
_QUANTITIES = ("quantity", "unallocated", "fulfilled", "cancelled", "withdrawn", "returned")


def _money(*columns: str) -> tuple[Column, ...]:
    return tuple((column, Decimal) for column in columns)


def _of(row: Any, column: Column) -> Any:
    if isinstance(column, tuple):
        name, read = column
        return read(row[name])
    return row.get(column)
