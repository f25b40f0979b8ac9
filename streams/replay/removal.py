"""Ending a replay from elsewhere, and removing what replays left."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from storage.operations import replays
from storage.operations.audit import Order, audited
from storage.operations.turn import turn
from storage.replay import shadow
from storage.replay.shadow import SHADOW
from storage.schema import Schema
from streams.replay.errors import RefusedError, ReplayError

CANCELLED_WITHIN_S = 30.0


class Removable(msgspec.Struct, frozen=True, kw_only=True):
    """A schema that may be removed; `size` in bytes, `replay_id` None when no replay has it."""

    schema: str
    replay_id: int | None
    kept: bool
    """Whether it is the history from before a swap; else it is the shadow."""
    about: str
    size: int


async def cancel(connection: Any, order: Order) -> int:
    """Ask the replay that runs to stop, and wait until it has; return its number.

    Raises RefusedError when none runs, ReplayError when it has not stopped in time.
    """
    if not await replays.at_work(connection):
        raise RefusedError(
            "No replay is at work: there is nothing to cancel. `tillstream replay status` shows what there"
            " is, `tillstream replay drop` removes a shadow"
        )
    async with audited(connection, order) as result:
        number = await replays.ask_to_cancel(connection)
        if number is None:
            raise RefusedError("An operator is at work, but no replay is reading: nothing was cancelled")
        result["replay"] = number
        deadline = time.monotonic() + CANCELLED_WITHIN_S
        while True:
            (replay,) = await replays.list_replays(connection, replay_id=number)
            if replay.state != "running":
                result["state"] = replay.state
                return number
            if time.monotonic() > deadline:
                raise ReplayError(
                    f"Replay {number} was asked to stop and has not within {CANCELLED_WITHIN_S:.0f} s: it may"
                    " wait for Postgres or Kafka. It will stop at its next step, or end its process"
                )
            await asyncio.sleep(0.1)


async def removable(connection: Any) -> Sequence[Removable]:
    """Return the shadow, if there is one, and the histories that were kept, the last first."""
    found = []
    replay = await replays.of_shadow(connection)
    # A replay that could not make its schema is to be got rid of, too.
    if replay is not None or await shadow.exists(connection, SHADOW):
        about = f"shadow of replay {replay.replay_id}, {replay.state}" if replay else "of no replay"
        size = await shadow.size(connection, SHADOW)
        number = replay.replay_id if replay else None
        found.append(Removable(schema=SHADOW.name, replay_id=number, kept=False, about=about, size=size))
    for swapped in await replays.list_replays(connection, limit=1000):
        if swapped.kept_schema is not None:
            kept = shadow.kept(swapped.replay_id)
            about = f"the history before replay {swapped.replay_id} was swapped in"
            size = await shadow.size(connection, kept)
            found.append(
                Removable(schema=kept.name, replay_id=swapped.replay_id, kept=True, about=about, size=size)
            )
    return found


async def drop(connection: Any, which: Removable, order: Order) -> None:
    """Remove a shadow or a kept history. Raises BusyError."""
    async with turn(connection, replays.TURN), audited(connection, order) as result:
        one = _kept(which) if which.kept else SHADOW
        await shadow.drop(connection, one)
        if which.replay_id is not None:
            if one == SHADOW:
                await replays.end(connection, which.replay_id, "dropped")
            else:
                await replays.forget_kept(connection, which.replay_id)
        result.update(schema=one.name, bytes=which.size)


def _kept(which: Removable) -> Schema:
    if which.replay_id is None:
        raise RefusedError(f"{which.schema} is no history that a replay kept: it is not removed")
    return shadow.kept(which.replay_id)
