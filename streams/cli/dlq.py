"""`tillstream dlq`: records that were refused; look at them, send them again, set them aside."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import dlq_aside, dlq_redrive, dlq_show, panels
from streams.cli.history import Json, Limit, ask, print_json, print_table
from streams.cli.letters import Ids, Reasons, Since, Store, Topics, Until, choice, states

dlq = typer.Typer(
    no_args_is_help=True, help="Dead letters: records that were refused, why, and what to do about them."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(dlq, name="dlq", rich_help_panel=panels.OPERATE)


_EPILOG = """
**Examples**

    tillstream dlq list --topic ecom.orders --since 24h

    tillstream dlq list --reason bad_number --state new --json

    tillstream dlq list --state came_back                     sent again, and refused again

**Exit codes**  0 listed; 1 Postgres does not answer; 2 wrong options
"""


@dlq.command("list", epilog=_EPILOG)
def list_dead_letters(
    ids: Ids = None,
    store: Store = None,
    reason: Reasons = None,
    topic: Topics = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only in this state: new, sending, sent_again, came_back, discarded; may be repeated."
            " [default: all but discarded]",
            show_default=False,
        ),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the last refused first; the records themselves are not shown."""
    from storage.lookups.dead_letters import STATES
    from storage.lookups.dead_letters import list_dead_letters as listed

    wanted = states(state) or (() if ids else tuple(one for one in STATES if one != "discarded"))
    which = choice(ids, store, reason, topic, since, until, wanted)
    found = ask(lambda connection: listed(connection, which, limit=limit))
    if as_json:
        print_json(found)
        return
    print_table(
        "dead letters",
        (
            "letter", "state", "refused (UTC)", "store", "order", "reason", "detail", "topic", "partition",
            "offset", "part",
        ),
        (
            (
                one.dead_letter_id, one.state.replace("_", " "), one.processed_at, one.store_id, one.order_id,
                one.reason, one.detail, one.topic, one.partition, one.offset, one.part,
            )
            for one in found
        ),
    )  # fmt: skip


for module in (dlq_show, dlq_redrive, dlq_aside):
    module.register(dlq)
