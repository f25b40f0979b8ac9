"""How the history and its database are: for those who watch, not for analysts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer
from storage.queries import query


class LettersCounted(Answer, frozen=True, kw_only=True):
    """Dead letters of a reason: all, of the last day, and those that nobody has dealt with."""

    reason: str
    total: int
    last_day: int
    open: int


class TableMeasured(Answer, frozen=True, kw_only=True):
    """A table on disk, indexes included; `rows` is the server's own estimate."""

    table: str
    bytes: int
    rows: int


class ServerSeen(Answer, frozen=True, kw_only=True):
    """The server: its clock, the size of the database, and whether it takes no changes."""

    now: datetime
    database_bytes: int
    read_only: bool


class ReplaySeen(Answer, frozen=True, kw_only=True):
    """The replay that has the shadow: `running` also when its process was killed and nobody went on."""

    replay_id: int
    state: str
    offsets_done: int
    offsets_due: int
    moved_at: datetime


async def count_exceptions(connection: Any) -> dict[str, int]:
    """Return how many exceptions are open, by kind."""
    return dict(await connection.fetch(query("watch.count_exceptions")))


async def count_letters(connection: Any) -> Sequence[LettersCounted]:
    """Return how many dead letters there are, by reason."""
    known = await _may_read(connection, "redrives", "discards")
    name = "watch.count_letters_dealt_with" if known else "watch.count_letters"
    names = LettersCounted.__struct_fields__
    return [
        LettersCounted(**dict(zip(names, row, strict=True))) for row in await connection.fetch(query(name))
    ]


async def show_replay(connection: Any) -> ReplaySeen | None:
    """Return the replay that has the shadow, if there is one."""
    if not await _may_read(connection, "replays"):
        return None
    row = await connection.fetchrow(query("watch.show_replay"))
    return None if row is None else ReplaySeen(**dict(zip(ReplaySeen.__struct_fields__, row, strict=True)))


async def measure_tables(connection: Any) -> Sequence[TableMeasured]:
    """Return the history's tables, the largest first."""
    names = TableMeasured.__struct_fields__
    return [
        TableMeasured(**dict(zip(names, row, strict=True)))
        for row in await connection.fetch(query("watch.list_sizes"))
    ]


async def show_server(connection: Any) -> ServerSeen:
    """Return how the server is."""
    names = ServerSeen.__struct_fields__
    row = await connection.fetchrow(query("watch.show_server"))
    return ServerSeen(**dict(zip(names, row, strict=True)))


async def _may_read(connection: Any, *tables: str) -> bool:
    return bool(await connection.fetchval(query("watch.may_read_operations"), list(tables)))
