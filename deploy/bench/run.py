"""The measurements."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from deploy.bench.site import Site, now
from deploy.demo import orders, store
from deploy.local.stack import Stack

LOOK_EVERY_S = 0.1
GIVE_UP_S = 600.0
Say = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much to run: `orders` is the backlog of each drain, `rate` and `seconds` those of the latency."""

    orders: int = 60_000
    stores: int = 16
    partitions: int = 4
    rate: float = 300.0
    seconds: float = 30.0


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """A backlog worked off: orders per second from the first seen done to the last, and CPU per order."""

    orders: int
    seconds: float
    per_s: float
    cpu_us_per_order: dict[str, float]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from an order's record to its row, at a fixed rate."""

    rate: float
    orders: int
    p50_ms: float
    p99_ms: float
    cpu_share: dict[str, float]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    stock: Drain
    history: Drain
    end_to_end: Drain
    latency: Latency


async def measure(stack: Stack, options: Options, say: Say) -> Report:
    """Measure the drains and the latency, each at a site of its own."""
    stores = store.store_ids(options.stores)
    async with Site(stack, "apart", options.partitions) as site:
        say(f"publishing {options.orders:,} orders")
        await _backlog(site, stores, options)
        say("the stock worker drains them")
        site.stock.start()
        stock = await _drain(site, options.orders, site.decided)
        await site.stock.stop()
        say("the history worker drains what came of them")
        site.history.start()
        history = await _drain(site, options.orders, lambda: _written(site))
    async with Site(stack, "both", options.partitions) as site:
        await _backlog(site, stores, options)
        say("both together drain as many again")
        site.stock.start()
        site.history.start()
        both = await _drain(site, options.orders, lambda: _written(site))
    async with Site(stack, "steady", options.partitions) as site:
        say(f"{options.rate:.0f} orders a second for {options.seconds:.0f} s")
        latency = await _latency(site, stores, options)
    return Report(stock=stock, history=history, end_to_end=both, latency=latency)


async def _backlog(site: Site, stores: list[str], options: Options) -> None:
    await site.set_up(stores)
    await site.publisher.orders(orders.stream(options.orders, stores))


async def _written(site: Site) -> int:
    return (await site.view.look()).sales


async def _drain(site: Site, wanted: int, done: Callable[[], Awaitable[int]]) -> Drain:
    first, begun, used = await _until(site, 1, done), now(), site.cpu_s()
    await _until(site, wanted, done)
    seconds = now() - begun
    count = wanted - first
    return Drain(
        orders=count,
        seconds=round(seconds, 2),
        per_s=round(count / seconds, 1),
        cpu_us_per_order={
            part: round((after - used.get(part, 0.0)) / count * 1e6, 1)
            for part, after in site.cpu_s().items()
        },
    )


async def _until(site: Site, wanted: int, done: Callable[[], Awaitable[int]]) -> int:
    deadline = now() + GIVE_UP_S
    while (count := await done()) < wanted:
        if now() > deadline:
            raise TimeoutError(f"only {count} of {wanted} after {GIVE_UP_S:.0f} s; the workers' logs say why")
        await asyncio.sleep(LOOK_EVERY_S)
    return count


async def _latency(site: Site, stores: list[str], options: Options) -> Latency:
    await site.set_up(stores)
    site.stock.start()
    site.history.start()
    warm, count = int(options.rate * 5), int(options.rate * options.seconds)
    stream = orders.stream(warm + count, stores)
    await site.publisher.orders([next(stream) for _ in range(warm)], options.rate)
    await _until(site, warm, lambda: _written(site))
    begun, used = now(), site.cpu_s()
    await site.publisher.orders(stream, options.rate)
    await _until(site, warm + count, lambda: _written(site))
    seconds = now() - begun
    cpu = {part: round((after - used[part]) / seconds, 3) for part, after in site.cpu_s().items()}
    timing = await site.view.timing(stores, last=count)
    if timing is None:
        raise LookupError("no sale was written")
    return Latency(
        rate=options.rate,
        orders=count,
        p50_ms=round(timing.p50_ms, 1),
        p99_ms=round(timing.p99_ms, 1),
        cpu_share=cpu,
    )
