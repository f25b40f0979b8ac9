"""`tillstream topics alter`: settings of topics made what they are due to be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, ask, failed, print_table
from streams.cli.topic_states import Prefix, look_at, named, print_json, settings_of

if TYPE_CHECKING:
    from streams.alteration import Alteration
    from streams.settings import Settings

EPILOG = """
**Examples**

    tillstream topics alter

    tillstream topics alter --topic sales --apply --why 'retention as the registry has it'

Exit codes: 0 done, or shown; 1 it could not be done; 2 the command line is wrong; 4 another operator is at
work; 5 records would be lost and --allow-data-loss was not given: nothing was changed.
"""


def alter_topics(
    topic: Annotated[
        str | None,
        typer.Option(
            "--topic",
            help="Only this topic, without prefix; or a changelog's full name. [default: all]",
            show_default=False,
        ),
    ] = None,
    allow_data_loss: Annotated[
        bool, typer.Option("--allow-data-loss", help="Also what lets Kafka remove records that it has.")
    ] = False,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Set retention, compaction and the other settings of the topics to what they are due to be.

    Only settings that differ are touched, and nothing else of the topic. Partitions are not: see
    `tillstream topics create`.
    """
    settings = settings_of(prefix)
    only = named(topic, settings).name if topic else None
    wanted = (
        order("topics alter", {"topic": topic, "allow_data_loss": allow_data_loss}, why=why, who=who)
        if apply
        else None
    )
    planned = asyncio.run(_planned(settings, only))
    losing = [one for one in planned if one.cost != "nothing"]
    refused = apply and losing and not allow_data_loss
    done = bool(apply and planned and not refused)
    if done:
        ask(lambda connection: _alter(connection, settings, planned, wanted), known_schema=False)
    if as_json:
        print_json([_altered(one, done=done) for one in planned])
    else:
        print_table(
            "settings that differ",
            ("topic", "setting", "was" if done else "is", "due", "what Kafka removes for it"),
            ((one.topic, one.setting, one.found, one.due, _cost(one)) for one in planned),
        )
        if done:
            typer.echo(f"{len(planned)} settings of {len({one.topic for one in planned})} topics changed")
        elif planned and not apply:
            typer.echo("nothing was changed: --apply --why … does it")
    if refused:
        for one in losing:
            typer.echo(f"tillstream: {one.topic}: {one.setting}={one.due} removes {_cost(one)}", err=True)
        typer.echo(
            "tillstream: nothing was changed. --topic sets the others one by one; with --allow-data-loss what"
            " is told here may be lost",
            err=True,
        )
        raise typer.Exit(Exit.REFUSED)


async def _planned(settings: Settings, only: str | None) -> list[Alteration]:
    from streams.alteration import alterations, counted

    states = [state for state in await look_at(settings) if only is None or state.topic.name == only]
    return await counted(settings, alterations(states), states)


async def _alter(connection: Any, settings: Settings, planned: list[Alteration], wanted: Any) -> None:
    from storage.operations.audit import audited
    from storage.operations.turn import turn
    from streams.alteration import AlterRequest
    from streams.provision import ProvisionError, alter

    try:
        async with turn(connection, "topics"), audited(connection, wanted) as result:
            await alter(settings, AlterRequest(planned))
            result["settings"] = [f"{one.topic} {one.setting}: {one.found} -> {one.due}" for one in planned]
    except ProvisionError as error:
        raise failed(str(error)) from error


def _cost(one: Alteration) -> str:
    return {
        "nothing": "nothing",
        "old_records": f"{one.records} records that are older",
        "replaced_records": f"of {one.records} records all but the last of each key",
        "deletions": "marks of deletions that are older, before late readers see them",
    }[one.cost]


def _altered(one: Alteration, *, done: bool) -> dict[str, Any]:
    import msgspec

    return {**msgspec.structs.asdict(one), "applied": done}
