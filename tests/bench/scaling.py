"""One worker and two, and one hot store: `python -m tests.bench.scaling`.

Three installations on one stack take turns, round after round, with a backlog of the same size: one worker
of each kind for four partitions; two of each, with two partitions each; and one worker whose orders are all
of one store, and so of one partition and one lane. Rates say something on a machine with nothing else to do
and a core for each process; the CPU for an order says on any whether it costs more to share the work. Writes
docs/measurements/scaling.json.
"""

import argparse
import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from deploy.bench.backlogs import decide, write
from deploy.bench.clock import until_met
from deploy.bench.report import Figure, Machine
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.demo.keeper import WorkerProcess
from deploy.local.stack import Stack
from tests.bench.recording import recorded
from tests.bench.telling import Lines
from topics.registry import INBOUND, OUTBOUND

PARTITIONS = 4
STORES = 16
SESSION_S = 120
"""Workers are stopped and started again between backlogs: each gets the partitions back that it had."""
RESULT = Path(__file__).parents[2] / "docs" / "measurements" / "scaling.json"


_WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, pg_database_size(current_database())"


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in logs and files; the write-ahead log counts from the server's beginning."""

    inbound: int
    outgoing: int
    changelogs: int
    write_ahead: int
    database: int

    def per(self, before: "Volume", orders: int) -> Mapping[str, int]:
        """Return what was added for each order."""
        return {
            name: (getattr(self, name) - getattr(before, name)) // orders for name in self.__struct_fields__
        }


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """A backlog: first decided, then written; `bytes` are those of an order."""

    stock: Figure
    history: Figure
    bytes: Mapping[str, int]


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """`rates` are the best of the rounds, `cpu_us` the least: of an order, over all processes of a kind."""

    rates: Mapping[str, Mapping[str, float]]
    cpu_us: Mapping[str, Mapping[str, float]]
    rounds: Mapping[str, list[Drained]]
    machine: Machine


class Crew:
    """A site and so many workers of each kind."""

    def __init__(self, stack: Stack, name: str, workers: int, stores: int) -> None:
        self.name = name
        self.site = Site(stack, name.replace(" ", "-"), PARTITIONS)
        self.rounds: list[Drained] = []
        self._logs = stack.data_dir / "kafka" / "data"
        self._stores = store.store_ids(stores)
        self._orders = 0
        self._stock = {"stock": self.site.stock}
        self._history = {"history": self.site.history}
        for number in range(1, workers):
            self._stock[f"stock-{number}"] = self.site.worker("stock", number)
            self._history[f"history-{number}"] = self.site.worker("history", number)

    async def begin(self) -> None:
        """Share the partitions out."""
        await self.site.set_up(self._stores)
        for workers in (self._stock, self._history):

            async def shared(names: Iterable[str] = tuple(workers)) -> bool:
                each = [PARTITIONS // len(self._stock)]
                return all(self.site.assignments(name)[-1:] == each for name in names)

            _start(workers)
            await until_met(self.site, shared)
            await _stop(workers)

    async def round(self, count: int, tell: Lines) -> None:
        """Decide and write a backlog."""
        tell.begin(f"{self.name}: {count:,} orders")
        site = self.site
        volume = await self._volume()
        await site.publisher.orders(orders.stream(count, self._stores, self._orders, first=self._orders + 1))
        before, self._orders = self._orders, self._orders + count
        _start(self._stock)
        stock = await decide(site, before, count, tell)
        await _stop(self._stock)
        await until_met(site, site.calm.decided)
        begin, end = await site.calm.written()
        _start(self._history)
        history = await write(site, begin, end, count, tell)
        await _stop(self._history)
        added = (await self._volume()).per(volume, count)
        self.rounds.append(Drained(stock=stock, history=history, bytes=added))

    async def _volume(self) -> Volume:
        prefix = self.site.settings.worker.prefix
        inbound = [prefix + topic.name for topic in INBOUND]
        outgoing = [prefix + topic.name for topic in OUTBOUND]
        written, database = await (await self.site.view.connection()).fetchrow(_WRITTEN)
        return Volume(
            inbound=self._log_bytes(inbound),
            outgoing=self._log_bytes(outgoing),
            changelogs=self._log_bytes([f"{prefix}stock-*-changelog"]),
            write_ahead=int(written),
            database=database,
        )

    def _log_bytes(self, topics: Iterable[str]) -> int:
        logs = self._logs.glob
        return sum(log.stat().st_size for topic in topics for log in logs(f"{topic}-[0-9]*/*.log"))


def _start(workers: Mapping[str, WorkerProcess]) -> None:
    for worker in workers.values():
        worker.start()


async def _stop(workers: Mapping[str, WorkerProcess]) -> None:
    await asyncio.gather(*(worker.stop() for worker in workers.values()))


async def measure(stack: Stack, count: int, rounds: int, tell: Lines) -> Scaling:
    """Let the crews take turns."""
    machine = Machine.this()
    crews = [
        Crew(stack, "one worker", 1, STORES),
        Crew(stack, "two workers", 2, STORES),
        Crew(stack, "one store", 1, 1),
    ]
    async with AsyncExitStack() as sites:
        for crew in crews:
            await sites.enter_async_context(crew.site)
            tell.begin(f"{crew.name}: partitions are shared out")
            await crew.begin()
        for number in range(rounds):
            for crew in crews if number % 2 == 0 else reversed(crews):
                await crew.round(count, tell)
    return Scaling(
        rates={
            crew.name: {
                "stock": max(each.stock.value for each in crew.rounds),
                "history": max(each.history.value for each in crew.rounds),
            }
            for crew in crews
        },
        cpu_us={crew.name: _costs(crew.rounds) for crew in crews},
        rounds={crew.name: crew.rounds for crew in crews},
        machine=machine,
    )


def _costs(rounds: list[Drained]) -> dict[str, float]:
    deciding, writing = [each.stock for each in rounds], [each.history for each in rounds]
    return {
        "stock workers": _least(deciding, "stock"),
        "broker, deciding": _least(deciding, "kafka"),
        "history workers": _least(writing, "history"),
        "Postgres": _least(writing, "postgres"),
        "broker, writing": _least(writing, "kafka"),
    }


def _least(figures: list[Figure], kind: str) -> float:
    """Return the least CPU for an order of all processes of a kind."""
    sums = [sum(used for name, used in each.cpu_us.items() if name.startswith(kind)) for each in figures]
    return round(min(sums), 1)


def main() -> None:
    """Measure, write the result, print it."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.scaling")
    options.add_argument("--orders", type=int, default=60_000, help="of each backlog")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--to", type=Path, default=RESULT)
    chosen = options.parse_args()
    os.environ["TILLSTREAM_SESSION_TIMEOUT_S"] = str(SESSION_S)
    scaling = recorded(lambda stack, tell: measure(stack, chosen.orders, chosen.rounds, tell), chosen.to)
    for name, rates in scaling.rates.items():
        costs = ", ".join(f"{process} {used:.0f}" for process, used in scaling.cpu_us[name].items())
        print(f"{name:12} stock {rates['stock']:,.0f}/s, history {rates['history']:,.0f}/s")
        print(f"{'':12} µs per order: {costs}")
    sizes = ", ".join(f"{name} {size}" for name, size in scaling.rounds["one worker"][-1].bytes.items())
    print(f"bytes per order: {sizes}")


if __name__ == "__main__":
    main()
