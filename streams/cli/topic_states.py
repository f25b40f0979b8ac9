"""What the commands about topics have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.history import failed

if TYPE_CHECKING:
    from streams.provision import TopicState
    from streams.settings import Settings
    from topics.registry import Topic

Prefix = Annotated[
    str | None,
    typer.Option(
        help="What every topic's name begins with. [default: TILLSTREAM_PREFIX]", show_default=False
    ),
]


def named(name: str, settings: Settings) -> Topic:
    """Return the topic of that name, without prefix or in full; a usage error names those that there are."""
    from streams.provision import wanted

    due = wanted(settings)
    for full_name, topic in due.items():
        if name in (full_name, topic.name):
            return topic
    raise typer.BadParameter(
        f"no topic {name!r}; there are {', '.join(topic.name for topic in due.values())}"
    )


async def look_at(settings: Settings) -> list[TopicState]:
    """Return how Kafka has the topics; what a user can mend ends the command with code 1."""
    from streams.provision import ProvisionError, look

    try:
        return await look(settings)
    except ProvisionError as error:
        raise failed(str(error)) from error


def settings_of(prefix: str | None) -> Settings:
    """Return the settings; what a user can mend ends the command with code 1."""
    from streams.settings import SettingsError, load_settings, require_kafka

    try:
        settings = load_settings(prefix=prefix)
        require_kafka(settings)
    except SettingsError as error:
        raise failed(str(error)) from error
    return settings


def print_json(what: Any) -> None:
    """Print plain values as JSON."""
    import orjson

    typer.echo(orjson.dumps(what, option=orjson.OPT_INDENT_2).decode())
