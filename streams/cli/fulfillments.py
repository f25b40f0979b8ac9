"""`tillstream fulfillments list`: what outlets have to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Since, Store, ask, point, print_json, print_table

if TYPE_CHECKING:
    from storage.lookups.fulfillments import FulfillmentLineListed
    from storage.lookups.sale import PieceShown

fulfillments = typer.Typer(no_args_is_help=True, help="Fulfilments, as the history in Postgres has them.")


class State(StrEnum):
    """The states of a fulfilment; open is any that still is work."""

    OPEN = "open"
    NEW = "new"
    IN_PROGRESS = "in_progress"
    PACKED = "packed"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(fulfillments, name="fulfillments", rich_help_panel=panels.LOOK)


@fulfillments.command(
    "list", epilog="**Example**  `tillstream fulfillments list --store s1 --outlet auckland --state open`"
)
def list_fulfillments(
    store: Store = None,
    outlet: Annotated[
        str | None, typer.Option(help="Only of this outlet. [default: all]", show_default=False)
    ] = None,
    order: Annotated[str | None, typer.Option(help="Only of this order.", show_default=False)] = None,
    state: Annotated[
        State | None, typer.Option(help="Only in this state. [default: any]", show_default=False)
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List fulfilments, the last changed first."""
    from storage.lookups.fulfillments import OPEN_STATES
    from storage.lookups.fulfillments import list_fulfillments as listed

    states = None if state is None else OPEN_STATES if state is State.OPEN else (state.value,)
    after = point(since)
    found = ask(
        lambda connection: listed(
            connection,
            store_id=store,
            outlet_id=outlet,
            order_id=order,
            states=states,
            since=after,
            limit=limit,
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "fulfillments",
        ("changed (UTC)", "store", "order", "outlet", "type", "state", "lines"),
        (
            (
                one.updated_at, one.store_id, one.order_id, one.outlet_id, one.type, one.state,
                [f"{line.sku} x {line.quantity}{so_far(line)}" for line in one.lines],
            )
            for one in found
        ),
    )  # fmt: skip


def so_far(line: FulfillmentLineListed | PieceShown) -> str:
    """Return how far a line is, in brackets; nothing where nothing is picked, packed or fulfilled yet."""
    done = [
        f"{word} {pieces}"
        for word, pieces in (("picked", line.picked), ("packed", line.packed), ("fulfilled", line.fulfilled))
        if pieces
    ]
    return f" ({', '.join(done)})" if done else ""
