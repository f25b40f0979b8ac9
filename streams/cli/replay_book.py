"""`tillstream replay status|cancel|drop`: which replays there are, ending them, removing what they left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, ask, failed, print_json, print_table

if TYPE_CHECKING:
    from storage.operations.replays import Replay


_CANCEL = """
**Example**  `tillstream replay cancel --apply --why 'the database is busy'`

**Exit codes**  0 it has stopped; 1 it has not within half a minute; 5 no replay is at work
"""
_DROP = """
**Examples**

    tillstream replay drop                                          what there is

    tillstream replay drop --apply --why 'compared, all is well'    the shadow

    tillstream replay drop --kept last --apply --why 'no way back is needed'

**Exit codes**  0 done; 1 it failed; 4 another operator is at work; 5 there is nothing to drop
"""


def register(replay: typer.Typer) -> None:
    """Add the commands to the group."""
    replay.command("status", epilog="**Example**  `tillstream replay status --json`")(status)
    replay.command("cancel", epilog=_CANCEL)(cancel)
    replay.command("drop", epilog=_DROP)(drop)


def status(as_json: Json = False) -> None:
    """Show every replay: its range, how far it is, and what became of it."""
    from storage import schema
    from storage.operations import replays

    async def look(connection: Any) -> tuple[list[Replay], bool]:
        await schema.check(connection, schema.OPERATIONS)
        return await replays.list_replays(connection, limit=100), await replays.at_work(connection)

    found, at_work = ask(look)
    if as_json:
        print_json({"at_work": at_work, "replays": [entry(one, at_work=at_work) for one in found]})
        return
    print_table(
        "replays",
        (
            "replay", "range", "state", "offsets", "of", "records", "seconds left", "begun (UTC)", "kept",
            "error",
        ),
        (
            (
                one.replay_id, one.scope, _state(one, at_work=at_work), one.offsets_done, one.offsets_due,
                one.records, _seconds_left(one), one.begun_at, one.kept_schema, one.error,
            )
            for one in found
        ),
    )  # fmt: skip


def cancel(apply: Apply = False, why: Why = None, who: Who = None, as_json: Json = False) -> None:
    """Stop the replay that runs in another terminal; what it has written stays, and it can be resumed."""
    if not apply:
        status(as_json=as_json)
        return
    placed = order("replay cancel", {}, why=why, who=who)

    async def work(connection: Any) -> int:
        from streams.replay import removal

        return await removal.cancel(connection, placed)

    number = _asked(work)
    if as_json:
        print_json({"cancelled": number})
    else:
        typer.echo(f"replay {number} was cancelled: `replay run --resume` goes on, `replay drop` removes it")


def drop(
    kept: Annotated[
        str | None,
        typer.Option(
            "--kept",
            metavar="REPLAY",
            help="The history from before this replay was swapped in; or `last`.",
            show_default=False,
        ),
    ] = None,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Remove the shadow of a replay, or a history that a swap kept; never the live one."""
    from streams.replay import removal

    found = _asked(removal.removable)
    if not apply:
        if as_json:
            print_json(found)
        else:
            print_table(
                "shadows and kept histories",
                ("schema", "what", "MB"),
                ((one.schema, one.about, round(one.size / 1e6)) for one in found),
            )
        return
    if kept is None:
        wanted, which = "tillstream_replay", next((one for one in found if not one.kept), None)
    else:
        wanted = f"tillstream_before_{kept}"
        histories = [one for one in found if one.kept and kept in ("last", str(one.replay_id))]
        which = histories[0] if histories else None
    if which is None:
        there = ", ".join(one.schema for one in found) or "none"
        raise failed(f"There is no {wanted} to drop; there is {there}", Exit.REFUSED)
    placed = order("replay drop", {"schema": which.schema}, why=why, who=who)
    _asked(lambda connection: removal.drop(connection, which, placed))
    if as_json:
        print_json({"dropped": which})
    else:
        typer.echo(f"{which.schema} dropped, {which.size / 1e6:,.0f} MB freed")


def _asked(work: Any) -> Any:
    from streams.replay.errors import RefusedError, ReplayError

    try:
        return ask(work)
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    except ReplayError as error:
        raise failed(str(error)) from error


def _state(one: Replay, *, at_work: bool) -> str:
    return "interrupted" if one.state == "running" and not at_work else one.state


def _seconds_left(one: Replay) -> float | None:
    rate = one.offsets_per_s
    left = max(0, one.offsets_due - one.offsets_done)
    return round(left / rate, 1) if rate and one.state == "running" else None


def entry(one: Replay, *, at_work: bool) -> dict[str, Any]:
    return {
        "replay": one.replay_id,
        "range": one.scope,
        "whole": one.scope.whole,
        "state": _state(one, at_work=at_work),
        "offsets_done": one.offsets_done,
        "offsets_due": one.offsets_due,
        "records": one.records,
        "offsets_per_s": one.offsets_per_s and round(one.offsets_per_s, 1),
        "seconds_left": _seconds_left(one),
        "gaps": one.gaps,
        "kept_schema": one.kept_schema,
        "error": one.error,
        "begun_at": one.begun_at,
        "moved_at": one.moved_at,
        "swapped_at": one.swapped_at,
    }
