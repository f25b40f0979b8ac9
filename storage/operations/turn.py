"""One operator at a time: an advisory lock that a session holds while it changes something."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from storage.errors import BusyError
from storage.queries import query

# Apart from all other advisory locks of the database; any number will do.
_SPACE = 504_731

_holder = query("operations.turn_holder")


@asynccontextmanager
async def turn(connection: Any, what: str) -> AsyncIterator[None]:
    """Hold the turn for `what` (`replay`, `dead letters`, …) while the block runs.

    The session must outlive the block. Raises BusyError, naming who has it, instead of waiting; a session
    that ended, however it did, has let go.
    """
    key = _key(what)
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1::int, $2::int)", _SPACE, key):
        holder = await connection.fetchrow(_holder, _SPACE, key)
        who = f"{holder[0]}, there since {holder[1]:%Y-%m-%d %H:%M:%S} UTC" if holder else "someone"
        raise BusyError(
            f"Another operator is at work on {what} ({who}): wait until that has ended;"
            " `tillstream audit list` shows what it is. Nothing was changed"
        )
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1::int, $2::int)", _SPACE, key)


async def held(connection: Any, what: str) -> bool:
    """Whether some session has the turn for `what`."""
    return await connection.fetchrow(_holder, _SPACE, _key(what)) is not None


def _key(what: str) -> int:
    return zlib.crc32(what.encode()) & 0x7FFF_FFFF
