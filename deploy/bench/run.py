"""The measurements."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from deploy.bench import references
from deploy.bench.site import Site, now
from deploy.demo import orders, store
from deploy.local.stack import Stack

LOOK_EVERY_S = 0.1
GIVE_UP_S = 600.0
PLAIN_SHARE = 6
"""Plain Faust gets this part of the backlog: it takes as long."""
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


class References(msgspec.Struct, frozen=True, kw_only=True):
    """The same in the same run without Tillstream, in orders per second; latencies in milliseconds."""

    bare_move_per_s: float
    """Consume, decode, produce as many records in transactions: nothing that decides can be faster."""
    bare_copy_per_s: float
    """COPY of the same rows."""
    plain_faust_per_s: float
    """A plain Faust application that does a part of the job, at least once, end to end."""
    plain_faust_p50_ms: float
    plain_faust_p99_ms: float


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """Tillstream over its reference: these travel between machines, the figures do not."""

    stock_to_bare: float
    history_to_copy: float
    end_to_end_to_plain_faust: float
    p99_to_plain_faust: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; without a source checkout there are no references."""

    ratios: Ratios | None
    stock: Drain
    history: Drain
    end_to_end: Drain
    latency: Latency
    references: References | None


async def measure(stack: Stack, options: Options, say: Say) -> Report:
    """Measure the drains and the latency, each at a site of its own, and the references beside them."""
    stores = store.store_ids(options.stores)
    compared = references.available()
    move = copied = None
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
        await site.history.stop()
        if compared:
            say("the bare clients move as much, and copy as much")
            move, copied = await references.bare(site, "move"), await references.bare(site, "copy")
    async with Site(stack, "both", options.partitions) as site:
        await _backlog(site, stores, options)
        say("both together drain as many again")
        site.stock.start()
        site.history.start()
        both = await _drain(site, options.orders, lambda: _written(site))
    async with Site(stack, "steady", options.partitions) as site:
        say(f"{options.rate:.0f} orders a second for {options.seconds:.0f} s")
        latency = await at_rate(site, stores, options)
    if move is None or copied is None:
        return Report(
            ratios=None, stock=stock, history=history, end_to_end=both, latency=latency, references=None
        )
    plain = await _plain_faust(stack, stores, options, say)
    beside = References(
        bare_move_per_s=move.per_s,
        bare_copy_per_s=copied.per_s,
        plain_faust_per_s=plain.per_s,
        plain_faust_p50_ms=plain.p50_ms,
        plain_faust_p99_ms=plain.p99_ms,
    )
    ratios = Ratios(
        stock_to_bare=round(stock.per_s / move.per_s, 3),
        history_to_copy=round(history.per_s / copied.per_s, 3),
        end_to_end_to_plain_faust=round(both.per_s / plain.per_s, 2),
        p99_to_plain_faust=round(latency.p99_ms / plain.p99_ms, 2),
    )
    return Report(
        ratios=ratios, stock=stock, history=history, end_to_end=both, latency=latency, references=beside
    )


class _Plain(msgspec.Struct, frozen=True):
    per_s: float
    p50_ms: float
    p99_ms: float


async def _plain_faust(stack: Stack, stores: list[str], options: Options, say: Say) -> _Plain:
    """Drain a backlog with plain Faust, then the latency at the same rate."""
    count = options.orders // PLAIN_SHARE
    async with Site(stack, "plain", options.partitions) as site:
        say(f"plain Faust drains {count:,}")
        await site.publisher.orders(orders.stream(count, stores))
        with references.plain_faust(site):
            written = lambda: references.plain_written(site)  # noqa: E731
            drain = await _drain(site, count, written)
            steady = int(options.rate * options.seconds)
            say(f"plain Faust at {options.rate:.0f} orders a second")
            stream = orders.stream(count + steady, stores)
            for _ in range(count):
                next(stream)
            await site.publisher.orders(stream, options.rate)
            await _until(site, count + steady, written)
        p50, p99 = await references.plain_latency_ms(site, steady)
    return _Plain(drain.per_s, round(p50, 1), round(p99, 1))


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


async def at_rate(site: Site, stores: list[str], options: Options) -> Latency:
    """Start the site's workers, warm them up, and measure the latency at the rate."""
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
