"""`tillstream partitions plan|change|drop`: another number of partitions for every topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels
from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, print_json, print_table
from streams.cli.offline import audited, run, say_dry
from streams.cli.progress import progress

if TYPE_CHECKING:
    from streams.repartition.change import Counted, Outlook
    from streams.settings import Settings

TURN = "partitions"

Count = Annotated[int, typer.Option("--partitions", min=1, help="So many each topic is to have.")]
To = Annotated[
    str,
    typer.Option("--to", metavar="PREFIX", help="What the new topics' names begin with.", show_default=False),
]

partitions = typer.Typer(no_args_is_help=True, help="Change how many partitions each topic has.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(partitions, name="partitions", rich_help_panel=panels.OPERATE)


@partitions.command(
    "plan",
    epilog="**Example**  `tillstream partitions plan --partitions 24 --to g2.`\n\n"
    "**Exit codes**  0 nothing is in the way; 3 records are not decided or written yet, or the new prefix"
    " holds leftovers; 1 failed; 5 a generation is at work under the new prefix.",
)
def plan(count: Count, to: To, as_json: Json = False) -> None:
    """Say what a change would copy, and what is in its way. Workers may be at work meanwhile."""

    async def look(settings: Settings) -> Outlook:
        from streams.repartition.change import outlook
        from streams.repartition.generations import move_to

        _check_prefix(to)
        return await outlook(await move_to(settings, to, count))

    seen = run(look)
    if as_json:
        print_json(seen)
    else:
        typer.echo(
            f"from {seen.before} partitions under {seen.old_prefix!r}"
            f" to {seen.after} under {seen.new_prefix!r}"
        )
        print_table("topics", ("topic", "offsets"), ((one.topic, one.offsets) for one in seen.topics))
        typer.echo(f"{seen.undecided} offsets are not decided, {seen.unwritten} not written")
        if seen.leftovers:
            typer.echo(f"there already: {', '.join(seen.leftovers)}; see `tillstream partitions drop`")
    if seen.undecided or seen.unwritten or seen.leftovers:
        raise typer.Exit(Exit.FOUND)


@partitions.command(
    "drain",
    epilog="**Example**  `tillstream partitions drain --wait 10`\n\n"
    "**Exit codes**  0 all is decided and written; 5 not within that time; 1 failed.",
)
def drain(
    wait: Annotated[float, typer.Option("--wait", min=0, help="At most so many minutes.")] = 10.0,
    as_json: Json = False,
) -> None:
    """Wait, with the publishers stopped and the workers at work, until all is decided and written."""

    async def wait_for(settings: Settings) -> None:
        from streams.rebuild.changelogs import look_at
        from streams.repartition.standing import drained

        site = await look_at(settings)
        with _left() as told:
            await drained(settings, site.partitions, wait * 60, told)

    run(wait_for)
    if as_json:
        print_json({"drained": True})
    else:
        typer.echo("all that was published is decided and written: stop the workers")


@partitions.command(
    "change",
    epilog="**Examples**  `tillstream partitions change --partitions 24 --to g2.`"
    "  `tillstream partitions change --partitions 24 --to g2. --replication-factor 3 --apply --why 'more"
    " workers'`\n\n**Exit codes**  0 done, or shown; 1 failed: the old topics are as they were; 4 another"
    " operator is at work; 5 refused: workers are not stopped, or something is not decided or written.",
)
def change_partitions(
    count: Count,
    to: To,
    replication_factor: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Copies of each partition of the new topics. [default: as the others have]",
            show_default=False,
        ),
    ] = None,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Copy every topic and table to a new generation with another number of partitions, and go on there.

    Drain first, then stop both kinds of worker. The old topics stay as they are; workers, publishers and
    readers that are started with the new prefix go on where the old ones ended.
    """
    scope = {"partitions": count, "to": to}
    placed = order("partitions change", scope, why=why, who=who) if apply else None

    async def work(settings: Settings) -> tuple[Outlook, list[Counted]]:
        from streams.repartition import change
        from streams.repartition.generations import move_to

        _check_prefix(to)
        move = await move_to(settings, to, count)
        seen = await change.outlook(move)
        if placed is None:
            return seen, []
        async with audited(settings, placed, TURN) as result:
            with progress("copying") as told:
                copied = await change.change(move, replication_factor, told)
            result.update({"from": seen.before, "records": sum(one.copied or 0 for one in copied)})
        return seen, copied

    seen, copied = run(work)
    if as_json:
        print_json({"outlook": seen, "copied": copied, "applied": apply})
        return
    rows = copied or seen.topics
    print_table(
        "topics",
        ("topic", "offsets", "records copied"),
        ((one.topic, one.offsets, one.copied) for one in rows),
    )
    if apply:
        typer.echo(f"start workers, publishers and readers with TILLSTREAM_PREFIX={to}")
    say_dry(applied=apply)


@partitions.command(
    "drop",
    epilog="**Example**  `tillstream partitions drop --prefix g1. --apply --why 'g2 has been at work for a"
    " month'`\n\n**Exit codes**  0 done, or shown; 1 failed; 4 another operator is at work; 5 its workers are"
    " not stopped, or it is the generation that the settings name.",
)
def drop(
    prefix: Annotated[str, typer.Option("--prefix", help="The generation to delete.", show_default=False)],
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Delete the topics of a generation that nobody needs any more, or of a change that was broken off.

    This cannot be undone: what retention kept there for a replay is gone, too, but for what was copied.
    """
    placed = order("partitions drop", {"prefix": prefix}, why=why, who=who) if apply else None

    async def work(settings: Settings) -> list[str]:
        from streams.provision import look
        from streams.rebuild.errors import RefusedError
        from streams.repartition.change import drop as drop_generation
        from streams.settings import load_settings

        if prefix == settings.worker.prefix:
            raise RefusedError(
                f"{prefix!r} is the prefix of these settings: set TILLSTREAM_PREFIX to the generation that is"
                " at work, and drop the other one. Nothing was changed"
            )
        other = load_settings(prefix=prefix)
        if placed is None:
            return [state.name for state in await look(other) if state.partitions]
        async with audited(settings, placed, TURN) as result:
            names = await drop_generation(other)
            result.update(topics=len(names))
        return names

    names = run(work)
    if as_json:
        print_json({"topics": names, "applied": apply})
        return
    for name in names:
        typer.echo(f"{'deleted' if apply else 'to delete'} {name}")
    say_dry(applied=apply)


def _check_prefix(prefix: str) -> None:
    from streams.settings import load_settings

    load_settings(prefix=prefix)  # raises when Kafka could not have such names


@contextmanager
def _left() -> Iterator[Any]:
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("waiting") as status:
        yield lambda undecided, unwritten: status.update(
            f"{undecided:,} offsets not decided, {unwritten:,} not written"
        )
