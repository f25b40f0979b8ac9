"""Mixed life at a moderate rate, for as long as you like: `python -m tests.bench.soak --minutes 60`.

Orders of many stores, all of them dealt with in the shop (picked, shipped, paid, returned, cancelled …).
Every ten seconds it notes the memory of each process, how many records wait, and how long sales took to their
rows. In the end it says of each whether it is flat over the second half: a line through the samples, whose
rise, at the high end of what is sure to 95 %, is within a bound.

Sales are never forgotten, so tables grow until they have their share of memory, and go to disk from there on.
The share is small here (`--table-mib`), so that this is reached in the first half. Exit code 1: not flat.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import msgspec
import psutil

from deploy.bench.clock import until_written
from deploy.bench.report import Machine
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.demo.orders import Published
from deploy.demo.till.life import life_of
from deploy.demo.till.till import Till
from deploy.local.stack import Stack
from tests.bench.recording import recorded
from tests.bench.telling import Lines
from tests.bench.trend import Trend, trend

MIB = 1 << 20
EVERY_S = 10.0
STORES, PARTITIONS, SEED, PORTION = 8, 4, 1, 1_000
RESULT = Path(__file__).parents[2] / "docs" / "measurements" / "soak.json"
MEMORY_MAY_RISE = 0.05
"""Of a process' memory, over the second half."""
BOUNDS = {"lag": 50.0, "p99_ms": 100.0}
"""What else may rise over the second half: records that wait, milliseconds."""

_LATENCY = """
SELECT coalesce(percentile_cont(0.99) WITHIN GROUP (
    ORDER BY extract(epoch FROM recorded_at - received_at) * 1000), 0)
FROM tillstream.sales WHERE recorded_at > now() - interval '10 s'
"""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`memory_mib` by process; `lag` in records, of both workers; `p99_ms` of the last ten seconds."""

    second: float
    orders: int
    memory_mib: Mapping[str, float]
    lag: int
    p99_ms: float


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """`trends` are over the second half."""

    flat: bool
    rate: float
    minutes: float
    orders: int
    trends: Mapping[str, Trend]
    machine: Machine
    samples: list[Sample]


async def soak(stack: Stack, rate: float, minutes: float, tell: Lines) -> Soak:
    """Run it; BenchError when a worker ends or nothing moves any more."""
    machine = Machine.this()
    samples: list[Sample] = []
    async with Site(stack, "soak", PARTITIONS) as site:
        till = Till(site.settings, site.publisher, store.takes_at_once)
        stores = store.store_ids(STORES)
        await site.set_up(stores)
        for store_id in stores:
            till.stock(store_id, site.levels(store_id))
        site.stock.start()
        site.history.start()
        await till.start()
        try:
            tell.begin(f"{rate:g} orders a second for {minutes:g} minutes")
            begun = time.monotonic()
            publishing = asyncio.create_task(
                site.publisher.orders(_lived(till, stores, begun + minutes * 60), rate)
            )
            while not publishing.done():
                await asyncio.wait({publishing}, timeout=EVERY_S)
                site.check()
                till.check()
                samples.append(await _sample(stack, site, time.monotonic() - begun))
                tell.begin(_words(samples[-1]))
            await publishing
            tell.begin("the last lives end")
            await until_written(site)
        finally:
            await till.stop()
        orders_had = site.publisher.published
    return judged(samples, machine, rate=rate, minutes=minutes, orders_had=orders_had)


def _lived(till: Till, stores: list[str], until: float) -> Iterator[Published]:
    """Give every order its life, until the time is over."""
    for first in count(1, PORTION):
        for order in orders.stream(PORTION, stores, SEED + first, first=first):
            if time.monotonic() > until:
                return
            if (life := life_of(order.store_id, order.order_id, 100, SEED)) is not None:
                till.enlist(order, life)
            yield order


async def _sample(stack: Stack, site: Site, second: float) -> Sample:
    written, due = await site.calm.written()
    undecided = await site.calm.undecided()
    connection = await site.view.connection()
    return Sample(
        second=round(second, 1),
        orders=site.publisher.published,
        memory_mib={name: round(_resident(pid) / MIB, 1) for name, pid in site.processes().items()},
        lag=undecided + due - written,
        p99_ms=round(float(await connection.fetchval(_LATENCY)), 1),
    )


def _resident(pid: int) -> int:
    """What a process and its children have for themselves: Postgres' sessions share most of theirs."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            memory = each.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
    return total


def _words(sample: Sample) -> str:
    memory = ", ".join(f"{name} {mib:.0f}" for name, mib in sample.memory_mib.items())
    return (
        f"{sample.second:.0f} s, {sample.orders} orders, lag {sample.lag}, p99 {sample.p99_ms:.0f} ms,"
        f" MiB: {memory}"
    )


def judged(samples: list[Sample], machine: Machine, *, rate: float, minutes: float, orders_had: int) -> Soak:
    """Look at the second half."""
    half = [sample for sample in samples if sample.second >= minutes * 30]
    seconds = [sample.second for sample in half]
    trends: dict[str, Trend] = {}
    for name in half[0].memory_mib:
        memory = [sample.memory_mib[name] for sample in half]
        trends[f"{name} MiB"] = trend(seconds, memory, MEMORY_MAY_RISE * memory[0])
    trends["lag"] = trend(seconds, [float(sample.lag) for sample in half], BOUNDS["lag"])
    trends["p99_ms"] = trend(seconds, [sample.p99_ms for sample in half], BOUNDS["p99_ms"])
    return Soak(
        flat=all(one.flat for one in trends.values()),
        rate=rate,
        minutes=minutes,
        orders=orders_had,
        trends=trends,
        machine=machine,
        samples=samples,
    )


def main() -> int:
    """Run it, write the result, print the trends."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.soak")
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--rate", type=float, default=50.0, help="orders a second")
    options.add_argument("--table-mib", type=float, default=16.0, help="memory for growing tables")
    options.add_argument("--to", type=Path, default=RESULT)
    chosen = options.parse_args()
    os.environ["TILLSTREAM_TABLE_MEMORY_MIB"] = str(chosen.table_mib)
    result = recorded(lambda stack, tell: soak(stack, chosen.rate, chosen.minutes, tell), chosen.to)
    for name, one in result.trends.items():
        print(f"{name:16} {one}")
    print("flat" if result.flat else "not flat")
    return 0 if result.flat else 1


if __name__ == "__main__":
    sys.exit(main())
