"""`tillstream reconcile list|compensate`: what differs over the point of sale, tables, topics, Postgres."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli import panels, reconcile_view
from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, Since, at_postgres, failed, point, print_json
from streams.cli.progress import progress

if TYPE_CHECKING:
    from datetime import datetime

    from streams.reconcile.compare import Filed
    from streams.reconcile.compensation import Planned
    from streams.reconcile.difference import Difference
    from streams.reconcile.look import Look, Seen
    from streams.reconcile.sending import Sent
    from streams.settings import Settings

T = TypeVar("T")

reconcile = typer.Typer(
    no_args_is_help=True, help="Differences between the point of sale, tables, topics and Postgres."
)
PATIENCE_S = 30.0
ATTEMPTS = 3
"""A level that moved between the look and the correction is looked at again, so often at most."""

StoreId = Annotated[str, typer.Option("--store", help="The store's id.")]
Sku = Annotated[
    str | None,
    typer.Option("--sku", help="Only levels of this SKU, and no sales. [default: all]", show_default=False),
]
Levels = Annotated[
    Path | None,
    typer.Option(
        "--levels",
        metavar="FILE",
        help="The point of sale's levels, as `publish pos.inventory` takes them.",
        show_default=False,
    ),
]

_LIST = """
**Examples**

    tillstream reconcile list --store s1

    tillstream reconcile list --store s1 --sku SHOE-42 --levels levels.json --json

**Exit codes**  0 nothing differs but what goes by itself; 1 it could not be looked at; 3 something differs
"""
_COMPENSATE = """
**Examples**

    tillstream reconcile compensate --store s1 --levels levels.json

    tillstream reconcile compensate --store s1 --sku SHOE-42 --apply --why 'a delivery was counted twice'

**Exit codes**  0 done, or nothing to do; 1 it failed; 2 no reason given; 3 not all was corrected; 4 another
operator is at it
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(reconcile, name="reconcile", rich_help_panel=panels.OPERATE)


@reconcile.command("list", epilog=_LIST)
def list_differences(
    store: StoreId, sku: Sku = None, levels: Levels = None, since: Since = None, as_json: Json = False
) -> None:
    """List what differs, each with its cause and what to do. Nothing is changed.

    Compares the levels of the point of sale (the last counts on the topic, and --levels) with the stock
    table, that with the movements and with what open sales hold, and both topics with Postgres. It may run
    while orders flow: all are held together at points that belong together. --since reads the movements and
    sales from then on only, which is quicker and cannot tell what sales hold.
    """
    from streams.reconcile.compare import differences

    filed = _filed(levels)

    async def look(look: Look) -> tuple[Seen, list[Difference]]:
        seen = await look.see()
        return seen, differences(seen, filed, sku)

    seen, found = _look(store, point(since), lambda each, _: look(each), with_sales=sku is None)
    if as_json:
        print_json(
            {
                "store_id": store,
                "levels": len(seen.table.keys()),
                "sales": len(seen.sold.last),
                "differences": [reconcile_view.as_json(each) for each in found],
            }
        )
    else:
        reconcile_view.print_differences(seen, found)
    if not all(each.passes for each in found):
        raise typer.Exit(Exit.FOUND)


@reconcile.command("compensate", epilog=_COMPENSATE)
def compensate(
    store: StoreId,
    sku: Sku = None,
    levels: Levels = None,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Write the movements that put the store's levels right.

    Each level becomes what the point of sale says (--levels, else the last count), what the sales hold, and
    what the movements say. The stock worker applies a correction only to the level that it was computed
    from; one that has moved meanwhile is computed anew. Differences in Postgres are ended by a replay.
    """
    filed = _filed(levels) or {}
    scope = {"store": store, "sku": sku, "levels": None if levels is None else levels.name}
    wanted = order("reconcile compensate", scope, why=why, who=who) if apply else None
    reason = wanted.reason if wanted else ""
    operator = wanted.operator if wanted else ""

    async def planned(look: Look) -> list[Planned]:
        from streams.reconcile.compare import differences
        from streams.reconcile.compensation import plan

        seen = await look.see()
        found = [each for each in differences(seen, filed, sku) if each.sale_id is None]
        return plan(seen, found, filed, reason=reason, operator=operator)

    if wanted is None:
        todo = _look(store, None, lambda look, _: planned(look), with_sales=False)
        reconcile_view.show_plan(todo, json=as_json)
        return

    async def corrected(look: Look, connection: Any) -> list[Sent]:
        from storage.operations.audit import audited
        from storage.operations.turn import turn
        from streams.reconcile.sending import send

        # Under way, the audit's session must have no transaction open: the look's has ended by now.
        async with turn(connection, f"stock of {store}"), audited(connection, wanted) as result:
            done: list[Sent] = []
            for _ in range(ATTEMPTS):
                todo = await planned(look)
                if not todo:
                    break
                sent = await send(look.settings, look.store_id, todo, PATIENCE_S)
                done = [one for one in done if one.outcome != "refused"] + sent
                result["corrections"] = [_audited(one) for one in done]
                result |= Counter(one.outcome.replace(" ", "_") for one in done)
                if all(one.outcome != "refused" for one in sent):
                    break
            return done

    sent = _look(store, None, corrected, with_sales=False)
    reconcile_view.show_sent(sent, json=as_json)
    if any(one.outcome in ("refused", "not decided yet") for one in sent):
        raise typer.Exit(Exit.FOUND)


def _filed(path: Path | None) -> Filed | None:
    if path is None:
        return None
    from streams.payloads import PayloadError, split
    from streams.reconcile.counts import in_file

    try:
        with path.open("rb") as file:
            return in_file(split(file, str(path), "pos.inventory"))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--levels") from error
    except PayloadError as error:
        raise failed(str(error)) from error


def _look(
    store: str, since: datetime | None, then: Callable[[Look, Any], Awaitable[T]], *, with_sales: bool
) -> T:
    """Open a look at a store, with a session of Postgres; what a user can mend ends the command."""
    from streams.provision import ProvisionError
    from streams.publisher import PublishError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings, require_postgres

    try:
        settings = load_settings()
        require_postgres(settings)
        with at_postgres():
            return asyncio.run(_opened(settings, store, since, then, with_sales))
    except (ProvisionError, PublishError, SettingsError, WorkerError) as error:
        raise failed(str(error)) from error


async def _opened(
    settings: Settings,
    store: str,
    since: datetime | None,
    then: Callable[[Look, Any], Awaitable[T]],
    with_sales: bool,
) -> T:
    from storage import schema
    from storage.connection import connect
    from streams.reconcile.look import Look
    from topics import ids

    connection = await connect(settings.postgres.connect_options(), name="tillstream reconcile")
    try:
        await schema.check(connection)
        with progress("reading") as shown:
            own_id = ids.StoreId(store)
            async with Look.at(settings, own_id, connection, since, shown, with_sales=with_sales) as look:
                return await then(look, connection)
    finally:
        connection.terminate()


def _audited(one: Sent) -> dict[str, Any]:
    import msgspec

    return {name: value for name, value in msgspec.structs.asdict(one).items() if value is not None}
