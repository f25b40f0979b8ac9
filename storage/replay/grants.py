"""Rights: what a schema's readers and writers may do, given on another schema of the same tables."""

from typing import Any

from storage.queries import query
from storage.schema import Schema

_grants = query("replay.grants")


async def copy_grants(connection: Any, one: Schema, to: Schema) -> int:
    """Give on `to` every right that there is on `one`, its columns and future tables included.

    Returns how many statements it took. Rights that only `to` has stay.
    """
    statements = [row[0] for row in await connection.fetch(_grants, one.name, to.name)]
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement)
    return len(statements)
