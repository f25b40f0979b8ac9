"""A large table restored: how fast, and the memory that it fills."""

from deploy.bench import references
from deploy.bench.clock import Teller
from deploy.bench.options import BenchError, Options
from deploy.bench.references import Done
from deploy.bench.report import Figure, Measured
from deploy.bench.rows import fill
from deploy.bench.site import Site
from deploy.local.stack import Stack

MIB = 1 << 20
TOPIC = "bench-stock-rows"


async def recovery(stack: Stack, options: Options, tell: Teller) -> list[Measured]:
    """Measure rows restored a second, and resident memory per million; a bare dictionary beside it."""
    count = options.rows
    async with Site(stack, "recovery", options.partitions) as site:
        tell.begin(f"writing a changelog of {count:,} stock rows", count)
        await fill(site.settings, TOPIC, count, tell)
        tell.begin("a table is restored from it")
        # The first reading warms the broker's cache.
        await references.run(site, "deploy.bench.restoring", TOPIC)
        ours = await references.run(site, "deploy.bench.restoring", TOPIC)
        theirs: Done | None = None
        if references.available():
            tell.begin("a bare client reads it into a dictionary")
            theirs = await references.bare(site, "restore", TOPIC)
    for done in (ours, theirs):
        if done is not None and done.count != count:
            raise BenchError(f"{TOPIC} has {count} rows, but {done.count} were restored")
    name = "bare consume into a dict"
    return [
        Measured(
            name="recovery",
            unit="rows/s",
            figure=ours.figure("restore"),
            beside={name: theirs.figure("client")} if theirs else {},
        ),
        Measured(
            name="memory per million stock rows",
            unit="MiB",
            figure=_memory(ours),
            beside={name: _memory(theirs)} if theirs else {},
        ),
    ]


def _memory(done: Done) -> Figure:
    return Figure(
        value=round(done.memory / MIB / done.count * 1e6, 1), count=done.count, seconds=done.seconds
    )
