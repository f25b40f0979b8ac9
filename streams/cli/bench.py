"""`tillstream bench`: how fast it is on this machine, and beside what it is compared with."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.bench.options import Part
from streams.cli import panels
from streams.cli.exits import Exit

if TYPE_CHECKING:
    from deploy.bench.options import Options

_EPILOG = """
**Examples**

    tillstream bench                                  all of it, about eight minutes on an idle machine

    tillstream bench --only stock --only history      only these parts

    tillstream bench --orders 10000 --json            a shorter one, as one JSON object, ratios first

    tillstream bench --only latency --rate 50 --rate 500 --seconds 60

Compare ratios between machines, and CPU where other programs share the machine; rates only within one run.

**Exit codes**  0 measured; 1 a measurement did not come to its end; 2 wrong options; 130 Ctrl-C
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", rich_help_panel=panels.TRY, epilog=_EPILOG)(_bench)


def _bench(
    only: Annotated[
        list[Part] | None, typer.Option(help="Measure only this; may be given several times.")
    ] = None,
    orders: Annotated[
        int, typer.Option(min=1_000, help="Orders of each backlog; few measure coarsely.")
    ] = 60_000,
    stores: Annotated[int, typer.Option(min=1, max=999, help="Over how many stores.")] = 16,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Partitions of every topic.")] = 4,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            min=1,
            help="Orders per second of the latency; several times. [default: 100, 300]",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=5, help="How long each rate lasts.")] = 30.0,
    rows: Annotated[int, typer.Option(min=10_000, help="Rows of the table that is restored.")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure drains, latency, recovery, memory and replay on an embedded Kafka and Postgres of its own.

    In a source checkout each stands beside its reference, measured in the same run: a plain Faust
    application, or the bare clients without any rules.
    """
    from deploy.bench.options import Options

    usual = Options()
    options = Options(
        parts=tuple(only) if only else usual.parts,
        orders=orders,
        stores=stores,
        partitions=partitions,
        rates=tuple(rate) if rate else usual.rates,
        seconds=seconds,
        rows=rows,
    )
    raise typer.Exit(_measure(options, as_json=as_json))


def _measure(options: Options, *, as_json: bool) -> int:
    import msgspec
    from rich.console import Console

    from deploy.bench.options import BenchError
    from deploy.bench.run import measure
    from deploy.local.progress import Terminal
    from deploy.local.stack import Stack
    from streams.cli.bench_view import Steps, tables

    console = Console(stderr=True)
    try:
        with Stack.ephemeral() as stack:
            stack.up(attached=True, progress=Terminal(console))
            with Steps(console) as steps:
                report = asyncio.run(measure(stack, options, steps))
    except BenchError as error:
        print(f"tillstream: {error}", file=sys.stderr)
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.STOPPED
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        for table in tables(report):
            Console().print(table)
    return Exit.OK
