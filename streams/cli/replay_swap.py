"""`tillstream replay diff|swap|rollback`: a shadow compared with the live history, and put in its place."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, print_json, print_table
from streams.cli.replay_options import Store, at_desk, progress

if TYPE_CHECKING:
    from storage.operations.replays import Replay
    from storage.replay.measures import Figure
    from streams.replay.desk import Desk
    from streams.replay.diff import Diff
    from streams.replay.swap import Swapped


class By(StrEnum):
    """What figures are compared by."""

    DAY = "day"
    OUTLET = "outlet"


Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait for readers and writers that are in the way.")
]

_SWAP = "**Example**  `tillstream replay swap --apply --why 'rows were lost'`\n"
_ROLLBACK = "**Example**  `tillstream replay rollback --apply --why 'it was better'`\n"
_EXITS = """
**Exit codes**  0 done; 1 it failed, or others were in the way: nothing was changed; 4 another operator is at
work; 5 refused, with the reason
"""


def register(replay: typer.Typer) -> None:
    """Add the commands to the group."""
    replay.command(
        "diff",
        epilog="""
**Examples**

    tillstream replay diff                            everything

    tillstream replay diff --store s1 --by day --json

**Exit codes**  0 nothing differs; 1 it failed; 3 something differs; 4 another operator is at work; 5 there is
no shadow that is ready
""",
    )(diff)
    replay.command("swap", epilog=_SWAP + _EXITS)(swap)
    replay.command("rollback", epilog=_ROLLBACK + _EXITS)(rollback)


def diff(
    store: Store = None,
    by: Annotated[By | None, typer.Option("--by", help="Figures only by these. [default: both]")] = None,
    sample: Annotated[int, typer.Option("--sample", min=0, help="Show so many rows that differ.")] = 10,
    as_json: Json = False,
) -> None:
    """Compare the shadow with the live history: every row, money and quantities, at one common position.

    The shadow is brought as far as the live history first, which may go on meanwhile. Times of processing are
    not compared; of personal data it is said that it differs, not how.
    """
    from storage.replay.measures import GROUPS

    groups = tuple(GROUPS) if by is None else (by.value,)

    async def work(desk: Desk) -> Diff:
        from streams.replay.diff import diff as compare

        with progress("bringing the shadow up to now", quiet=as_json) as tell:
            return await compare(desk, store_id=store, by=groups, sample=sample, tell=tell)

    found = at_desk(work)
    if as_json:
        print_json(_shown(found))
    else:
        _print_diff(found)
    if not found.same:
        raise typer.Exit(Exit.FOUND)


def swap(
    wait: Wait = 60.0, apply: Apply = False, why: Why = None, who: Who = None, as_json: Json = False
) -> None:
    """Put the shadow in the live history's place: readers see all of the old or all of the new.

    Only a replay of all history, and a whole one. It is brought up to now first; then the history worker
    waits for some tenths of a second, and goes on by itself on the new tables. What was before is kept:
    `replay rollback` takes it back, `replay drop --kept` removes it.
    """
    placed = order("replay swap", {}, why=why, who=who) if apply else None

    async def work(desk: Desk) -> Replay | Swapped:
        from streams.replay import swap as swapping

        if placed is None:
            return await swapping.check_swap(desk)
        with progress("catching up", quiet=as_json) as tell:
            return await swapping.swap(desk, placed, wait_s=wait, tell=tell)

    _report(at_desk(work), "swapped in", as_json=as_json)


def rollback(
    wait: Wait = 60.0, apply: Apply = False, why: Why = None, who: Who = None, as_json: Json = False
) -> None:
    """Take the last swap back: the kept history is brought up to now, and put in its place again.

    What had been swapped in is the shadow again: it can be compared, swapped in again, or dropped.
    """
    placed = order("replay rollback", {}, why=why, who=who) if apply else None

    async def work(desk: Desk) -> Replay | Swapped:
        from streams.replay import swap as swapping

        if placed is None:
            return await swapping.check_rollback(desk)
        with progress("catching up", quiet=as_json) as tell:
            return await swapping.rollback(desk, placed, wait_s=wait, tell=tell)

    _report(at_desk(work), "taken back", as_json=as_json)


def _report(done: Replay | Swapped, what: str, *, as_json: bool) -> None:
    from streams.replay.swap import Swapped

    if not isinstance(done, Swapped):
        if as_json:
            print_json({"replay": done.replay_id, "applied": False})
        else:
            typer.echo(f"replay {done.replay_id} can be {what}; nothing was changed: --apply --why … does it")
        return
    if as_json:
        print_json(
            {
                "replay": done.replay_id,
                "applied": True,
                "kept_schema": done.kept_schema,
                "held_s": done.held_s,
                "attempts": done.attempts,
            }
        )
        return
    kept = f"; what was before is in {done.kept_schema}" if done.kept_schema else ""
    typer.echo(f"replay {done.replay_id} was {what}: the history worker waited {done.held_s} s{kept}")


def _shown(found: Diff) -> dict[str, Any]:
    return {
        "replay": found.replay_id,
        "range": found.scope,
        "same": found.same,
        "pruned_before": found.pruned,
        "tables": found.tables,
        "figures": {group: _differing(some) for group, some in found.figures.items()},
        "totals": {group: _as_text(_totals(some)) for group, some in found.figures.items()},
        "samples": found.samples,
    }


def _totals(some: list[Figure]) -> list[Figure]:
    from storage.replay.measures import totals

    return totals(some)


def _differing(some: list[Figure]) -> list[dict[str, str]]:
    return _as_text([one for one in some if not one.same])


def _as_text(some: list[Figure]) -> list[dict[str, str]]:
    """Exact sums as text: a number of JSON may be read inexactly."""
    return [
        {
            "group": one.group,
            "name": one.name,
            "unit": one.unit,
            "live": format(one.live, "f"),
            "shadow": format(one.shadow, "f"),
        }
        for one in some
    ]


def _print_diff(found: Diff) -> None:
    print_table(
        "tables",
        ("table", "live", "shadow", "only live", "only shadow", "changed"),
        (
            (one.table, one.live, one.shadow, one.only_live, one.only_shadow, one.changed)
            for one in found.tables
        ),
    )
    for group, some in found.figures.items():
        print_table(
            f"figures that differ by {group}",
            (group, "figure", "unit", "live", "shadow", "difference"),
            (
                (
                    one.group, one.name, one.unit,
                    format(one.live, "f"), format(one.shadow, "f"), format(one.shadow - one.live, "f"),
                )
                for one in some
                if not one.same
            ),
        )  # fmt: skip
    if found.samples:
        print_table(
            "samples",
            ("table", "key", "what", "field", "live", "shadow"),
            (
                (one.table, " ".join(one.key.values()), one.what, name, *values)
                for one in found.samples
                for name, values in (one.fields or {"": (None, None)}).items()
            ),
        )
    for table, day in found.pruned.items():
        typer.echo(f"{table}: only from {day} on; what is older was pruned")
    same = "is the same as" if found.same else "differs from"
    typer.echo(f"the shadow ({found.scope}) {same} the live history")
