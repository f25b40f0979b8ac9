"""The book of replays: what each is to read, how far it is, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from storage.operations.turn import held
from storage.progress import Span
from storage.queries import query
from storage.replay.scope import Scope

TURN = "replay"
"""What operators take turns for: running, comparing and swapping."""

_SHADOWS = frozenset({"running", "cancelled", "failed", "ready"})


class Gap(msgspec.Struct, frozen=True):
    """What was asked of a partition and its log no longer has.

    `log_begin` is the first offset that the log has; `log_time` the time of the record there, None when there
    is none.
    """

    topic: str
    partition: int
    begin: int
    log_begin: int
    log_time: datetime | None = None


class Replay(msgspec.Struct, frozen=True):
    """A replay; times in UTC."""

    replay_id: int
    state: str
    scope: Scope
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    offsets_due: int
    offsets_done: int
    records: int
    busy_s: float
    cancel_requested: bool
    kept_schema: str | None
    error: str | None
    begun_at: datetime
    moved_at: datetime
    swapped_at: datetime | None

    @property
    def has_shadow(self) -> bool:
        """Whether the shadow schema is this replay's."""
        return self.state in _SHADOWS

    @property
    def offsets_per_s(self) -> float | None:
        """How fast it was so far; None when it is too early to say."""
        return self.offsets_done / self.busy_s if self.busy_s > 0 and self.offsets_done else None


async def begin(
    connection: Any, scope: Scope, spans: Sequence[Span], gaps: Sequence[Gap], offsets_due: int
) -> int:
    """Enter a replay that begins; return its number."""
    return int(
        await connection.fetchval(query("replay.begin"), _json(scope), _json(spans), _json(gaps), offsets_due)
    )


async def resume(connection: Any, replay_id: int) -> None:
    """Enter that a replay goes on."""
    await connection.execute(query("replay.resume"), replay_id)


async def target(
    connection: Any, replay_id: int, spans: Sequence[Span], offsets_due: int, offsets_done: int
) -> None:
    """Enter how far a replay is to go now."""
    await connection.execute(query("replay.target"), replay_id, _json(spans), offsets_due, offsets_done)


async def move(connection: Any, replay_id: int, *, offsets: int, records: int, busy_s: float) -> bool:
    """Add to what a replay has done; return whether someone asked it to stop."""
    asked = await connection.fetchval(query("replay.move"), replay_id, offsets, records, busy_s)
    return asked is True


async def end(connection: Any, replay_id: int, state: str, error: str | None = None) -> None:
    """Enter how a run ended: ready, cancelled, failed, dropped."""
    await connection.execute(query("replay.end"), replay_id, state, error)


async def ask_to_cancel(connection: Any) -> int | None:
    """Ask the replay that runs to stop; return its number, None when none is entered as running."""
    found: int | None = await connection.fetchval(query("replay.ask_to_cancel"))
    return found


async def swapped(connection: Any, replay_id: int, kept_schema: str) -> None:
    """Enter that a replay became the history."""
    await connection.execute(query("replay.swapped"), replay_id, kept_schema)


async def swapped_back(connection: Any, replay_id: int) -> None:
    """Enter that a replay is the shadow again."""
    await connection.execute(query("replay.swapped_back"), replay_id)


async def forget_kept(connection: Any, replay_id: int) -> None:
    """Enter that the history from before a replay was dropped."""
    await connection.execute(query("replay.forget_kept"), replay_id)


async def list_replays(connection: Any, *, replay_id: int | None = None, limit: int = 20) -> list[Replay]:
    """Return replays, the last begun first."""
    return [
        Replay(
            row[0], row[1],
            msgspec.json.decode(row[2], type=Scope),
            msgspec.json.decode(row[3], type=tuple[Span, ...]),
            msgspec.json.decode(row[4], type=tuple[Gap, ...]),
            *list(row)[5:],
        )
        for row in await connection.fetch(query("replay.list"), replay_id, limit)
    ]  # fmt: skip


async def of_shadow(connection: Any) -> Replay | None:
    """Return the replay that the shadow schema is of."""
    return next((one for one in await list_replays(connection, limit=1000) if one.has_shadow), None)


async def at_work(connection: Any) -> bool:
    """Whether some operator has the turn, so that an entry `running` is true."""
    return await held(connection, TURN)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
