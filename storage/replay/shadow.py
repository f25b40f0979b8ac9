"""The schema that a replay writes: made, given its beginnings, dropped."""

from collections.abc import Mapping
from typing import Any

from storage import schema
from storage.progress import Place
from storage.queries import query
from storage.schema import HISTORY, LONG_S, Schema

SHADOW = Schema("tillstream_replay", HISTORY.folder, "A replay of the sales history.")

_seed = query("replay.seed")
_positions = query("replay.positions")
_size = query("replay.size")


def kept(replay_id: int) -> Schema:
    """Return the schema that keeps the history from before that replay took its place."""
    return Schema(f"tillstream_before_{replay_id}", HISTORY.folder, "The sales history before a replay.")


async def exists(connection: Any, one: Schema) -> bool:
    """Whether the database has the schema."""
    return await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", one.name) is True


async def make(connection: Any) -> None:
    """Make the shadow, empty, at this program's version."""
    await schema.migrate(connection, SHADOW)


async def seed(connection: Any, one: Schema, consumer: str, begins: Mapping[Place, int]) -> None:
    """Say where writing begins in places that have no position yet; others stay where they are."""
    if begins:
        topics, partitions = zip(*begins, strict=True)
        await connection.execute(
            _seed.format(schema=one.name), consumer, list(topics), list(partitions), list(begins.values())
        )


async def positions(connection: Any, one: Schema, consumer: str) -> dict[Place, int]:
    """Return how far each place of a schema has been written."""
    rows = await connection.fetch(_positions.format(schema=one.name), consumer)
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


async def drop(connection: Any, one: Schema) -> None:
    """Remove a shadow, or a kept history, with all that is in it; never the live one."""
    if one.name == HISTORY.name:
        raise ValueError("the live history is not dropped here")
    await connection.execute(f"DROP SCHEMA IF EXISTS {one.name} CASCADE", timeout=LONG_S)


async def size(connection: Any, one: Schema) -> int:
    """Return how many bytes of disk a schema's tables and indexes take."""
    return int(await connection.fetchval(_size, one.name))
