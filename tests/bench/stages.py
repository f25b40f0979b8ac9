"""What one order costs the stock worker, stage by stage, without a broker: `python -m tests.bench.stages`.

The figures are microseconds per order: the least and the median over a number of units. The least says most
on a machine that others use too.
"""

import gc
import statistics
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from aiokafka.producer.message_accumulator import BatchBuilder

from deploy.demo import orders, store
from streams.agents.backlogs import Backlogs
from streams.agents.decision import UnitReader
from streams.agents.effects import carry_out
from streams.agents.intake import Intake
from streams.domain import inventory, links, waiting
from streams.domain import orders as rules
from streams.domain.books import Books, Moment
from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from streams.runtime.worker import GC_THRESHOLDS
from tests.plan import Plan
from topics.decoders import alone, decode_inventory, decode_link, decode_orders
from topics.event import Source
from topics.ids import StoreId

UNIT = 500


def create_batch() -> Any:
    return BatchBuilder(1 << 20, 0, is_transactional=True, key_serializer=None, value_serializer=None)


class Record(NamedTuple):
    """As much of a Kafka record as the worker looks at."""

    key: bytes
    value: bytes
    offset: int
    timestamp: int = 1_772_442_000_000


def run(plan: Plan, take: Intake, topic: str, records: list[Record]) -> None:
    unit = KafkaUnit(0, plan, plan)
    take(Batch(topic, 0, records, len(records), 0), unit)
    unit.seal().apply()


def set_up(plan: Plan, stores: list[str]) -> None:
    backlogs = Backlogs(1)
    linked = Intake("store.links", alone(decode_link), links.set_link, backlogs, needs_link=False)
    counted = Intake("pos.inventory", alone(decode_inventory), inventory.count, backlogs)
    for store_id in stores:
        key = store_id.encode()
        run(plan, linked, "store.links", [Record(key, orjson.dumps(store.link(store_id)), 0)])
        levels = [orjson.dumps(level) for level in store.levels(store_id, 1_000_000)]
        run(plan, counted, "pos.inventory", [Record(key, level, at) for at, level in enumerate(levels)])


def measure(plan: Plan, records: list[Record], spent: dict[str, list[float]]) -> None:
    """Take a unit of orders apart: the same steps as the agents do, with a clock between them."""
    clock = time.perf_counter_ns
    unit = KafkaUnit(0, plan, plan)
    reader = UnitReader(unit)
    total = dict.fromkeys(("decode", "wait", "decide", "carry out"), 0)
    now = datetime.now(UTC)
    for record in records:
        begun = clock()
        order = decode_orders(record.value, now)[0]
        decoded = clock()
        source = Source(topic="ecom.orders", partition=0, offset=record.offset)
        books = Books(StoreId(record.key.decode()), reader, Moment(source, now, unit.now, 1))
        if waiting.must_wait(books):
            raise LookupError("the store has no link")
        waited = clock()
        rules.take(books, order)  # type: ignore[arg-type]  # generated orders are not refused
        decided = clock()
        carry_out(books.changes, unit, {})
        carried = clock()
        for stage, took in zip(
            total, (decoded - begun, waited - decoded, decided - waited, carried - decided), strict=True
        ):
            total[stage] += took
    begun = clock()
    unit.seal().apply()
    total["seal"] = clock() - begun
    for stage, took in total.items():
        spent[stage].append(took / len(records) / 1000)


def main(count: int = 10_000) -> None:
    """Print the table."""
    gc.set_threshold(*GC_THRESHOLDS)
    plan, stores = Plan(create_batch), store.store_ids(4)
    set_up(plan, stores)
    gc.freeze()
    spent: defaultdict[str, list[float]] = defaultdict(list)
    unit: list[Record] = []
    for at, order in enumerate(orders.stream(count, stores)):
        unit.append(Record(order.store_id.encode(), order.value, at))
        if len(unit) == UNIT:
            measure(plan, unit, spent)
            unit = []
    for stage, figures in spent.items():
        print(f"{stage:10} {min(figures):7.1f} {statistics.median(figures):7.1f}")
    print(
        f"{'sum':10} {sum(map(min, spent.values())):7.1f} {sum(map(statistics.median, spent.values())):7.1f}"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
