"""Backlogs drained: by one worker after the other, by both at once, and by the references."""

from deploy.bench import references
from deploy.bench.clock import Stopwatch, Teller, drain, until, until_met, until_written
from deploy.bench.options import Options, Part
from deploy.bench.replaying import replay
from deploy.bench.report import Figure, Measured
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.local.stack import Stack

PLAIN_SHARE = 6
"""Plain Faust gets this part of the backlog: it takes as long."""
UNIT = "orders/s"


async def apart(stack: Stack, options: Options, tell: Teller) -> list[Measured]:
    """Measure the stock worker, then the history worker over what came of it, then a replay of it all."""
    wanted, count = options.parts, options.orders
    compared = references.available()
    found: list[Measured] = []
    async with Site(stack, "apart", options.partitions) as site:
        tell.begin(f"publishing {count:,} orders")
        await site.publish_backlog(store.store_ids(options.stores), count)
        tell.begin("the stock worker drains them", count)
        stock = await drain_stock(site, count, tell)
        if Part.HISTORY in wanted or Part.REPLAY in wanted:
            tell.begin("the history worker drains what came of them", count)
            history = await drain_history(site, count, tell)
            copied: dict[str, Figure] = {}
            if compared:
                tell.begin("a bare client copies the same rows")
                copied["bare COPY"] = (await references.bare(site, "copy")).figure("client")
            if Part.HISTORY in wanted:
                found.append(
                    Measured(name="history worker, backlog", unit=UNIT, figure=history, beside=copied)
                )
            if Part.REPLAY in wanted:
                figure = await replay(site, count, tell)
                found.append(Measured(name="replay", unit=UNIT, figure=figure, beside=copied))
        if Part.STOCK in wanted:
            moved: dict[str, Figure] = {}
            if compared:
                # The last of all: what it writes is in the outgoing topics, a second time.
                tell.begin("bare clients consume, decode and produce as much")
                moved["bare consume, decode, produce"] = (await references.bare(site, "move")).figure(
                    "client"
                )
            found.insert(0, Measured(name="stock worker, backlog", unit=UNIT, figure=stock, beside=moved))
    return found


async def drain_stock(site: Site, count: int, tell: Teller) -> Figure:
    """Have the stock worker decide a backlog of so many orders, and end."""
    before = await site.decided()
    site.stock.start()
    figure = await decide(site, before, count, tell)
    await site.stock.stop()
    return figure


async def decide(site: Site, before: int, count: int, tell: Teller) -> Figure:
    """Wait until the stock workers have decided so many orders more than `before`."""

    async def decided() -> int:
        return await site.decided() - before

    return await drain(site, count, count, decided, tell)


async def drain_history(site: Site, count: int, tell: Teller) -> Figure:
    """Have the history worker write what came of so many orders, and end."""
    await until_met(site, site.calm.decided)
    before, end = await site.calm.written()
    site.history.start()
    figure = await write(site, before, end, count, tell)
    await site.history.stop()
    return figure


async def write(site: Site, before: int, end: int, count: int, tell: Teller) -> Figure:
    """Wait until the history workers have written what came of so many orders, from one offset to another."""

    async def written() -> int:
        offsets = (await site.calm.written())[0] - before
        return offsets * count // (end - before)

    return await drain(site, count, count, written, tell)


async def end_to_end(stack: Stack, options: Options, tell: Teller) -> list[Measured]:
    """Measure both workers at once, from the first order decided to the last row written."""
    stores, count = store.store_ids(options.stores), options.orders
    async with Site(stack, "both", options.partitions) as site:
        tell.begin(f"publishing {count:,} orders")
        await site.publish_backlog(stores, count)
        tell.begin("both workers drain them", count)
        site.stock.start()
        site.history.start()
        first = await until(site, 1, site.decided, tell)
        watch = Stopwatch(site)
        await until(site, count, site.decided, tell)
        await until_written(site)
        both = watch.figure(count - first)
    beside: dict[str, Figure] = {}
    if references.available():
        few = max(1, count // PLAIN_SHARE)
        async with Site(stack, "plain", options.partitions) as site:
            tell.begin(f"plain Faust drains {few:,}", few)
            await site.publisher.orders(orders.stream(few, stores))
            with references.plain_faust(site):
                beside["plain Faust"] = await drain(
                    site, few, few, lambda: references.plain_written(site), tell
                )
    return [Measured(name="end to end, backlog", unit=UNIT, figure=both, beside=beside)]
