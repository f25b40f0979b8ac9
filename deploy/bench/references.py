"""What the measurements are compared with: programs of the source checkout, run as processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import asyncpg
import msgspec

from deploy.bench.options import BenchError
from deploy.bench.report import Figure
from deploy.bench.site import Site

STOP_S = 10.0
_PROGRAMS = "tests.bench.references"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a program did over and over, by its own clock: orders moved, rows restored …; memory in bytes."""

    count: int
    seconds: float
    cpu_s: float
    memory: int = 0

    def figure(self, process: str) -> Figure:
        """Return it as a rate."""
        return Figure(
            value=round(self.count / self.seconds, 1),
            count=self.count,
            seconds=self.seconds,
            cpu_us={process: round(self.cpu_s / self.count * 1e6, 2)},
        )


def available() -> bool:
    """Say whether the programs are there: in a source checkout they are."""
    return find_spec("tests") is not None and find_spec(_PROGRAMS) is not None


async def bare(site: Site, *what: str) -> Done:
    """Run the bare clients over what the site has made: `move` records, `copy` rows, `restore` a topic."""
    return await run(site, f"{_PROGRAMS}.bare", *what)


async def run(site: Site, module: str, *arguments: str) -> Done:
    """Run a program that measures itself; raises BenchError when it fails."""
    program = [sys.executable, "-m", module, *arguments]
    process = await asyncio.create_subprocess_exec(
        *program, env=_environment(site), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        answer, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise BenchError(f"{' '.join(program)} ended with {process.returncode}; its own words are above")
    return msgspec.json.decode(answer, type=Done)


@contextmanager
def plain_faust(site: Site) -> Iterator[None]:
    """Have the plain Faust application run while the block does."""
    name = "plain-faust"
    with site.log(name).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            [sys.executable, "-m", f"{_PROGRAMS}.plain_faust"],
            env=_environment(site),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    site.others[name] = process
    try:
        yield
    finally:
        del site.others[name]
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def plain_written(site: Site) -> int:
    """Return how many sales the plain application has in Postgres."""
    connection = await site.view.connection()
    try:
        return int(await connection.fetchval("SELECT count(*) FROM plain_sales"))
    except asyncpg.UndefinedTableError:
        return 0  # it makes its tables when its first sale comes


async def plain_latency_ms(site: Site, last: int) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds, from an order's record to its row, of the last so many."""
    connection = await site.view.connection()
    p50, p99 = await connection.fetchval(
        "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at -"
        " received_at) * 1000) FROM (SELECT * FROM plain_sales ORDER BY received_at DESC LIMIT $1) AS last",
        last,
    )
    return p50, p99


def _environment(site: Site) -> dict[str, str]:
    return os.environ | site.environment
