"""Where an order's milliseconds go, by the workers' paces: `python -m tests.bench.latency [--help]`.

A pace is how long a lane waits from one commit to its next (`TILLSTREAM_PACE_MS`). Every round measures every
variant, each round in another order, so that what else the machine does falls on all of them. Printed is the
median over the rounds: `decided` is from an order's record to the unit that decides it, `written` from there
to the transaction of its row, `total` both; then the CPU seconds that each part used per second.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice
from statistics import median

from deploy.bench.clock import Stopwatch, until_written
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.local.stack import Stack
from streams import log
from tests.bench.telling import Lines

STORES, PARTITIONS, WARM_S = 16, 4, 5.0
PACES = ["25,25", "10,10", "50,50", "100,100", "50,10", "100,25"]
"""Milliseconds: the stock worker's, the history worker's. The first is what they have unless told."""

_HALVES = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM processed_at - received_at) * 1000) AS decided,
       percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM recorded_at - processed_at) * 1000) AS written,
       percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM recorded_at - received_at) * 1000) AS total
FROM (SELECT received_at, processed_at, recorded_at FROM tillstream.sales
      ORDER BY received_at DESC LIMIT $1) AS last
"""

Figures = dict[str, float]


async def measure(stack: Stack, name: str, pace: str, rate: float, seconds: float) -> Figures:
    """Run one variant at a site of its own."""
    stores, count = store.store_ids(STORES), int(rate * seconds)
    async with Site(stack, name, PARTITIONS) as site:
        for kind, milliseconds in zip(("stock", "history"), pace.split(","), strict=True):
            site.environment["TILLSTREAM_PACE_MS"] = milliseconds
            site.worker(kind).start()
        await site.set_up(stores)
        warm = int(rate * WARM_S)
        stream = orders.stream(warm + count, stores)
        await site.publisher.orders(islice(stream, warm), rate)
        await until_written(site)
        watch = Stopwatch(site)
        await site.publisher.orders(stream, rate)
        await until_written(site)
        used = watch.figure(count).cpu_us
        halves = await (await site.view.connection()).fetchrow(_HALVES, count)
    latencies = {
        f"{what} {point}": float(ms)
        for what in ("decided", "written", "total")
        for point, ms in zip(("p50", "p99"), halves[what], strict=True)
    }
    return latencies | {part: spent * rate / 1e6 for part, spent in used.items()}


async def main(paces: Sequence[str], rounds: int, rate: float, seconds: float) -> None:
    """Measure all variants on a stack of its own, and print a line for each."""
    measured: defaultdict[str, list[Figures]] = defaultdict(list)
    tell = Lines()
    with Stack.ephemeral() as stack:
        stack.up(attached=True)
        for number in range(rounds):
            turn = number % len(paces)
            for pace in chain(paces[turn:], paces[:turn]):
                name = f"pace_{pace.replace(',', '_')}_{number}"
                tell.begin(f"{pace} ms, round {number + 1} of {rounds}")
                measured[pace].append(await measure(stack, name, pace, rate, seconds))
    print(f"{rate:g} orders/s for {seconds:g} s, median of {rounds}; ms, then CPU s/s")
    columns = list(measured[paces[0]][0])
    print(f"{'stock,history':>13}", *(f"{column:>11}" for column in columns))
    for pace in paces:
        middle = [median(figures[column] for figures in measured[pace]) for column in columns]
        shown = (f"{value:11.2f}" if value < 5 else f"{value:11.0f}" for value in middle)
        print(f"{pace:>13}", *shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paces", nargs="*", default=PACES, help="STOCK,HISTORY in milliseconds")
    parser.add_argument("--rate", type=float, default=300.0, help="orders per second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each measurement lasts")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    log.silence_clients()
    asyncio.run(main(told.paces, told.rounds, told.rate, told.seconds))
