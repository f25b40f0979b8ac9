"""Waiting for what is measured, and taking its time and CPU."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from deploy.bench.options import BenchError
from deploy.bench.report import Figure
from deploy.bench.site import Site

LOOK_EVERY_S = 0.1
STALLED_AFTER_S = 120.0
Count = Callable[[], Awaitable[int]]


class Teller(Protocol):
    """Is told what is being done, and how far it is."""

    def begin(self, what: str, due: int | None = None) -> None:
        """Begin the next step; `due` is how many of something it is over."""
        ...

    def at(self, done: int) -> None:
        """Tell how many of them are done."""
        ...


class Stopwatch:
    """Time and CPU of a site's processes since it was made."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._begun = time.monotonic()
        self._used = site.cpu_s()

    def figure(self, count: int, value: float | None = None) -> Figure:
        """Return the figure of so many orders (or rows); the value is their rate, unless it is given."""
        seconds = time.monotonic() - self._begun
        cpu = self._site.cpu_s()
        return Figure(
            value=round(count / seconds, 1) if value is None else value,
            count=count,
            seconds=round(seconds, 2),
            cpu_us={
                name: round((used - self._used.get(name, 0.0)) / count * 1e6, 1) for name, used in cpu.items()
            },
        )


async def until(site: Site, wanted: int, count: Count, tell: Teller | None = None) -> int:
    """Wait until so many are counted; return how many are then.

    Raises BenchError when a process of the site has ended, or when nothing was added for two minutes.
    """
    most, moved_at = -1, time.monotonic()
    while (counted := await count()) < wanted:
        now = time.monotonic()
        if counted > most:
            most, moved_at = counted, now
        if tell is not None:
            tell.at(counted)
        site.check()
        if now - moved_at > STALLED_AFTER_S:
            raise BenchError(
                f"{site.name}: nothing has moved for {STALLED_AFTER_S:.0f} s, at {counted} of {wanted}."
                f" {site.last_words()}"
            )
        await asyncio.sleep(LOOK_EVERY_S)
    if tell is not None:
        tell.at(counted)
    return counted


async def until_met(site: Site, met: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition is met; raises as `until` does."""

    async def count() -> int:
        return int(await met())

    await until(site, 1, count)


async def until_written(site: Site) -> None:
    """Wait until all that was published is decided and in Postgres; raises as `until` does."""

    async def written() -> int:
        return (await site.calm.written())[0]

    await until_met(site, site.calm.decided)
    await until(site, (await site.calm.written())[1], written)


async def drain(site: Site, orders: int, due: int, count: Count, tell: Teller) -> Figure:
    """Wait until all that is `due` is counted, and measure from the first that is: orders a second.

    `due` counts in orders, or in whatever the backlog of so many orders consists of.
    """
    first = await until(site, 1, count, tell)
    watch = Stopwatch(site)
    measured = round(orders * (due - first) / due)
    if measured == 0:
        raise BenchError(f"{site.name}: {orders} orders were done at once, which is no measure: take more")
    await until(site, due, count, tell)
    return watch.figure(measured)
