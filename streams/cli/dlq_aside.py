"""`tillstream dlq discard` and `restore`: letters that are set aside, and taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, ask, failed, print_json, print_table
from streams.cli.letters import All, Ids, Reasons, Since, Store, Topics, Until, chosen, scope

if TYPE_CHECKING:
    from storage.lookups.dead_letters import Choice
    from streams.redrive.aside import Aside, Deed

_CODES = """
**Exit codes**  0 done, or nothing to do; 1 it failed; 2 wrong options; 4 another operator is at work; 5
refused: a letter that is named is not there, or may have been sent
"""
_DISCARD_EPILOG = f"""
**Examples**

    tillstream dlq discard --reason webhook_body --until 7d      what it would set aside

    tillstream dlq discard --reason webhook_body --until 7d --apply --why 'the orders came since'
{_CODES}"""
_RESTORE_EPILOG = f"""
**Example**

    tillstream dlq restore --reason webhook_body --apply --why 'it was the wrong reason'
{_CODES}"""


def register(dlq: typer.Typer) -> None:
    """Add the commands to the group."""
    dlq.command("discard", epilog=_DISCARD_EPILOG)(discard)
    dlq.command("restore", epilog=_RESTORE_EPILOG)(restore)


def discard(
    ids: Ids = None,
    store: Store = None,
    reason: Reasons = None,
    topic: Topics = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Set letters aside: kept, but no longer listed as something to do. `restore` undoes it.

    Of letters that are not named, those in state new.
    """
    which = chosen(ids, store, reason, topic, since, until, ("new",), everything=everything)
    _do("discard", which, apply=apply, why=why, who=who, as_json=as_json)


def restore(
    ids: Ids = None,
    store: Store = None,
    reason: Reasons = None,
    topic: Topics = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Take letters up again that were discarded."""
    which = chosen(ids, store, reason, topic, since, until, ("discarded",), everything=everything)
    _do("restore", which, apply=apply, why=why, who=who, as_json=as_json)


def _do(deed: Deed, which: Choice, *, apply: bool, why: str | None, who: str | None, as_json: bool) -> None:
    from streams.redrive.aside import set_aside
    from streams.redrive.errors import RefusedError

    placed = order(f"dlq {deed}", scope(which), why=why, who=who) if apply else None
    try:
        done = ask(lambda connection: set_aside(connection, which, deed, placed))
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    if as_json:
        print_json(done)
        return
    _tell(deed, done)


def _tell(deed: Deed, done: Aside) -> None:
    print_table(
        f"letters to {deed}",
        ("letter", "refused (UTC)", "store", "order", "reason", "record", "part"),
        (
            (
                one.dead_letter_id, one.processed_at, one.store_id, one.order_id, one.reason, one.source,
                one.part,
            )
            for one in done.letters
        ),
    )  # fmt: skip
    same = f"; {done.unchanged} were so already" if done.unchanged else ""
    if done.applied:
        typer.echo(
            f"{done.changed} letters {deed}ed{same}"
            if deed == "discard"
            else f"{done.changed} letters restored{same}"
        )
    else:
        typer.echo(f"dry run: --apply would {deed} {done.changed} letters{same}")
