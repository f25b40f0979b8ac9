"""`tillstream bench`: how fast it is on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels

if TYPE_CHECKING:
    from deploy.bench.run import Ratios, References

_EPILOG = """
**Examples**

    tillstream bench                          about four minutes

    tillstream bench --orders 200000 --json   a longer one, as one JSON object
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", rich_help_panel=panels.TRY, epilog=_EPILOG)(_bench)


def _bench(
    orders: Annotated[int, typer.Option(min=1_000, help="Orders of each backlog.")] = 60_000,
    stores: Annotated[int, typer.Option(min=1, max=999, help="Over how many stores.")] = 16,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Partitions of every topic.")] = 4,
    rate: Annotated[float, typer.Option(min=1, help="Orders per second of the latency measurement.")] = 300.0,
    seconds: Annotated[float, typer.Option(min=5, help="How long that lasts.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure backlogs drained and latency, on an embedded Kafka and Postgres of its own."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from deploy.bench.run import Options, measure
    from deploy.local.progress import Terminal
    from deploy.local.stack import Stack

    console = Console(stderr=True)
    options = Options(orders=orders, stores=stores, partitions=partitions, rate=rate, seconds=seconds)
    with Stack.ephemeral() as stack:
        stack.up(attached=True, progress=Terminal(console))
        report = asyncio.run(measure(stack, options, console.print))
    if as_json:
        print(msgspec.json.encode(report).decode())
        return
    if report.ratios is not None and report.references is not None:
        _print_ratios(report.ratios, report.references)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("measured")
    table.add_column("orders/s", justify="right")
    table.add_column("CPU per order (µs)")
    for name, drain in (
        ("stock worker, backlog", report.stock),
        ("history worker, backlog", report.history),
        ("end to end, backlog", report.end_to_end),
    ):
        cpu = ", ".join(f"{part} {used:.0f}" for part, used in drain.cpu_us_per_order.items())
        table.add_row(name, f"{drain.per_s:,.0f}", cpu)
    Console().print(table)
    latency = report.latency
    print(
        f"at {latency.rate:.0f} orders/s: p50 {latency.p50_ms} ms, p99 {latency.p99_ms} ms from record to row"
    )


def _print_ratios(ratios: Ratios, beside: References) -> None:
    for what, ratio, reference in (
        (
            "stock worker",
            ratios.stock_to_bare,
            f"bare consume-decode-produce, {beside.bare_move_per_s:,.0f}/s",
        ),
        ("history worker", ratios.history_to_copy, f"bare COPY, {beside.bare_copy_per_s:,.0f}/s"),
        ("end to end", ratios.end_to_end_to_plain_faust, f"plain Faust, {beside.plain_faust_per_s:,.0f}/s"),
        ("p99", ratios.p99_to_plain_faust, f"plain Faust's, {beside.plain_faust_p99_ms:.0f} ms"),
    ):
        print(f"{what:<16}{ratio:>7.2f} x {reference}")
