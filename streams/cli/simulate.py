"""`tillstream simulate`: what another allocation policy would have made of the orders that came."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.history import FirstDay, Json, LastDay, Store, days, failed, print_json, print_table
from streams.cli.progress import progress

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from streams.settings import Settings
    from streams.simulate.run import Range, Simulation
    from streams.simulate.tally import Figures, Work

EPILOG = """
**Examples**

    tillstream simulate --policy priority

    tillstream simulate --policy priority --store s1 --from 2026-11-01 --to 2026-11-30 --json

Exit codes: 0 done; 1 the topics cannot be read; 2 the command line is wrong.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate", rich_help_panel=panels.OPERATE, epilog=EPILOG)(simulate)


def simulate(
    policy: Annotated[str, typer.Option(metavar="NAME", help="The policy to try: lightspeed, priority.")],
    store: Store = None,
    first: FirstDay = None,
    last: LastDay = None,
    as_json: Json = False,
) -> None:
    """Run another allocation policy over the real orders of some days (UTC), and compare.

    All that is in the inbound topics before and in the range is decided again in memory, once by each link's
    own policy and once by this one; nothing is written, and the workers do not notice. Without --from and
    --to: all orders that the topics have.
    """
    from streams.domain.policies import POLICIES
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings, require_kafka
    from streams.simulate.run import Range
    from topics.ids import StoreId

    if policy not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        raise typer.BadParameter(f"there is no policy {policy!r}; there are {known}", param_hint="--policy")
    first_day, last_day = days(first, last)
    due = Range(
        policy,
        None if store is None else StoreId(store),
        _midnight(first_day),
        _midnight(last_day, timedelta(days=1)),
    )
    try:
        settings = load_settings()
        require_kafka(settings)
        done = _run(settings, due)
    except (SettingsError, WorkerError) as error:
        raise failed(str(error)) from error
    if as_json:
        print_json(done)
    else:
        _show(done)


def _run(settings: Settings, due: Range) -> Simulation:
    from streams.simulate.run import simulate

    with progress("reading") as shown:
        return asyncio.run(simulate(settings, due, shown))


def _show(done: Simulation) -> None:
    if not done.own.orders:
        typer.echo(
            f"No order came in the range, in {done.records} records: `tillstream topics list` shows how long"
            " they are kept"
        )
        return
    courses = (done.happened, done.own, done.simulated)
    headings = ("", "really", "own policy", done.policy)
    print_table(
        "figures",
        headings,
        (
            ("orders", *(one.orders for one in courses)),
            ("at an outlet", *(one.allocated for one in courses)),
            ("split", *(one.split for one in courses)),
            ("split rate", *(f"{one.split_rate:.1%}" for one in courses)),
            ("orders with backorders", *(one.backordered_orders for one in courses)),
            ("pieces backordered", *(one.backordered_pieces for one in courses)),
            ("orders with nothing for a part", *(one.unallocated_orders for one in courses)),
            ("pieces unallocated", *(one.unallocated_pieces for one in courses)),
        ),
    )
    loads = [_load(one) for one in courses]
    outlets = sorted(set().union(*loads))
    print_table(
        "outlets with work",
        ("store", "outlet", *(f"{what}: {unit}" for what in headings[1:] for unit in ("orders", "pieces"))),
        ((*outlet, *(number for load in loads for number in load.get(outlet, (0, 0)))) for outlet in outlets),
    )
    typer.echo(
        f"{done.records} records, {done.refused} of them refused; the simulation of the own policy has"
        f" {done.reproduced} of {done.happened.orders} orders where they really were"
    )
    typer.echo(f"{done.elsewhere} orders would be elsewhere under {done.policy}")
    for one in done.sample:
        typer.echo(f"  {one.store_id} {one.order_id}: {_work(one.own)} -> {_work(one.simulated)}")


def _load(figures: Figures) -> dict[tuple[str, str], tuple[int, Decimal]]:
    return {(one.store_id, one.outlet_id): (one.orders, one.pieces) for one in figures.load}


def _work(work: Work) -> str:
    return ", ".join(f"{outlet} {pieces:f}" for outlet, pieces in work.items()) or "nowhere"


def _midnight(day: date | None, later: timedelta = timedelta(0)) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC) + later
