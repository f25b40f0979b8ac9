"""`tillstream dlq list`: records that were refused."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Since, Store, ask, point, print_json, print_table

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: records that were refused, and why.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(dlq, name="dlq", rich_help_panel=panels.OPERATE)


@dlq.command("list", epilog="**Example**  `tillstream dlq list --topic ecom.orders --since 24h`")
def list_dead_letters(
    store: Store = None,
    reason: Annotated[
        str | None, typer.Option(help="Only with this reason (bad_number, not_json, …).", show_default=False)
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Only from this topic, prefix included.", show_default=False)
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the last refused first; the records themselves are not shown."""
    from storage.lookups.dead_letters import list_dead_letters as listed

    after = point(since)
    found = ask(
        lambda connection: listed(
            connection, store_id=store, reason=reason, topic=topic, since=after, limit=limit
        )
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "dead letters",
        ("refused (UTC)", "store", "order", "reason", "detail", "topic", "partition", "offset", "by"),
        (
            (
                one.processed_at, one.store_id, one.order_id, one.reason, one.detail,
                one.topic, one.partition, one.offset, one.found_by,
            )
            for one in found
        ),
    )  # fmt: skip
