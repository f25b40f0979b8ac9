"""`tillstream tables rebuild`: tables made again from the other topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, print_json, print_table
from streams.cli.offline import audited, say_dry
from streams.cli.offline import run as run_offline
from streams.cli.progress import progress
from streams.cli.table_names import chosen
from streams.cli.tables_repair import TURN

if TYPE_CHECKING:
    from streams.rebuild.rebuild import Plan
    from streams.settings import Settings

_EPILOG = (
    "**Examples**  `tillstream tables rebuild`  `tillstream tables rebuild --table stock`"
    "  `tillstream tables rebuild --apply --why 'changelogs deleted by mistake'`\n\n"
    "**Exit codes**  0 done, or nothing to do; 3 a dry run that found rows to write; 1 failed;"
    " 4 another operator is at work; 5 a stock worker is in its group."
)


def register(tables: typer.Typer) -> None:
    """Add the command to the group."""
    tables.command("rebuild", epilog=_EPILOG)(rebuild_tables)


def rebuild_tables(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="A table, or `levels` (stock, SKUs, strays), or `all`; may be given again. [default: those"
            " whose changelogs are lost]",
            show_default=False,
        ),
    ] = None,
    replication_factor: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Copies of each partition of a changelog that is made again. [default: as the others have]",
            show_default=False,
        ),
    ] = None,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Make tables again from the other topics, compare them with the changelogs, and write what differs.

    Levels come from the last movements, sales, customers and exceptions from their last events, links,
    names and what waits from the inbound topics, up to where the group has decided.
    """
    from streams.rebuild import rebuild

    wanted = chosen(only, empty=())
    placed = order("tables rebuild", {"tables": list(wanted) or "lost"}, why=why, who=who) if apply else None

    async def run(settings: Settings) -> Plan:
        with progress("reading topics") as told:
            plan = await rebuild.plan(settings, wanted, told)
        if placed is not None and (plan.changed or plan.site.missing):
            async with audited(settings, placed, TURN) as result:
                result["tables"] = list(plan.tables)
                try:
                    await rebuild.carry_out(settings, plan, replication_factor)
                except BaseException:
                    _say_unfinished(plan)
                    raise
                result.update(
                    written=sum(one.written for one in plan.planned),
                    removed=sum(one.removed for one in plan.planned),
                )
        return plan

    plan = run_offline(run)
    if as_json:
        print_json(_plan_json(plan, applied=apply))
    else:
        _print_plan(plan)
        say_dry(applied=apply)
    if not apply and (plan.changed or plan.site.missing):
        raise typer.Exit(Exit.FOUND)


def _say_unfinished(plan: Plan) -> None:
    """What is written in part no longer looks lost, so it must be named the next time."""
    again = " ".join(f"--table {table}" for table in plan.tables)
    typer.echo(
        f"broken off: before any stock worker starts, run `tillstream tables rebuild {again} --apply` again",
        err=True,
    )


def _print_plan(plan: Plan) -> None:
    if not plan.tables:
        typer.echo("No changelog is lost; --table names others to compare and make again.")
        return
    print_table(
        "tables",
        ("table", "changelog", "rows due", "to write", "to remove", "the same"),
        (
            (
                one.table,
                "missing" if one.missing else "there",
                one.rows,
                one.written,
                one.removed,
                one.same,
            )
            for one in plan.planned
        ),
    )
    if plan.held:
        typer.echo(
            f"{plan.held} messages wait to be decided: at the worker's start, or when their link comes"
        )
    doubts = plan.doubts
    for number, text in (
        (doubts.parked_lost, "parked orders whose snapshot is gone: their next snapshot decides them"),
        (doubts.reports_unknown, "open sales of whose acknowledgement nothing is left: see the runbook"),
        (doubts.reports_failed, "messages of the point of sale that could not be decided again"),
        (doubts.movement_gaps, "movements that do not follow the one before: `tillstream stock why`"),
    ):
        if number:
            typer.echo(f"note: {number} {text}")


def _plan_json(plan: Plan, *, applied: bool) -> dict[str, Any]:
    import msgspec

    return {
        "applied": applied,
        "tables": [msgspec.to_builtins(one) for one in plan.planned],
        "missing": plan.site.missing,
        "held": plan.held,
        "doubts": msgspec.to_builtins(plan.doubts),
    }
