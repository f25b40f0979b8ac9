"""`tillstream order trace`: everything that happened to an order, across topics and Postgres."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels
from streams.cli.history import Json, Since, failed, point, print_table
from streams.cli.progress import progress

if TYPE_CHECKING:
    from storage.lookups.trace import OrderRows
    from streams.explain.entry import Entry
    from streams.explain.trace import Trace, Wanted
    from streams.settings import Settings

order = typer.Typer(no_args_is_help=True, help="What happened to an order, and why.")

_TRACE = """
**Examples**

    tillstream order trace K8XTQ --store s1

    tillstream order trace K8XTQ --store s1 --since 7d --json

**Exit codes**  0 shown; 1 nothing is known of the order, or Kafka does not answer
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(order, name="order", rich_help_panel=panels.LOOK)


@order.command("trace", epilog=_TRACE)
def trace(
    order_id: Annotated[str, typer.Argument(help="The online order's id.", metavar="ORDER")],
    store: Annotated[str, typer.Option("--store", help="The store's id.")],
    since: Since = None,
    personal: Annotated[
        bool,
        typer.Option(
            "--with-personal-data", help="Also the whole records, with names and addresses; for --json."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show everything that happened to an order, in the order of time.

    Snapshots and what the shop told, with what became of each; each revision of the sale and what it changed;
    fulfilments, movements, refunds, exceptions, dead letters; the rows in Postgres. The store's partition is
    read from a day before the first time that is known of the order, or from --since on.
    """
    from streams.explain.trace import Wanted
    from topics.ids import OrderId, StoreId

    if personal and not as_json:
        raise typer.BadParameter("give --json too: whole records do not fit a table", param_hint="--with-…")
    wanted = Wanted(
        store_id=StoreId(store), order_id=OrderId(order_id), since=point(since), personal=personal
    )
    found = _traced(wanted)
    if not found.entries:
        where = "on any topic" if found.since is None else f"since {found.since:%Y-%m-%d %H:%M} UTC"
        raise failed(
            f"nothing is known of order {order_id!r} of store {store!r} {where}: check the id and the store's"
            " id (the records' key), or look further back with --since"
        )
    if as_json:
        from streams.cli.history import print_json

        print_json(found)
    else:
        _print(found)


def _traced(wanted: Wanted) -> Trace:
    from streams.explain.trace import trace as traced
    from streams.provision import ProvisionError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings

    try:
        settings = load_settings()

        async def both() -> Trace:
            rows = await _rows(settings, wanted)
            with progress("reading") as shown:
                return await traced(settings, wanted, rows, shown)

        return asyncio.run(both())
    except (ProvisionError, SettingsError, WorkerError) as error:
        raise failed(str(error)) from error


async def _rows(settings: Settings, wanted: Wanted) -> OrderRows | None:
    """Ask Postgres; a trace is of use without it, too."""
    import asyncpg

    from storage import schema
    from storage.connection import connect
    from storage.errors import StorageError
    from storage.lookups.trace import find_order
    from topics.ids import sale_id

    if not settings.postgres.configured:
        typer.echo("tillstream: no Postgres is configured: its rows are left out", err=True)
        return None
    try:
        connection = await connect(settings.postgres.connect_options(), name="tillstream cli")
        try:
            await schema.check(connection)
            own_id = sale_id(wanted.store_id, wanted.order_id)
            return await find_order(connection, wanted.store_id, wanted.order_id, own_id)
        finally:
            connection.terminate()
    except (OSError, StorageError, asyncpg.PostgresError) as error:
        reason = str(error) or type(error).__name__
        typer.echo(f"tillstream: Postgres does not answer, its rows are left out: {reason}", err=True)
        return None


def _print(found: Trace) -> None:
    typer.echo(f"order {found.order_id} of store {found.store_id}, sale {found.sale_id}")
    if found.pos_sale_ids:
        typer.echo(f"in the POS: {', '.join(found.pos_sale_ids)}")
    print_table(
        "entries",
        ("time (UTC)", "where", "what", "revision", "what became of it, and details"),
        ((_time(one), _where(one), one.what, one.revision or "", _detail(one)) for one in found.entries),
    )
    for note in found.notes:
        typer.echo(f"note: {note}")


def _time(one: Entry) -> str:
    return one.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _where(one: Entry) -> str:
    return f"{one.source}.{one.table}" if one.table else f"{one.source}/{one.partition}@{one.offset}"


def _detail(one: Entry) -> str:
    marks: list[Any] = [one.mark] if one.mark else []
    if one.headers:
        marks.append(", ".join(f"{name}: {value}" for name, value in one.headers.items()))
    cause = [f"by {one.caused_by}"] if one.caused_by else []
    return "; ".join([*marks, *one.detail, *cause])
