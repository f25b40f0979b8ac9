"""Whether an order costs the same when there is tenfold of everything: `python -m tests.bench.growth`.

    python -m tests.bench.growth                  # writes docs/measurements/growth.json
    python -m tests.bench.growth_plot             # docs/growth.png from it; needs `pip install --group plots`

Five installations on one stack: a base, and four that have ten times its stores, its SKUs of each store, its
backlog, or its history. In each round they take turns: the workers of one start, and are given a backlog.
What counts is the CPU that each process takes for an order from then on, the least of the rounds, so that
what else the machine does matters little. Exit code 1: it is not flat.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from deploy.bench.clock import Stopwatch, until, until_met, until_written
from deploy.bench.report import Machine
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.local.stack import Stack
from tests.bench.recording import recorded
from tests.bench.telling import Lines

PARTITIONS = 1
"""An order costs its lane the same, however many others there are."""
TENFOLD = 10
FLAT_WITHIN = 1.2
PROCESSES = {"stock worker": "stock", "history worker": "history", "Postgres": "postgres", "broker": "kafka"}
RESULT = Path(__file__).parents[2] / "docs" / "measurements" / "growth.json"


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How large an installation is; `backlog` and `history` in orders, `skus` and `buyers` of each store.

    Tenfold stores have as many buyers as the base's in all, so that as many orders are by new customers: they
    cost more, whatever the size.
    """

    stores: int = 16
    skus: int = 20
    buyers: int = 100
    backlog: int
    history: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds of CPU for an order, by process, in each round."""

    name: str
    scale: Scale
    rounds: list[dict[str, float]]

    @property
    def least(self) -> dict[str, float]:
        return {process: min(each[process] for each in self.rounds) for process in self.rounds[0]}


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """`ratios` are each installation's cost over the base's; flat: the workers' are within FLAT_WITHIN."""

    flat: bool
    ratios: Mapping[str, Mapping[str, float]]
    costs: list[Cost]
    machine: Machine


class Installation:
    """A site, its scale, and the orders that it has had."""

    def __init__(self, name: str, scale: Scale, stack: Stack) -> None:
        self.name = name
        self.scale = scale
        self.site = Site(stack, name.replace(" ", "-").lower(), PARTITIONS)
        self.rounds: list[dict[str, float]] = []
        self._stores = store.store_ids(scale.stores)
        self._orders = 0

    async def begin(self, tell: Lines) -> None:
        """Set the stores up, and give them their history."""
        await self.site.set_up(self._stores, self.scale.skus)
        await self._take(self.scale.history, tell)

    async def round(self, tell: Lines) -> None:
        """Take a backlog, and note what it costs."""
        self.rounds.append(await self._take(self.scale.backlog, tell))

    async def _take(self, count: int, tell: Lines) -> dict[str, float]:
        tell.begin(f"{self.name}: {count:,} orders")
        stream = orders.stream(
            count, self._stores, self._orders,
            first=self._orders + 1, wares=self.scale.skus, buyers=self.scale.buyers,
        )  # fmt: skip
        made = list(stream)  # so that they come faster than they are decided
        await self._start()
        watch = Stopwatch(self.site)
        await self.site.publisher.orders(made)
        self._orders += count
        await until(self.site, self._orders, self.site.decided)
        await until_written(self.site)
        cpu = watch.figure(count).cpu_us
        await asyncio.gather(*(worker.stop() for worker in (self.site.stock, self.site.history)))
        return {name: cpu[process] for name, process in PROCESSES.items()}

    async def _start(self) -> None:
        """Have both workers ready, with their tables restored: neither is part of what an order costs."""
        for kind, worker in (("stock", self.site.stock), ("history", self.site.history)):
            before = len(self.site.assignments(kind))
            worker.start()

            async def ready(kind: str = kind, before: int = before) -> bool:
                return len(self.site.assignments(kind)) > before

            await until_met(self.site, ready)
        await until_written(self.site)


async def measure(stack: Stack, base: Scale, rounds: int, tell: Lines) -> Growth:
    """Run the rounds over all installations."""
    machine = Machine.this()
    scales = {
        "base": base,
        "stores": msgspec.structs.replace(base, stores=base.stores * TENFOLD, buyers=base.buyers // TENFOLD),
        "SKUs": msgspec.structs.replace(base, skus=base.skus * TENFOLD),
        "backlog": msgspec.structs.replace(base, backlog=base.backlog * TENFOLD),
        "history": msgspec.structs.replace(
            base, history=base.history * TENFOLD, buyers=base.buyers * TENFOLD
        ),
    }
    async with AsyncExitStack() as sites:
        installations = [Installation(name, scale, stack) for name, scale in scales.items()]
        for one in installations:
            await sites.enter_async_context(one.site)
            await one.begin(tell)
        for number in range(rounds):
            # The order turns around, so that none is always the first.
            for one in installations if number % 2 == 0 else reversed(installations):
                await one.round(tell)
    costs = [Cost(name=one.name, scale=one.scale, rounds=one.rounds) for one in installations]
    return judged(costs, machine)


def judged(costs: list[Cost], machine: Machine) -> Growth:
    """Compare all with the first."""
    base = costs[0].least
    ratios = {
        cost.name: {process: round(used / base[process], 3) for process, used in cost.least.items()}
        for cost in costs[1:]
    }
    flat = all(
        ratio <= FLAT_WITHIN
        for by_process in ratios.values()
        for process, ratio in by_process.items()
        if process.endswith("worker")
    )
    return Growth(flat=flat, ratios=ratios, costs=costs, machine=machine)


def main() -> int:
    """Measure, write the result, print the ratios."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.growth")
    options.add_argument("--orders", type=int, default=10_000, help="of the base's backlog, and its history")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--to", type=Path, default=RESULT)
    chosen = options.parse_args()
    base = Scale(backlog=chosen.orders, history=chosen.orders)
    growth = recorded(lambda stack, tell: measure(stack, base, chosen.rounds, tell), chosen.to)
    for name, ratios in growth.ratios.items():
        print(f"{name:8} x 10:", ", ".join(f"{process} {ratio:.2f}" for process, ratio in ratios.items()))
    print("flat" if growth.flat else f"not flat: a worker's cost rises by more than {FLAT_WITHIN:g}")
    return 0 if growth.flat else 1


if __name__ == "__main__":
    sys.exit(main())
