"""What ties others to the tables of a schema, and would go on meaning the old ones after a swap."""

from collections.abc import Sequence
from typing import Any

from storage.queries import query
from storage.schema import Schema

_outside = query("replay.bonds_outside")
_extras = query("replay.extras")
_owner = query("replay.owner")


async def outside(connection: Any, one: Schema) -> Sequence[str]:
    """Name views, foreign keys, functions and publications elsewhere that are tied to the schema's tables."""
    return [row[0] for row in await connection.fetch(_outside, one.name)]


async def extras(connection: Any, one: Schema, other: Schema) -> Sequence[str]:
    """Name what somebody added to `one` (a view, an index, a trigger …) and `other` does not have."""
    return [row[0] for row in await connection.fetch(_extras, one.name, other.name)]


async def owner(connection: Any, one: Schema) -> tuple[str, bool]:
    """Return who owns a schema, and whether that is the session's user."""
    row = await connection.fetchrow(_owner, one.name)
    return row[0], row[1]
