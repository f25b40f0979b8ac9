"""`tillstream topics list|create|describe|alter`: the topics, as they must be and as Kafka has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels
from streams.cli.history import Json, failed
from streams.cli.topic_states import Prefix, look_at, named, print_json, settings_of
from streams.cli.topics_alter import EPILOG, alter_topics

if TYPE_CHECKING:
    from streams.provision import TopicState
    from topics.registry import Topic

topics = typer.Typer(
    no_args_is_help=True, help="The topics: which there are, what they hold, how they are kept."
)


_CREATE = """
**Examples**

    tillstream topics create                                              on one machine

    tillstream topics create --partitions 12 --replication-factor 3      in production
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(topics, name="topics", rich_help_panel=panels.OPERATE)


@topics.command("list", epilog="**Example**  `tillstream topics list --json`")
def list_topics(prefix: Prefix = None, as_json: Json = False) -> None:
    """List every topic, changelogs included, and how many partitions it has in Kafka, if any."""
    states = asyncio.run(look_at(settings_of(prefix)))
    if as_json:
        print_json([_as_json(state) for state in states])
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


@topics.command("create", epilog=_CREATE)
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

    settings = settings_of(prefix)
    try:
        states = asyncio.run(create(settings, partitions=partitions, replicas=replication_factor))
    except ProvisionError as error:
        raise failed(str(error)) from error
    if as_json:
        print_json([_as_json(state) for state in states])
        return
    made = [state for state in states if state.made]
    for state in made:
        _print(f"made {state.name} ({state.partitions} partitions)")
    there = len(states) - len(made)
    _print(f"{len(made)} made, {there} there already, {states[0].partitions} partitions each")
    for state in states:
        for key, (due, found) in state.differs.items():
            _print(f"note: {state.name} has {key}={found}, {due} is due: `tillstream topics alter` sets it")


topics.command("alter", epilog=EPILOG)(alter_topics)


@topics.command(
    "describe",
    epilog="**Example**  `tillstream topics describe sales --schema`",
)
def describe_topic(
    name: Annotated[str, typer.Argument(help="The topic, without prefix; or a changelog's full name.")],
    prefix: Prefix = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of its messages.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a topic holds and how it is kept: as it is due, and as Kafka has it."""
    settings = settings_of(prefix)
    topic = named(name, settings)
    if schema:
        from topics.schemas import schema_of

        if topic.schema is None:
            raise typer.BadParameter(f"{name} is a changelog: its values are the worker's own")
        print_json(schema_of(topic))
        return
    state = next(found for found in asyncio.run(look_at(settings)) if found.topic.name == topic.name)
    if as_json:
        print_json(_as_json(state))
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
