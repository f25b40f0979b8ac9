"""Dead letters that the log keeps no longer: the live history's are carried over."""

from collections.abc import Collection
from typing import Any

from storage.operations.replays import Gap
from storage.queries import query
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY, LONG_S

TOPIC = "dead.letters"
"""The one topic of the history that is not kept for ever: letters hold part of the record."""


async def carry(connection: Any, gaps: Collection[Gap]) -> int:
    """Copy the letters that are older than what the log has; return how many.

    Some that the log does have may be among them: written again, they are the same.
    """
    if not gaps:
        return 0
    times = [gap.log_time for gap in gaps]
    # A partition without any record: all its letters are gone from the log.
    newest = None if None in times else max(time for time in times if time is not None)
    done: str = await connection.execute(
        query("replay.carry_letters").format(to=SHADOW.name, source=HISTORY.name), newest, timeout=LONG_S
    )
    return int(done.rsplit(" ", 1)[-1])
