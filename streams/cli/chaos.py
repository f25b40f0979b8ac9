"""`tillstream chaos`: break it again and again, and count what came of it."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from deploy.chaos.plan import Kind, Round
    from deploy.chaos.result import Options, Result

_EPILOG = """
**Examples**

    tillstream chaos                                   20 rounds, about ten minutes

    tillstream chaos --rounds 100 --seed 7 --json      a long one, as one JSON object

    tillstream chaos --rounds 20 --seed 7 --plan       only print what would be done

Exit codes: 0 every order is decided and written once, and all sums are right; 1 the embedded
stack does not answer; 2 the command line is wrong; 3 something is lost, twice, out of order, torn, oversold
or told differently: the data is kept, and the command that repeats the run is printed; 130 ended by
Ctrl-C, with the sum of the rounds that were played.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chaos", rich_help_panel=panels.TRY, epilog=_EPILOG)(_chaos)


def _chaos(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed, other faults and orders.")] = 1,
    orders_per_round: Annotated[
        int, typer.Option(min=10, help="Orders that come in during a round.")
    ] = 3_000,
    rate: Annotated[float, typer.Option(min=1, help="Orders per second.")] = 200.0,
    faults: Annotated[int, typer.Option(min=1, help="Faults in each round.")] = 4,
    plan_only: Annotated[bool, typer.Option("--plan", help="Print the plan of faults, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sum as one JSON object.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA_DIR",
            help="Put the data there, and keep it. [default: a temporary directory, kept when it failed]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Kill, stop, cut off and starve an installation of its own while orders come in, then check all of it.

    Two stock and two history workers on an embedded Kafka and Postgres. The faults of each round follow from
    the seed. After a round everything must have been decided and written, once and in order.
    """
    import msgspec
    from rich.console import Console

    from deploy.chaos import disk
    from deploy.chaos.plan import KINDS, draw
    from deploy.chaos.result import Options
    from deploy.chaos.view import planned

    options = Options(
        rounds=rounds, seed=seed, orders_per_round=orders_per_round, rate=rate, faults_per_round=faults
    )
    left_out: dict[Kind, str] = {}
    if (why := disk.privately()) is not None:
        left_out["disk"] = why
    kinds = [kind for kind in KINDS if kind not in left_out]
    plan = draw(seed, rounds, orders_per_round, faults, kinds)
    console = Console(stderr=True)
    for kind, reason in left_out.items():
        console.print(f"left out: {kind} ({reason})", markup=False)
    if plan_only:
        print(msgspec.json.encode(plan).decode() if as_json else planned(plan))
        return
    raise typer.Exit(_play(plan, options, left_out, keep, console, as_json=as_json))


def _play(
    plan: tuple[Round, ...],
    options: Options,
    left_out: Mapping[Kind, str],
    keep: Path | None,
    console: Console,
    *,
    as_json: bool,
) -> int:
    data_dir = keep or Path(tempfile.gettempdir()) / f"tillstream-chaos-{options.seed}-{os.getpid()}"
    if data_dir.exists() and any(data_dir.iterdir()):
        raise typer.BadParameter(f"{data_dir} is not empty: name a new directory", param_hint="--keep")
    result = asyncio.run(_run(plan, options, left_out, data_dir, console, keep=keep is not None))
    if keep is None and (result is None or result.kept):
        shutil.rmtree(data_dir, ignore_errors=True)
    if result is None:
        return Exit.STOPPED
    _report(result, as_json=as_json)
    if not result.kept:
        again = ["tillstream", "chaos", "--rounds", str(options.rounds), "--seed", str(options.seed)]
        again += ["--orders-per-round", str(options.orders_per_round), "--rate", f"{options.rate:g}"]
        again += ["--faults", str(options.faults_per_round)]
        print(f"tillstream: repeat it with `{shlex.join(again)}`; its data is in {data_dir}", file=sys.stderr)
        return Exit.FOUND
    return Exit.OK if result.rounds == options.rounds else Exit.STOPPED


async def _run(
    plan: tuple[Round, ...],
    options: Options,
    left_out: Mapping[Kind, str],
    data_dir: Path,
    console: Console,
    *,
    keep: bool,
) -> Result | None:
    from aiokafka.errors import KafkaError

    from deploy.chaos.run import Chaos
    from deploy.chaos.site import Site
    from deploy.chaos.view import View
    from deploy.local.errors import StackError
    from deploy.local.progress import Terminal
    from deploy.verify.history import AWAY

    playing, asked = asyncio.current_task(), asyncio.Event()
    assert playing is not None

    def end() -> None:
        asked.set()
        playing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    site = Site(data_dir, Terminal(console), small_disk="disk" not in left_out)
    chaos: Chaos | None = None
    try:
        async with site:
            chaos = Chaos(site, plan, options, left_out)
            try:
                with View(console, options.rounds * options.orders_per_round) as view:
                    result = await chaos.run(view.show)
                site.keep_data = keep or not result.kept
            finally:
                if asked.is_set():
                    site.keep_data = keep
    except (asyncio.CancelledError, KafkaError, *AWAY) as error:
        if not asked.is_set():
            raise StackError(
                f"the embedded stack does not answer whoever looks on: {error!r}. Its logs are in"
                f" {data_dir / 'logs'}; is the machine too busy for a broker?"
            ) from error
    return None if chaos is None else chaos.result


def _report(result: Result, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(result).decode(), flush=True)
    else:
        from rich.console import Console

        from deploy.chaos.view import summary

        Console().print(summary(result))
    for finding in result.findings:
        print(f"tillstream: {finding}", file=sys.stderr)
