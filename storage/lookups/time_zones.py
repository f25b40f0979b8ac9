"""Time zones that days may be those of."""

from typing import Any

from storage.errors import StorageError
from storage.queries import query


async def known_time_zone(connection: Any, name: str) -> str:
    """Return the zone's name as Postgres spells it; StorageError when it knows none of that name.

    Asked by name, for Postgres takes nearly any text as a zone and reads `UTC+3` as three hours behind UTC.
    """
    if name == "UTC":
        return name
    found: str | None = await connection.fetchval(query("lookups.time_zone"), name)
    if found is None:
        raise StorageError(
            f"there is no time zone {name[:80]!r}: give the name of one, as Pacific/Auckland or Europe/Berlin"
        )
    return found
