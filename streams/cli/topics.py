"""`tillstream topics list|create|describe|alter`: the topics, as they must be and as Kafka has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels
from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import ask, print_table

if TYPE_CHECKING:
    from streams.alteration import Alteration
    from streams.provision import TopicState
    from streams.settings import Settings
    from topics.registry import Topic

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Prefix = Annotated[
    str | None,
    typer.Option(
        help="What every topic's name begins with. [default: TILLSTREAM_PREFIX]", show_default=False
    ),
]

topics = typer.Typer(
    no_args_is_help=True, help="The topics: which there are, what they hold, how they are kept."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(topics, name="topics", rich_help_panel=panels.OPERATE)


@topics.command("list")
def list_topics(prefix: Prefix = None, as_json: Json = False) -> None:
    """List every topic, changelogs included, and how many partitions it has in Kafka, if any."""
    states = asyncio.run(_look(_settings(prefix)))
    if as_json:
        _print_json([_as_json(state) for state in states])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("topic", "", "key", "kept"):
        table.add_column(heading)
    table.add_column("partitions", justify="right")
    table.add_column("holds", overflow="fold")
    for state in states:
        topic = state.topic
        table.add_row(
            state.name,
            topic.direction,
            topic.key,
            _kept(topic),
            str(state.partitions or "none"),
            topic.description,
        )
    _print(table)
    missing = sum(not state.partitions for state in states)
    if missing:
        _print(f"\n{missing} of {len(states)} are not there: `tillstream topics create` makes them")


@topics.command("create")
def create_topics(
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1, help="Partitions of every topic. [default: as they are, else 4]", show_default=False
        ),
    ] = None,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Make the topics that are missing, changelogs included; those that are there stay as they are.

    All get the same number of partitions, for a store lives on one partition number. It cannot be changed
    later without moving stores: choose as many as workers you may ever need.
    """
    from streams.provision import ProvisionError, create

    settings = _settings(prefix)
    try:
        states = asyncio.run(create(settings, partitions=partitions, replicas=replication_factor))
    except ProvisionError as error:
        raise _failed(error) from error
    if as_json:
        _print_json([_as_json(state) for state in states])
        return
    made = [state for state in states if state.made]
    for state in made:
        _print(f"made {state.name} ({state.partitions} partitions)")
    there = len(states) - len(made)
    _print(f"{len(made)} made, {there} there already, {states[0].partitions} partitions each")
    for state in states:
        for key, (due, found) in state.differs.items():
            _print(f"note: {state.name} has {key}={found}, {due} is due: `tillstream topics alter` sets it")


ALTER_EPILOG = """
**Examples**

    tillstream topics alter

    tillstream topics alter --topic sales --apply --why 'retention as the registry has it'

Exit codes: 0 done, or shown; 1 it could not be done; 2 the command line is wrong; 4 another operator is at
work; 5 records would be lost and --allow-data-loss was not given: nothing was changed.
"""


@topics.command("alter", epilog=ALTER_EPILOG)
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
    settings = _settings(prefix)
    only = _named(topic, settings).name if topic else None
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
        _print_json([_altered(one, done=done) for one in planned])
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

    states = [state for state in await _look(settings) if only is None or state.topic.name == only]
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
        raise _failed(error) from error


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


@topics.command("describe")
def describe_topic(
    name: Annotated[str, typer.Argument(help="The topic, without prefix; or a changelog's full name.")],
    prefix: Prefix = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of its messages.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a topic holds and how it is kept: as it is due, and as Kafka has it."""
    settings = _settings(prefix)
    topic = _named(name, settings)
    if schema:
        from topics.schemas import schema_of

        if topic.schema is None:
            raise typer.BadParameter(f"{name} is a changelog: its values are the worker's own")
        _print_json(schema_of(topic))
        return
    state = next(found for found in asyncio.run(_look(settings)) if found.topic.name == topic.name)
    if as_json:
        _print_json(_as_json(state))
        return
    rows = [
        ("topic", state.name),
        ("holds", topic.description),
        ("message", topic.message + (f" (topics/schemas/{topic.schema})" if topic.schema else "")),
        ("key", topic.key),
        ("written by", topic.written_by),
        (
            "partitions",
            f"{state.partitions}, {state.replicas} copies each" if state.partitions else "not there",
        ),
    ]
    rows += [(key, _setting(key, due, state)) for key, due in state.due.items()]
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        _print(f"{label:<{width}}  {text}")


def _setting(key: str, due: str, state: TopicState) -> str:
    if key in state.differs:
        return f"{state.differs[key][1]} ({state.differs[key][0]} is due)"
    return state.config.get(key, due)


def _named(name: str, settings: Settings) -> Topic:
    from streams.provision import wanted

    due = wanted(settings)
    for full_name, topic in due.items():
        if name in (full_name, topic.name):
            return topic
    raise typer.BadParameter(
        f"no topic {name!r}; there are {', '.join(topic.name for topic in due.values())}"
    )


async def _look(settings: Settings) -> list[TopicState]:
    from streams.provision import ProvisionError, look

    try:
        return await look(settings)
    except ProvisionError as error:
        raise _failed(error) from error


def _settings(prefix: str | None) -> Settings:
    from streams.settings import SettingsError, load_settings, require_kafka

    try:
        settings = load_settings(prefix=prefix)
        require_kafka(settings)
    except SettingsError as error:
        raise _failed(error) from error
    return settings


def _failed(error: Exception) -> typer.Exit:
    typer.echo(f"tillstream: {error}", err=True)
    return typer.Exit(1)


def _kept(topic: Topic) -> str:
    from topics.registry import DAY_MS

    if topic.cleanup == "compact":
        return "last of each key"
    return "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"


def _as_json(state: TopicState) -> dict[str, Any]:
    topic = state.topic
    return {
        "topic": state.name,
        "direction": topic.direction,
        "key": topic.key,
        "message": topic.message,
        "schema": topic.schema,
        "written_by": topic.written_by,
        "description": topic.description,
        "exists": state.partitions > 0,
        "partitions": state.partitions,
        "replicas": state.replicas,
        "made": state.made,
        "config_due": dict(state.due),
        "config": dict(state.config),
        "differs": {key: {"due": due, "found": found} for key, (due, found) in state.differs.items()},
    }


def _print(what: Any) -> None:
    from rich.console import Console

    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what)


def _print_json(what: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(what, option=orjson.OPT_INDENT_2).decode())
