"""`tillstream customers list`: the customers of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Store, ask, print_json, print_table

customers = typer.Typer(no_args_is_help=True, help="Customers, as the history in Postgres has them.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(customers, name="customers", rich_help_panel=panels.LOOK)


@customers.command(
    "list", epilog="**Example**  `tillstream customers list --store s1 --email Ada@Example.com`"
)
def list_customers(
    store: Store = None,
    email: Annotated[
        str | None, typer.Option(help="Only with this e-mail, in any spelling.", show_default=False)
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List customers by e-mail."""
    from storage.lookups.customers import list_customers as listed

    found = ask(lambda connection: listed(connection, store_id=store, email=email, limit=limit))
    if as_json:
        print_json(found)
        return
    print_table(
        "customers",
        ("store", "e-mail", "name", "from", "id", "replaced by", "duplicate of", "deleted"),
        (
            (
                one.store_id, one.email, one.name, one.origin, one.customer_id,
                one.replaced_by, one.duplicate_of, one.deleted,
            )
            for one in found
        ),
    )  # fmt: skip
