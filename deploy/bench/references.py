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

from deploy.bench.site import Site

STOP_S = 10.0
_PROGRAMS = "tests.bench.references"


class Bare(msgspec.Struct, frozen=True):
    """What the bare clients did with the same records or rows: orders a second."""

    orders: int
    seconds: float
    per_s: float
    records: int


def available() -> bool:
    """Say whether the programs are there: in a source checkout they are."""
    return find_spec("tests") is not None and find_spec(_PROGRAMS) is not None


async def bare(site: Site, what: str) -> Bare:
    """Run the bare clients over what the site has made: `move` records, `copy` rows."""
    program = [sys.executable, "-m", f"{_PROGRAMS}.bare", what]
    process = await asyncio.create_subprocess_exec(
        *program, env=_environment(site), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(program)} ended with {process.returncode}; its own words are above")
    return msgspec.json.decode(answer, type=Bare)


@contextmanager
def plain_faust(site: Site) -> Iterator[None]:
    """Have the plain Faust application run while the block does."""
    with (site.logs / f"{site.name}-plain-faust.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            [sys.executable, "-m", f"{_PROGRAMS}.plain_faust"],
            env=_environment(site),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
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
