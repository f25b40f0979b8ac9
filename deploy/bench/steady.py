"""Orders at fixed rates: how long each takes from its record to its row."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

from deploy.bench import references
from deploy.bench.clock import Stopwatch, Teller, until, until_written
from deploy.bench.options import BenchError, Options
from deploy.bench.report import Figure, Measured
from deploy.bench.site import Site
from deploy.demo import orders, store
from deploy.demo.orders import Published
from deploy.local.stack import Stack

WARM_S = 5.0
P50_NAME, P99_NAME = "latency p50 at {:g} orders/s", "latency p99 at {:g} orders/s"
Percentiles = tuple[float, float]
Ask = Callable[[int], Awaitable[Percentiles]]
"""Returns p50 and p99 of the last so many orders, in milliseconds."""
Wait = Callable[[int], Awaitable[None]]
"""Returns once so many orders are written, of all that there ever were."""


async def latency(stack: Stack, options: Options, tell: Teller) -> list[Measured]:
    """Measure the latencies at each rate, and plain Faust's beside them."""
    stores = store.store_ids(options.stores)
    async with Site(stack, "steady", options.partitions) as site:
        await site.set_up(stores)
        site.stock.start()
        site.history.start()

        async def written(_: int) -> None:
            await until_written(site)

        async def timing(last: int) -> Percentiles:
            found = await site.view.timing(stores, last=last)
            if found is None:
                raise BenchError(f"{site.name}: no sale was written. {site.last_words()}")
            return found.p50_ms, found.p99_ms

        ours = await _at_rates(site, stores, options, "", written, timing, tell)
    theirs: list[tuple[Figure, Figure]] = []
    if references.available():
        async with Site(stack, "plain-steady", options.partitions) as site:
            with references.plain_faust(site):

                async def plain_written(count: int) -> None:
                    await until(site, count, lambda: references.plain_written(site))

                async def plain_timing(last: int) -> Percentiles:
                    return await references.plain_latency_ms(site, last)

                theirs = await _at_rates(
                    site, stores, options, ", plain Faust", plain_written, plain_timing, tell
                )
    found = []
    for number, rate in enumerate(options.rates):
        for name, which in ((P50_NAME, 0), (P99_NAME, 1)):
            beside = {"plain Faust": theirs[number][which]} if theirs else {}
            found.append(
                Measured(name=name.format(rate), unit="ms", figure=ours[number][which], beside=beside)
            )
    return found


async def _at_rates(
    site: Site, stores: list[str], options: Options, who: str, written: Wait, timing: Ask, tell: Teller
) -> list[tuple[Figure, Figure]]:
    counts = [max(1, int(rate * options.seconds)) for rate in options.rates]
    warm = max(1, int(options.rates[0] * WARM_S))
    stream: Iterator[Published] = orders.stream(warm + sum(counts), stores)
    tell.begin(f"warming up{who}")
    await site.publisher.orders(islice(stream, warm), options.rates[0])
    await written(warm)
    found = []
    published = warm
    for rate, count in zip(options.rates, counts, strict=True):
        tell.begin(f"{rate:g} orders a second for {options.seconds:g} s{who}", count)
        watch = Stopwatch(site)
        await site.publisher.orders(_told(islice(stream, count), tell), rate)
        published += count
        await written(published)
        p50, p99 = await timing(count)
        found.append((watch.figure(count, round(p50, 1)), watch.figure(count, round(p99, 1))))
    return found


def _told(published: Iterator[Published], tell: Teller) -> Iterator[Published]:
    for number, order in enumerate(published, start=1):
        tell.at(number)
        yield order
