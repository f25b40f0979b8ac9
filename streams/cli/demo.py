"""`tillstream demo`: see it work."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.exits import Exit

if TYPE_CHECKING:
    from deploy.demo.result import Options, Result
    from deploy.local.stack import Stack

_EPILOG = """
**Examples**

    tillstream demo                                   10,000 orders at 500 a second, then Ctrl-C

    tillstream demo --orders 50000 --rate 0 --exit    as fast as it goes, then end

    tillstream demo --orders 5000 --exit --json       one JSON object at the end

    tillstream demo --orders 2000 --lives 100         every order is dealt with in the shop, too

Kill any of its processes while it runs (it prints their pids): the numbers at the end are the same.
Exit codes: 0 every promise kept, 1 something missing, twice, oversold or wrong, 2 nothing moved any more.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", rich_help_panel=panels.TRY, epilog=_EPILOG)(_demo)


def _demo(
    orders: Annotated[int, typer.Option(min=1, help="How many orders to generate.")] = 10_000,
    stores: Annotated[int, typer.Option(min=1, max=999, help="Over how many stores.")] = 8,
    rate: Annotated[float, typer.Option(min=0, help="Orders per second; 0 is as fast as it goes.")] = 500.0,
    seed: Annotated[int, typer.Option(help="Another seed, other orders.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Partitions of every topic.")] = 4,
    lives: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="How many percent of them are then picked, shipped, returned … in the shop."
        ),
    ] = 5.0,
    exit_at_end: Annotated[
        bool, typer.Option("--exit", help="End once all orders are in Postgres, instead of staying up.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sum as one JSON object.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Keep the data there. [default: a temporary directory]", show_default=False),
    ] = None,
) -> None:
    """Run the main job on an embedded Kafka and Postgres, with orders coming in, and check what came out."""
    from deploy.demo.result import Options

    options = Options(
        orders=orders, stores=stores, rate=rate or None, seed=seed, partitions=partitions, lives=lives
    )
    raise typer.Exit(_play(options, data_dir, exit_at_end=exit_at_end, as_json=as_json))


def _play(options: Options, data_dir: Path | None, *, exit_at_end: bool, as_json: bool) -> int:
    from rich.console import Console

    from deploy.demo.run import StalledError
    from deploy.local.progress import Terminal
    from deploy.local.stack import Stack

    console = Console(stderr=as_json)
    stack = Stack.ephemeral() if data_dir is None else Stack(data_dir)
    if stack.running:
        raise typer.BadParameter(f"a stack runs in {data_dir} already; stop it, or choose another directory")
    with stack:
        stack.up(attached=True, progress=Terminal(console))
        console.print(f"Kafka is at {stack.endpoints.bootstrap}, Postgres in {stack.data_dir}.")
        console.print(
            f"To look around from another terminal: [bold]export TILLSTREAM_DATA_DIR={stack.data_dir}[/]"
        )
        try:
            return asyncio.run(_run(stack, options, console, exit_at_end=exit_at_end, as_json=as_json))
        except StalledError as error:
            print(f"tillstream: {error}", file=sys.stderr)
            return 2


async def _run(stack: Stack, options: Options, console: object, *, exit_at_end: bool, as_json: bool) -> int:
    from deploy.demo.run import Demo
    from deploy.demo.view import View

    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    demo = Demo(stack, options)
    result: Result | None = None
    with contextlib.suppress(asyncio.CancelledError):
        try:
            with View(console) as view:  # type: ignore[arg-type]  # imported inside the command
                await demo.start()
                result = await demo.run(view.show)
            _report(result, console, as_json=as_json)
            if not exit_at_end:
                with View(console) as view:  # type: ignore[arg-type]
                    await demo.idle(view.show)
        finally:
            await demo.stop()
    if result is None:
        return Exit.STOPPED
    return 0 if result.kept else 1


def _report(result: Result, console: object, *, as_json: bool) -> None:
    from deploy.demo.view import stories, summary

    if as_json:
        import msgspec

        print(msgspec.json.encode(result).decode(), flush=True)
    else:
        console.print(stories(result))  # type: ignore[attr-defined]
        console.print(summary(result))  # type: ignore[attr-defined]
    for finding in result.findings:
        print(f"tillstream: {finding}", file=sys.stderr)
