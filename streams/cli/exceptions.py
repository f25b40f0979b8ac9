"""`tillstream exceptions list`: what needs a person."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Store, ask, print_json, print_table

exceptions = typer.Typer(no_args_is_help=True, help="What needs a person: each opens and closes by itself.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(exceptions, name="exceptions", rich_help_panel=panels.LOOK)


@exceptions.command("list", epilog="**Example**  `tillstream exceptions list --store s1 --kind backordered`")
def list_exceptions(
    store: Store = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Only of this kind (backordered, manual_refund, …).", show_default=False),
    ] = None,
    order: Annotated[str | None, typer.Option(help="Only about this order.", show_default=False)] = None,
    closed_too: Annotated[bool, typer.Option("--all", help="Those that closed as well.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List open exceptions, the last opened first."""
    from storage.lookups.exceptions import list_exceptions as listed

    found = ask(
        lambda connection: listed(
            connection, store_id=store, kind=kind, order_id=order, closed_too=closed_too, limit=limit
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "exceptions" if closed_too else "open exceptions",
        ("opened (UTC)", "store", "kind", "about", "detail", "closed (UTC)"),
        ((one.opened_at, one.store_id, one.kind, one.subject, one.detail, one.closed_at) for one in found),
    )
